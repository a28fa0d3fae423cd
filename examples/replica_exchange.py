# SPDX-License-Identifier: MIT
"""Replica exchange of alanine dipeptide between 16 temperatures, with OpenMM's sampler and reporter.

python replica_exchange.py [--help]; on several GPUs or hosts: mpiexec -n 4 python replica_exchange.py --mpi
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from openmm import LangevinMiddleIntegrator, Platform, app, unit

from openmmpainn import PaiNNStudentModel, ReplicaExchangeSampler, bundledModels, createSystem

parser = argparse.ArgumentParser(description="Replica exchange of alanine dipeptide.")
parser.add_argument("--output", type=Path, default=Path("replica_exchange"), help="a folder that is new or empty")
parser.add_argument("--iterations", type=int, default=500)
parser.add_argument("--steps", type=int, default=50, help="between exchanges, of 1 fs")
parser.add_argument("--replicas", type=int, default=16)
parser.add_argument("--temperatures", type=float, nargs=2, default=(300, 450), metavar=("LOWEST", "HIGHEST"))
parser.add_argument("--level", choices=("subsystems", "contexts", "serial"))
parser.add_argument("--platform", default="CPU")
parser.add_argument("--model", help="a model file (default: the bundled student)")
parser.add_argument("--mpi", action="store_true", help="divide the replicas among the processes of mpiexec")
options = parser.parse_args()

comm, properties = None, {}
if options.mpi:
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    if options.platform == "CUDA":  # each process of a host takes a GPU of its own
        properties["DeviceIndex"] = str(comm.Split_type(MPI.COMM_TYPE_SHARED).rank)
first = comm is None or comm.rank == 0

pdb = app.PDBFile(str(Path(__file__).parent / "data" / "alanine_dipeptide.pdb"))
model = PaiNNStudentModel(options.model) if options.model else PaiNNStudentModel.bundled(bundledModels()[0])
# A remover of the centre's motion would tie the replicas to each other; Langevin dynamics needs none.
system = createSystem(pdb.topology, model, removeCMMotion=False)
integrator = LangevinMiddleIntegrator(300 * unit.kelvin, 10 / unit.picosecond, 1 * unit.femtosecond)
simulation = app.Simulation(pdb.topology, system, integrator, Platform.getPlatform(options.platform), properties)
simulation.context.setPositions(pdb.positions)
simulation.minimizeEnergy(maxIterations=50)
simulation.context.setVelocitiesToTemperature(300 * unit.kelvin)

kelvin = np.geomspace(*options.temperatures, options.replicas)
states = [{"temperature": t * unit.kelvin} for t in kelvin]
sampler = ReplicaExchangeSampler(states, simulation, options.steps, level=options.level, comm=comm)
if first:
    sampler.reporters.append(app.ReplicaExchangeReporter(str(options.output), 1, sampler, energy=True))
start = time.perf_counter()
sampler.simulate(options.iterations)
spent = time.perf_counter() - start

if first:
    log = np.loadtxt(options.output / "log.csv", delimiter=",", skiprows=1, ndmin=2)
    reduced = np.loadtxt(options.output / "energy.csv", delimiter=",", ndmin=2).reshape(len(log), len(kelvin), -1)
    replica_states = log[:, 2:].astype(int)  # [iterations, replicas]
    # kJ/mol, of the replica that has each temperature [iterations, temperatures]
    kT = unit.MOLAR_GAS_CONSTANT_R.value_in_unit(unit.kilojoule_per_mole / unit.kelvin) * kelvin
    energies = np.take_along_axis(reduced[:, :, 0] * kT[0], np.argsort(replica_states, axis=1), axis=1)
    acceptance = sampler.getAcceptance()
    print(f"{1e3 * spent / options.iterations:.1f} ms an iteration at the level '{sampler.level}'")
    print("Temperature (K), mean potential energy above the lowest (kJ/mol), swaps with the next for each attempt")
    for i, t in enumerate(kelvin):
        following = f"{acceptance[i, i + 1]:.2f}" if i + 1 < len(kelvin) else ""
        print(f"{t:8.1f} {energies[:, i].mean() - energies.min():8.1f}  {following}")
    try:
        from replica_exchange_plot import plot_exchange
    except ImportError:
        print("No picture: matplotlib is not installed")
    else:
        duration = options.steps * 1e-3 * np.arange(1, len(log) + 1)  # ps
        plot_exchange(kelvin, acceptance, replica_states, energies, duration, options.output / "exchange.png")
        print(f"Picture: {options.output / 'exchange.png'}")
