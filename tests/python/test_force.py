# SPDX-License-Identifier: MIT
"""PaiNNStudentForce and PaiNNStudentModel as seen from Python."""

import ast
import copy
import gc
import inspect
import json
import pathlib
import pickle
import warnings

import numpy as np
import openmm
import pytest
from openmm import OpenMMException, unit

import openmmpainn
from conftest import PLATFORMS
from models import random_model
from openmmpainn import PaiNNStudentForce, PaiNNStudentModel, createSystem


def test_flaws_are_told_once(tmp_path):
    model = PaiNNStudentModel(random_model(tmp_path / "flawed.safetensors", "student", seed=99))
    with pytest.warns(openmmpainn.ModelWarning) as caught:
        PaiNNStudentForce(model)
    assert [str(warning.message) for warning in caught] == [f"random student: {text}" for text in model.getWarnings()]
    assert all(warning.filename == __file__ for warning in caught)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        PaiNNStudentForce(PaiNNStudentModel.fromBytes(model.getBytes()))


def make_context(system, positions, platform="Reference"):
    """A Context that keeps its System and integrator alive, at the positions."""
    context = openmm.Context(system, openmm.VerletIntegrator(0.0005), openmm.Platform.getPlatform(platform))
    context.setPositions(positions)
    return context


def energy_and_forces(context):
    """Energy, kJ/mol, and forces, array [N, 3] in kJ/mol/nm."""
    state = context.getState(energy=True, forces=True)
    forces = state.getForces(asNumpy=True).value_in_unit(unit.kilojoule_per_mole / unit.nanometer)
    return state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole), forces


def test_model(model_path):
    model = PaiNNStudentModel(model_path)
    contents = pathlib.Path(model_path).read_bytes()
    metadata = json.loads(model.getMetadata())
    assert model.getBytes() == contents and isinstance(model.getBytes(), bytes)
    assert model.getElements() == (1, 6, 7, 8)
    assert model.getName() == metadata["name"]
    assert metadata["family"] in model.getArchitecture()
    assert model.getNumParameters() > 100
    assert all(isinstance(text, str) and text for text in model.getWarnings())
    assert isinstance(model.getWarnings(), tuple)
    assert len(model.getHash()) == 64
    assert model.getName() in repr(model)

    for same in (
        PaiNNStudentModel(pathlib.Path(model_path)),
        PaiNNStudentModel(model_path.encode()),
        PaiNNStudentModel.fromBytes(contents),
        PaiNNStudentModel.fromBytes(bytearray(contents)),
        PaiNNStudentModel.fromBytes(memoryview(contents)),
        copy.copy(model),
        copy.deepcopy(model),
        pickle.loads(pickle.dumps(model)),
    ):
        assert same == model and hash(same) == hash(model) and same.getBytes() == contents
    assert model != "model"


def test_model_errors(tmp_path, canonical_path):
    with pytest.raises(OpenMMException, match="absent.safetensors"):
        PaiNNStudentModel(tmp_path / "absent.safetensors")
    with pytest.raises(OpenMMException):
        PaiNNStudentModel.fromBytes(b"")
    with pytest.raises(TypeError):
        PaiNNStudentModel.fromBytes("text")
    with pytest.raises(TypeError):
        PaiNNStudentModel(3)
    with pytest.raises(ValueError):
        PaiNNStudentModel("a\0b")


def test_bundled():
    names = openmmpainn.bundledModels()
    assert names == sorted(names)
    for name in names:
        assert len(PaiNNStudentModel.bundled(name).getHash()) == 64
    with pytest.raises(ValueError, match="name is 'nothing', but the models"):
        PaiNNStudentModel.bundled("nothing")
    with pytest.raises(ValueError):
        PaiNNStudentModel.bundled("../models/x")


