# SPDX-License-Identifier: MIT
"""SubsystemLangevinIntegrator: one temperature for each subsystem (row 16)."""

import copy
import pickle
from pathlib import Path

import numpy as np
import openmm
import pytest
from openmm import app, unit

from conftest import PLATFORMS
from openmmpainn import PaiNNStudentForce, PaiNNStudentModel, SubsystemLangevinIntegrator, createSystem, replicate

PDB = Path(__file__).resolve().parents[2] / "examples" / "data" / "alanine_dipeptide.pdb"


def oscillators(count, groups, stiffness=1000.0):
    """A System of harmonic oscillators with different masses, and the subsystem of each: `count` in each group."""
    system = openmm.System()
    spring = openmm.CustomExternalForce(f"{stiffness / 2}*(x^2+y^2+z^2)")
    for index in range(count * groups):
        system.addParticle((1.0, 12.0, 16.0)[index % 3])
        spring.addParticle(index, [])
    system.addForce(spring)
    return system, np.repeat(np.arange(groups), count)


def in_context(system, integrator, platform="Reference", positions=None):
    """A Context; positions are zero unless given."""
    context = openmm.Context(system, integrator, openmm.Platform.getPlatform(platform))
    context.setPositions(np.zeros((system.getNumParticles(), 3)) if positions is None else positions)
    return context


def coordinates(context):
    """Positions (nm) and velocities (nm/ps), [2, N, 3]."""
    state = context.getState(positions=True, velocities=True)
    return np.array([state.getPositions(asNumpy=True)._value, state.getVelocities(asNumpy=True)._value])


def test_temperatures_of_oscillators():
    """Four temperatures: <x^2> = kT/k exactly whatever the step; <v^2> up to a term in the step."""
    kelvin = np.array([250.0, 350.0, 450.0, 550.0])
    count, frames, stiffness = 100, 100, 1000.0
    system, members = oscillators(count, 4, stiffness)
    integrator = SubsystemLangevinIntegrator(kelvin, 20, 0.004, system, members)
    integrator.setRandomNumberSeed(5)
    context = in_context(system, integrator)
    integrator.step(300)
    squares, measured = np.zeros(4), np.zeros(4)
    for _ in range(frames):
        integrator.step(40)
        positions, _ = coordinates(context)
        squares += (positions**2).reshape(4, -1).mean(axis=1) / frames
        measured += integrator.computeSubsystemTemperatures(context)._value / frames
    # 3 * count * frames nearly independent samples for each; up to twice the variance for what correlation is left.
    error = kelvin * np.sqrt(2 * 2 / (3 * count * frames))
    from_positions = squares * stiffness / 0.00831446261815324
    print("temperatures from positions", from_positions, "from velocities", measured, "standard error below", error)
    assert (np.abs(from_positions - kelvin) < 4 * error).all()
    assert (np.abs(measured - kelvin) < 4 * error + 0.02 * kelvin).all()


@pytest.mark.parametrize("platform", PLATFORMS)
def test_temperatures_of_molecules(platform, ethanol):
    """Replicas of a molecule with classical bonds, angles and constraints, each at its temperature."""
    topology, positions = ethanol
    system = openmm.System()
    for atom in topology.atoms():
        system.addParticle(atom.element.mass)
    bonds = openmm.CustomBondForce("10000*(r-r0)^2")
    bonds.addPerBondParameter("r0")
    for i in range(9):
        for j in range(i):
            distance = float(np.linalg.norm(positions[i] - positions[j]))
            if (j, i) in ((2, 8), (0, 3)):
                system.addConstraint(j, i, distance)
            elif distance < 0.3:
                bonds.addBond(j, i, [distance])
    system.addForce(bonds)
    kelvin = np.array([200.0, 300.0, 400.0, 500.0])
    _, system, places = replicate(topology, system, positions, 4)
    integrator = SubsystemLangevinIntegrator(kelvin, 10, 0.001, system, np.repeat(np.arange(4), 9))
    integrator.setRandomNumberSeed(3)
    integrator.setConstraintTolerance(1e-8)
    context = in_context(system, integrator, platform, places)
    integrator.setVelocitiesToTemperatures(context, seed=4)
    measured, frames = np.zeros(4), 300
    integrator.step(500)
    for _ in range(frames):
        integrator.step(20)
        measured += integrator.computeSubsystemTemperatures(context)._value / frames
    found, _ = coordinates(context)
    for k in range(4):
        assert np.linalg.norm(found[9 * k + 2] - found[9 * k + 8]) == pytest.approx(
            np.linalg.norm(positions[2] - positions[8]), rel=1e-6
        )
    # 25 degrees of freedom; kinetic energies of frames 0.02 ps apart are correlated (friction 10/ps): 5 for one.
    error = kelvin * np.sqrt(2 * 5 / (25 * frames))
    print("temperatures", measured, "standard error about", error)
    assert (np.abs(measured - kelvin) < 4 * error).all()


