# SPDX-License-Identifier: MIT
"""The calculator for ASE: units, cells, caching. ASE's own tests run in test_ase_suite.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models import random_model
from openmmpainn import Evaluator, PaiNNStudentModel, bundledModels

pytest.importorskip("ase", reason="ase is not installed")
from ase import Atoms, units  # noqa: E402 (after the skip)
from ase.build import molecule  # noqa: E402
from ase.calculators.calculator import PropertyNotImplementedError  # noqa: E402
from ase.calculators.fd import calculate_numerical_forces  # noqa: E402
from ase.neighborlist import neighbor_list  # noqa: E402
from ase.optimize import BFGS  # noqa: E402

from openmmpainn.ase import PaiNNStudentCalculator  # noqa: E402

EV = 96.4853321233  # kJ/mol
SMOOTH = {"envelope": {"type": "polynomial", "p": 6}}


@pytest.fixture
def ase_calculator(canonical):
    return PaiNNStudentCalculator(canonical, "Reference")


@pytest.fixture
def count(monkeypatch):
    """How many molecules were evaluated."""
    calls = []

    def counted(exact):
        def call(self, batch, **options):
            calls.append(len(batch))
            return exact(self, batch, **options)

        return call

    for name in ("compute", "computeParticleEnergies"):
        monkeypatch.setattr(Evaluator, name, counted(getattr(Evaluator, name)))
    return lambda: sum(calls)


def acetamide():
    atoms = molecule("CH3CONH2")
    atoms.rattle(0.05, seed=1)
    return atoms


def test_values(model):
    atoms = acetamide()
    atoms.calc = PaiNNStudentCalculator(model, "Reference")
    [energy], [forces] = Evaluator(model, "Reference").compute([(atoms.numbers, atoms.positions / 10)])
    assert atoms.get_potential_energy() == pytest.approx(energy / EV, rel=1e-12)
    assert atoms.get_potential_energy(force_consistent=True) == atoms.get_potential_energy()
    assert np.allclose(atoms.get_forces(), forces / EV / 10, rtol=1e-12, atol=1e-12)
    assert atoms.get_potential_energies().sum() == pytest.approx(energy / EV, rel=1e-12)
    assert units.kJ / units.mol * EV == pytest.approx(1, rel=1e-6)  # the same electronvolt


def test_caching(ase_calculator, count):
    """Nothing is computed twice, and everything that changes the result is noticed."""
    atoms = acetamide()
    atoms.calc = ase_calculator
    energy = atoms.get_potential_energy()
    atoms.get_forces()
    atoms.get_potential_energy()
    assert count() == 1
    atoms.set_initial_charges(np.ones(len(atoms)))
    atoms.set_initial_magnetic_moments(np.ones(len(atoms)))
    atoms.set_tags(1)
    atoms.get_forces()
    assert count() == 1
    atoms.get_potential_energies()
    assert count() == 2
    atoms.get_forces()
    assert count() == 2  # the energies an atom did not push the forces out
    atoms.positions[0, 0] += 0.01
    assert atoms.get_potential_energy() != energy and count() == 3
    atoms.numbers[0] = 7
    changed = atoms.get_potential_energy()
    assert count() == 4
    atoms.set_cell([12, 12, 12])
    atoms.pbc = True
    atoms.get_potential_energy()
    assert count() == 5
    atoms.set_cell([4, 12, 12])
    assert atoms.get_potential_energy() != pytest.approx(changed) and count() == 6
    with pytest.raises(PropertyNotImplementedError):
        atoms.get_stress()


def explicit(atoms, cutoff=5.0, blocks=2):
    """The atoms with every image that can reach them, without a cell; the first are the atoms themselves."""
    atoms = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell.complete(), pbc=atoms.pbc)
    _, j, shift = neighbor_list("ijS", atoms, blocks * cutoff + 1e-6)
    images = np.unique(np.column_stack([j, shift])[np.any(shift != 0, axis=1)], axis=0)
    positions = [atoms.positions, atoms.positions[images[:, 0]] + images[:, 1:] @ atoms.cell.array]
    return Atoms(np.concatenate([atoms.numbers, atoms.numbers[images[:, 0]]]), np.concatenate(positions))


CELLS = {
    "cubic": (np.diag([11.0, 11.0, 11.0]), True),
    "small": (np.diag([3.9, 4.3, 4.1]), True),
    "primitive": (2.2 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0.0]]), True),
    "left-handed": (np.array([[0, 5.0, 0], [4.5, 1, 0], [0.5, 0, 6.0]]), True),
    "wire": (np.array([[0, 0, 0], [0, 0, 0], [1.0, 2.0, 3.5]]), (False, False, True)),
    "slab": (np.array([[4.0, 0, 0], [1.0, 5.0, 0.5], [0, 0, 0]]), (True, True, False)),
    "slab in xz": (np.array([[4.0, 0, 0], [0, 30.0, 0], [1.0, 0, 5.0]]), (True, False, True)),
}


@pytest.mark.parametrize("name", CELLS)
def test_cells(canonical, name):
    """Any cell, periodic along any vector, is what its images say."""
    cell, pbc = CELLS[name]
    atoms = Atoms("OCH", [[0.1, 0.2, 0.3], [1.4, 0.1, 0.2], [2.0, 1.5, 0.4]], cell=cell, pbc=pbc)
    atoms.calc = PaiNNStudentCalculator(canonical, "Reference")
    far = explicit(atoms)
    far.calc = PaiNNStudentCalculator(canonical, "Reference")
    energies = far.get_potential_energies()[:3]
    assert len(far) > 3 or name == "cubic"
    assert np.allclose(atoms.get_potential_energies(), energies, rtol=1e-10, atol=1e-10)
    assert atoms.get_potential_energy() == pytest.approx(energies.sum(), rel=1e-10)
    # Moving an atom moves its images: the force is that on the atom and on what its images feel of the others.
    expected = calculate_numerical_forces(atoms, eps=1e-4)
    assert np.abs(atoms.get_forces() - expected).max() < 1e-5 * max(1.0, np.abs(expected).max())
    wrapped = atoms.copy()
    wrapped.positions += np.array([2, -1, 1]) * np.array(wrapped.pbc) @ atoms.cell.array
    wrapped.calc = atoms.calc
    assert wrapped.get_potential_energy() == pytest.approx(energies.sum(), rel=1e-9)


def test_cells_that_are_refused(model_path, canonical, tmp_path):
    student = PaiNNStudentCalculator(random_model(tmp_path / "s.safetensors", "student"), "Reference")
    turned = Atoms("H2", [[0, 0, 0], [0, 0, 1]], cell=[[0, 12, 0], [12, 0, 0], [0, 0, 12]], pbc=True)
    with pytest.raises(ValueError, match="not rotation invariant"):
        student.get_potential_energy(turned)
    straight = Atoms("H2", [[0, 0, 0], [0, 0, 1]], cell=[12, 12, 12], pbc=True)
    assert np.isfinite(student.get_potential_energy(straight))
    calculator = PaiNNStudentCalculator(canonical, "Reference")
    for cell, reason in (([[5, 0, 0], [10, 0, 0], [0, 0, 5]], "independent"), ([0.1, 0.1, 0.1], "copies")):
        with pytest.raises(ValueError, match=reason):
            calculator.get_potential_energy(Atoms("H", cell=cell, pbc=True))


def test_batch(ase_calculator, count):
    images = [acetamide(), molecule("CH4"), Atoms("CO", [[0, 0, 0], [1.1, 0, 0]], cell=[4, 4, 12], pbc=True)]
    results = ase_calculator.calculate_batch(images)
    assert count() == 3
    for image, result in zip(images, results, strict=True):
        image.calc = ase_calculator
        assert result["energy"] == pytest.approx(image.get_potential_energy(), rel=1e-12)
        assert result["free_energy"] == result["energy"] and isinstance(result["energy"], float)
        assert result["forces"].shape == (len(image), 3)
        assert np.allclose(result["forces"], image.get_forces(), rtol=0, atol=1e-10)
    assert ase_calculator.calculate_batch([]) == []
    with pytest.raises(ValueError, match=r"molecule 1: atom 0 is Au"):
        ase_calculator.calculate_batch([molecule("CH4"), Atoms("Au")])


def test_model_arguments(model_path):
    assert np.isfinite(PaiNNStudentCalculator(model_path, "Reference").get_potential_energy(molecule("CH4")))
    assert np.isfinite(PaiNNStudentCalculator(Path(model_path), "CPU").get_potential_energy(molecule("CH4")))
    if bundledModels():
        calculator = PaiNNStudentCalculator(bundledModels()[0], "CPU", {"Threads": "1"})
        assert np.isfinite(calculator.get_potential_energy(molecule("CH4")))
    with pytest.raises(ValueError, match="models that come with openmmpainn"):
        PaiNNStudentCalculator("nonsense")
    with pytest.raises(ValueError, match="'Abacus' is not here"):
        PaiNNStudentCalculator(PaiNNStudentModel(model_path), "Abacus")


def test_no_atoms(ase_calculator):
    empty = Atoms()
    empty.calc = ase_calculator
    assert empty.get_potential_energy() == 0.0 and empty.get_forces().shape == (0, 3)


def test_relaxation(tmp_path):
    """ASE's optimizers find a minimum: forces fit the energy."""
    smooth = random_model(
        tmp_path / "smooth.safetensors", elements=(1, 6, 8), repulsion={"type": "zbl", "p": 6}, **SMOOTH
    )
    atoms = molecule("CH3CH2OH")
    atoms.calc = PaiNNStudentCalculator(smooth, "CPU")
    before = atoms.get_potential_energy()
    BFGS(atoms, logfile=None).run(fmax=0.05, steps=200)
    assert atoms.get_potential_energy() < before


def test_calculator_interface(canonical_path):
    """What ASE's tests of single programs (test_al, test_h2) ask of every calculator: states, copies, reset."""
    first, second = (PaiNNStudentCalculator(canonical_path, "Reference") for _ in range(2))
    atoms = acetamide()
    atoms.calc = first
    energy = atoms.get_potential_energy()
    assert not first.calculation_required(atoms, ["energy", "forces"])
    copy = first.get_atoms()
    assert copy == atoms and copy.get_potential_energy() == energy
    first.reset()
    assert first.calculation_required(atoms, ["energy"])
    atoms.calc = second
    assert atoms.get_potential_energy() == energy
