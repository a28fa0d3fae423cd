# SPDX-License-Identifier: MIT
"""Scale the network by a global parameter and read dE/dlambda: python lambda_scaling.py"""

import sys
from pathlib import Path

import openmm
from openmm import app

from openmmpainn import PaiNNStudentForce, PaiNNStudentModel, bundledModels

pdb = app.PDBFile(str(Path(__file__).parent / "data" / "alanine_dipeptide.pdb"))
model = PaiNNStudentModel(sys.argv[1]) if len(sys.argv) > 1 else PaiNNStudentModel.bundled(bundledModels()[0])
force = PaiNNStudentForce.fromTopology(model, pdb.topology)
force.addGlobalParameter("lambda", 1.0)
force.setSubsystemScale(0, "lambda")
force.addEnergyParameterDerivative("lambda")

system = openmm.System()
for atom in pdb.topology.atoms():
    system.addParticle(atom.element.mass)
system.addForce(force)
context = openmm.Context(system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatform("Reference"))
context.setPositions(pdb.positions)
# The whole energy is scaled, the energies of the free atoms included: dE/dlambda is the unscaled energy.
for value in (0.0, 0.5, 1.0):
    context.setParameter("lambda", value)
    state = context.getState(energy=True, parameterDerivatives=True)
    print(f"lambda {value}: {state.getPotentialEnergy()}, dE/dlambda {state.getEnergyParameterDerivatives()['lambda']}")
