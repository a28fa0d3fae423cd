# SPDX-License-Identifier: MIT
"""ReplicaExchangeSampler: the same as OpenMM's own class, at every level (row 19)."""

import random
import signal

import numpy as np
import openmm
import pytest
from openmm import app, unit

from conftest import PLATFORMS
from openmmpainn import ReplicaExchangeSampler, SubsystemLangevinIntegrator
from sampler_cases import LEVELS, bonds, energies, molecule, replica_contexts, spread  # noqa: F401

KELVIN = [{"temperature": kelvin * unit.kelvin} for kelvin in (300, 320, 345, 370)]
SCALES = [{"lambda": value} for value in (1.0, 0.9, 0.7, 0.0)]
BOTH = [{"temperature": kelvin, "lambda": value} for kelvin, value in ((300, 1.0), (300, 0.8), (330, 1.0), (330, 0.8))]
GROUPS = [{"lambda": x, "groups": groups} for x, groups in ((1, {0, 1}), (0.9, {0: 1.0, 1: 0.5}), (1, {0}), (0.2, {1}))]
BONDS = [{"lambda": 1.0, "k": value} for value in (1.0, 1.5)] + [{"lambda": value, "k": 1.0} for value in (0.9, 0.6)]
CASES = {
    "temperatures": (KELVIN, {}),
    "temperatures and bonds": (KELVIN, {"change": bonds(1)}),
    "scales": (SCALES, {"scale": 1.0}),
    "both": (BOTH, {"scale": 1.0}),
    "scales and groups": (GROUPS, {"scale": 1.0, "change": bonds(1)}),
    "scales and bonds": (SCALES, {"scale": 1.0, "change": bonds(3)}),
}


def run(kind, simulation, states, iterations=6, reinitialize=False, **arguments):
    """What happened: state of each replica, energies and positions after each iteration, and the sampler."""
    random.seed(3)
    sampler = spread(kind(states, simulation, 5, reinitialize, **arguments))
    seen = []

    def report(sampler):
        positions = [state.getPositions(asNumpy=True)._value for state in sampler.replicaConformation]
        seen.append((list(sampler.replicaStateIndex), energies(sampler), np.array(positions)))

    sampler.reporters.append(report)
    sampler.simulate(iterations)
    return [np.array(column) for column in zip(*seen, strict=True)], sampler


def compare(found, expected, exactly):
    assert np.array_equal(found[0], expected[0])
    assert len({tuple(order) for order in expected[0]}) > 1  # there were exchanges
    for a, b in zip(found[1:], expected[1:], strict=True):
        if exactly:
            assert np.array_equal(a, b)
        else:
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("case", CASES)
def test_as_openmm_does_it(level, case, canonical, ethanol):
    """Without friction dynamics has no noise: the same trajectories, energies and exchanges as OpenMM's own sampler."""
    states, changes = CASES[case]
    expected, theirs = run(app.ReplicaExchangeSampler, molecule(canonical, ethanol, **changes), states)
    found, ours = run(
        ReplicaExchangeSampler, molecule(canonical, ethanol, **changes), states, level=level, progress=False
    )
    assert ours.level == level
    compare(found, expected, level != "subsystems" and "bonds" not in case and "groups" not in case)
    assert ours.simulation.currentStep == theirs.simulation.currentStep == 30
    assert ours.currentIteration == 6 and ours._previousReplicaStateIndex == theirs._previousReplicaStateIndex
    for a, b in zip(ours.replicaConformation, theirs.replicaConformation, strict=True):
        assert dict(a.getParameters()) == dict(b.getParameters())
        assert a.getTime() == b.getTime() and a.getStepCount() == b.getStepCount()
        np.testing.assert_allclose(
            a.getVelocities(asNumpy=True)._value, b.getVelocities(asNumpy=True)._value, rtol=1e-8, atol=1e-8
        )


@pytest.mark.parametrize("level", ["contexts", "serial"])
def test_states_beyond_the_network(level, canonical, ethanol):
    """Parameters of other forces, thermostats and variables of integrators: as OpenMM computes it, on its platforms."""

    def change(system):
        force = openmm.CustomBondForce("5000*k*(r - 0.12)^2")
        force.addGlobalParameter("k", 1.0)
        force.addBond(0, 1)
        system.addForce(force)

    def simulation():
        return molecule(canonical, ethanol, scale=1.0, change=change)

    expected, _ = run(app.ReplicaExchangeSampler, simulation(), BONDS)
    found, ours = run(ReplicaExchangeSampler, simulation(), BONDS, level=level, progress=False)
    compare(found, expected, True)
    assert ours._sampler.network is None and "sets" not in ours._sampler.reason and "k" in ours._sampler.reason
    with_groups = [{**state, "groups": {0: 1.0 - 0.1 * i}} for i, state in enumerate(BONDS)]
    expected, _ = run(app.ReplicaExchangeSampler, simulation(), with_groups)
    found, _ = run(ReplicaExchangeSampler, simulation(), with_groups, level=level, progress=False)
    compare(found, expected, True)


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("level", LEVELS)
def test_energies_are_those_of_the_molecule_alone(platform, level, model, ethanol):
    """What decides on swaps has the bits of a Context of one molecule in each state."""
    simulation = molecule(model, ethanol, platform, scale=1.0)
    states = [{"temperature": 300, "lambda": x} for x in (1.0, 0.3, 0.0)]
    sampler = spread(ReplicaExchangeSampler(states, simulation, 5, level=level, progress=False))
    alone = molecule(model, ethanol, platform, scale=1.0).context
    differing = []

    def report(sampler):
        for i, conformation in enumerate(sampler.replicaConformation):
            alone.setPositions(conformation.getPositions())
            for j, state in enumerate(states):
                alone.setParameter("lambda", state["lambda"])
                energy = alone.getState(energy=True).getPotentialEnergy()._value
                differing.append(energy != energies(sampler)[i, j])

    sampler.reporters.append(report)
    sampler.simulate(4)
    assert len(differing) == 36 and not any(differing)


