# SPDX-License-Identifier: MIT
"""openmmpainn.replicate: copies of a molecule that do not see each other (row 9)."""

import copy

import numpy as np
import openmm
import pytest
from openmm import app, unit

from conftest import PLATFORMS
from openmmpainn import PaiNNStudentForce, createSystem, replicate


def in_context(system, platform, positions):
    """A Context with these positions."""
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatform(platform))
    context.setPositions(positions)
    return context


def energy_and_forces(context):
    """kJ/mol, and kJ/mol/nm [N, 3]."""
    state = context.getState(energy=True, forces=True)
    return state.getPotentialEnergy()._value, state.getForces(asNumpy=True)._value


def network_of(system):
    """The first PaiNNStudentForce of a System."""
    return next(PaiNNStudentForce.cast(f) for f in system.getForces() if PaiNNStudentForce.isinstance(f))


def scattered(positions, n, seed=1):
    """n sets of positions, each a bit different: [n, N, 3]."""
    return positions + np.random.default_rng(seed).normal(0, 0.005, (n, *positions.shape))


def terms(system):
    """Add one of each force that is a sum of terms, a constraint and virtual sites, to a System of ethanol."""
    bond = openmm.HarmonicBondForce()
    bond.addBond(0, 1, 0.15, 1000)
    bond.addBond(1, 2, 0.14, 1200)
    bond.setForceGroup(3)
    bond.setName("bonds")
    angle = openmm.HarmonicAngleForce()
    angle.addAngle(0, 1, 2, 1.9, 300)
    torsion = openmm.PeriodicTorsionForce()
    torsion.addTorsion(0, 1, 2, 8, 3, 0.1, 5)
    rb = openmm.RBTorsionForce()
    rb.addTorsion(3, 0, 1, 2, 1, 2, 3, 4, 5, 6)
    cmap = openmm.CMAPTorsionForce()
    cmap.addMap(4, np.sin(np.arange(16)))
    cmap.addTorsion(0, 3, 0, 1, 2, 4, 0, 1, 8)
    custom_bond = openmm.CustomBondForce("scale*k*(r-0.2)^2")
    custom_bond.addGlobalParameter("scale", 2.0)
    custom_bond.addPerBondParameter("k")
    custom_bond.addBond(3, 8, [7.0])
    custom_angle = openmm.CustomAngleForce("k*theta")
    custom_angle.addPerAngleParameter("k")
    custom_angle.addAngle(3, 0, 4, [2.0])
    custom_torsion = openmm.CustomTorsionForce("k*cos(theta)")
    custom_torsion.addPerTorsionParameter("k")
    custom_torsion.addTorsion(3, 0, 1, 6, [3.0])
    compound = openmm.CustomCompoundBondForce(3, "k*distance(p1,p3)+table(distance(p1,p2))")
    compound.addTabulatedFunction("table", openmm.Continuous1DFunction([0, 1, 4, 9], 0, 1))
    compound.addPerBondParameter("k")
    compound.addBond([5, 0, 7], [4.0])
    external = openmm.CustomExternalForce("k*(x^2+y^2+z^2)")
    external.addPerParticleParameter("k")
    external.addParticle(2, [9.0])
    for force in (bond, angle, torsion, rb, cmap, custom_bond, custom_angle, custom_torsion, compound, external):
        system.addForce(force)


