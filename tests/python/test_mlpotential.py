# SPDX-License-Identifier: MIT
"""openmm-ml: MLPotential() with our models, for whole Systems and for a part of one."""

from __future__ import annotations

import copy
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import openmm
import pytest
from openmm import app, unit

from conftest import PLATFORMS
from models import random_model
from openmmpainn import PaiNNStudentForce, PaiNNStudentModel, bundledModels

openmmml = pytest.importorskip("openmmml", reason="openmmml is not installed")
MLPotential = openmmml.MLPotential

PDB = Path(__file__).resolve().parents[2] / "examples" / "data" / "alanine_dipeptide.pdb"
NETWORK_GROUP = 3
FLEXIBLE = {"constraints": None, "rigidWater": False}
# A network whose energy is some hundred kJ/mol, as smooth as a trained one; its cutoff (nm) leaves room in small boxes.
SMOOTH = {"strength": 20.0, "cutoff": 0.4, "envelope": {"type": "polynomial", "p": 6}}


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> str:
    """The file of a smooth random model."""
    return random_model(tmp_path_factory.mktemp("models") / "smooth.safetensors", **SMOOTH)


@pytest.fixture(scope="module")
def potential(path):
    return MLPotential("painn-student", modelPath=path)


@pytest.fixture(scope="module")
def forcefield():
    return app.ForceField("amber14-all.xml", "amber14/tip3p.xml")


@pytest.fixture(scope="module")
def dipeptide():
    """Topology and positions (array [22, 3], nm) of alanine dipeptide."""
    pdb = app.PDBFile(str(PDB))
    return pdb.topology, np.array(pdb.positions.value_in_unit(unit.nanometer))


@pytest.fixture(scope="module")
def solvated(dipeptide, forcefield):
    """Topology and positions (array [n, 3], nm) of alanine dipeptide, which comes first, in a box of water."""
    modeller = app.Modeller(dipeptide[0], dipeptide[1] * unit.nanometer)
    modeller.addSolvent(forcefield, boxSize=openmm.Vec3(2.0, 2.0, 2.0) * unit.nanometer)
    return modeller.topology, np.array(modeller.positions.value_in_unit(unit.nanometer))


@pytest.fixture(scope="module")
def few_waters(solvated):
    """Alanine dipeptide and its ten nearest waters, without a box."""
    topology, positions = solvated
    modeller = app.Modeller(topology, positions * unit.nanometer)
    waters = [residue for residue in topology.residues() if residue.name == "HOH"]
    center = positions[:22].mean(axis=0)
    waters.sort(key=lambda residue: np.linalg.norm(positions[next(residue.atoms()).index] - center))
    modeller.delete(waters[10:])
    modeller.topology.setPeriodicBoxVectors(None)
    return modeller.topology, np.array(modeller.positions.value_in_unit(unit.nanometer))


def make_context(system, positions, platform="Reference"):
    """A Context at these positions (nm); virtual sites are put where they belong."""
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatform(platform))
    extra = system.getNumParticles() - len(positions)
    context.setPositions(np.concatenate([positions, np.zeros((extra, 3))]))
    context.computeVirtualSites()
    return context


def evaluate(context, groups=-1):
    """Energy (kJ/mol) and forces (array [n, 3], kJ/mol/nm)."""
    state = context.getState(energy=True, forces=True, groups=groups)
    return state.getPotentialEnergy()._value, state.getForces(asNumpy=True)._value


def network(path, topology, atoms=None, **arguments):
    """A System with the particles of a Topology and nothing but a PaiNNStudentForce, made without openmm-ml."""
    system = openmm.System()
    if topology.getPeriodicBoxVectors() is not None:
        system.setDefaultPeriodicBoxVectors(*topology.getPeriodicBoxVectors())
    for atom in topology.atoms():
        system.addParticle(atom.element.mass)
    system.addForce(PaiNNStudentForce.fromTopology(PaiNNStudentModel(path), topology, atoms, **arguments))
    return system


def our_forces(system):
    return [PaiNNStudentForce.cast(force) for force in system.getForces() if PaiNNStudentForce.isinstance(force)]


def copied_variables(system):
    """A System with copies of the Forces inside the CustomCVForce of another."""
    (outer,) = [force for force in system.getForces() if isinstance(force, openmm.CustomCVForce)]
    inner = openmm.System()
    for index in range(outer.getNumCollectiveVariables()):
        inner.addForce(copy.deepcopy(outer.getCollectiveVariable(index)))
    return inner


