# SPDX-License-Identifier: MIT
"""Replica exchange on several GPUs: one process and one PaiNNReplicaContexts for each of them.

mpiexec -n 4 python several_devices.py --platform CUDA; it runs on CPU too: mpiexec -n 2 python several_devices.py.
Needs mpi4py and an MPI library (pip install mpi4py mpich).
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from mpi4py import MPI
from openmm import LangevinMiddleIntegrator, Platform, app, unit

from openmmpainn import PaiNNStudentModel, ReplicaExchangeSampler, bundledModels, createSystem

parser = argparse.ArgumentParser(description="Replica exchange divided among the processes of mpiexec.")
parser.add_argument("--replicas", type=int, help="in all (default: 4 for each process)")
parser.add_argument("--iterations", type=int, default=20)
parser.add_argument("--steps", type=int, default=50, help="between exchanges, of 1 fs")
parser.add_argument("--level", choices=("contexts", "subsystems"), default="contexts")
parser.add_argument("--gpus", type=int, help="of this host (default: one for each process)")
parser.add_argument("--threads", type=int, default=1, help="of each process, for the CPU platform")
parser.add_argument("--platform", default="CPU")
parser.add_argument("--model", help="a model file (default: the bundled student)")
options = parser.parse_args()

comm = MPI.COMM_WORLD
local = comm.Split_type(MPI.COMM_TYPE_SHARED).rank  # among the processes of this host
if options.platform == "CUDA":
    properties = {"DeviceIndex": str(local % options.gpus if options.gpus else local), "Precision": "mixed"}
else:
    properties = {"Threads": str(options.threads)} if options.platform == "CPU" else {}
replicas = options.replicas or 4 * comm.size
if replicas < comm.size:
    sys.exit(f"--replicas {replicas} are fewer than the {comm.size} processes")

# Every process makes the same Simulation, on its own device.
pdb = app.PDBFile(str(Path(__file__).parent / "data" / "alanine_dipeptide.pdb"))
model = PaiNNStudentModel(options.model) if options.model else PaiNNStudentModel.bundled(bundledModels()[0])
system = createSystem(pdb.topology, model, removeCMMotion=False)
integrator = LangevinMiddleIntegrator(300 * unit.kelvin, 10 / unit.picosecond, 1 * unit.femtosecond)
simulation = app.Simulation(pdb.topology, system, integrator, Platform.getPlatform(options.platform), properties)
simulation.context.setPositions(pdb.positions)
simulation.minimizeEnergy(maxIterations=50)

states = [{"temperature": t * unit.kelvin} for t in np.geomspace(300, 450, replicas)]
sampler = ReplicaExchangeSampler(states, simulation, options.steps, level=options.level, comm=comm)
start = time.perf_counter()
sampler.simulate(options.iterations)
spent = time.perf_counter() - start

where = f"{MPI.Get_processor_name()}, {options.platform} {properties.get('DeviceIndex', '')}".rstrip()
lines = comm.gather(f"process {comm.rank} of {comm.size} on {where}")
if comm.rank == 0:
    print("\n".join(lines))
    swaps = np.diagonal(sampler.getAcceptance(), 1)
    print(f"{replicas} replicas at the level '{sampler.level}', states {list(sampler.replicaStateIndex)}")
    print("Swaps of neighbours for each attempt:", " ".join(f"{value:.2f}" for value in swaps))
    nanoseconds = 1e-6 * replicas * options.iterations * options.steps
    print(f"{1e3 * spent / options.iterations:.1f} ms an iteration, {86400 * nanoseconds / spent:.0f} ns/day in all")
