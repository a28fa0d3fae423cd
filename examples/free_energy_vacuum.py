# SPDX-License-Identifier: MIT
"""The free energy from a force field to the network, alanine dipeptide in vacuum: python free_energy_vacuum.py

Arguments: picoseconds for each of 5 states (100: some 8 minutes on one core), file of the picture.
Needs pymbar, alchemlyb and matplotlib.
"""

import sys
from pathlib import Path

from free_energy_analysis import report, sample, zero_of_energy
from openmm import LangevinMiddleIntegrator, Platform, app, unit

from openmmpainn import LambdaStates, PaiNNStudentForce, PaiNNStudentModel, createInterpolatedSystem

picoseconds = float(sys.argv[1]) if len(sys.argv) > 1 else 100.0
picture = sys.argv[2] if len(sys.argv) > 2 else "free_energy_vacuum.png"

pdb = app.PDBFile(str(Path(__file__).parent / "data" / "alanine_dipeptide.pdb"))
model = PaiNNStudentModel.bundled("alanine-dipeptide")
forcefield = app.ForceField("amber14-all.xml")
network = PaiNNStudentForce.fromTopology(model, pdb.topology)
# (1 - lambda) times the force field + lambda times the network, with dE/dlambda.
system = createInterpolatedSystem(forcefield.createSystem(pdb.topology), network, "lambda")

integrator = LangevinMiddleIntegrator(300 * unit.kelvin, 2 / unit.picosecond, 1 * unit.femtosecond)
integrator.setRandomNumberSeed(1)
simulation = app.Simulation(pdb.topology, system, integrator, Platform.getPlatform("CPU"))
simulation.context.setPositions(pdb.positions)
simulation.minimizeEnergy()
simulation.context.setVelocitiesToTemperature(300 * unit.kelvin, 1)

zero = zero_of_energy(pdb, forcefield, model)
states = LambdaStates(simulation.context, {"lambda": [0, 0.25, 0.5, 0.75, 1]}, 300 * unit.kelvin, {"lambda": zero})
samples = sample(simulation, states, picoseconds)
report("Alanine dipeptide in vacuum, amber14 to network", states, samples, picture)
print(f"(energies are relative: those of the network are {-zero:.1f} kJ/mol higher here than in its file)")