@pytest.mark.parametrize("level", LEVELS)
def test_velocities_are_drawn_anew(level, canonical, ethanol):
    """reinitializeVelocities: replicas whose state changed get velocities of their temperature, others keep theirs."""
    simulation = molecule(canonical, ethanol, change=lambda system: system.addConstraint(2, 8, 0.0958))
    states = [{"temperature": kelvin} for kelvin in (1, 1e4, 1e8)]
    simulation.context.applyConstraints(1e-8)
    simulation.context.applyVelocityConstraints(1e-8)
    sampler = ReplicaExchangeSampler(states, simulation, 1, True, level=level, progress=False)
    simulation.integrator.setStepSize(1e-9)  # nothing moves
    sampler.exchangesPerIteration = 0
    sampler.simulate(1)
    sampler.replicaStateIndex = [0, 2, 1]
    before = [state.getVelocities(asNumpy=True)._value for state in sampler.replicaConformation]
    sampler.simulate(1)
    after = [state.getVelocities(asNumpy=True)._value for state in sampler.replicaConformation]
    np.testing.assert_allclose(after[0], before[0], rtol=1e-4, atol=1e-6)
    masses = np.array([simulation.system.getParticleMass(i)._value for i in range(9)])
    for index, kelvin in ((1, 1e8), (2, 1e4)):
        measured = (masses[:, None] * after[index] ** 2).sum() / (26 * 0.00831446)
        assert 0.3 * kelvin < measured < 2.2 * kelvin  # chi-square of 26 degrees of freedom
    separation = np.diff(sampler.replicaConformation[1].getPositions(asNumpy=True)._value[[2, 8]], axis=0)[0]
    assert abs(separation @ (after[1][8] - after[1][2])) < 1e-3 * np.abs(after[1]).max()


@pytest.mark.parametrize("level", LEVELS)
def test_files_and_resume(level, canonical, ethanol, tmp_path):
    """The reporter's files are OpenMM's, and either class goes on from those of the other."""

    def go(kind, folder, iterations, resume=False, **arguments):
        random.seed(iterations)
        sampler = kind(KELVIN, molecule(canonical, ethanol), 5, **arguments)
        if not resume:
            spread(sampler)
        reporter = app.ReplicaExchangeReporter(
            str(tmp_path / folder), 2, sampler, True, True, energy=True, volume=True, checkpoints=True, resume=resume
        )
        sampler.reporters.append(reporter)
        sampler.simulate(iterations)
        return sampler

    def table(folder, name):
        return np.loadtxt(tmp_path / folder / name, delimiter=",", skiprows=int(name == "log.csv"))

    ours = {"level": level, "progress": False}
    for folder, first, second in (("theirs", {}, {}), ("ours", ours, ours), ("mixed", ours, {}), ("mixed2", {}, ours)):
        kinds = [ReplicaExchangeSampler if arguments else app.ReplicaExchangeSampler for arguments in (first, second)]
        go(kinds[0], folder, 4, **first)
        sampler = go(kinds[1], folder, 3, resume=True, **second)
        assert sampler.currentIteration == 7 and sampler.simulation.currentStep == 35
        assert {p.name for p in (tmp_path / folder).iterdir()} == {p.name for p in (tmp_path / "theirs").iterdir()}
        assert np.array_equal(table(folder, "log.csv"), table("theirs", "log.csv"))
        for name in ("energy.csv", "volume.csv"):
            np.testing.assert_allclose(table(folder, name), table("theirs", name), rtol=1e-9)
        with open(tmp_path / folder / "checkpoint_2.xml") as file:
            state = openmm.XmlSerializer.deserialize(file.read())
        assert state.getStepCount() == 30


