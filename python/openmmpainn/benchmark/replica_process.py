# SPDX-License-Identifier: MIT
"""One number of replicas at one level, in a process of its own: time of a step, and memory.

What a process has taken it rarely gives back, and one that the system stops for want of memory takes only itself along.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import openmm
from openmm import app

from ..platforms import get_platform
from .dynamics import TEMPERATURE, TIME_STEP
from .memory import peak_memory
from .timing import time_calls

if TYPE_CHECKING:
    from .. import PaiNNStudentModel

__all__ = ["gpu_memory", "make_stepper", "measure"]

FRICTION = 1.0  # 1/ps
MOST_STEPS = 200  # in a sample
SAMPLES = 20  # in the time that is given, or more


def gpu_memory(what: str = "used") -> int | None:
    """Memory (bytes) used or free on all GPUs of this machine together, by nvidia-smi; None where it says nothing."""
    command = ["nvidia-smi", f"--query-gpu=memory.{what}", "--format=csv,noheader,nounits"]
    with contextlib.suppress(OSError, subprocess.SubprocessError, ValueError):
        lines = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.split()
        return 2**20 * sum(int(line) for line in lines) if lines else None
    return None


def make_stepper(
    model: PaiNNStudentModel,
    numbers: list[int],
    positions: np.ndarray,
    level: str,
    count: int,
    platform: str,
    properties: Mapping[str, str],
) -> Callable[[int], None]:
    """Replicas of a molecule at 300 K, and what makes steps of all of them.

    Parameters
    ----------
    model : PaiNNStudentModel
        The network.
    numbers : list of int [N]
        Atomic numbers.
    positions : array [N, 3]
        nm.
    level : str
        "subsystems": all in one System; "contexts": PaiNNReplicaContexts.
    count : int
        The number of replicas.
    platform : str
        One of OpenMM's platforms.
    properties : mapping of str to str
        Of the platform.

    Returns
    -------
    callable
        Makes so many steps, and returns when all positions are known.
    """
    from .. import PaiNNReplicaContexts, SubsystemLangevinIntegrator, createSystem, replicate

    topology = app.Topology()
    residue = topology.addResidue("MOL", topology.addChain())
    for number in numbers:
        topology.addAtom("X", app.Element.getByAtomicNumber(number), residue)
    molecule = createSystem(topology, model, removeCMMotion=False)
    if level == "subsystems":
        _, system, start = replicate(topology, molecule, positions, count)
        integrator = SubsystemLangevinIntegrator(TEMPERATURE, FRICTION, TIME_STEP, system)
        context = openmm.Context(system, integrator, get_platform(platform), dict(properties))
        context.setPositions(start)
        integrator.setVelocitiesToTemperatures(context, 1)

        def step(steps: int) -> None:
            integrator.step(steps)
            context.getState(positions=True)  # waits for a GPU

        return step
    integrators = [openmm.LangevinMiddleIntegrator(TEMPERATURE, FRICTION, TIME_STEP) for _ in range(count)]
    replicas = PaiNNReplicaContexts([molecule] * count, integrators, get_platform(platform), properties)
    for index, each in enumerate(replicas):
        each.setPositions(positions)
        each.setVelocitiesToTemperature(TEMPERATURE, 1 + index)

    def step_all(steps: int) -> None:
        replicas.step(steps)
        for each in replicas:
            each.getState(positions=True)

    return step_all


def measure(job: Mapping[str, Any]) -> dict[str, Any]:
    """Time and memory of a job, see ``replicas.py``, as plain values.

    Returns
    -------
    dict
        ``median``, ``low``, ``high`` and ``repeats`` of the time (s) of one step of all replicas; ``memory``, bytes or
        None: on a GPU what all GPUs gained, elsewhere the peak of the process.
    """
    from .. import PaiNNStudentModel

    gpu = job["platform"] not in ("Reference", "CPU")
    before = gpu_memory() if gpu else None
    names = ("level", "count", "platform", "properties")
    positions = np.array(job["positions"])
    step = make_stepper(PaiNNStudentModel(job["model"]), job["numbers"], positions, *(job[name] for name in names))
    step(5)
    first = time_calls(lambda _: step(1), 0.0).median
    steps = max(1, min(MOST_STEPS, int(job["seconds"] / SAMPLES / first)))
    timing = asdict(time_calls(lambda _: step(steps), job["seconds"]))
    for name in ("median", "low", "high"):
        timing[name] /= steps
    memory = None
    if gpu:
        after = gpu_memory()
        memory = max(0, after - before) if before is not None and after is not None else None
    else:
        with contextlib.suppress(OSError):
            memory = peak_memory()
    return {**timing, "memory": memory}


if __name__ == "__main__":
    try:
        print(json.dumps(measure(json.load(sys.stdin))))
    except (openmm.OpenMMException, MemoryError, ValueError) as error:
        sys.exit(" ".join(str(error).split()) or type(error).__name__)