def test_getters_and_setters(canonical):
    force = PaiNNStudentForce(canonical)
    assert force.getModel() == canonical
    assert force.addParticle(np.int64(4), np.int32(6)) == 0
    assert force.addParticle(particle=5, atomicNumber=8, subsystem=1) == 1
    assert force.getParticleParameters(0) == [4, 6, 0]
    force.setParticleParameters(1, 7, 1)
    assert force.getParticleParameters(np.int64(1)) == [7, 1, 0]
    force.setParticleParameters(1, 7, 1, subsystem=2)
    assert (force.getNumParticles(), force.getNumSubsystems()) == (2, 3)
    assert force.addBond(4, 7) == 0
    force.setBondParameters(0, 4, 5)
    assert (force.getNumBonds(), force.getBondParameters(0)) == (1, [4, 5])
    assert force.addGlobalParameter("lambda", 0.5) == 0
    assert (force.getGlobalParameterName(0), force.getGlobalParameterDefaultValue(0)) == ("lambda", 0.5)
    force.setGlobalParameterName(0, "scale")
    force.setGlobalParameterDefaultValue(0, 0.25)
    force.setSubsystemScale(2, "scale")
    assert (force.getSubsystemScale(0), force.getSubsystemScale(2)) == ("", "scale")
    force.addEnergyParameterDerivative("scale")
    assert force.getNumEnergyParameterDerivatives() == force.getNumGlobalParameters() == 1
    assert force.getEnergyParameterDerivativeName(0) == "scale"
    assert not force.usesPeriodicBoundaryConditions()
    force.setUsesPeriodicBoundaryConditions(True)
    assert force.usesPeriodicBoundaryConditions()
    for bad in (lambda: force.addParticle(0.5, 6), lambda: force.addParticle("0", 6), lambda: PaiNNStudentForce(None)):
        with pytest.raises((TypeError, ValueError)):
            bad()
    for bad in (
        lambda: force.addParticle(0, 9),
        lambda: force.addParticle(-1, 6),
        lambda: force.getParticleParameters(2),
    ):
        with pytest.raises(OpenMMException):
            bad()


def test_model_outlives_force(canonical_path):
    force = PaiNNStudentForce(PaiNNStudentModel(canonical_path))
    model = force.getModel()
    del force
    assert model.getBytes() == pathlib.Path(canonical_path).read_bytes()


@pytest.mark.parametrize("platform", PLATFORMS)
def test_energies(model, ethanol, platform):
    topology, positions = ethanol
    system = createSystem(topology, model)
    context = make_context(system, positions, platform)
    energy, forces = energy_and_forces(context)
    assert np.isfinite(energy) and np.isfinite(forces).all() and np.abs(forces).max() > 1
    force = PaiNNStudentForce.cast(system.getForce(0))
    of_subsystems, of_particles = force.getSubsystemEnergies(context), force.getParticleEnergies(context)
    assert isinstance(of_subsystems._value, np.ndarray) and isinstance(of_particles._value, np.ndarray)
    of_subsystems = of_subsystems.value_in_unit(unit.kilojoule_per_mole)
    of_particles = of_particles.value_in_unit(unit.kilojoule_per_mole)
    assert of_subsystems.shape == (1,) and of_particles.shape == (9,)
    assert of_subsystems[0] == pytest.approx(energy, rel=1e-12)
    assert of_particles.sum() == pytest.approx(energy, rel=1e-12)
    with pytest.raises(OpenMMException):
        force.getSubsystemEnergies(make_context(createSystem(topology, model), positions, platform))

    # Central differences along the gradient, with a step that fits the precision of the energies.
    step, bar = (1e-5, 2e-7) if platform == "Reference" else (2e-4, 1e-3)
    direction = forces / np.linalg.norm(forces)
    change = []
    for sign in (1, -1):
        context.setPositions(positions + sign * step * direction)
        change.append(energy_and_forces(context)[0])
    slope = (change[0] - change[1]) / (2 * step)
    assert slope == pytest.approx(-np.linalg.norm(forces), rel=bar)


def test_scale_and_derivative(canonical, ethanol):
    topology, positions = ethanol
    force = PaiNNStudentForce(canonical)
    for subsystem in range(2):
        for atom in topology.atoms():
            force.addParticle(9 * subsystem + atom.index, atom.element.atomic_number, subsystem)
    force.addGlobalParameter("lambda", 0.25)
    force.setSubsystemScale(1, "lambda")
    force.addEnergyParameterDerivative("lambda")
    system = openmm.System()
    for _ in range(18):
        system.addParticle(1.0)
    system.addForce(force)
    context = make_context(system, np.concatenate([positions, 1.02 * positions + 5]))
    first, second = force.getSubsystemEnergies(context).value_in_unit(unit.kilojoule_per_mole)
    state = context.getState(energy=True, parameterDerivatives=True)
    energy = state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole)
    assert energy == pytest.approx(first + 0.25 * second, rel=1e-12)
    assert state.getEnergyParameterDerivatives()["lambda"] == pytest.approx(second, rel=1e-12)
    context.setParameter("lambda", 0)
    assert energy_and_forces(context)[0] == pytest.approx(first, rel=1e-12)


def test_update_parameters(canonical, ethanol):
    topology, positions = ethanol
    system = createSystem(topology, canonical)
    force = PaiNNStudentForce.cast(system.getForce(0))
    context = make_context(system, positions)
    before, _ = energy_and_forces(context)
    force.setParticleParameters(2, 2, 7)
    assert energy_and_forces(context)[0] == before
    force.updateParametersInContext(context)
    assert energy_and_forces(context)[0] == energy_and_forces(make_context(system, positions))[0] != before