@pytest.mark.parametrize("level", LEVELS)
def test_replica_simulated_alone(level, canonical, ethanol):
    """simulateReplica() can be called, as to equilibrate, and what it did is gone on from."""

    def go(kind, **arguments):
        random.seed(1)
        sampler = spread(kind(KELVIN, molecule(canonical, ethanol), 5, **arguments))
        sampler.simulate(1)
        sampler.simulateReplica(2, 7)
        assert sampler.replicaConformation[2].getStepCount() == 12
        sampler.simulate(2)
        assert sampler.replicaConformation[2].getStepCount() == 22
        assert sampler.replicaConformation[3].getStepCount() == 15
        assert sampler.simulation.currentStep == 15
        return sampler

    theirs, ours = go(app.ReplicaExchangeSampler), go(ReplicaExchangeSampler, level=level, progress=False)
    assert ours.replicaStateIndex == theirs.replicaStateIndex
    np.testing.assert_allclose(energies(ours), energies(theirs), rtol=1e-9)
    assert len(ours.replicaConformation[1:3]) == 2 and ours.replicaConformation[-1].getStepCount() == 15


def test_overridden_methods(canonical, ethanol):
    """A simulateReplica() of the user's is called; so is an exchangeReplicas()."""
    calls = []

    class Mine(ReplicaExchangeSampler):
        def simulateReplica(self, index, steps=None):
            calls.append(index)
            super().simulateReplica(index, steps)

    sampler = Mine(KELVIN, molecule(canonical, ethanol), 5, progress=False)
    assert sampler.level == "serial"
    sampler.simulate(2)
    assert calls == [0, 1, 2, 3] * 2
    with pytest.raises(
        ValueError, match="the level 'subsystems' is not possible here: simulateReplica.. is overridden"
    ):
        Mine(KELVIN, molecule(canonical, ethanol), 5, level="subsystems")

    sampler = ReplicaExchangeSampler(KELVIN, molecule(canonical, ethanol), 5, level="subsystems", progress=False)
    sampler.simulate(1)
    original = sampler.simulateReplica
    sampler.simulateReplica = lambda index: (calls.append(10 + index), original(index))
    sampler.exchangeReplicas = lambda: calls.append(-1)
    sampler.simulate(1)
    assert calls[8:] == [10, 11, 12, 13, -1] and sampler.currentIteration == 2
    del sampler.simulateReplica
    sampler.simulate(1)
    assert calls[-1] == -1 and {state.getStepCount() for state in sampler.replicaConformation} == {15}


def test_changes_on_the_way(canonical, ethanol):
    """The integrator's friction, step size and temperature are those of the Simulation at each iteration."""
    for level in LEVELS:
        simulation = molecule(canonical, ethanol, scale=1.0)
        sampler = spread(ReplicaExchangeSampler(SCALES, simulation, 5, level=level, progress=False))
        sampler.simulate(1)
        simulation.integrator.setStepSize(0.0001)
        simulation.integrator.setTemperature(1e-3)
        simulation.integrator.setFriction(1e7)
        sampler.simulate(1)
        assert sampler.replicaConformation[1].getTime()._value == pytest.approx(0.0015)
        speed = np.abs(sampler.replicaConformation[1].getVelocities(asNumpy=True)._value).max()
        assert speed < 0.05


def test_scales_of_a_molecule_of_two_subsystems(canonical, ethanol):
    """Each replica has a parameter for each that the states set, and one that they do not set stays common."""
    from openmmpainn import PaiNNStudentForce

    def change(system):
        force = PaiNNStudentForce.cast(system.getForce(0))
        for i in range(5, 9):
            particle, number, _ = force.getParticleParameters(i)
            force.setParticleParameters(i, particle, number, 1)
        force.addGlobalParameter("mu", 0.7)
        force.setSubsystemScale(1, "mu")

    for states in (SCALES, [{"mu": 0.5, "lambda": 1.0}, {"mu": 0.9, "lambda": 0.8}]):
        expected, _ = run(app.ReplicaExchangeSampler, molecule(canonical, ethanol, scale=1.0, change=change), states)
        simulation = molecule(canonical, ethanol, scale=1.0, change=change)
        found, sampler = run(ReplicaExchangeSampler, simulation, states, level="subsystems", progress=False)
        np.testing.assert_allclose(found[1], expected[1], rtol=1e-9, atol=1e-9)
        assert np.array_equal(found[0], expected[0])
        assert isinstance(sampler._dynamics._integrator, SubsystemLangevinIntegrator)


def test_interrupt(canonical, ethanol):
    """After Ctrl-C all replicas stand at the same step and go on from there."""

    def interrupt(number, frame):
        raise KeyboardInterrupt

    sampler = spread(
        ReplicaExchangeSampler(KELVIN, molecule(canonical, ethanol), 10**7, level="subsystems", progress=False)
    )
    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    try:
        with pytest.raises(KeyboardInterrupt):
            sampler.simulate(1)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    (steps,) = {state.getStepCount() for state in sampler.replicaConformation}
    assert 0 < steps < 10**7 and sampler.currentIteration == 0
    sampler.stepsPerIteration = 5
    sampler.simulate(1)
    assert {state.getStepCount() for state in sampler.replicaConformation} == {steps + 5}
