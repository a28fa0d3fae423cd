# SPDX-License-Identifier: MIT
"""The public Evaluator: any mix of molecules in one batch gives what each gives alone."""

from __future__ import annotations

import numpy as np
import openmm
import pytest
from openmm import unit

import openmmpainn
from conftest import PLATFORMS
from models import random_model
from openmmpainn import Evaluator, ModelWarning, PaiNNStudentForce, PaiNNStudentModel, evaluator
from openmmpainn.platforms import platform_names

EVERY_PLATFORM = [*PLATFORMS, "OpenCL"]


def molecules(seed=0, count=6):
    """Molecules of 1 to 12 atoms on a jittered lattice, nm."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        size = rng.integers(1, 13)
        sites = rng.permutation(27)[:size]
        positions = 0.15 * np.array(np.unravel_index(sites, (3, 3, 3))).T + rng.uniform(-0.02, 0.02, (size, 3))
        made.append((rng.choice([1, 6, 7, 8], size=size), positions))
    return made


def alone(model, numbers, positions, platform="Reference", box=None):
    """Energy (kJ/mol) and forces (kJ/mol/nm) by a Context of one's own."""
    system, force = openmm.System(), PaiNNStudentForce(model)
    for i, number in enumerate(numbers):
        system.addParticle(1.0)
        force.addParticle(i, int(number))
    system.addParticle(1.0)  # OpenMM on PoCL crashes with one particle alone
    if box is not None:
        system.setDefaultPeriodicBoxVectors(*box)
        force.setUsesPeriodicBoundaryConditions(True)
    system.addForce(force)
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatform(platform))
    context.setPositions(np.vstack([positions, np.zeros((1, 3))]))
    state = context.getState(energy=True, forces=True)
    return state.getPotentialEnergy()._value, np.array(state.getForces(asNumpy=True)._value)[: len(numbers)]


def expected_on(platform):
    """Where a molecule alone is evaluated for comparison: through a host copy, the CPU platform's network works too."""
    return platform if platform in PLATFORMS else "CPU"


def assert_same(platform, energy, forces, expected):
    """The same bits; through a host copy forces lose what is below 2^-32 kJ/mol/nm, and mixed precision rounds places.

    Places are rounded there to 2^-24 of themselves and have a correction for the rest, some 1e-15 nm; energies are
    summed in double precision. So what is left is far below the network's own errors of single precision.
    """
    if platform in PLATFORMS:
        assert energy == expected[0] and (forces == expected[1]).all()
    else:
        assert abs(energy - expected[0]) <= 2e-5 * len(forces)
        assert np.abs(forces - expected[1]).max() <= 3e-5 * np.sqrt(np.mean(expected[1] ** 2)) + 1e-9


@pytest.fixture(params=EVERY_PLATFORM)
def platform(request):
    if request.param not in platform_names():
        pytest.skip(f"there is no platform {request.param}")
    return request.param


def test_batch_is_each_alone(model, platform):
    batch = molecules()
    energies, forces = Evaluator(model, platform).compute(batch)
    assert energies.shape == (len(batch),) and energies.dtype == np.float64 and len(forces) == len(batch)
    for (numbers, positions), energy, force in zip(batch, energies, forces, strict=True):
        assert force.shape == positions.shape and force.dtype == np.float64
        assert_same(platform, energy, force, alone(model, numbers, positions, expected_on(platform)))


@pytest.mark.parametrize("platform", PLATFORMS)
def test_companions_do_not_matter(model, platform):
    """The same bits in any batch, in any order, and from a Context that was kept."""
    rng = np.random.default_rng(1)
    several = Evaluator(model, platform)
    batch = molecules(1, 5)
    energies, forces = several.compute(batch)
    for _ in range(3):
        order = rng.permutation(5)[: rng.integers(1, 6)]
        found, found_forces = several.compute([batch[i] for i in order])
        assert (found == energies[order]).all()
        assert all((f == forces[i]).all() for i, f in zip(order, found_forces, strict=True))
    several.compute([(n, x + 0.01 * rng.normal(size=x.shape)) for n, x in batch])
    assert (several.compute(batch)[0] == energies).all()


