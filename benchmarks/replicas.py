# SPDX-License-Identifier: MIT
"""Time of a step of a replica: n replicas in one System, in PaiNNReplicaContexts, and in Contexts in turn.

python benchmarks/replicas.py [REPLICAS] [THREADS] [PLATFORM] [--model FILE] [--contexts N] [--torch] [--json FILE]

The Contexts in turn are N at most (8), since each takes about half a GB of a GPU: with more replicas than that a round
steps N of them, which is the same work for each step of a replica.
"""

import argparse
import copy
import json
import os
import time
from pathlib import Path

import numpy as np
import openmm
from openmm import app

from openmmpainn import (
    PaiNNReplicaContexts,
    PaiNNStudentModel,
    SubsystemLangevinIntegrator,
    bundledModels,
    createSystem,
    replicate,
)
from openmmpainn.benchmark.peers import TorchPeer
from openmmpainn.benchmark.systems import BenchmarkSystem
from openmmpainn.benchmark.torch_force import torch_force
from openmmpainn.progress import Progress

ROUNDS = 9
TORCH_CONTEXTS = 4
PDB = Path(__file__).resolve().parents[1] / "examples" / "data" / "alanine_dipeptide.pdb"

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("replicas", nargs="?", type=int, default=16)
parser.add_argument("threads", nargs="?", default="1", help="of the CPU platform")
parser.add_argument("platform", nargs="?", default="CPU")
parser.add_argument("--model", help="a model file (default: the bundled one)")
parser.add_argument("--precision", default="mixed", help="of GPU platforms")
parser.add_argument("--steps", type=int, default=25, help="between two looks at positions")
parser.add_argument("--contexts", type=int, default=8, help="of each kind at a time, at most")
parser.add_argument("--torch", action="store_true", help="also openmm-torch's TorchForce in 4 Contexts in turn")
parser.add_argument("--json", metavar="FILE", type=Path, help="write the times there too")
arguments = parser.parse_args()
if arguments.replicas < 1 or arguments.contexts < 1:
    parser.error(f"replicas and --contexts must be at least 1, not {arguments.replicas} and {arguments.contexts}")
n, num_contexts = arguments.replicas, min(arguments.replicas, arguments.contexts)
platform = openmm.Platform.getPlatform(arguments.platform)
properties = {"Threads": arguments.threads} if platform.getName() == "CPU" else {}
if "Precision" in platform.getPropertyNames():
    properties["Precision"] = arguments.precision

pdb = app.PDBFile(str(PDB))
model = PaiNNStudentModel(arguments.model) if arguments.model else PaiNNStudentModel.bundled(bundledModels()[0])
molecule = createSystem(pdb.topology, model, removeCMMotion=False)
bare = openmm.System()  # OpenMM's own part of a step
for i in range(molecule.getNumParticles()):
    bare.addParticle(molecule.getParticleMass(i))
_, system, positions = replicate(pdb.topology, molecule, pdb.positions, n)


def in_turn(make_integrator, system, positions, number):
    """Step Contexts one after the other."""
    made = [openmm.Context(system, make_integrator(), platform, properties) for _ in range(number)]
    for context in made:
        context.setPositions(positions)

    def step(steps):
        for context in made:
            context.getIntegrator().step(steps)
        for context in made:
            context.getState(positions=True)

    return step, number


def together(system, mode=None):
    """Step Contexts that share an evaluator."""
    contexts = PaiNNReplicaContexts([system] * n, [langevin() for _ in range(n)], platform, properties)
    if mode is not None:
        contexts.setMode(mode)
    for context in contexts:
        context.setPositions(pdb.positions)

    def step(steps):
        contexts.step(steps)
        for context in contexts:
            context.getState(positions=True)

    return step, n


def langevin():
    return openmm.LangevinMiddleIntegrator(300, 1, 0.001)


cases = {  # name: what steps them, and how many replicas that are
    "one System": (in_turn(lambda: SubsystemLangevinIntegrator(300, 1, 0.001, system), system, positions, 1)[0], n),
    "PaiNNReplicaContexts, parallel": together(molecule, "parallel"),
    "PaiNNReplicaContexts, baton": together(molecule, "baton"),
    "PaiNNReplicaContexts, parallel, no network": together(bare, "parallel"),
    "Contexts in turn, LangevinMiddleIntegrator": in_turn(langevin, molecule, pdb.positions, num_contexts),
    "Contexts in turn, SubsystemLangevinIntegrator": in_turn(
        lambda: SubsystemLangevinIntegrator(300, 1, 0.001, molecule), molecule, pdb.positions, num_contexts
    ),
    "Contexts in turn, no network": in_turn(langevin, bare, pdb.positions, num_contexts),
}
if arguments.torch:
    import torch

    numbers = np.array([atom.element.atomic_number for atom in pdb.topology.atoms()])
    places = np.array(pdb.getPositions(asNumpy=True).value_in_unit(openmm.unit.nanometer))
    torch.set_num_threads(int(arguments.threads))
    peer = TorchPeer(
        model, model.getCutoff().value_in_unit(openmm.unit.nanometer), "cuda" if platform.getName() == "CUDA" else "cpu"
    )
    for name, cuda_graphs in (("TorchForce", False), ("TorchForce, CUDA graphs", True)):
        with_torch = copy.deepcopy(bare)
        with_torch.addForce(torch_force(peer, BenchmarkSystem(numbers, places, None), cuda_graphs))
        cases[f"{TORCH_CONTEXTS} Contexts in turn, {name}"] = in_turn(
            langevin, with_torch, pdb.positions, TORCH_CONTEXTS
        )
for step, _ in cases.values():
    step(20)  # TorchForce records its graph after 10
times = {name: [] for name in cases}
with Progress("replicas", ROUNDS) as progress:
    for _ in range(ROUNDS):  # the cases take turns, so that what else the machine does meets all of them
        for name, (step, replicas) in cases.items():
            start = time.perf_counter()
            step(arguments.steps)
            times[name].append(1e6 * (time.perf_counter() - start) / arguments.steps / replicas)
        progress.advance()
print(
    f"{n} replicas of {molecule.getNumParticles()} atoms, {num_contexts} Contexts in turn, {platform.getName()}, "
    f"{properties}: us a step of a replica"
)
for name, values in times.items():
    print(f"{name:46} median {np.median(values):7.1f}, fastest {min(values):7.1f}, slowest {max(values):7.1f}")
if arguments.json:
    results = {
        "replicas": n,
        "contexts_in_turn": num_contexts,
        "model": model.getName(),
        "commit": os.environ.get("PAINN_COMMIT", "unknown"),
        "atoms": molecule.getNumParticles(),
        "platform": platform.getName(),
        "properties": properties,
        "openmm": openmm.Platform.getOpenMMVersion(),
        "steps": arguments.steps,
        "us_per_replica_step": times,
    }
    arguments.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