def sites(system, positions):
    """Add a virtual site of each kind, each in a bond that pulls at it; the positions with theirs."""
    first = system.getNumParticles()
    chosen = [
        openmm.TwoParticleAverageSite(0, 1, 0.3, 0.7),
        openmm.ThreeParticleAverageSite(0, 1, 2, 0.2, 0.3, 0.5),
        openmm.OutOfPlaneSite(0, 1, 2, 0.1, 0.2, 0.3),
        openmm.LocalCoordinatesSite([0, 1, 2], [1, 0, 0], [-1, 1, 0], [-1, 0, 1], openmm.Vec3(0.1, 0.02, 0.03)),
    ]
    pull = openmm.HarmonicBondForce()
    for index, site in enumerate(chosen):
        system.addParticle(0)
        system.setVirtualSite(first + index, site)
        pull.addBond(first + index, 8, 0.1, 50)
    system.addForce(pull)
    return np.vstack([positions, np.zeros((len(chosen), 3))])


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("n", [2, 7])
def test_each_replica_is_the_molecule_alone(platform, n, model, ethanol):
    topology, positions = ethanol
    single = createSystem(topology, model, removeCMMotion=False)
    places = scattered(positions, n)
    _, system, flat = replicate(topology, single, places, n)
    assert flat.unit == unit.nanometer and np.array_equal(flat._value, places.reshape(-1, 3))
    context = in_context(system, platform, flat)
    _, forces = energy_and_forces(context)
    energies = network_of(system).getSubsystemEnergies(context)._value
    alone = in_context(single, platform, positions)
    for k in range(n):
        alone.setPositions(places[k])
        energy, expected = energy_and_forces(alone)
        assert energies[k] == network_of(single).getSubsystemEnergies(alone)._value[0]
        assert energies[k] == pytest.approx(energy, rel=1e-12)
        assert np.array_equal(forces[9 * k : 9 * (k + 1)], expected)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_other_forces_constraints_and_sites(platform, canonical, ethanol):
    topology, positions = copy.deepcopy(ethanol[0]), ethanol[1]
    single = createSystem(topology, canonical, removeCMMotion=False)
    single.addConstraint(2, 8, 0.096)
    terms(single)
    positions = sites(single, positions)
    for index in range(9, len(positions)):
        topology.addAtom(f"V{index}", None, next(topology.residues()))
    n, count = 3, len(positions)
    places = scattered(positions, n)
    copied, system, flat = replicate(topology, single, places, n)
    assert copied.getNumAtoms() == system.getNumParticles() == n * count
    assert system.getNumConstraints() == n and system.getNumForces() == single.getNumForces()
    assert [system.getConstraintParameters(2)[i] for i in (0, 1)] == [2 * count + 2, 2 * count + 8]
    assert system.getConstraintParameters(2)[2] == 0.096 * unit.nanometer
    for i in range(n * count):
        assert system.getParticleMass(i) == single.getParticleMass(i % count)
        assert system.isVirtualSite(i) == single.isVirtualSite(i % count)
    for old, new in zip(single.getForces(), system.getForces(), strict=True):
        assert (old.getForceGroup(), old.getName()) == (new.getForceGroup(), new.getName())
    context, alone = in_context(system, platform, flat), in_context(single, platform, positions)
    context.computeVirtualSites()
    energy, forces = energy_and_forces(context)
    total = 0.0
    for k in range(n):
        alone.setPositions(places[k])
        alone.computeVirtualSites()
        one, expected = energy_and_forces(alone)
        total += one
        found = forces[k * count : (k + 1) * count]
        if platform == "Reference":
            assert np.array_equal(found, expected)
        else:  # OpenMM's CPU platform adds up bonded forces in the order of its threads
            assert np.allclose(found, expected, rtol=1e-6, atol=1e-4)
    assert energy == pytest.approx(total, rel=1e-9 if platform == "Reference" else 1e-6)


