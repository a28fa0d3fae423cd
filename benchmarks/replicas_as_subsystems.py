# SPDX-License-Identifier: MIT
"""Time of a step of a replica: n replicas in one System against n Contexts in turn.

python benchmarks/replicas_as_subsystems.py [REPLICAS] [THREADS] [PLATFORM]
"""

import sys
import time
from pathlib import Path

import numpy as np
import openmm
from openmm import app

from openmmpainn import PaiNNStudentModel, SubsystemLangevinIntegrator, bundledModels, createSystem, replicate

n = int(sys.argv[1]) if len(sys.argv) > 1 else 16
threads = sys.argv[2] if len(sys.argv) > 2 else "1"
platform = openmm.Platform.getPlatform(sys.argv[3] if len(sys.argv) > 3 else "CPU")
properties = {"Threads": threads} if platform.getName() == "CPU" else {}
steps, rounds = 25, 9

pdb = app.PDBFile(str(Path(__file__).resolve().parents[1] / "examples" / "data" / "alanine_dipeptide.pdb"))
molecule = createSystem(pdb.topology, PaiNNStudentModel.bundled(bundledModels()[0]), removeCMMotion=False)
_, system, positions = replicate(pdb.topology, molecule, pdb.positions, n)


def context(system, integrator, positions):
    """A Context that has made its first steps."""
    made = openmm.Context(system, integrator, platform, properties)
    made.setPositions(positions)
    integrator.step(5)
    return made


together = context(system, SubsystemLangevinIntegrator(300, 1, 0.001, system), positions)
single = [context(molecule, openmm.LangevinMiddleIntegrator(300, 1, 0.001), pdb.positions) for _ in range(n)]
custom = [context(molecule, SubsystemLangevinIntegrator(300, 1, 0.001, molecule), pdb.positions) for _ in range(n)]
cases = {
    "one System": [together],
    "Contexts in turn, LangevinMiddleIntegrator": single,
    "Contexts in turn, SubsystemLangevinIntegrator": custom,
}
times = {name: [] for name in cases}
for _ in range(rounds):  # the cases take turns, so that what else the machine does meets all of them
    for name, contexts in cases.items():
        start = time.perf_counter()
        for one in contexts:
            one.getIntegrator().step(steps)
            one.getState(positions=True)
        times[name].append(1e6 * (time.perf_counter() - start) / steps / n)
print(f"{n} replicas of {molecule.getNumParticles()} atoms, {platform.getName()}, {properties}: us a step of a replica")
for name, values in times.items():
    print(f"{name:46} median {np.median(values):7.1f}, fastest {min(values):7.1f}, slowest {max(values):7.1f}")