@pytest.mark.skipif("alanine-dipeptide" not in __import__("openmmpainn").bundledModels(), reason="no bundled model")
def test_temperatures_of_the_network():
    """Four replicas of alanine dipeptide in the bundled network, with X-H bonds constrained."""
    pdb = app.PDBFile(str(PDB))
    model = PaiNNStudentModel.bundled("alanine-dipeptide")
    system = createSystem(pdb.topology, model, removeCMMotion=False)
    places = pdb.getPositions(asNumpy=True)._value
    for bond in pdb.topology.bonds():
        i, j = bond.atom1.index, bond.atom2.index
        if "H" in (bond.atom1.element.symbol, bond.atom2.element.symbol):
            system.addConstraint(i, j, float(np.linalg.norm(places[i] - places[j])))
    kelvin = np.array([240.0, 300.0, 360.0, 420.0])
    _, system, positions = replicate(pdb.topology, system, places, 4)
    integrator = SubsystemLangevinIntegrator(kelvin, 20, 0.001, system)
    integrator.setRandomNumberSeed(2)
    context = in_context(system, integrator, "CPU", positions)
    openmm.LocalEnergyMinimizer.minimize(context, maxIterations=50)
    integrator.setVelocitiesToTemperatures(context, seed=1)
    integrator.step(300)
    measured, frames = np.zeros(4), 100
    for _ in range(frames):
        integrator.step(15)
        measured += integrator.computeSubsystemTemperatures(context)._value / frames
    freedom = 3 * 22 - 12
    error = kelvin * np.sqrt(2 * 4 / (freedom * frames))  # frames 0.015 ps apart: 4 for one
    print("temperatures", measured, "standard error about", error)
    assert (np.abs(measured - kelvin) < 4 * error).all()


@pytest.mark.parametrize("platform", PLATFORMS)
def test_replicas_do_not_depend_on_each_other(platform, model, ethanol):
    """Without friction nothing is random: each replica goes where it goes alone, bit for bit, at any temperature."""
    topology, positions = ethanol
    single = createSystem(topology, model, removeCMMotion=False)
    rng = np.random.default_rng(2)
    places = positions + rng.normal(0, 0.002, (5, 9, 3))
    velocities = rng.normal(0, 0.5, (5, 9, 3))
    _, system, flat = replicate(topology, single, places, 5)
    together = SubsystemLangevinIntegrator([100, 200, 300, 400, 500], 0, 0.0002, system)
    context = in_context(system, together, platform, flat)
    context.setVelocities(velocities.reshape(-1, 3))
    together.step(30)
    found = coordinates(context).reshape(2, 5, 9, 3)
    for k in range(5):
        alone = SubsystemLangevinIntegrator(300, 0, 0.0002, single)
        context = in_context(single, alone, platform, places[k])
        context.setVelocities(velocities[k])
        alone.step(30)
        assert np.array_equal(coordinates(context), found[:, k])
        assert np.abs(found[0, k] - places[k]).max() > 1e-4


