# SPDX-License-Identifier: MIT
"""A molecule by a network, water by a force field, with openmm-ml (pip install openmmml): python openmm_ml.py"""

import sys
from pathlib import Path

from openmm import LangevinMiddleIntegrator, Platform, app, unit
from openmmml import MLPotential

pdb = app.PDBFile(str(Path(__file__).parent / "data" / "alanine_dipeptide.pdb"))
# A bundled model by its name, or a model from a file.
potential = (
    MLPotential("painn-student", modelPath=sys.argv[1]) if len(sys.argv) > 1 else MLPotential("alanine-dipeptide")
)

# The molecule alone, in vacuum: potential.createSystem(pdb.topology). Here it is in water:
forcefield = app.ForceField("amber14-all.xml", "amber14/tip3p.xml")
modeller = app.Modeller(pdb.topology, pdb.positions)
modeller.addSolvent(forcefield, padding=0.8 * unit.nanometer)
mm = forcefield.createSystem(
    modeller.topology, nonbondedMethod=app.PME, nonbondedCutoff=0.8 * unit.nanometer, constraints=app.HBonds
)
atoms = range(pdb.topology.getNumAtoms())  # the molecule; the water stays with the force field
system = potential.createMixedSystem(modeller.topology, mm, atoms, interpolate=True)

integrator = LangevinMiddleIntegrator(300 * unit.kelvin, 1 / unit.picosecond, 1 * unit.femtosecond)
simulation = app.Simulation(modeller.topology, system, integrator, Platform.getPlatform("CPU"))
simulation.context.setPositions(modeller.positions)
# At 0 all is the force field, at 1 the molecule is the network; its energies have those of the free atoms in them.
for value in (0.0, 0.5, 1.0):
    simulation.context.setParameter("lambda_interpolate", value)
    print(f"lambda {value}: {simulation.context.getState(energy=True).getPotentialEnergy()}")
simulation.minimizeEnergy(maxIterations=100)
simulation.context.setVelocitiesToTemperature(300 * unit.kelvin)
simulation.reporters.append(app.StateDataReporter(sys.stdout, 100, step=True, potentialEnergy=True, temperature=True))
simulation.step(500)