def test_cast(canonical):
    force = PaiNNStudentForce(canonical)
    force.addParticle(0, 6)
    system = openmm.System()
    system.addParticle(12)
    system.addForce(force)
    system.addForce(openmm.HarmonicBondForce())
    ours, other = system.getForces()
    assert PaiNNStudentForce.isinstance(ours) and not PaiNNStudentForce.isinstance(other)
    found = PaiNNStudentForce.cast(ours)
    found.setForceGroup(3)
    assert force.getForceGroup() == 3 and found.getParticleParameters(0) == [0, 6, 0]
    read = PaiNNStudentForce.cast(openmm.XmlSerializer.deserialize(openmm.XmlSerializer.serialize(force)))
    gc.collect()
    assert read.thisown and read.getParticleParameters(0) == [0, 6, 0]
    system.addForce(read)
    assert not read.thisown and system.getNumForces() == 3
    with pytest.raises(OpenMMException, match="PaiNNStudentForce, but the force 'HarmonicBondForce'"):
        PaiNNStudentForce.cast(other)


class NamedForce(PaiNNStudentForce):
    """What a user might derive."""

    def __init__(self, model):
        super().__init__(model)
        self.notes = ["kept"]


def test_copies_of_subclass(canonical):
    force = NamedForce(canonical)
    duplicate = copy.deepcopy(force)
    assert type(duplicate) is NamedForce and duplicate.notes == ["kept"] and duplicate.notes is not force.notes
    assert duplicate.getModel() == canonical


def test_copies(model, ethanol):
    topology, positions = ethanol
    force = PaiNNStudentForce.fromTopology(model, topology)
    force.setName("network")
    force.setForceGroup(4)
    text = openmm.XmlSerializer.serialize(force)
    for duplicate in (copy.copy(force), copy.deepcopy(force), pickle.loads(pickle.dumps(force))):
        assert type(duplicate) is PaiNNStudentForce
        assert duplicate.getModel() == model and duplicate.getName() == "network" and duplicate.getForceGroup() == 4
        assert openmm.XmlSerializer.serialize(duplicate) == text
        duplicate.addParticle(0, 6, 1)
    assert force.getNumParticles() == 9

    system = createSystem(topology, model)
    expected = energy_and_forces(make_context(system, positions))
    for duplicate in (copy.deepcopy(system), pickle.loads(pickle.dumps(system))):
        found = energy_and_forces(make_context(duplicate, positions))
        assert found[0] == expected[0] and (found[1] == expected[1]).all()


def test_xml_needs_only_openmm(model, ethanol, tmp_path, run_python):
    """A System opens, and gives the same bits, where nobody has imported openmmpainn."""
    topology, positions = ethanol
    system = createSystem(topology, model)
    (tmp_path / "system.xml").write_text(openmm.XmlSerializer.serialize(system))
    np.save(tmp_path / "positions.npy", positions)
    printed = run_python(
        """if True:
        import sys, numpy, openmm
        system = openmm.XmlSerializer.deserialize(open(sys.argv[1] + "/system.xml").read())
        context = openmm.Context(system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatform("Reference"))
        context.setPositions(numpy.load(sys.argv[1] + "/positions.npy"))
        assert "openmmpainn" not in sys.modules
        print(context.getState(energy=True).getPotentialEnergy()._value.hex())
        """,
        tmp_path,
    )
    assert printed.strip() == float(energy_and_forces(make_context(system, positions))[0]).hex()


def test_minimum_of_every_signature():
    """The stub file lists the same methods with the same arguments as the compiled module, and each has a docstring."""
    stub = ast.parse(pathlib.Path(inspect.getfile(PaiNNStudentForce)).with_suffix(".pyi").read_text())
    for definition in (node for node in stub.body if isinstance(node, ast.ClassDef)):
        cls = getattr(openmmpainn, definition.name)
        assert cls.__doc__
        listed = {f.name: f for f in definition.body if isinstance(f, ast.FunctionDef)}
        public = {name for name, value in vars(cls).items() if not name.startswith("_") and name != "thisown"}
        constants = {node.target.id for node in definition.body if isinstance(node, ast.AnnAssign)}
        assert public == {name for name in listed if not name.startswith("_")} | constants
        assert all(isinstance(getattr(cls, name), int) for name in constants)
        for name in public - constants:
            function = inspect.unwrap(getattr(cls, name))
            assert function.__doc__, name
            arguments = [arg.arg for arg in listed[name].args.args if arg.arg not in ("self", "cls")]
            assert arguments == [n for n in inspect.signature(function).parameters if n != "self"], name