def test_same_algorithm_as_langevin_middle(canonical, ethanol):
    """Without friction, and with constraints and a virtual site, the trajectory is LangevinMiddleIntegrator's."""
    topology, positions = ethanol
    system = createSystem(topology, canonical, removeCMMotion=False)
    for i, j in ((2, 8), (0, 3)):
        system.addConstraint(i, j, float(np.linalg.norm(positions[i] - positions[j])))
    system.addParticle(0)
    system.setVirtualSite(9, openmm.TwoParticleAverageSite(0, 1, 0.5, 0.5))
    pull = openmm.CustomExternalForce("10*x")
    pull.addParticle(9, [])
    system.addForce(pull)
    start = np.vstack([positions, positions[:2].mean(axis=0)])
    found = []
    for integrator in (
        SubsystemLangevinIntegrator(300, 0, 0.0003, system),
        openmm.LangevinMiddleIntegrator(300, 0, 0.0003),
    ):
        integrator.setConstraintTolerance(1e-10)
        context = in_context(system, integrator, "Reference", start)
        context.setVelocities(np.random.default_rng(0).normal(0, 0.3, (10, 3)))
        context.applyVelocityConstraints(1e-10)
        integrator.step(40)
        found.append(coordinates(context)[:, :9])
        site = coordinates(context)[0, 9]
        assert np.allclose(site, found[-1][0, :2].mean(axis=0), atol=1e-12)
    assert np.abs(found[0] - found[1]).max() < 1e-7
    assert np.abs(found[0][0] - positions).max() > 1e-3


@pytest.mark.parametrize("platform", PLATFORMS)
def test_temperatures_change_at_run_time(platform):
    system, members = oscillators(60, 3)
    integrator = SubsystemLangevinIntegrator([300, 300, 300] * unit.kelvin, 12, 0.002, system, members)
    integrator.setRandomNumberSeed(1)
    integrator.setSubsystemTemperature(1, 400)  # before there is a Context
    assert list(integrator.getTemperatures()._value) == [300, 400, 300]
    context = in_context(system, integrator, platform)
    integrator.step(200)
    integrator.setSubsystemTemperature(2, 0 * unit.kelvin)
    assert integrator.getSubsystemTemperature(2) == 0 * unit.kelvin
    assert integrator.getSubsystemTemperature(np.int64(1)) == 400 * unit.kelvin
    integrator.step(1000)
    measured = integrator.computeSubsystemTemperatures(context)._value
    assert measured[2] < 1e-3 and (measured[:2] > 200).all()
    energies = integrator.getSubsystemKineticEnergies(context)
    assert energies.unit == unit.kilojoule_per_mole
    total = context.getState(energy=True).getKineticEnergy()._value
    assert energies._value.sum() == pytest.approx(total, rel=1e-6)
    integrator.setTemperatures([0, 0.0, 500])
    integrator.step(1000)
    measured = integrator.computeSubsystemTemperatures(context)._value
    assert (measured[:2] < 1e-3).all() and 350 < measured[2] < 650
    integrator.setTemperatures(77)
    assert integrator.getTemperatures().unit == unit.kelvin
    assert list(integrator.getTemperatures()._value) == [77] * 3


def test_velocities_of_each_temperature():
    system, members = oscillators(1000, 3)
    for first in range(0, 3000, 10):
        system.addConstraint(first, first + 1, 0.1)
    system.setParticleMass(2999, 0)
    integrator = SubsystemLangevinIntegrator([100, 300, 0], 1, 0.001, system, members)
    positions = np.zeros((3000, 3))
    positions[1::10, 0] = 0.1
    context = in_context(system, integrator, "Reference", positions)
    integrator.setVelocitiesToTemperatures(context, seed=7)
    measured = integrator.computeSubsystemTemperatures(context)._value
    assert measured[:2] == pytest.approx([100, 300], rel=4 * np.sqrt(2 / 2900)) and measured[2] == 0
    _, velocities = coordinates(context)
    assert np.abs(velocities[0, 0] - velocities[1, 0]) < 1e-4 and (velocities[2999] == 0).all()
    integrator.setVelocitiesToTemperatures(context, seed=7)
    assert np.array_equal(coordinates(context)[1], velocities)
    integrator.setVelocitiesToTemperatures(context)
    assert not np.array_equal(coordinates(context)[1], velocities)


