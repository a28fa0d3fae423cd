# SPDX-License-Identifier: MIT
"""Units in and out."""

import openmm
import pytest
from openmm import unit

from openmmpainn import PaiNNStudentForce, PaiNNStudentModel, createSystem


def test_cutoff(tmp_path):
    from models import random_model

    for length_unit, cutoff, nanometers in (("nm", 0.5, 0.5), ("angstrom", 5.2, 0.52), ("bohr", 10, 0.529177210903)):
        model = PaiNNStudentModel(random_model(tmp_path / "m.safetensors", cutoff=cutoff, length_unit=length_unit))
        assert model.getCutoff().unit == unit.nanometer
        assert model.getCutoff().value_in_unit(unit.nanometer) == pytest.approx(nanometers, rel=1e-15)


def test_energy_units(tmp_path, ethanol):
    """The same numbers in a file of another energy unit mean another energy."""
    from models import random_model

    topology, positions = ethanol
    energies = {}
    for energy_unit in ("kJ/mol", "eV", "kcal/mol", "hartree"):
        model = PaiNNStudentModel(random_model(tmp_path / "m.safetensors", energy_unit=energy_unit))
        system = createSystem(topology, model)
        context = openmm.Context(system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatform("Reference"))
        context.setPositions(positions)
        energies[energy_unit] = PaiNNStudentForce.cast(system.getForce(0)).getSubsystemEnergies(context)
        assert energies[energy_unit].unit == unit.kilojoule_per_mole
    base = energies["kJ/mol"][0].value_in_unit(unit.kilojoule_per_mole)
    for energy_unit, factor in (("eV", 96.4853321233), ("kcal/mol", 4.184), ("hartree", 2625.4996394799)):
        assert energies[energy_unit][0].value_in_unit(unit.kilojoule_per_mole) == pytest.approx(
            factor * base, rel=1e-12
        )


def test_quantities_as_arguments(canonical):
    force = PaiNNStudentForce(canonical)
    force.addGlobalParameter("lambda", 0.5 * unit.dimensionless)
    force.setGlobalParameterDefaultValue(0, unit.Quantity(0.25, unit.dimensionless))
    assert force.getGlobalParameterDefaultValue(0) == 0.25
    with pytest.raises(ValueError):
        force.addGlobalParameter("mu", "x")
