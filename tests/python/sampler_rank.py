# SPDX-License-Identifier: MIT
"""What each process of test_samplers_ranks.py runs: python sampler_rank.py MODEL LEVEL FOLDER WHAT"""

import random
import sys
from pathlib import Path

import numpy as np
import openmm
from mpi4py import MPI
from openmm import app

import openmmpainn
from openmmpainn import PaiNNStudentModel, ReplicaExchangeSampler
from sampler_cases import ContextsInTurn, molecule, spread

model_path, level, folder, what = sys.argv[1:]
comm = MPI.COMM_WORLD
if not hasattr(openmmpainn, "PaiNNReplicaContexts"):
    openmmpainn.PaiNNReplicaContexts = ContextsInTurn
positions = 0.1 * np.array([[1.2, -0.4, 0], [0, 0.6, 0], [-1.2, -0.3, 0.1], [2.1, 0.2, 0], [1.2, -1, 0.9]])
topology = app.Topology()
residue = topology.addResidue("X", topology.addChain())
for name in "CCOHH":
    topology.addAtom(name, app.element.get_by_symbol(name), residue)
simulation = molecule(PaiNNStudentModel(model_path), (topology, positions))
states = [{"temperature": t} for t in (300, 320, 345, 370, 400)]


class Failing(ReplicaExchangeSampler):
    """Fails in one process alone."""

    def simulateReplica(self, index, steps=None):
        if index == 4:
            raise RuntimeError("no more")
        super().simulateReplica(index, steps)


def go(resume):
    random.seed(7 if comm.rank == 0 else 1000 + comm.rank)
    sampler = ReplicaExchangeSampler(states, simulation, 5, level=level, comm=comm, progress=False)
    if comm.rank == 0:
        if not resume:
            spread(sampler)
        reporter = app.ReplicaExchangeReporter(
            str(Path(folder) / "files"),
            1,
            sampler,
            trajectoryPerReplica=True,
            energy=True,
            checkpoints=True,
            resume=resume,
        )
        sampler.reporters.append(reporter)
    sampler.simulate(3)
    velocities = [state.getVelocities(asNumpy=True)._value for state in sampler.replicaConformation]
    everywhere = comm.allgather((sampler.replicaStateIndex, sampler.currentIteration, np.array(velocities)))
    for index, iteration, found in everywhere:
        assert index == sampler.replicaStateIndex and iteration == sampler.currentIteration
        assert np.array_equal(found, velocities)
    assert simulation.currentStep == 5 * sampler.currentIteration
    print(f"rank {comm.rank} of {comm.size}: replicas {sampler._indices}")


if what == "fail":
    try:
        Failing(states, simulation, 5, comm=comm, progress=False).simulate(1)
    except (RuntimeError, openmm.OpenMMException) as error:
        print(f"rank {comm.rank}: {type(error).__name__}: {error}")
elif what == "many":
    try:
        ReplicaExchangeSampler(states[:1], simulation, 5, comm=comm)
    except ValueError as error:
        print(error)
else:
    go(False)
    go(True)