def test_units_and_friction():
    system, members = oscillators(2, 2)
    integrator = SubsystemLangevinIntegrator(
        [300 * unit.kelvin, 310], 2000 / unit.nanosecond, 2 * unit.femtosecond, system, members
    )
    assert integrator.getStepSize() == 0.002 * unit.picosecond
    assert integrator.getFriction()._value == pytest.approx(2) and integrator.getFriction().unit == unit.picosecond**-1
    integrator.setFriction(3)
    assert integrator.getFriction() == 3 / unit.picosecond
    assert list(integrator.getTemperatures()._value) == [300, 310]
    assert SubsystemLangevinIntegrator(300 * unit.kelvin, 1, 0.001, system, members).getNumSubsystems() == 2


def test_membership_comes_from_the_force(canonical, ethanol):
    topology, positions = ethanol
    single = createSystem(topology, canonical, removeCMMotion=False)
    _, system, _ = replicate(topology, single, positions, 3)
    assert SubsystemLangevinIntegrator([1, 2, 3], 1, 0.001, system).getNumSubsystems() == 3
    system.addParticle(0)  # a particle that does not move needs no temperature
    integrator = SubsystemLangevinIntegrator([1, 2, 3], 1, 0.001, system)
    assert list(integrator.getSubsystems()) == [*np.repeat([0, 1, 2], 9), -1]


def test_copies_xml_and_pickle():
    """They go on in the same way, bit for bit, from what the first one had in the middle of a simulation."""
    system, members = oscillators(5, 2)
    integrator = SubsystemLangevinIntegrator([250.1, 350.7], 5, 0.002, system, members)
    integrator.setRandomNumberSeed(11)
    context = in_context(system, integrator)
    integrator.setSubsystemTemperature(0, 123.4)
    integrator.step(10)
    through_xml = openmm.XmlSerializer.deserialize(openmm.XmlSerializer.serialize(integrator))
    assert type(through_xml) is openmm.CustomIntegrator
    again = SubsystemLangevinIntegrator.cast(through_xml)
    assert again is through_xml
    others = [again, copy.copy(integrator), copy.deepcopy(integrator), pickle.loads(pickle.dumps(integrator))]
    ends = []
    for other in others:
        assert type(other) is SubsystemLangevinIntegrator
        assert list(other.getTemperatures()._value) == [123.4, 350.7]
        assert other.getRandomNumberSeed() == 11
        new = in_context(system, other, positions=coordinates(context)[0])
        other.step(20)
        other.setSubsystemTemperature(1, 10)
        other.step(20)
        ends.append(coordinates(new))
        assert np.array_equal(ends[0], ends[-1]) and np.abs(ends[-1][1]).max() > 0.01
        wrong = in_context(oscillators(5, 3)[0], copy.copy(integrator))
        with pytest.raises(ValueError, match="made for a System of 10 particles, but its Context has 15"):
            wrong.getIntegrator().step(1)
    with pytest.raises(ValueError, match="cast\\(\\) needs an integrator that was"):
        SubsystemLangevinIntegrator.cast(openmm.CustomIntegrator(0.001))
    with pytest.raises(ValueError, match="cast\\(\\) needs an integrator that was"):
        SubsystemLangevinIntegrator.cast(openmm.VerletIntegrator(0.001))


@pytest.mark.parametrize("platform", PLATFORMS)
def test_simulation_reporters_and_checkpoints(platform, canonical, ethanol, tmp_path):
    topology, positions = ethanol
    single = createSystem(topology, canonical, removeCMMotion=False)
    topology, system, positions = replicate(topology, single, positions, 2)
    integrator = SubsystemLangevinIntegrator([10, 20], 1, 0.0002, system)
    simulation = app.Simulation(topology, system, integrator, openmm.Platform.getPlatform(platform))
    simulation.context.setPositions(positions)
    integrator.setVelocitiesToTemperatures(simulation.context, seed=1)
    simulation.reporters.append(app.StateDataReporter(str(tmp_path / "log.csv"), 5, step=True, temperature=True))
    simulation.reporters.append(app.DCDReporter(str(tmp_path / "all.dcd"), 5))
    simulation.reporters.append(app.CheckpointReporter(str(tmp_path / "last.chk"), 10))
    simulation.step(10)
    integrator.setTemperatures([15, 25])
    simulation.saveCheckpoint(str(tmp_path / "own.chk"))
    simulation.saveState(str(tmp_path / "state.xml"))
    simulation.step(10)
    after, temperatures = coordinates(simulation.context), integrator.getTemperatures()._value
    integrator.setTemperatures([1, 2])
    simulation.loadCheckpoint(str(tmp_path / "own.chk"))
    assert np.array_equal(integrator.getTemperatures()._value, temperatures)
    assert simulation.currentStep == 10
    simulation.step(10)
    assert np.array_equal(coordinates(simulation.context), after)
    integrator.setTemperatures([1, 2])
    simulation.loadState(str(tmp_path / "state.xml"))
    assert np.array_equal(integrator.getTemperatures()._value, temperatures)
    simulation.step(5)
    log = np.loadtxt(tmp_path / "log.csv", delimiter=",", skiprows=1)
    assert len(log) == 7 and np.isfinite(log).all() and (tmp_path / "all.dcd").stat().st_size > 7 * 18 * 12


