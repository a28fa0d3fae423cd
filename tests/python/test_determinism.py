# SPDX-License-Identifier: MIT
"""The same bits in every process, whatever its threads, its environment and the load of the machine (row 20)."""

import subprocess
import sys

import pytest

from conftest import PLATFORMS

# Prints the energy and a hash of forces, and of positions after 50 steps, bit for bit. Arguments: model file, platform,
# its properties.
BITS = """
import hashlib, sys
import numpy as np
import openmm
from openmmpainn import PaiNNStudentForce, PaiNNStudentModel

path, platform, properties = sys.argv[1], sys.argv[2], dict(word.split("=") for word in sys.argv[3:])
rng = np.random.default_rng(1)
grid = np.stack(np.meshgrid(*[np.arange(5)] * 3), axis=-1).reshape(-1, 3)
positions = 0.17 * grid + rng.uniform(0, 0.02, grid.shape)
force, system = PaiNNStudentForce(PaiNNStudentModel(path)), openmm.System()
for index in range(len(positions)):
    system.addParticle(12.0)
    force.addParticle(index, int(rng.choice([1, 6, 7, 8])), index // 50)  # 50, 50 and 25 atoms
system.addForce(force)
integrator = openmm.VerletIntegrator(0.0005)
context = openmm.Context(system, integrator, openmm.Platform.getPlatform(platform), properties)
context.setPositions(positions)

def digest(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()

seen = set()
for _ in range(100):
    context.setPositions(positions)
    state = context.getState(energy=True, forces=True)
    seen.add((state.getPotentialEnergy()._value.hex(), digest(state.getForces(asNumpy=True)._value)))
assert len(seen) == 1, seen
integrator.step(50)
print(*seen.pop(), digest(context.getState(positions=True).getPositions(asNumpy=True)._value))
"""


@pytest.mark.slow
@pytest.mark.parametrize("platform", PLATFORMS)
def test_processes_give_the_same_bits(platform, model_path, run_python):
    found = {run_python(BITS, model_path, platform)}
    found.add(run_python(BITS, model_path, platform, MALLOC_PERTURB_="165"))  # fresh memory is not zero
    if platform == "CPU":
        for threads in "1", "2", "7":  # with DeterministicForces: Restart.sameInputSameBits of the C++ tests
            found.add(run_python(BITS, model_path, platform, f"Threads={threads}"))
    assert len(found) == 1, found


def test_processes_at_the_same_time(model_path):
    """Three processes with more threads than there are cores, which take the processor from each other."""
    command = [sys.executable, "-c", BITS, model_path, "CPU", "Threads=7"]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    found = {process.communicate(timeout=300)[0] for process in running}
    assert all(process.returncode == 0 for process in running)
    assert len(found) == 1 and found != {""}, found
