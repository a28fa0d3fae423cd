# SPDX-License-Identifier: MIT
"""The choice of a level, when one call of the network is enough, what is refused, and energies that are none."""

import copy
import math
import random

import numpy as np
import openmm
import pytest
from openmm import app, unit

import openmmpainn
from openmmpainn import PaiNNStudentForce, ReplicaExchangeSampler
from openmmpainn.pressure_work import pressure_work
from openmmpainn.state_energies import NetworkStateSampler
from sampler_cases import LEVELS, bonds, energies, molecule, replica_contexts  # noqa: F401

KELVIN = [{"temperature": 300.0}, {"temperature": 330.0}]
SCALES = [{"lambda": 1.0}, {"lambda": 0.5}]


def sampler(simulation, states=KELVIN, **arguments):
    return ReplicaExchangeSampler(states, simulation, 5, **arguments)


def test_fastest_level_that_is_valid(canonical, ethanol, capsys, monkeypatch):
    def chosen(states, **changes):
        made = sampler(molecule(canonical, ethanol, **changes), states)
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 1 and f"Replica exchange of 2 states at the level '{made.level}'" in lines[0]
        return made.level, lines[0]

    def remover(system):
        system.addForce(openmm.CMMotionRemover())

    assert chosen(KELVIN)[0] == "subsystems" == chosen(SCALES, scale=1.0)[0]
    assert chosen(KELVIN, change=bonds(1))[0] == "subsystems"
    level, line = chosen(KELVIN, change=bonds(0))
    assert level == "contexts" and "not 'subsystems': HarmonicBondForce is in force group 0 of the network" in line
    level, line = chosen(KELVIN, change=remover)
    assert level == "contexts" and "make the System without it (createSystem() has removeCMMotion=False)" in line
    monkeypatch.delattr(openmmpainn, "PaiNNReplicaContexts")
    monkeypatch.setitem(openmmpainn._MODULES, "PaiNNReplicaContexts", "replicas")  # no such name there: an ImportError
    monkeypatch.delitem(openmmpainn._MODULES, "PaiNNReplicaContexts")
    level, line = chosen(KELVIN, change=remover)
    assert level == "serial" and "not 'contexts': this build has no PaiNNReplicaContexts" in line
    assert sampler(molecule(canonical, ethanol), progress=False).level == "subsystems"
    assert capsys.readouterr().err == ""


def test_when_one_call_of_the_network_is_enough(canonical, ethanol):
    def reason(states, **changes):
        context = molecule(canonical, ethanol, **changes).context
        found = NetworkStateSampler(states, context)
        assert (found.network is None) == bool(found.reason)
        return found.reason

    def custom(parameter, group=1, inside=False):
        def change(system):
            force = openmm.CustomBondForce(f"{parameter}*r")
            force.addGlobalParameter(parameter, 1.0)
            force.addBond(0, 1)
            if inside:
                outer = openmm.CustomCVForce("x")
                outer.addCollectiveVariable("x", force)
                force = outer
            force.setForceGroup(group)
            system.addForce(force)

        return change

    def second(system):
        system.addForce(copy.copy(PaiNNStudentForce.cast(system.getForce(0))))

    assert reason(KELVIN) == reason(SCALES, scale=1.0) == reason(KELVIN, change=bonds(3)) == ""
    assert reason(SCALES, scale=1.0, change=custom("k")) == ""
    assert reason(SCALES, scale=1.0, change=custom("k", inside=True)) == ""
    assert "CustomBondForce uses too" in reason(SCALES, scale=1.0, change=custom("lambda"))
    assert "CustomCVForce uses too" in reason(SCALES, scale=1.0, change=custom("lambda", inside=True))
    assert "CustomBondForce is in force group 0" in reason(SCALES, scale=1.0, change=custom("k", 0))
    both = [{**state, "k": 1.0} for state in SCALES]
    assert "the states set k, which is no scale of the network" in reason(both, scale=1.0, change=custom("k"))
    assert "0 PaiNNStudentForces that k scales" in reason([{"k": 1.0}, {"k": 2.0}], change=custom("k"))
    assert "2 PaiNNStudentForces that lambda scales, and there must be one" in reason(SCALES, scale=1.0, change=second)
    assert "0 PaiNNStudentForces" in reason(KELVIN, change=lambda system: system.removeForce(0) or bonds(0)(system))


