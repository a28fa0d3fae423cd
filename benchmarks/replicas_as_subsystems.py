# SPDX-License-Identifier: MIT
"""Time of a step of a replica: n replicas in one System against n Contexts in turn.

python benchmarks/replicas_as_subsystems.py [REPLICAS] [THREADS] [PLATFORM] [--contexts N] [--json FILE]

The Contexts are N at most (8), since each takes about half a GB of a GPU: with more replicas than that a round steps N
of them, which is the same work for each step of a replica.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import openmm
from openmm import app

from openmmpainn import PaiNNStudentModel, SubsystemLangevinIntegrator, bundledModels, createSystem, replicate
from openmmpainn.progress import Progress

STEPS, ROUNDS = 25, 9
PDB = Path(__file__).resolve().parents[1] / "examples" / "data" / "alanine_dipeptide.pdb"

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("replicas", nargs="?", type=int, default=16)
parser.add_argument("threads", nargs="?", default="1", help="of the CPU platform")
parser.add_argument("platform", nargs="?", default="CPU")
parser.add_argument("--contexts", type=int, default=8, help="of each kind at a time, at most")
parser.add_argument("--json", metavar="FILE", type=Path, help="write the times there too")
arguments = parser.parse_args()
if arguments.replicas < 1 or arguments.contexts < 1:
    parser.error(f"replicas and --contexts must be at least 1, not {arguments.replicas} and {arguments.contexts}")
n, num_contexts = arguments.replicas, min(arguments.replicas, arguments.contexts)
platform = openmm.Platform.getPlatform(arguments.platform)
properties = {"Threads": arguments.threads} if platform.getName() == "CPU" else {}

pdb = app.PDBFile(str(PDB))
molecule = createSystem(pdb.topology, PaiNNStudentModel.bundled(bundledModels()[0]), removeCMMotion=False)
_, system, positions = replicate(pdb.topology, molecule, pdb.positions, n)


def context(system, integrator, positions):
    """A Context that has made its first steps."""
    made = openmm.Context(system, integrator, platform, properties)
    made.setPositions(positions)
    integrator.step(5)
    return made


def contexts(integrator):
    """A Context for each of the replicas that take turns; integrator() makes an integrator."""
    return [context(molecule, integrator(), pdb.positions) for _ in range(num_contexts)]


cases = {  # name: Contexts, and the replicas of all of them
    "one System": ([context(system, SubsystemLangevinIntegrator(300, 1, 0.001, system), positions)], n),
    "Contexts in turn, LangevinMiddleIntegrator": (
        contexts(lambda: openmm.LangevinMiddleIntegrator(300, 1, 0.001)),
        num_contexts,
    ),
    "Contexts in turn, SubsystemLangevinIntegrator": (
        contexts(lambda: SubsystemLangevinIntegrator(300, 1, 0.001, molecule)),
        num_contexts,
    ),
}
times = {name: [] for name in cases}
with Progress("replicas", ROUNDS) as progress:
    for _ in range(ROUNDS):  # the cases take turns, so that what else the machine does meets all of them
        for name, (members, replicas) in cases.items():
            start = time.perf_counter()
            for one in members:
                one.getIntegrator().step(STEPS)
                one.getState(positions=True)
            times[name].append(1e6 * (time.perf_counter() - start) / STEPS / replicas)
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
        "atoms": molecule.getNumParticles(),
        "platform": platform.getName(),
        "properties": properties,
        "openmm": openmm.Platform.getOpenMMVersion(),
        "steps": STEPS,
        "us_per_replica_step": times,
    }
    arguments.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
