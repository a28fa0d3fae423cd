# SPDX-License-Identifier: MIT
"""The shipped student holds 300 K dynamics of alanine dipeptide for 100 ps. Runs with make test-long."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import openmm
import pytest
from openmm import app, unit

from openmmpainn import PaiNNStudentModel, createSystem

PDB = Path(__file__).parents[2] / "examples" / "data" / "alanine_dipeptide.pdb"
PICOSECONDS, STEP = 100, 0.001  # ps


@pytest.mark.long
def test_100_ps_at_300_K(capsys):
    """No bond is ever 0.05 nm from where it was, and the mean temperature is right; prints its record as JSON."""
    pdb = app.PDBFile(str(PDB))
    model = PaiNNStudentModel.bundled("alanine-dipeptide")
    integrator = openmm.LangevinMiddleIntegrator(300, 1, STEP)
    integrator.setRandomNumberSeed(7)
    platform = openmm.Platform.getPlatform("CPU")
    simulation = app.Simulation(pdb.topology, createSystem(pdb.topology, model), integrator, platform)
    simulation.context.setPositions(pdb.positions)
    simulation.minimizeEnergy()
    simulation.context.setVelocitiesToTemperature(300, 7)

    def positions() -> np.ndarray:
        return simulation.context.getState(positions=True).getPositions(asNumpy=True).value_in_unit(unit.nanometer)

    bonds = np.array([[a.index, b.index] for a, b in pdb.topology.bonds()])

    def lengths() -> np.ndarray:
        x = positions()
        return np.linalg.norm(x[bonds[:, 0]] - x[bonds[:, 1]], axis=1)

    start, worst, temperatures = lengths(), 0.0, []
    freedom = 3 * pdb.topology.getNumAtoms() - 3  # createSystem removes the motion of the centre
    begin = time.time()
    for _ in range(round(PICOSECONDS / STEP / 50)):
        simulation.step(50)
        worst = max(worst, np.abs(lengths() - start).max())
        assert worst < 0.05, "a bond broke"
        kinetic = simulation.context.getState(energy=True).getKineticEnergy()
        temperatures.append(2 * kinetic.value_in_unit(unit.kilojoule_per_mole) / (freedom * 0.00831446261815324))
    # The potential energy relaxes with the friction, in about 1 ps; samples 1 ps apart are independent.
    kept = np.array(temperatures)[len(temperatures) // 10 :]
    blocks = kept.reshape(-1, 20).mean(axis=1)
    error = blocks.std(ddof=1) / np.sqrt(len(blocks))
    with capsys.disabled():
        record = {
            "model": model.getHash(),
            "platform": "CPU",
            "picoseconds": PICOSECONDS,
            "step_fs": 1000 * STEP,
            "largest_bond_change_nm": round(float(worst), 5),
            "mean_temperature_K": round(float(kept.mean()), 2),
            "standard_error_K": round(float(error), 2),
            "ms_per_step": round(1000 * (time.time() - begin) / (PICOSECONDS / STEP), 3),
        }
        print("\n" + json.dumps(record))
    assert abs(kept.mean() - 300) < 4 * error + 2  # 2 K: the step's own error for X-H bonds at 1 fs
