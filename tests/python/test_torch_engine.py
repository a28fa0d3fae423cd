# SPDX-License-Identifier: MIT
"""The LibTorch engine against the kernels of Reference, and in what OpenMM makes of a Force (reliability row 4)."""

from __future__ import annotations

import copy
import itertools
import pickle
import threading

import numpy as np
import openmm
import pytest
from openmm import unit

from openmmpainn import PaiNNReplicaContexts, PaiNNStudentForce, PaiNNStudentModel
from openmmpainn.structures import default_structures
from torch_cases import (
    CASES,
    METHODS,
    assert_close,
    available,
    energy_and_forces,
    gentle_model,
    network_force,
    random_atoms,
    require_engine,
    system_of,
)

require_engine()
REFERENCE = CASES[0]
MODELS = {
    "student": {"strength": 0.01, "family": "student", "hidden": 32, "blocks": 3, "size": 20},
    "student-envelope": {
        "strength": 3.0,
        "family": "student",
        "hidden": 16,
        "envelope": {"type": "polynomial", "p": 4},
    },
    "canonical": {"strength": 10.0, "hidden": 32, "blocks": 3, "size": 20},
    "canonical-bessel-zbl": {
        "strength": 0.5,
        "basis": "bessel",
        "size": 12,
        "cutoff_function": {"type": "polynomial", "p": 3},
        "repulsion": {"type": "zbl", "p": 6},
        "atom_references": [-1313.0, -99000.0, -143000.0, -197000.0],
    },
}


@pytest.fixture(scope="module", params=[*MODELS, "alanine-dipeptide"])
def any_model(request, tmp_path_factory):
    """A random model, or the one that we ship."""
    if request.param not in MODELS:
        return PaiNNStudentModel.bundled(request.param)
    return gentle_model(tmp_path_factory.mktemp("models") / "m.safetensors", **MODELS[request.param])


@pytest.fixture(scope="module")
def canonical(tmp_path_factory):
    return gentle_model(tmp_path_factory.mktemp("models") / "m.safetensors", strength=10.0)


@pytest.fixture(scope="module", params=("student", "canonical"))
def model(request, tmp_path_factory):
    return gentle_model(tmp_path_factory.mktemp("models") / "m.safetensors", strength=3.0, family=request.param)


@pytest.fixture(params=available(CASES))
def case(request):
    return request.param


def both(case, model, numbers, positions, build):
    """Energy and forces of a System by the kernels on Reference and by LibTorch; build(force) gives the System."""
    results = []
    for where, method in ((REFERENCE, METHODS["Kernels"]), (case, METHODS["LibTorch"])):
        context = where.context(build(network_force(model, numbers, method)), positions)
        if case.precision == "single":  # both at the positions that this platform can hold
            context.setPositions(positions.astype(np.float32).astype(float))
        results.append(energy_and_forces(context))
    return results


def test_agreement(case, any_model):
    """Clusters of 12 to 100 atoms, or molecules for the trained model: the figures of row 4."""
    systems = [random_atoms(count, seed) for count, seed in itertools.product((12, 22, 50, 100), range(2))]
    systems.append(random_atoms(150))  # enough for several threads on CPU
    if any_model.getName() and not any_model.getName().startswith("random"):
        molecules = [m for seed in range(3) for m in default_structures(set(any_model.getElements()), seed)]
        systems = [(np.array(m.numbers), m.positions) for m in molecules]
    worst = np.zeros(3)
    for numbers, positions in systems:
        expected, found = both(case, any_model, numbers, positions, lambda f, n=numbers: system_of(n, f))
        far = 1000.0 * np.arange(len(numbers))[:, None] * np.ones(3)
        apart = REFERENCE.context(system_of(numbers, network_force(any_model, numbers, METHODS["Kernels"])), far)
        binding = expected[0] - energy_and_forces(apart)[0]
        worst = np.maximum(worst, assert_close(case, expected, found, binding))
    print(f"{case}: energy {worst[0]:.1e} kJ/mol an atom, force max {worst[1]:.1e} and median {worst[2]:.1e} of RMS")