def test_entry_points():
    """The installed package names all bundled models, and one name for models from files."""
    found = {point.name: point for point in entry_points(group="openmmml.potentials") if "openmmpainn" in point.value}
    assert set(found) == {"painn-student", *bundledModels()}
    for name, point in found.items():
        assert isinstance(MLPotential._implFactories[name], point.load())


@pytest.mark.parametrize("first", ["openmmml", "openmmpainn.mlpotential", "openmmpainn"])
def test_any_order_of_imports(first, run_python):
    run_python(
        f"""if True:
        import {first}, sys
        assert {first != "openmmml"} or "openmmpainn.painn" not in sys.modules  # importing openmm-ml reads no model
        from openmmml import MLPotential
        from openmmml.mlpotential import MLPotentialImpl
        from openmmpainn.mlpotential import PaiNNPotentialImpl
        assert issubclass(PaiNNPotentialImpl, MLPotentialImpl)
        assert not {bool(bundledModels())} or MLPotential({(bundledModels() or [""])[0]!r})
        """
    )


def test_without_openmmml(run_python):
    """The package does without; its module for openmm-ml says what is missing."""
    run_python(
        """if True:
        import sys
        sys.modules["openmmml"] = None
        from openmmpainn import PaiNNStudentForce
        try:
            import openmmpainn.mlpotential
        except ImportError as error:
            assert "pip install openmmml" in str(error)
        else:
            raise AssertionError("imported")
        """
    )


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("periodic", [False, True])
def test_whole_system(path, ethanol, platform, periodic):
    """Bit for bit the Force that fromTopology makes, however the file is named."""
    topology, positions = copy.deepcopy(ethanol[0]), ethanol[1]
    if periodic:
        topology.setUnitCellDimensions((0.85, 0.9, 1.0))
    expected = evaluate(make_context(network(path, topology), positions, platform))
    for system in (
        MLPotential("painn-student", modelPath=path).createSystem(topology),
        MLPotential("painn-student").createSystem(topology, modelPath=Path(path), charge=0, multiplicity=1),
    ):
        assert system.getNumForces() == 2 and isinstance(system.getForce(1), openmm.CMMotionRemover)
        assert system.usesPeriodicBoundaryConditions() == periodic
        (force,) = our_forces(system)
        assert force.getForceGroup() == 0 and force.getName() == "PaiNNStudentForce"
        assert force.getNumBonds() == (8 if periodic else 0)
        energy, forces = evaluate(make_context(system, positions, platform))
        assert energy == expected[0] and np.array_equal(forces, expected[1]) and np.abs(forces).max() > 10
    system = MLPotential("painn-student").createSystem(topology, removeCMMotion=False, modelPath=path, periodic=False)
    assert system.getNumForces() == 1 and not system.usesPeriodicBoundaryConditions()


@pytest.mark.skipif(not bundledModels(), reason="no model is bundled")
def test_bundled(dipeptide):
    for name in bundledModels():
        system = MLPotential(name).createSystem(dipeptide[0])
        (force,) = our_forces(system)
        assert force.getModel() == PaiNNStudentModel.bundled(name)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_mixed(potential, path, few_waters, dipeptide, forcefield, platform):
    """A molecule among others: its own terms of the force field are replaced by the network, nothing else."""
    topology, positions = few_waters
    atoms = range(22)
    mm = forcefield.createSystem(topology, **FLEXIBLE)
    alone = forcefield.createSystem(dipeptide[0], **FLEXIBLE)
    whole = evaluate(make_context(mm, positions, platform))
    inside = evaluate(make_context(alone, positions[:22], platform))
    learned = evaluate(make_context(network(path, topology, atoms), positions, platform))
    system = potential.createMixedSystem(topology, mm, atoms, forceGroup=NETWORK_GROUP)
    context = make_context(system, positions, platform)
    energy, forces = evaluate(context)
    expected_forces = whole[1] + learned[1]
    expected_forces[:22] -= inside[1]
    relative = 1e-10 if platform == "Reference" else 1e-5
    assert energy == pytest.approx(whole[0] - inside[0] + learned[0], rel=relative)
    np.testing.assert_allclose(forces, expected_forces, rtol=0, atol=relative * np.abs(inside[1]).max())
    # The network alone is in its group, bit for bit.
    energy, forces = evaluate(context, {NETWORK_GROUP})
    assert energy == learned[0] and np.array_equal(forces, learned[1]) and np.abs(forces).max() > 10