def test_misuse(canonical, ethanol):
    topology, positions = ethanol
    single = createSystem(topology, canonical, removeCMMotion=False)
    _, system, _ = replicate(topology, single, positions, 2)
    constrained, outside, with_remover, with_barostat = (copy.deepcopy(system) for _ in range(4))
    constrained.addConstraint(8, 9, 0.2)
    outside.addParticle(1.0)
    with_remover.addForce(openmm.CMMotionRemover())
    with_barostat.addForce(openmm.MonteCarloBarostat(1, 300))
    two_forces = copy.deepcopy(system)
    other = PaiNNStudentForce(canonical)
    other.addParticle(0, 6, 1)
    two_forces.addForce(other)
    for changes, text in (
        (dict(temperatures=[1, 2, 3]), "temperatures lists 3; there are 2 subsystems"),
        (dict(temperatures=[1, -2]), r"temperatures\[1\] is -2"),
        (dict(temperatures=[1, float("nan")]), r"temperatures\[1\] is nan"),
        (dict(temperatures=[1, 2] * unit.nanometer), "temperatures has the unit nanometer"),
        (dict(temperatures="hot"), "temperatures is 'hot'; it must be a number"),
        (dict(friction=-1), "friction is -1"),
        (dict(friction=1 * unit.kelvin), "friction is 1 K; it must be a number"),
        (dict(stepSize=0), "stepSize is 0"),
        (dict(system=openmm.System()), "the system has no PaiNNStudentForce"),
        (dict(system=constrained), "constraint 0 joins the particles 8 and 9 of the subsystems 0 and 1"),
        (dict(system=outside), "particle 18 has a mass but is of no subsystem"),
        (dict(system=with_remover), r"force 1 of the system, CMMotionRemover, acts on all .* \(removeCMMotion=False\)"),
        (dict(system=with_barostat), "force 1 of the system, MonteCarloBarostat, acts on all"),
        (dict(system=two_forces), "particle 0 is of the subsystems 0 and 1 of two PaiNNStudentForces"),
        (dict(subsystems=[0] * 17), "subsystems lists 17; the system has 18 particles"),
        (dict(subsystems=[-2] * 18), "subsystems holds -2"),
        (dict(subsystems=[0.5] * 18), "subsystems must be a sequence of integers"),
    ):
        arguments = {"temperatures": [1, 2], "friction": 1, "stepSize": 0.001, "system": system, **changes}
        with pytest.raises(ValueError, match=text):
            SubsystemLangevinIntegrator(**arguments)
    with pytest.raises(TypeError, match="system is of the type Topology"):
        SubsystemLangevinIntegrator([1, 2], 1, 0.001, topology)
    integrator = SubsystemLangevinIntegrator([1, 2], 1, 0.001, system)
    for subsystem, text in ((2, "there are subsystems 0 to 1"), (-1, "subsystem is -1"), ("a", "must be an integer")):
        with pytest.raises(ValueError, match=text):
            integrator.setSubsystemTemperature(subsystem, 1)
    with pytest.raises(openmm.OpenMMException, match="not bound to a context"):
        integrator.step(1)
    context = in_context(single, integrator)
    for use in (
        lambda: integrator.step(1),
        lambda: integrator.setTemperatures(3),
        lambda: integrator.setVelocitiesToTemperatures(context),
    ):
        with pytest.raises(ValueError, match="made for a System of (18|.*)"):
            use()