@pytest.mark.parametrize("tilt", (0.0, 0.4), ids=("rectangular", "triclinic"))
def test_boxes(case, canonical, tilt):
    numbers, positions = random_atoms(80, spacing=0.25)
    vectors = np.diag([1.3, 1.2, 1.25])
    vectors[1, 0] = vectors[2, 0] = vectors[2, 1] = tilt
    positions = positions + np.random.default_rng(1).integers(-2, 3, (80, 3)) @ vectors  # in any image

    def build(force):
        force.setUsesPeriodicBoundaryConditions(True)
        system = system_of(numbers, force)
        system.setDefaultPeriodicBoxVectors(*vectors)
        return system

    assert_close(case, *both(case, canonical, numbers, positions, build))


def test_subsystems_and_scales(case, model):
    """Scaled subsystems on top of each other, derivatives by scales, energies of subsystems and particles."""
    numbers, positions = random_atoms(12)
    numbers, subsystems = np.tile(numbers, 3), np.repeat([0, 1, 2], 12)
    positions = np.concatenate([positions, positions + 0.01, random_atoms(12, 5)[1]])
    results = []
    for where, method in ((REFERENCE, METHODS["Kernels"]), (case, METHODS["LibTorch"])):
        force = network_force(model, numbers, method, subsystems)
        for name, value in (("a", 0.25), ("b", 0.0)):
            force.addGlobalParameter(name, value)
            force.addEnergyParameterDerivative(name)
        force.setSubsystemScale(1, "a")
        force.setSubsystemScale(2, "b")
        context = where.context(system_of(numbers, force), positions.astype(np.float32).astype(float))
        derivatives = context.getState(parameterDerivatives=True).getEnergyParameterDerivatives()
        per_kind = [force.getSubsystemEnergies(context), force.getParticleEnergies(context)]
        per_kind = [values.value_in_unit(unit.kilojoule_per_mole) for values in per_kind]
        results.append((*energy_and_forces(context), derivatives["a"], derivatives["b"], *per_kind))
    expected, found = results
    assert_close(case, expected[:2], found[:2])
    tolerance = 36 * case.bars[2] + (1e-5 if case.precision == "single" else 1e-13) * abs(expected[0])
    np.testing.assert_allclose(found[2:4], expected[2:4], rtol=0, atol=tolerance)
    for kind in (4, 5):
        np.testing.assert_allclose(found[kind], expected[kind], rtol=0, atol=tolerance)


@pytest.mark.parametrize("place", ("first", "last", "inside CustomCVForce"))
def test_places(case, model, place):
    """Where the force stands among others changes nothing."""
    numbers, positions = random_atoms(20)

    def build(force):
        bonds = openmm.HarmonicBondForce()
        for i in range(19):
            bonds.addBond(i, i + 1, 0.15625, 1024)  # numbers of few bits: OpenMM keeps them in float32 on CUDA
        if place == "inside CustomCVForce":
            outer = openmm.CustomCVForce("2*network")
            outer.addCollectiveVariable("network", force)
            return system_of(numbers, bonds, outer)
        return system_of(numbers, *((force, bonds) if place == "first" else (bonds, force)))

    assert_close(case, *both(case, model, numbers, positions, build))


def test_minimizer_and_time_steps(case, canonical, ethanol):
    """The minimizer ends, and a multiple time step integrator goes, where the kernels of the platform lead."""
    numbers = np.array([atom.element.atomic_number for atom in ethanol[0].atoms()])
    ends = []
    for method in METHODS.values():
        force = network_force(canonical, numbers, method)
        force.setForceGroup(1)
        bonds = openmm.HarmonicBondForce()
        for first, second in ethanol[0].bonds():
            bonds.addBond(
                first.index, second.index, np.linalg.norm(np.subtract(*ethanol[1][[first.index, second.index]])), 1e5
            )
        integrator = openmm.MTSIntegrator(0.0004, [(1, 1), (0, 2)])
        context = case.context(system_of(numbers, bonds, force), ethanol[1], integrator)
        before = energy_and_forces(context)
        openmm.LocalEnergyMinimizer.minimize(context, maxIterations=20)
        lowest = energy_and_forces(context)[0]
        assert lowest < before[0]
        context.setPositions(ethanol[1])
        context.setVelocities(np.zeros_like(ethanol[1]))
        integrator.step(50)
        moved = context.getState(positions=True).getPositions(asNumpy=True).value_in_unit(unit.nanometer)
        ends.append((lowest, before, np.array(moved)))
    # Each platform's kernels have the same bars from Reference.
    largest, median, per_atom = (2 * bar for bar in case.bars)
    assert abs(ends[0][1][0] - ends[1][1][0]) < 9 * per_atom
    assert np.abs(ends[0][2] - ends[1][2]).max() < (1e-9 if largest < 1e-9 else 1e-4)
    assert np.abs(ends[0][2] - ethanol[1]).max() > 1e-4