def test_constraints(potential, few_waters, forcefield):
    topology, _ = few_waters
    mm = forcefield.createSystem(topology, constraints=app.HBonds)
    waters = 10 * 3
    assert mm.getNumConstraints() == 12 + waters
    for remove, expected in ((True, waters), (False, 12 + waters)):
        mixed = potential.createMixedSystem(topology, mm, list(range(22)), removeConstraints=remove)
        assert mixed.getNumConstraints() == expected


@pytest.mark.parametrize("platform", PLATFORMS)
def test_interpolation(potential, few_waters, forcefield, platform):
    """At 0 the force field, at 1 the mixed System, in between a straight line.

    For the pairs inside, openmm-ml has Coulomb's constant with fewer digits than OpenMM: 1e-8 of their energies.
    """
    topology, positions = few_waters
    atoms = list(range(22))
    mm = forcefield.createSystem(topology, **FLEXIBLE)
    ends = [
        evaluate(make_context(system, positions, platform))
        for system in (mm, potential.createMixedSystem(topology, mm, atoms))
    ]
    context = make_context(potential.createMixedSystem(topology, mm, atoms, interpolate=True), positions, platform)
    relative = 1e-7 if platform == "Reference" else 1e-5
    straight = 1e-12 if platform == "Reference" else 1e-6
    largest = max(np.abs(forces).max() for _, forces in ends)
    found = {}
    for value in (0.0, 1.0, 0.25, 0.5, 0.75):
        context.setParameter("lambda_interpolate", value)
        energy, forces = found[value] = evaluate(context)
        if value in (0.0, 1.0):
            expected, tolerance = ends[int(value)], relative
        else:
            expected = [(1 - value) * zero + value * one for zero, one in zip(found[0.0], found[1.0], strict=True)]
            tolerance = straight
        assert energy == pytest.approx(expected[0], rel=tolerance)
        np.testing.assert_allclose(forces, expected[1], rtol=0, atol=tolerance * largest)


@pytest.mark.parametrize("interpolate", [False, True])
def test_link_atoms(potential, path, dipeptide, forcefield, interpolate):
    """A part of a molecule is capped by H atoms on virtual sites, whose forces reach the atoms that hold them."""
    topology, positions = dipeptide
    chosen = [
        atom.index
        for atom in topology.atoms()
        if atom.residue.name == "ALA" and atom.name in ("CB", "HB1", "HB2", "HB3")
    ]
    mm = forcefield.createSystem(topology, **FLEXIBLE)
    info = potential.createMixedSystem(
        topology, mm, chosen, forceGroup=NETWORK_GROUP, interpolate=interpolate, returnInfo=True
    )
    system, capped = info["system"], info["topology"]
    assert system.getNumParticles() == capped.getNumAtoms() == 23 and system.isVirtualSite(22)
    context = make_context(system, positions)
    placed = context.getState(positions=True).getPositions(asNumpy=True)._value
    bare = network(path, capped, [*chosen, 22])
    learned = evaluate(make_context(bare, placed))[0]
    if interpolate:
        context.setParameter("lambda_interpolate", 1.0)
        plain = make_context(potential.createMixedSystem(topology, mm, chosen), positions)
        assert evaluate(context)[0] == pytest.approx(evaluate(plain)[0], rel=1e-10)
        context.setParameter("lambda_interpolate", 0.0)
        assert evaluate(context)[0] == pytest.approx(evaluate(make_context(mm, positions))[0], rel=1e-10)
        return
    energy, forces = evaluate(context, {NETWORK_GROUP})
    assert energy == learned
    direction = np.random.default_rng(1).standard_normal(positions.shape)
    exact = -(forces[:22] * direction).sum()
    slopes = []
    for step in (1e-5, 1e-6, 1e-7, 1e-8):
        low, high = (
            evaluate(make_context(system, positions + s * direction), {NETWORK_GROUP})[0] for s in (-step, step)
        )
        slopes.append((high - low) / (2 * step))
    assert min(abs(slope - exact) for slope in slopes) < 1e-6 * abs(exact)
    backbone = next(a.index for a in topology.atoms() if a.residue.name == "ALA" and a.name == "CA")
    assert np.abs(forces[backbone]).max() > 1e-3


