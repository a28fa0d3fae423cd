# SPDX-License-Identifier: MIT
"""Langevin dynamics of a molecule with a bundled student: python md_nvt.py"""

import sys
from pathlib import Path

from openmm import LangevinMiddleIntegrator, Platform, app, unit

from openmmpainn import PaiNNStudentModel, bundledModels, createSystem

pdb = app.PDBFile(str(Path(__file__).parent / "data" / "alanine_dipeptide.pdb"))
model = PaiNNStudentModel(sys.argv[1]) if len(sys.argv) > 1 else PaiNNStudentModel.bundled(bundledModels()[0])
integrator = LangevinMiddleIntegrator(300 * unit.kelvin, 1 / unit.picosecond, 1 * unit.femtosecond)
simulation = app.Simulation(pdb.topology, createSystem(pdb.topology, model), integrator, Platform.getPlatform("CPU"))
simulation.context.setPositions(pdb.positions)
simulation.minimizeEnergy()
simulation.context.setVelocitiesToTemperature(300 * unit.kelvin)
simulation.reporters.append(app.StateDataReporter(sys.stdout, 100, step=True, potentialEnergy=True, temperature=True))
simulation.step(1000)
