# SPDX-License-Identifier: MIT
"""Replicas divided among processes give the same as one process (mpi4py)."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("mpi4py", reason="mpi4py is not installed")
MPIEXEC = shutil.which("mpiexec", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
NAMES = (("log.csv", 1), ("energy.csv", 0))  # of the reporter's files, and how many lines come before the numbers


def run(ranks, model, level, folder, what=""):
    """What the processes printed."""
    assert MPIEXEC, "mpi4py is installed, but no mpiexec"
    script = Path(__file__).parent / "sampler_rank.py"
    environment = {key: value for key, value in os.environ.items() if key != "OPENMM_PLUGIN_DIR"}
    result = subprocess.run(
        [MPIEXEC, "-n", str(ranks), sys.executable, str(script), model, level, str(folder), what],
        env={**environment, "PYTHONPATH": str(Path(__file__).parent), "OPENMM_CPU_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, f"{result.stdout}\n{result.stderr}"
    return result.stdout


@pytest.mark.parametrize("level", ["subsystems", "contexts", pytest.param("serial", marks=pytest.mark.long)])
def test_two_processes(level, canonical_path, tmp_path):
    files = []
    for ranks in (1, 2):
        folder = tmp_path / str(ranks)
        folder.mkdir()
        printed = run(ranks, canonical_path, level, folder)
        if ranks == 2:
            assert printed.count("rank 0 of 2: replicas range(0, 2)") == 2
            assert printed.count("rank 1 of 2: replicas range(2, 5)") == 2
        files.append([np.loadtxt(folder / "files" / name, delimiter=",", skiprows=s) for name, s in NAMES])
    for one, two in zip(*files, strict=True):
        assert len(one) == 6
        np.testing.assert_allclose(two, one, rtol=1e-9)
    assert len({tuple(row[2:]) for row in files[0][0]}) > 1  # there were exchanges


def test_failure_in_one_process(canonical_path, tmp_path):
    """All processes end with an exception, and none waits for ever."""
    printed = run(2, canonical_path, "serial", tmp_path, "fail")
    assert "rank 1: RuntimeError: no more" in printed
    assert "rank 0: OpenMMException: rank 1 of the replicas failed: RuntimeError: no more" in printed
    printed = run(2, canonical_path, "serial", tmp_path, "many")
    assert printed.count("comm has 2 processes, but there are 1 states; each needs a replica") == 2
