# SPDX-License-Identifier: MIT
"""How much memory an atom takes: the peak of processes that evaluate systems of two sizes, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .. import PaiNNStudentModel

__all__ = ["bytes_per_atom", "peak_memory"]


def bytes_per_atom(
    model: PaiNNStudentModel, platform: str, properties: Mapping[str, str], sizes: tuple[int, int], timeout: float
) -> float:
    """The growth of a process's peak memory with the number of atoms, bytes an atom.

    It holds everything that grows: the System, OpenMM's arrays, ours, and the results in Python.

    Parameters
    ----------
    model : PaiNNStudentModel
        The network.
    platform : str
        The platform.
    properties : mapping of str to str
        Of the platform.
    sizes : (int, int)
        The numbers of atoms that are compared, the smaller one first.
    timeout : float
        s, for each process.

    Raises
    ------
    subprocess.SubprocessError
        If a process fails or takes too long, or this is not Linux.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        path.write_bytes(model.getBytes())
        peaks = []
        for size in sizes:
            arguments = [str(path), platform, json.dumps(dict(properties)), str(size)]
            command = [sys.executable, "-m", "openmmpainn.benchmark.memory", *arguments]
            result = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=True)
            peaks.append(int(result.stdout.split()[-1]))
    return (peaks[1] - peaks[0]) / (sizes[1] - sizes[0])


def _peak(path: str, platform: str, properties: str, size: int) -> int:
    """The peak memory (bytes) of this process after it has evaluated a system."""
    from .. import Evaluator, PaiNNStudentModel
    from .systems import make_system

    model = PaiNNStudentModel(path)
    system = make_system(size, list(model.getElements()))
    offsets = [0, size]
    evaluator = Evaluator(model, platform, json.loads(properties))
    for positions in system.moved(2):
        evaluator.computeFlat(system.numbers, positions, offsets, system.box)
    return peak_memory()


def peak_memory() -> int:
    """The most memory (bytes) that this process had resident so far; OSError where this is not Linux."""
    # Not getrusage(): what it gives a new process starts from the peak of the process that started it.
    status = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


if __name__ == "__main__":
    print(_peak(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