@pytest.mark.parametrize("interpolate", [False, True])
def test_periodic(potential, path, solvated, forcefield, interpolate):
    """With PME in a box of water; the molecule stays whole for barostats and wrapping."""
    topology, positions = solvated
    atoms = list(range(22))
    mm = forcefield.createSystem(topology, nonbondedMethod=app.PME, nonbondedCutoff=0.9, ewaldErrorTolerance=1e-5)
    system = potential.createMixedSystem(topology, mm, atoms, forceGroup=NETWORK_GROUP, interpolate=interpolate)
    assert system.usesPeriodicBoundaryConditions()
    context = make_context(system, positions, "CPU")
    assert sorted(context.getMolecules()[0]) == atoms
    learned = evaluate(make_context(network(path, topology, atoms), positions, "CPU"))
    mixed = evaluate(make_context(potential.createMixedSystem(topology, mm, atoms), positions, "CPU"))
    if interpolate:
        assert evaluate(context)[0] == pytest.approx(mixed[0], rel=1e-6)
        context.setParameter("lambda_interpolate", 0.0)
        assert evaluate(context)[0] == pytest.approx(evaluate(make_context(mm, positions, "CPU"))[0], rel=1e-6)
    else:
        energy, forces = evaluate(context, {NETWORK_GROUP})
        assert energy == learned[0] and np.array_equal(forces, learned[1])
    # Moved by a whole box, the molecule has the same energy.
    moved = positions.copy()
    moved[5] += [2.0, 0.0, 0.0]
    assert evaluate(make_context(system, moved, "CPU"))[0] == pytest.approx(mixed[0], rel=1e-6)


def test_periodic_or_not(potential, solvated, forcefield):
    """Where only the System has a box, that counts, unless interpolation hides it; the argument has the last word."""
    mm = forcefield.createSystem(solvated[0], nonbondedMethod=app.PME, nonbondedCutoff=0.9)
    topology = copy.deepcopy(solvated[0])
    topology.setPeriodicBoxVectors(None)
    for interpolate, arguments, expected in (
        (False, {}, True),
        (False, {"periodic": False}, False),
        (True, {}, False),
        (True, {"periodic": True}, True),
    ):
        system = potential.createMixedSystem(topology, mm, range(22), interpolate=interpolate, **arguments)
        inner = copied_variables(system) if interpolate else system
        (force,) = our_forces(inner)
        assert force.usesPeriodicBoundaryConditions() == expected


def test_box_too_small(potential, ethanol):
    topology = copy.deepcopy(ethanol[0])
    topology.setUnitCellDimensions((0.7, 0.9, 1.0))
    with pytest.raises(openmm.OpenMMException, match="0.8 nm, twice the cutoff of the model"):
        make_context(potential.createSystem(topology), ethanol[1])


@pytest.mark.parametrize("interpolate", [False, True])
def test_xml(potential, few_waters, forcefield, interpolate):
    """A System goes through XML, and the copy needs neither openmm-ml nor the model file."""
    topology, positions = few_waters
    mm = forcefield.createSystem(topology, **FLEXIBLE)
    system = potential.createMixedSystem(topology, mm, range(22), interpolate=interpolate)
    copied = openmm.XmlSerializer.deserialize(openmm.XmlSerializer.serialize(system))
    expected, found = (evaluate(make_context(one, positions)) for one in (system, copied))
    assert expected[0] == found[0] and np.array_equal(expected[1], found[1])


def test_dynamics(potential, few_waters, forcefield):
    """Energy is kept in an interpolated System, and a checkpoint goes on the same way."""
    topology, positions = few_waters
    mm = forcefield.createSystem(topology, **FLEXIBLE)
    system = potential.createMixedSystem(topology, mm, range(22), interpolate=True)
    integrator = openmm.VerletIntegrator(0.0001)
    context = openmm.Context(system, integrator, openmm.Platform.getPlatform("Reference"))
    context.setPositions(positions)
    context.setParameter("lambda_interpolate", 0.5)
    openmm.LocalEnergyMinimizer.minimize(context, 10, 50)
    context.setVelocitiesToTemperature(300, 1)
    totals = []
    for _ in range(20):
        integrator.step(5)
        state = context.getState(energy=True)
        totals.append((state.getPotentialEnergy() + state.getKineticEnergy())._value)
    kinetic = state.getKineticEnergy()._value
    assert kinetic > 50 and np.ptp(totals) < 0.02 * kinetic