def test_flat_arrays(canonical):
    batch = molecules(2)
    tool = Evaluator(canonical, "Reference")
    offsets = np.concatenate([[0], np.cumsum([len(n) for n, _ in batch])])
    numbers, positions = np.concatenate([n for n, _ in batch]), np.concatenate([x for _, x in batch])
    energies, forces = tool.computeFlat(numbers, positions, offsets)
    listed, listed_forces = tool.compute(batch)
    assert (energies == listed).all() and (forces == np.concatenate(listed_forces)).all()
    assert forces.shape == positions.shape
    found, none = tool.computeFlat(numbers, positions, offsets, forces=False)
    assert none is None and np.allclose(found, energies, rtol=1e-14)
    in_angstrom = unit.Quantity(10 * positions, unit.angstrom)
    assert np.allclose(tool.computeFlat(numbers, in_angstrom, offsets)[0], energies, rtol=1e-9)


def test_particle_energies_add_up(canonical, platform):
    batch = molecules(3)
    tool = Evaluator(canonical, platform)
    energies, _ = tool.compute(batch)
    parts = tool.computeParticleEnergies(batch)
    assert [len(p) for p in parts] == [len(n) for n, _ in batch]
    assert np.allclose([p.sum() for p in parts], energies, rtol=1e-13, atol=1e-10)


def test_boxes(canonical, platform):
    """Molecules in the same box, in another box and in none, in one call."""
    rng = np.random.default_rng(4)
    one, other = 1.1 * np.eye(3), np.array([[1.2, 0, 0], [0.3, 1.15, 0], [-0.2, 0.4, 1.25]])
    boxes = [one, None, other, one]
    batch = [(rng.choice([1, 6, 8], size=9), rng.uniform(0, 1.1, (9, 3)), box) for box in boxes]
    tool = Evaluator(canonical, platform)
    energies, forces = tool.compute(batch)
    for (numbers, positions, box), energy, force in zip(batch, energies, forces, strict=True):
        assert_same(platform, energy, force, alone(canonical, numbers, positions, expected_on(platform), box))
    periodic = [batch[i] for i in (0, 2, 3)]
    numbers, positions = np.concatenate([m[0] for m in periodic]), np.concatenate([m[1] for m in periodic])
    flat, _ = tool.computeFlat(numbers, positions, [0, 9, 18, 27], [box for _, _, box in periodic])
    assert np.allclose(flat, energies[[0, 2, 3]], rtol=1e-7)
    shared = unit.Quantity(10 * one, unit.angstrom)
    same, _ = tool.computeFlat(numbers, positions, [0, 9, 18, 27], shared)
    assert np.allclose(same[[0, 2]], energies[[0, 3]], rtol=1e-7)


def test_large_batches_are_parted(canonical, monkeypatch):
    batch = molecules(5, 12)
    energies, forces = Evaluator(canonical, "Reference").compute(batch)
    monkeypatch.setattr(evaluator, "MOST_MOLECULES", 5)
    monkeypatch.setattr(evaluator, "MOST_ATOMS", 20)
    tool = Evaluator(canonical, "Reference")
    found, found_forces = tool.compute(batch)
    assert (found == energies).all() and all((a == b).all() for a, b in zip(found_forces, forces, strict=True))
    assert len(tool._contexts) > 2


def test_contexts_are_kept_and_bounded(canonical, monkeypatch):
    made = []
    real = evaluator.BatchContext
    monkeypatch.setattr(evaluator, "BatchContext", lambda *a: made.append(1) or real(*a))
    monkeypatch.setattr(evaluator, "KEPT_CONTEXTS", 3)
    tool = Evaluator(canonical, "Reference")
    for size in (1, 2, 3, 1, 2, 3):
        tool.compute([([1] * size, 0.1 * np.arange(3 * size).reshape(size, 3))])
    assert len(made) == 3
    tool.compute([([1, 6], [[0, 0, 0], [0.1, 0, 0]])])
    assert len(made) == 4 and len(tool._contexts) == 3
    monkeypatch.setattr(evaluator, "KEPT_ATOMS", 4)
    tool.compute([([6, 6], [[0, 0, 0], [0.1, 0, 0]])])
    assert sum(context.num_atoms for context in tool._contexts.values()) <= 4


