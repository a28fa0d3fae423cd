# SPDX-License-Identifier: MIT
"""Tests that ASE ships, run as they are, with our calculator in the place of theirs.

Those are taken that hold for any calculator with energies and forces. Not taken: tests of a program's files, keywords
(``set``, ``restart``) and installation; of stress, dipoles, charges and magnetism, which this calculator does not have
and says so (test_ase.py); and those that compare with the numbers of one potential.
"""

from __future__ import annotations

import importlib
import inspect

import numpy as np
import pytest

from models import random_model

pytest.importorskip("ase", reason="ase is not installed")
pytest.importorskip("ase.test", reason="this ASE comes without its tests")
from ase.md import VelocityVerlet  # noqa: E402 (after the skips)

from openmmpainn.ase import PaiNNStudentCalculator  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnknownMarkWarning")  # ASE's own marks

# Module of ase.test, its test, the name of the calculator there, and the arguments of the test if it has parameters.
TESTS = [
    ("calculator.test_calculator", "test_directory_and_label", "Calculator", {}),
    ("calculator.test_fd", "test_analytical_forces", "EMT", {}),
    ("md.test_md", "test_md", "EMT", {}),
    ("md.test_md", "test_run_twice", "EMT", {"md_class": VelocityVerlet}),
    ("optimize.test_replay", "test_replay", "EMT", {}),
    ("test_potential_energies", "test_potential_energies", "EMT", {}),
    ("test_singlepointcalc", "test_singlepointcalc", "EMT", {}),
]


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    """A smooth model that knows the elements of ASE's tests and keeps atoms apart."""
    return random_model(
        tmp_path_factory.mktemp("ase") / "model.safetensors",
        elements=(1, 6, 7, 8, 13, 28, 29, 46, 47, 78, 79),
        envelope={"type": "polynomial", "p": 6},
        repulsion={"type": "zbl", "p": 6},
    )


@pytest.mark.parametrize("place", TESTS, ids=lambda place: f"{place[0]}.{place[1]}")
def test_of_ase(place, model_file, tmp_path, monkeypatch):
    module_name, test_name, calculator, given = place
    module = importlib.import_module(f"ase.test.{module_name}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        module, calculator, lambda **parameters: PaiNNStudentCalculator(model_file, "Reference", **parameters)
    )
    test = getattr(module, test_name)
    arguments = {"testdir": tmp_path, **given}
    wanted = inspect.signature(test).parameters
    if "atoms" in wanted:
        arguments["atoms"] = inspect.unwrap(module.fixture_atoms)()
    test(**{name: arguments[name] for name in wanted})


class Factory:
    """As ASE's tests of external programs want it."""

    name = "painn"

    def __init__(self, path):
        self.path = path

    def calc(self, **parameters):
        return PaiNNStudentCalculator(self.path, "Reference", **parameters)


def test_of_ase_trajectory(model_file, tmp_path, monkeypatch):
    """ase.test.calculator.test_traj."""
    monkeypatch.chdir(tmp_path)
    importlib.import_module("ase.test.calculator.test_traj").test_h2_traj(Factory(model_file), tmp_path)


def test_of_ase_system_changes(model_file):
    """ase.test.calculator.test_lj.test_system_changes, which wants the energy of one potential: calculate() first."""
    from ase.build import molecule

    atoms = molecule("H2")
    atoms.calc = PaiNNStudentCalculator(model_file, "Reference")
    atoms.calc.calculate(atoms, system_changes=["positions"])
    assert np.isfinite(atoms.get_potential_energy())


def test_of_ase_finite_differences(model_file):
    """ase.test.calculator.test_fd.test_fd without the stress, for a molecule and for a small periodic cell."""
    from ase.build import bulk, molecule
    from ase.calculators.fd import calculate_numerical_forces

    for atoms in (molecule("CH3CONH2"), bulk("Cu", cubic=True)):
        atoms.rattle(0.1, seed=3)
        atoms.calc = PaiNNStudentCalculator(model_file, "Reference")
        energy, forces = atoms.get_potential_energy(), atoms.get_forces()
        atoms.calc = PaiNNStudentCalculator(model_file, "Reference")
        assert atoms.get_potential_energy() == energy
        assert np.abs(calculate_numerical_forces(atoms, eps=1e-4) - forces).max() < 1e-6 * np.abs(forces).max() + 1e-6