def test_two_threads(case, model):
    """Two Contexts at work at the same time give the bits, on a GPU the forces to rounding, of one after the other."""
    atoms = [random_atoms(12 + 8 * i, i) for i in range(2)]
    forces = [network_force(model, numbers, METHODS["LibTorch"]) for numbers, _ in atoms]
    contexts = [case.context(system_of(n, f), p) for (n, p), f in zip(atoms, forces, strict=True)]
    alone = [energy_and_forces(context) for context in contexts]
    found: list = [[], []]

    def work(i):
        for _ in range(10):
            contexts[i].setPositions(atoms[i][1])
            found[i].append(energy_and_forces(contexts[i]))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in range(2):
        assert len(found[i]) == 10
        for result in found[i]:
            if case.platform == "CUDA":
                assert_close(case, alone[i], result)
            else:
                assert result[0] == alone[i][0] and (result[1] == alone[i][1]).all()


def test_replica_contexts(case, canonical):
    """Each replica is evaluated by itself, as in a Context of its own; there are no batches."""
    numbers, positions = random_atoms(10)
    systems = [system_of(numbers, network_force(canonical, numbers, METHODS["LibTorch"])) for _ in range(3)]
    integrators = [openmm.VerletIntegrator(0.0001) for _ in systems]
    properties = {"Precision": case.precision} if case.precision else {}
    replicas = PaiNNReplicaContexts(systems, integrators, openmm.Platform.getPlatform(case.platform), properties)
    for i, context in enumerate([replicas.getContext(i) for i in range(3)]):
        context.setPositions(positions + 0.002 * i)
    replicas.step(5)
    assert replicas.getNumBatches() == 0
    for context in [replicas.getContext(i) for i in range(3)]:
        moved = context.getState(positions=True).getPositions(asNumpy=True).value_in_unit(unit.nanometer)
        assert np.abs(moved - positions).max() > 0
        single = case.context(systems[0], np.array(moved))
        assert_close(case, energy_and_forces(single), energy_and_forces(context))


def test_elements_can_be_updated(case, canonical):
    numbers, positions = random_atoms(10)
    force = network_force(canonical, numbers, METHODS["LibTorch"])
    context = case.context(system_of(numbers, force), positions)
    before = energy_and_forces(context)
    force.setParticleParameters(0, 0, 8)
    force.updateParametersInContext(context)
    numbers[0] = 8
    expected = REFERENCE.context(system_of(numbers, network_force(canonical, numbers, 0)), positions)
    assert abs(energy_and_forces(context)[0] - before[0]) > 1e-3
    if case.precision != "single":
        assert_close(case, energy_and_forces(expected), energy_and_forces(context))
    force.setEvaluationMethod(PaiNNStudentForce.Kernels)
    with pytest.raises(openmm.OpenMMException, match="the evaluation method has changed too"):
        force.updateParametersInContext(context)


def test_method_is_part_of_the_force(canonical):
    force = network_force(canonical, [6, 8], METHODS["LibTorch"])
    assert PaiNNStudentForce(canonical).getEvaluationMethod() == PaiNNStudentForce.Kernels
    xml = openmm.XmlSerializer.serialize(force)
    for duplicate in (copy.copy(force), pickle.loads(pickle.dumps(force)), openmm.XmlSerializer.deserialize(xml)):
        assert PaiNNStudentForce.cast(duplicate).getEvaluationMethod() == PaiNNStudentForce.LibTorch
    force.setEvaluationMethod(PaiNNStudentForce.Kernels)
    older = openmm.XmlSerializer.serialize(force)
    assert "evaluationMethod" in xml and "evaluationMethod" not in older
    assert PaiNNStudentForce.cast(openmm.XmlSerializer.deserialize(older)).getEvaluationMethod() == 0
    with pytest.raises(openmm.OpenMMException, match="has 'Caffe' as 'evaluationMethod', but Kernels or LibTorch is"):
        openmm.XmlSerializer.deserialize(xml.replace('evaluationMethod="LibTorch"', 'evaluationMethod="Caffe"'))
    with pytest.raises(openmm.OpenMMException, match="the evaluation method is 7; it must be Kernels"):
        force.setEvaluationMethod(7)