def test_nothing(canonical):
    energies, forces = Evaluator(canonical).compute([])
    assert energies.shape == (0,) and forces == []
    energies, forces = Evaluator(canonical).computeFlat([], np.zeros((0, 3)), [0])
    assert energies.shape == (0,) and forces.shape == (0, 3)


PAIR = [[0, 0, 0], [0.1, 0, 0]]


@pytest.mark.parametrize(
    ("batch", "expected"),
    [
        ([([1, 8], PAIR), ([1, 16], PAIR)], r"molecule 1: atom 1 is S \(16\).*it knows H, C, N, O"),
        ([([1, 8], PAIR), ([1], [[0, np.nan, 0]])], "molecule 1: the position of atom 0 is not a finite number"),
        ([([1, 8], PAIR), ([], np.zeros((0, 3)))], "molecule 1 has no atoms"),
        ([([1, 8], PAIR), ([1], PAIR)], r"molecules\[1\]: positions has the shape \[2, 3\]"),
        ([([1, 8],)], r"molecules\[0\] must be \(numbers, positions\)"),
        ([5], r"molecules\[0\] must be \(numbers, positions\)"),
        ([([1.5, 8], PAIR)], r"molecules\[0\]: numbers must be a sequence of integers"),
        ([(["H", "O"], PAIR)], r"molecules\[0\]: numbers must be a sequence of integers"),
        ([([1, 8], "here")], r"molecules\[0\]: positions is no array of numbers"),
        ([([1, 8], PAIR, [1, 1, 1])], r"molecules\[0\]: box has the shape \[3\]"),
        ([([1, 8], PAIR, np.full((3, 3), np.inf))], r"molecules\[0\]: box holds a number that is not finite"),
    ],
)
def test_what_does_not_fit_is_named(canonical, batch, expected):
    with pytest.raises(ValueError, match=expected):
        Evaluator(canonical, "Reference").compute(batch)


def test_errors_of_the_force_name_the_molecule(canonical):
    tool = Evaluator(canonical, "Reference")
    together = [([8, 1], PAIR), ([1, 1, 1], [[0, 0, 0], [0, 0, 0.3], [0, 0, 0.3]]), ([6], [[0, 0, 0]])]
    with pytest.raises(openmm.OpenMMException, match="is atom 1 of molecule 1, particle . is atom 2 of molecule 1"):
        tool.compute(together)
    with pytest.raises(openmm.OpenMMException, match="too small"):
        tool.compute([([8, 1], PAIR, 0.9 * np.eye(3))])
    with pytest.raises(openmm.OpenMMException, match="starts with molecule 1"):
        tool.compute([([8, 1], PAIR), ([8, 1], PAIR, 0.9 * np.eye(3))])
    tool.compute(together[:1])  # and it works on


def test_warnings_name_the_caller(tmp_path):
    model = PaiNNStudentModel(random_model(tmp_path / "new.safetensors", seed=12345))
    with pytest.warns(ModelWarning) as told:
        Evaluator(model, "Reference")
    assert all(warning.filename == __file__ for warning in told)


def test_arguments(canonical):
    with pytest.raises(TypeError, match="model is a str"):
        Evaluator("model.safetensors")
    with pytest.raises(ValueError, match="'Abacus' is not here; OpenMM has"):
        Evaluator(canonical, "Abacus")
    with pytest.raises(ValueError, match="'Speed'; the platform CPU has"):
        Evaluator(canonical, "CPU", {"Speed": "high"})
    tool = Evaluator(canonical, "CPU", {"Threads": 1})
    for offsets in ([0, 1], [1, 2], [], [0, 2, 1, 2]):
        with pytest.raises(ValueError, match="offsets"):
            tool.computeFlat([1, 8], PAIR, offsets)
    with pytest.raises(ValueError, match=r"allowed are \[3, 3\] and \[1, 3, 3\]"):
        tool.computeFlat([1, 8], PAIR, [0, 2], np.zeros((2, 3, 3)))
    assert "Evaluator" in dir(openmmpainn)