def test_force_is_kept(canonical, ethanol):
    topology, positions = ethanol
    force = PaiNNStudentForce(canonical)
    for index, number in enumerate([6, 6, 8, 1, 1, 1, 1, 1, 1]):
        force.addParticle(index, number, 1 if index < 4 else 0)  # two subsystems, the later one first
    force.addGlobalParameter("lambda", 0.5)
    force.setSubsystemScale(1, "lambda")
    force.addEnergyParameterDerivative("lambda")
    force.setForceGroup(7)
    force.setName("network")
    single = openmm.System()
    for atom in topology.atoms():
        single.addParticle(atom.element.mass)
    single.addForce(force)
    places = scattered(positions, 3)
    _, system, flat = replicate(topology, single, places, 3)
    copied = network_of(system)
    assert copied.getModel() == canonical
    assert (copied.getForceGroup(), copied.getName()) == (7, "network")
    assert (copied.getNumSubsystems(), copied.getNumGlobalParameters()) == (6, 1)
    assert [copied.getSubsystemScale(s) for s in range(6)] == ["", "lambda"] * 3
    assert copied.getParticleParameters(2 * 9 + 3) == [2 * 9 + 3, 1, 2 * 2 + 1]
    assert copied.getEnergyParameterDerivativeName(0) == "lambda" and copied.getNumEnergyParameterDerivatives() == 1
    assert network_of(single).getNumParticles() == 9  # what was given stays as it was
    context = in_context(system, "Reference", flat)
    state = context.getState(energy=True, parameterDerivatives=True)
    energies = copied.getSubsystemEnergies(context)._value
    alone = in_context(single, "Reference", positions)
    for k in range(3):
        alone.setPositions(places[k])
        found = network_of(single).getSubsystemEnergies(alone)._value
        assert np.array_equal(energies[2 * k : 2 * k + 2], found)
    assert state.getEnergyParameterDerivatives()["lambda"] == pytest.approx(energies[1::2].sum(), rel=1e-12)
    expected = energies[0::2].sum() + 0.5 * energies[1::2].sum()
    assert state.getPotentialEnergy()._value == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_periodic_copies_see_their_own_images(platform, canonical, ethanol):
    topology, positions = copy.deepcopy(ethanol[0]), ethanol[1]
    vectors = np.array([[1.05, 0, 0], [0.1, 1.1, 0], [-0.1, 0.2, 1.15]])
    topology.setPeriodicBoxVectors(vectors * unit.nanometer)
    # Two molecules' atoms meet across the box's faces.
    positions = positions * 2.5
    single = createSystem(topology, canonical, removeCMMotion=False)
    places = scattered(positions, 4) + np.arange(4)[:, None, None]
    copied, system, flat = replicate(topology, single, places, 4)
    assert np.array_equal(copied.getPeriodicBoxVectors()._value, vectors)
    assert system.getDefaultPeriodicBoxVectors() == single.getDefaultPeriodicBoxVectors()
    network = network_of(system)
    assert network.usesPeriodicBoundaryConditions() and network.getNumBonds() == 4 * 8
    assert sorted(network.getBondParameters(8)) == [9, 10]
    context = in_context(system, platform, flat)
    _, forces = energy_and_forces(context)
    energies = network.getSubsystemEnergies(context)._value
    alone = in_context(single, platform, positions)
    for k in range(4):
        alone.setPositions(places[k])
        assert energies[k] == network_of(single).getSubsystemEnergies(alone)._value[0]
        assert np.array_equal(forces[9 * k : 9 * (k + 1)], energy_and_forces(alone)[1])


def test_topology_and_positions(canonical):
    topology = app.Topology()
    chains = [topology.addChain("A"), topology.addChain("B")]
    residues = [topology.addResidue("ONE", chains[0], "17", "C"), topology.addResidue("TWO", chains[1], "3")]
    carbon, oxygen = (app.element.get_by_symbol(symbol) for symbol in "CO")
    first = topology.addAtom("C", carbon, residues[0], "5")
    second = topology.addAtom("O", oxygen, residues[1], "6", formalCharge=-1)
    third = topology.addAtom("O2", oxygen, residues[1], "7")
    topology.addBond(first, second, app.topology.Double, 2)
    topology.addBond(third, first)
    system = createSystem(topology, canonical, removeCMMotion=False)
    positions = [openmm.Vec3(0, 0, 0), openmm.Vec3(1.2, 0, 0), openmm.Vec3(0, 1.3, 0)] * unit.angstrom
    copied, replicas, flat = replicate(topology, system, positions, 3)
    assert (copied.getNumChains(), copied.getNumResidues(), copied.getNumAtoms(), copied.getNumBonds()) == (6, 6, 9, 6)
    assert copied.getPeriodicBoxVectors() is None
    assert [chain.id for chain in copied.chains()] == ["A", "B"] * 3
    assert [(r.name, r.id, r.insertionCode) for r in copied.residues()] == [
        ("ONE", "17", "C"),
        ("TWO", "3", ""),
    ] * 3
    atoms = sorted(copied.atoms(), key=lambda atom: atom.index)
    originals = sorted(topology.atoms(), key=lambda atom: atom.index)
    for atom in atoms:
        original = originals[atom.index % 3]
        for name in ("name", "element", "id", "formalCharge"):
            assert getattr(atom, name) == getattr(original, name)
        assert atom.residue.name == original.residue.name
    bonds = [(b.atom1.index, b.atom2.index, b.type, b.order) for b in copied.bonds()]
    assert bonds[2:4] == [(3, 4, app.topology.Double, 2), (5, 3, None, None)]
    assert [replicas.getParticleMass(i) for i in range(3, 6)] == [atom.element.mass for atom in originals]
    expected = np.array(positions.value_in_unit(unit.nanometer))
    assert np.array_equal(flat.value_in_unit(unit.nanometer), np.tile(expected, (3, 1)))


