# SPDX-License-Identifier: MIT
"""Judging students by dynamics: breaks are found and stop nobody else, runs go on, drift and step law are measured."""

from __future__ import annotations

import numpy as np
import openmm
import pytest
from openmm import unit

pytest.importorskip("rdkit", reason="needs rdkit (requirements/distil.txt)")

from openmmpainn import PaiNNStudentModel
from openmmpainn.distil.constant_energy import judge_drift, judge_step_law
from openmmpainn.distil.molecule_system import BOLTZMANN, MoleculeSystem, make_context
from openmmpainn.distil.molecules import make_molecule, starting_structure
from openmmpainn.distil.stability import run_stability, summarise_kinetic

MOLECULES = {"water": "O", "ethanol": "CCO", "formamide": "NC=O"}


@pytest.fixture(scope="module")
def system():
    """Three small molecules in the shipped student."""
    molecules = [make_molecule(name, smiles) for name, smiles in MOLECULES.items()]
    starts = [starting_structure(each, 1) for each in molecules]
    return MoleculeSystem(PaiNNStudentModel.bundled("alanine-dipeptide"), molecules, starts)


def test_each_molecule_is_as_if_alone(system):
    """Energies and forces, and the bond lengths that are watched."""
    context = make_context(system, openmm.VerletIntegrator(0.001), "Reference")
    energies = system.force.getSubsystemEnergies(context).value_in_unit(unit.kilojoule_per_mole)
    for k, molecule in enumerate(system.molecules):
        part = slice(system.first[k], system.first[k + 1])
        alone = MoleculeSystem(system.force.getModel(), [molecule], [10 * system.starts[part]])
        one = make_context(alone, openmm.VerletIntegrator(0.001), "Reference")
        energy = one.getState(energy=True).getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole)
        assert energy == pytest.approx(energies[k], rel=1e-12)
    x = system.starts.copy()
    x[system.first[1]] += [0.02, 0.0, 0.0]  # nm: an atom of ethanol
    changes = system.largest_bond_changes(x)
    assert changes[0] == changes[2] == 0
    assert 0.02 < changes[1] < 0.2001
    x[0, 0] = np.nan
    assert system.largest_bond_changes(x)[0] == np.inf


def test_molecules_hold_and_the_run_goes_on(system, tmp_path):
    """None breaks; a run in two parts is the run in one."""
    file = tmp_path / "run"
    part = run_stability(system, 300.0, 1.0, file=file, seconds=0.0)
    assert 0 < part["picoseconds"] < 1.0
    result = run_stability(system, 300.0, 1.0, file=file)
    assert result["picoseconds"] == 1.0
    assert result["broken"] == 0
    assert [each["name"] for each in result["molecules"]] == list(MOLECULES)
    assert all(0.01 < each["largest_bond_change_A"] < 0.4 for each in result["molecules"])
    again = run_stability(system, 300.0, 1.0, file=file)
    assert again == result


def test_a_break_is_found_and_stops_nobody_else(system, monkeypatch):
    """With a bar below what bonds do, and with a molecule that flies apart."""
    from openmmpainn.distil import stability

    monkeypatch.setattr(stability, "BREAK", 0.02)
    result = run_stability(system, 300.0, 0.4)
    assert result["broken"] == 3
    assert result["picoseconds"] == 0.4
    monkeypatch.undo()
    real = MoleculeSystem.thermal_velocities
    first = []

    def hot(self, kelvin, rng):
        v = real(self, kelvin, rng)
        if not first:
            v[:3] *= 1e9  # water becomes no finite number
            first.append(1)
        return v

    monkeypatch.setattr(MoleculeSystem, "thermal_velocities", hot)
    result = run_stability(system, 300.0, 0.4)
    assert [each["broke_at_ps"] for each in result["molecules"]] == [0.05, None, None]
    assert result["picoseconds"] == 0.4
    assert result["molecules"][1]["largest_bond_change_A"] < 0.4


def test_canonical_kinetic_energies_pass_and_others_do_not(system):
    rng = np.random.default_rng(0)
    degrees = 3 * np.diff(system.first)
    right = 0.5 * BOLTZMANN * 300.0 * rng.chisquare(degrees, size=(2000, 3))
    found = summarise_kinetic(right, system, 300.0)
    assert found["p_value"] > 0.01
    assert abs(found["mean_kelvin"] - 300.0) < 4 * found["standard_error"]
    assert summarise_kinetic(1.03 * right, system, 300.0)["p_value"] < 0.01
    assert summarise_kinetic(right[:3], system, 300.0)["p_value"] is None


def test_energy_is_conserved_and_follows_the_step(system, monkeypatch):
    """The slope of short runs is no drift that can be told from noise; the fluctuation falls as the step squared."""
    from openmmpainn.distil import constant_energy

    monkeypatch.setattr(constant_energy, "_EQUILIBRATION", 0.2)
    drift = judge_drift(system, 0.4, runs=3, bar=10.0)
    assert drift["all"]["verdict"] == "none"
    assert [each["name"] for each in drift["molecules"]] == list(MOLECULES)
    total = sum(each["fluctuation"] ** 2 for each in drift["molecules"]) ** 0.5
    assert drift["all"]["fluctuation"] == pytest.approx(total, rel=0.5)
    assert all(0 < each["fluctuation"] < 1.0 for each in drift["molecules"])
    law = judge_step_law(system, 0.4)
    assert law["deviation"] < 0.25
    ratio = law["fluctuation"]["1 fs"] / law["fluctuation"]["0.5 fs"]
    assert ratio == pytest.approx(4.0, rel=0.25)


@pytest.mark.long
def test_molecules_of_the_shipped_student_hold(capsys):
    """17 small molecules and the dipeptide at 300 K and 500 K, 20 ps; temperature and kinetic energies are right."""
    import json

    from openmmpainn.distil.recipe import FIRST_STUDENT

    molecules = [make_molecule(name, smiles) for name, smiles in FIRST_STUDENT.molecules.items()]
    starts = [starting_structure(each, 1) for each in molecules]
    system = MoleculeSystem(PaiNNStudentModel.bundled("alanine-dipeptide"), molecules, starts)
    for kelvin in (300.0, 500.0):
        with capsys.disabled():
            result = run_stability(system, kelvin, 20.0, femtoseconds=0.5)
            print("\n" + json.dumps({key: value for key, value in result.items() if key != "molecules"}))
        assert result["broken"] == 0
        kinetic = result["kinetic"]
        assert kinetic["p_value"] > 0.001
        assert abs(kinetic["mean_kelvin"] - kelvin) < 4 * kinetic["standard_error"] + 2