def test_errors(potential, path, ethanol, dipeptide, forcefield):
    """What cannot be is refused when the System is made, before there is a Context."""
    topology, _ = ethanol
    foreign = copy.deepcopy(topology)
    foreign.addAtom("F1", app.element.fluorine, next(foreign.residues()))
    extra = copy.deepcopy(topology)
    extra.addAtom("M", None, next(extra.residues()))
    for error, text, arguments in (
        (
            ValueError,
            r"atom 9 \(F1 of residue ETH 1\) is of the element F; the model knows H, C, N, O",
            {"topology": foreign},
        ),
        (ValueError, r"atom 9 \(M of residue ETH 1\) is an extra particle", {"topology": extra}),
        (ValueError, "charge is -1; the network does not know the total charge, so only 0 is taken", {"charge": -1}),
        (ValueError, "multiplicity is 2; the network does not know the spin", {"multiplicity": 2}),
        (
            ValueError,
            "precision is 'double'; it is chosen with the properties of the Platform",
            {"precision": "double"},
        ),
        (ValueError, "device is 'cuda'; it is chosen with the Platform", {"device": "cuda"}),
        (
            ValueError,
            "returnEnergyType is 'interaction_energy'; energies are total",
            {"returnEnergyType": "interaction_energy"},
        ),
        (ValueError, r"modelPath is '.*', but MLPotential\('painn-student'\) has a model already", {"modelPath": path}),
        (TypeError, "was given charges, spin; it takes modelPath and periodic", {"charges": 0, "spin": 1}),
    ):
        with pytest.raises(error, match=text):
            potential.createSystem(**{"topology": topology, **arguments})
    potential.createSystem(
        topology, charge=None, multiplicity=None, precision=None, device=None, returnEnergyType="energy"
    )
    with pytest.raises(ValueError, match="'painn-student' needs modelPath, the .safetensors file of a model; .*"):
        MLPotential("painn-student").createSystem(topology)
    with pytest.raises(
        TypeError, match=r"MLPotential\('painn-student'\) was given modelpath; it takes nothing but modelP"
    ):
        MLPotential("painn-student", modelpath=path)
    with pytest.raises(openmm.OpenMMException, match="absent.safetensors"):
        MLPotential("painn-student", modelPath="absent.safetensors")
    for name in bundledModels():
        with pytest.raises(ValueError, match=f"but '{name}' comes with openmmpainn; 'painn-student' is for files"):
            MLPotential(name, modelPath=path)

    whole, _ = dipeptide
    mm = forcefield.createSystem(whole)
    for text, atoms, arguments in (
        ("charge is 1", [0, 1], {"charge": 1}),
        ("atoms is empty", [], {}),
        ("twice", [0, 1, 1], {}),
    ):
        with pytest.raises(ValueError, match=text):
            potential.createMixedSystem(whole, mm, atoms, **arguments)
    mm.addParticle(1.0)
    with pytest.raises(ValueError, match="the System has 23 particles, but the Topology 22 atoms"):
        potential.createMixedSystem(whole, mm, range(22))


def test_arguments_for_the_embedding(potential, dipeptide, forcefield):
    """What openmm-ml's own embedding takes goes through, such as the length of the bond to a link atom."""
    topology, positions = dipeptide
    chosen = [atom.index for atom in topology.atoms() if atom.name in ("CB", "HB1", "HB2", "HB3")]
    backbone = next(atom.index for atom in topology.atoms() if atom.residue.name == "ALA" and atom.name == "CA")
    carbon = next(i for i in chosen if list(topology.atoms())[i].name == "CB")
    system = potential.createMixedSystem(
        topology,
        forcefield.createSystem(topology),
        chosen,
        linkAtomDistances=[(carbon, backbone, 0.12 * unit.nanometer)],
    )
    placed = make_context(system, positions).getState(positions=True).getPositions(asNumpy=True)._value
    assert np.linalg.norm(placed[22] - placed[carbon]) == pytest.approx(0.12)