def test_one_copy_takes_everything(canonical, ethanol):
    topology, positions = ethanol
    system = createSystem(topology, canonical)
    system.addForce(openmm.CustomCVForce("0"))
    _, copied, _ = replicate(topology, system, positions, 1)
    assert openmm.XmlSerializer.serialize(copied) == openmm.XmlSerializer.serialize(system)


@pytest.mark.parametrize(
    "force, reason, way_out",
    [
        (openmm.CMMotionRemover(), "removes the motion of all copies together", "removeCMMotion=False"),
        (openmm.NonbondedForce(), "acts between all particles", "CustomBondForce"),
        (openmm.CustomNonbondedForce("1"), "acts between all particles", "CustomBondForce"),
        (openmm.GBSAOBCForce(), "acts between all particles", "take it out"),
        (openmm.CustomGBForce(), "acts between all particles", "take it out"),
        (openmm.MonteCarloBarostat(1, 300), "scales one box", "keep the volume constant"),
        (openmm.MonteCarloFlexibleBarostat(1, 300), "scales one box", "keep the volume constant"),
        (openmm.AndersenThermostat(300, 1), "one temperature", "SubsystemLangevinIntegrator"),
        (openmm.CustomCentroidBondForce(1, "1"), "whole groups", "take it out"),
        (openmm.CustomCVForce("1"), "whole System", "take it out"),
        (openmm.RMSDForce([openmm.Vec3(0, 0, 0)] * 9), "whole System", "take it out"),
        (openmm.DrudeForce(), "not one of the forces that can be copied", "take it out"),
    ],
)
def test_refused_forces(force, reason, way_out, canonical, ethanol):
    topology, positions = ethanol
    system = createSystem(topology, canonical, removeCMMotion=False)
    force = copy.deepcopy(force)
    kind = type(force).__name__
    force.setName("mine")
    system.addForce(force)
    with pytest.raises(ValueError) as caught:
        replicate(topology, system, positions, 2)
    message = str(caught.value)
    assert f"force 1 of the System, {kind} 'mine'" in message
    assert reason in message and way_out in message and message.count(";") == 1


def test_refused_virtual_site(canonical, ethanol):
    topology, positions = copy.deepcopy(ethanol[0]), ethanol[1]
    system = createSystem(topology, canonical, removeCMMotion=False)
    axes = (openmm.Vec3(0, 1, 0), openmm.Vec3(1, 0, 0), openmm.Vec3(0, 0, 1))
    system.addParticle(0)
    system.setVirtualSite(9, openmm.SymmetrySite(3, *axes, openmm.Vec3(0.1, 0, 0), False))
    topology.addAtom("V", None, next(topology.residues()))
    with pytest.raises(ValueError, match="particle 9 is a virtual site .* take it out"):
        replicate(topology, system, np.vstack([positions, positions[:1]]), 2)


def test_arguments_of_the_wrong_kind(canonical, ethanol):
    topology, positions = ethanol
    system = createSystem(topology, canonical, removeCMMotion=False)
    larger = copy.deepcopy(system)
    larger.addParticle(1)
    for changes, error, text in (
        (dict(n=0), ValueError, "n is 0"),
        (dict(n=2.5), ValueError, "n is 2.5"),
        (dict(n=True), ValueError, "n is True"),
        (dict(topology=[1]), TypeError, "topology is of the type list"),
        (dict(system=topology), TypeError, "system is of the type Topology"),
        (dict(system=larger), ValueError, "9 atoms and the system 10 particles"),
        (dict(positions=positions[1:]), ValueError, r"the shape \[8, 3\]; allowed are \[9, 3\]"),
        (dict(positions=[positions] * 3), ValueError, r"allowed are .* and \[2, 9, 3\]"),
        (dict(positions="here"), ValueError, "positions is no array of numbers"),
    ):
        with pytest.raises(error, match=text):
            replicate(**{"topology": topology, "system": system, "positions": positions, "n": 2, **changes})