def test_calls_of_the_network(canonical, ethanol, monkeypatch):
    """Many states of one geometry take one evaluation: getSubsystemEnergies(), and no getState() of the energy."""
    calls = []
    original = openmm.Context.getState

    def getState(self, *arguments, **named):
        calls.append(named)
        return original(self, *arguments, **named)

    states = [{"lambda": x} for x in np.linspace(0, 1, 7)]
    for level in LEVELS:
        made = sampler(molecule(canonical, ethanol, scale=1.0, change=bonds(2)), states, level=level, progress=False)
        monkeypatch.setattr(openmm.Context, "getState", getState)
        calls.clear()
        made.simulate(1)
        monkeypatch.setattr(openmm.Context, "getState", original)
        assert [named["groups"] for named in calls if named.get("energy")] == [{2}] * 7


def test_refusals(canonical, ethanol):
    def refused(text, simulation, states=KELVIN, **arguments):
        with pytest.raises(ValueError, match=text):
            sampler(simulation, states, **arguments)

    def barostat(system):
        system.setDefaultPeriodicBoxVectors((2, 0, 0), (0, 2, 0), (0, 0, 2))
        PaiNNStudentForce.cast(system.getForce(0)).setUsesPeriodicBoundaryConditions(True)
        system.addForce(openmm.MonteCarloBarostat(1, 300))

    simulation = molecule(canonical, ethanol)
    refused("level is 'fast'; allowed are 'subsystems', 'contexts', 'serial' and None", simulation, level="fast")
    refused("states is empty", simulation, [])
    refused("All states must include the same set", simulation, [{"temperature": 300}, {}])
    refused("'subsystems' is not possible here: .* sets? k|Unknown", simulation, [{"k": 1}], level="subsystems")
    refused(
        "the states set MonteCarloPressure of the MonteCarloBarostat; energies do not tell the work",
        molecule(canonical, ethanol, change=barostat),
        [{"MonteCarloPressure": 1.0}, {"MonteCarloPressure": 2.0}],
    )
    refused("MonteCarloBarostat acts on all", molecule(canonical, ethanol, change=barostat), level="subsystems")
    langevin = simulation.integrator
    langevin.setIntegrationForceGroups({1})
    refused("not possible here: the integrator leaves force groups out", simulation, level="subsystems")
    verlet = app.Simulation(
        simulation.topology, simulation.system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatform("Reference")
    )
    verlet.context.setPositions(ethanol[1])
    refused("the integrator is a VerletIntegrator, and no LangevinMiddle", verlet, level="subsystems")
    refused("Cannot determine temperature", verlet, [{"groups": {0}}])
    with pytest.raises(TypeError, match="comm is of the type int; it must be a communicator of mpi4py, or None"):
        sampler(simulation, comm=3)
    made = sampler(molecule(canonical, ethanol), level="subsystems", progress=False)
    made.simulate(1)
    context = made.simulation.context
    context.setPeriodicBoxVectors((3, 0, 0), (0, 3, 0), (0, 0, 3))
    made.replicaConformation[1] = context.getState(positions=True, velocities=True, parameters=True)
    with pytest.raises(ValueError, match="the State of replica 1 has another periodic box than the others"):
        made.simulate(1)

    def spring(system):
        force = openmm.CustomBondForce("k*r")
        force.addGlobalParameter("k", 1.0)
        force.addBond(0, 1)
        force.setForceGroup(1)
        system.addForce(force)

    made = sampler(molecule(canonical, ethanol, change=spring), level="subsystems", progress=False)
    made.simulation.context.setParameter("k", 2)
    made.replicaConformation[1] = made.simulation.context.getState(positions=True, velocities=True, parameters=True)
    with pytest.raises(ValueError, match="the State of replica 1 has k = 2 and others have 1"):
        made.simulate(1)


@pytest.mark.parametrize("level", LEVELS)
def test_energy_that_is_none(level, canonical, ethanol, tmp_path):
    """An exception before anything is written, where OpenMM's own class accepts every swap."""

    def change(system):
        force = openmm.CustomExternalForce("floor(sqrt(x + 1000))")
        force.addParticle(0)
        force.setForceGroup(1)
        system.addForce(force)

    made = sampler(molecule(canonical, ethanol, change=change), level=level, progress=False)
    made.reporters.append(app.ReplicaExchangeReporter(str(tmp_path), 1, made, checkpoints=True))
    made.simulate(1)
    written = (tmp_path / "log.csv").read_text()
    context = made.simulation.context
    context.setState(made.replicaConformation[0])
    positions = context.getState(positions=True).getPositions(asNumpy=True)._value.copy()
    context.setPositions(positions - [2000, 0, 0])
    made.replicaConformation[1] = context.getState(positions=True, velocities=True, parameters=True)
    context.setPositions(positions)
    with pytest.raises(openmm.OpenMMException, match="replica 1 in its own state . is nan kJ/mol in iteration 2"):
        made.simulate(1)
    assert (tmp_path / "log.csv").read_text() == written and made.currentIteration == 1


