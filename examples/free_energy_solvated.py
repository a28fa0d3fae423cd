# SPDX-License-Identifier: MIT
"""The same in water, mechanically embedded: python free_energy_solvated.py

The molecule changes from force field to network by openmm-ml's interpolation, the water stays TIP3P. This free energy
minus that of free_energy_vacuum.py is what the change does to the free energy of solvation.
Arguments: picoseconds for each of 5 states (20: some 10 minutes on one core), file of the picture.
Needs openmmml, pymbar, alchemlyb and matplotlib.
"""

import sys
from pathlib import Path

from free_energy_analysis import report, sample, zero_of_energy
from openmm import CustomCVForce, LangevinMiddleIntegrator, Platform, Vec3, app, unit
from openmmml import MLPotential

from openmmpainn import LambdaStates, PaiNNStudentModel

picoseconds = float(sys.argv[1]) if len(sys.argv) > 1 else 20.0
picture = sys.argv[2] if len(sys.argv) > 2 else "free_energy_solvated.png"

pdb = app.PDBFile(str(Path(__file__).parent / "data" / "alanine_dipeptide.pdb"))
forcefield = app.ForceField("amber14-all.xml", "amber14/tip3p.xml")
modeller = app.Modeller(pdb.topology, pdb.positions)
modeller.addSolvent(forcefield, boxSize=Vec3(2.0, 2.0, 2.0) * unit.nanometer)
mm = forcefield.createSystem(
    modeller.topology, nonbondedMethod=app.PME, nonbondedCutoff=0.8 * unit.nanometer, rigidWater=True
)
# Energy: water and the molecule in it + (1 - lambda) * inside the molecule by force field + lambda * by network.
system = MLPotential("alanine-dipeptide").createMixedSystem(modeller.topology, mm, range(22), interpolate=True)
for force in system.getForces():
    if isinstance(force, CustomCVForce):
        force.addEnergyParameterDerivative("lambda_interpolate")

integrator = LangevinMiddleIntegrator(300 * unit.kelvin, 2 / unit.picosecond, 1 * unit.femtosecond)
integrator.setRandomNumberSeed(1)
simulation = app.Simulation(modeller.topology, system, integrator, Platform.getPlatform("CPU"))
simulation.context.setPositions(modeller.positions)
simulation.minimizeEnergy(maxIterations=200)
simulation.context.setVelocitiesToTemperature(300 * unit.kelvin, 1)
simulation.step(2000 if picoseconds > 5 else 100)  # the water settles

zero = zero_of_energy(pdb, forcefield, PaiNNStudentModel.bundled("alanine-dipeptide"))
states = LambdaStates(
    simulation.context, {"lambda_interpolate": [0, 0.25, 0.5, 0.75, 1]}, 300 * unit.kelvin, {"lambda_interpolate": zero}
)
samples = sample(simulation, states, picoseconds)
report("Alanine dipeptide in water, amber14 to network", states, samples, picture)
