# SPDX-License-Identifier: MIT
"""Parallel tempering of 16 replicas of a molecule in one Context: python replicas_as_subsystems.py [STEPS] [MODEL]"""

import sys
import time
from pathlib import Path

import numpy as np
from openmm import Platform, app, unit

from openmmpainn import (
    PaiNNStudentModel,
    SubsystemLangevinIntegrator,
    SubsystemTemperatureExchange,
    bundledModels,
    createSystem,
    replicate,
)

REPLICAS, STEPS_PER_EXCHANGE = 16, 50
pdb = app.PDBFile(str(Path(__file__).parent / "data" / "alanine_dipeptide.pdb"))
model = PaiNNStudentModel(sys.argv[2]) if len(sys.argv) > 2 else PaiNNStudentModel.bundled(bundledModels()[0])
steps = int(sys.argv[1]) if len(sys.argv) > 1 else 1000

molecule = createSystem(pdb.topology, model, removeCMMotion=False)
topology, system, positions = replicate(pdb.topology, molecule, pdb.positions, REPLICAS)
temperatures = np.geomspace(300, 450, REPLICAS) * unit.kelvin
integrator = SubsystemLangevinIntegrator(temperatures, 10 / unit.picosecond, 1 * unit.femtosecond, system)
simulation = app.Simulation(topology, system, integrator, Platform.getPlatform("CPU"))
simulation.context.setPositions(positions)
simulation.minimizeEnergy(maxIterations=50)
integrator.setVelocitiesToTemperatures(simulation.context)

exchange = SubsystemTemperatureExchange(simulation.context, integrator)
at_temperature = []  # measured temperatures in the order of the ladder
start = time.perf_counter()
while simulation.currentStep < steps:
    simulation.step(STEPS_PER_EXCHANGE)
    measured = integrator.computeSubsystemTemperatures(simulation.context)._value
    at_temperature.append(measured[exchange.getReplicas()])
    exchange.exchange()
    spent = 1000 * (time.perf_counter() - start) / simulation.currentStep / REPLICAS
    print(f"step {simulation.currentStep} of {steps}: {spent:.2f} ms for a step of a replica", flush=True)

print("Temperature (K), mean measured in the second half (K), replica there now, swaps with the next for each attempt")
acceptance = [f"{fraction:.2f}" for fraction in exchange.getAcceptance()] + [""]
rows = zip(
    exchange.getLadder()._value,
    np.mean(at_temperature[len(at_temperature) // 2 :], axis=0),
    exchange.getReplicas(),
    acceptance,
    strict=True,
)
for kelvin, measured, replica, accepted in rows:
    print(f"{kelvin:8.1f} {measured:8.1f} {replica:4d}  {accepted}")