def exchanged(made, matrix, times):
    """How often two replicas were exchanged, and the sampler's own count."""
    made.exchangesPerIteration = 1
    swaps = 0
    for _ in range(times):
        before = list(made.replicaStateIndex)
        made.replicaStateEnergy = unit.Quantity(matrix, unit.kilojoule_per_mole)
        made.exchangeReplicas()
        swaps += made.replicaStateIndex != before
    return swaps, made.getAcceptance()


def test_energies_far_apart(canonical, ethanol):
    """No overflow for exponents above 709, and no swap to where the energy is no number."""
    simulation = molecule(canonical, ethanol, scale=1.0)
    for states in (SCALES, [{"temperature": 300, **state} for state in SCALES]):
        made = sampler(simulation, states, level="serial", progress=False)
        assert np.isnan(made.getAcceptance()).all()
        swaps, acceptance = exchanged(made, [[0.0, -1e6], [-1e6, 0.0]], 1)
        assert swaps == 1 and acceptance[0, 1] == acceptance[1, 0] == 1 and np.isnan(acceptance[0, 0])
        for impossible in (math.nan, math.inf, 1e6):
            made = sampler(simulation, states, level="serial", progress=False)
            assert exchanged(made, [[0.0, impossible], [0.0, 0.0]], 200)[0] == 0
        theirs = app.ReplicaExchangeSampler(states, simulation, 5)  # what is guarded against
        theirs.replicaStateEnergy = unit.Quantity([[0.0, -1e6], [-1e6, 0.0]], unit.kilojoule_per_mole)
        with pytest.raises(OverflowError):
            theirs.exchangeReplicas()


def test_same_random_numbers_as_openmm(canonical, ethanol):
    """With one seed and the same energies, both classes make the same exchanges."""
    simulation = molecule(canonical, ethanol, scale=1.0)
    rng = np.random.default_rng(1)
    for states in ([{"lambda": x} for x in range(6)], [{"temperature": t} for t in range(300, 360, 10)]):
        made = [
            app.ReplicaExchangeSampler(states, simulation, 5),
            ReplicaExchangeSampler(states, simulation, 5, level="serial", progress=False),
        ]
        for turn in range(20):
            matrix = rng.normal(0, 4, (6, 6)).tolist()
            for one in made:
                random.seed(turn)
                one.replicaStateEnergy = unit.Quantity(matrix, unit.kilojoule_per_mole)
                one.exchangeReplicas()
            assert made[0].replicaStateIndex == made[1].replicaStateIndex


def test_work_of_a_pressure(canonical, ethanol):
    """With a barostat and states of different temperature, swaps count P (V_i - V_j)."""

    def change(system):
        system.setDefaultPeriodicBoxVectors((2, 0, 0), (0, 2, 0), (0, 0, 2))
        PaiNNStudentForce.cast(system.getForce(0)).setUsesPeriodicBoundaryConditions(True)
        system.addForce(openmm.MonteCarloBarostat(100, 300))

    simulation = molecule(canonical, ethanol, change=change)
    states = [{"temperature": 300.0}, {"temperature": 600.0}]
    made = sampler(simulation, states, level="contexts", progress=False)
    made.simulate(1)
    made.replicaStateIndex = [0, 1]
    work = pressure_work(simulation.system, states)
    state = made.replicaConformation[0]
    assert work(state) == pytest.approx(100 * 0.0602214076 * state.getPeriodicBoxVolume()._value, rel=1e-6)
    context = simulation.context
    context.setPeriodicBoxVectors((2.2, 0, 0), (0, 2, 0), (0, 0, 2))
    made.replicaConformation[1] = context.getState(positions=True, velocities=True, parameters=True)
    context.setPeriodicBoxVectors((2, 0, 0), (0, 2, 0), (0, 0, 2))
    made.replicaConformation[0] = context.getState(positions=True, velocities=True, parameters=True)
    # The larger volume is at the higher temperature: to go back costs exp(-(b0 - b1) P dV) with equal energies.
    expected = math.exp(-(1 / 300 - 1 / 600) / 0.00831446261815324 * 100 * 0.0602214076 * 0.8)
    random.seed(1)
    tried, accepted = 0, 0
    made.exchangesPerIteration = 1
    for _ in range(4000):
        made.replicaStateIndex = [0, 1]
        made.replicaStateEnergy = unit.Quantity([[0.0, 0.0], [0.0, 0.0]], unit.kilojoule_per_mole)
        made.exchangeReplicas()
        tried, accepted = tried + 1, accepted + (made.replicaStateIndex == [1, 0])
    assert abs(accepted / tried - expected) < 3 * math.sqrt(expected * (1 - expected) / tried) and 0.1 < expected < 0.9
    assert np.isfinite(energies(made)).all()
