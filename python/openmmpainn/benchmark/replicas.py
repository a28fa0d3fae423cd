# SPDX-License-Identifier: MIT
"""How many replicas of a molecule a device moves best, and how: in one System, or in Contexts of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..batch_context import BatchContext
from ..platforms import get_platform
from ..progress import Progress
from ..structures import Structure, require_elements
from ..summary import model_summary
from .dynamics import TEMPERATURE, TIME_STEP
from .machine import available_memory, describe_machine, load_average, usable_cores
from .replica_process import FRICTION, gpu_memory

if TYPE_CHECKING:
    from .. import PaiNNStudentModel

__all__ = ["LEVELS", "alanine_dipeptide", "benchmark_replicas", "choose_best"]

LEVELS = {"subsystems": "in one System", "contexts": "in PaiNNReplicaContexts"}
PAYS = 1.05  # twice as many replicas pay if all of them together are faster by this
MOST = 1024  # replicas, where no numbers are given
MEMORY_SHARE = 0.8  # of what is free, which is taken at most
LONGEST = 600.0  # s for one number of replicas

_NUMBERS = [6, 1, 1, 1, 6, 8, 7, 1, 6, 1, 6, 1, 1, 1, 6, 8, 7, 1, 6, 1, 1, 1]
# Units of 0.0001 nm, of examples/data/alanine_dipeptide.pdb, which is not installed with the package
_POSITIONS = """
2597 1449 877  3635 1363 543  2568 1260 1954  2227 2458 680
1752 459 123  1858 288 -1088  825 -199 894  569 216 1781
-118 -1159 314  382 -1692 -504  -543 -2170 1372  -1060 -1680 2205
328 -2693 1782  -1222 -2918 950  -1344 -435 -295  -2504 -718 -6
-1020 509 -1250  -57 514 -1589  -2031 1166 -2035  -2364 483 -2820
-2882 1439 -1405  -1596 2062 -2483
"""


def alanine_dipeptide() -> Structure:
    """The molecule of the first bundled student, near a minimum."""
    positions = np.array(_POSITIONS.split(), dtype=float).reshape(-1, 3) * 1e-4
    return Structure("alanine dipeptide", tuple(_NUMBERS), positions)


def benchmark_replicas(
    model: PaiNNStudentModel,
    structure: Structure | None = None,
    platform: str = "CPU",
    threads: int | None = None,
    counts: Sequence[int] | None = None,
    seconds: float = 3.0,
    show_progress: bool = False,
) -> dict[str, Any]:
    """Time and memory of replicas at both levels, and the best number of them.

    Parameters
    ----------
    model : PaiNNStudentModel
        The network.
    structure : Structure, optional
        The molecule, alanine dipeptide by default. It is simulated without a box, at 300 K with steps of 1 fs.
    platform : str
        The name of one of OpenMM's platforms.
    threads : int, optional
        For the CPU platform; all cores that the process may use by default.
    counts : sequence of int, optional
        Numbers of replicas, all of which are tried. By default 1, 2, 4, ... up to 1,024, until two in a row do not make
        all replicas together faster by 5 %, or memory would not be enough.
    seconds : float
        For each figure.
    show_progress : bool
        Whether to say on stderr how far it is.

    Returns
    -------
    dict
        Plain values, ready for JSON. ``rows``: ``level``, ``replicas``, and either the time of a step of all replicas
        (``median``, ``low``, ``high``, s), ``us_per_replica_step``, ``ns_per_day`` (of all), ``memory`` (bytes, or None
        where it is unknown), or ``skipped``, a sentence. ``bytes_per_replica``: for each level what one more replica
        takes, or None. ``best``: the row of choose_best(), or None.

    Raises
    ------
    ValueError
        If an argument is out of range, or the model does not know an element of the structure.
    openmm.OpenMMException
        If the platform cannot evaluate the model.
    """
    if counts is not None and any(count < 1 for count in counts):
        raise ValueError(f"counts holds {min(counts)}; numbers from 1 are allowed")
    if threads is not None and threads < 1:
        raise ValueError(f"threads is {threads}; numbers from 1 are allowed")
    if not seconds > 0:
        raise ValueError(f"seconds is {seconds}; it must be positive")
    structure = structure or alanine_dipeptide()
    require_elements([structure], list(model.getElements()))
    known = get_platform(platform).getPropertyNames()
    threads = threads or usable_cores()
    wanted = {"Threads": str(threads), "Precision": "mixed"}
    properties = {name: value for name, value in wanted.items() if name in known}
    load = load_average()
    offsets = np.array([0, len(structure.numbers)])
    one = BatchContext(model, np.array(structure.numbers), offsets, None, platform, properties)
    machine = {**describe_machine(one.context), "load_before": load}
    del one
    job = {
        "numbers": list(structure.numbers),
        "positions": np.asarray(structure.positions).tolist(),
        "platform": platform,
        "properties": properties,
        "seconds": seconds,
    }
    rows = _measure_all(model, job, counts, show_progress)
    summary = model_summary(model)
    return {
        "replica_benchmark": 1,
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": machine,
        "model": {key: summary[key] for key in ("name", "architecture", "parameters", "cutoff", "sha256")},
        "structure": {"name": structure.name, "atoms": len(structure.numbers)},
        "settings": {
            "threads": threads,
            "seconds": seconds,
            "time_step_fs": 1e3 * TIME_STEP,
            "temperature": TEMPERATURE,
            "friction_per_ps": FRICTION,
        },
        "rows": rows,
        "bytes_per_replica": {level: _growth([row for row in rows if row["level"] == level]) for level in LEVELS},
        "best": choose_best(rows),
    }


def choose_best(rows: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The row with the fewest replicas that are, all together, within 5 % of the fastest; None if none was measured.

    More replicas than that make each of them slower and take memory, for nothing.
    """
    measured = [row for row in rows if "skipped" not in row]
    most = max((row["ns_per_day"] for row in measured), default=0.0)
    good = [row for row in measured if row["ns_per_day"] * PAYS >= most]
    return min(good, key=lambda row: (row["replicas"], -row["ns_per_day"]), default=None)


def _measure_all(
    model: PaiNNStudentModel, job: dict[str, Any], counts: Sequence[int] | None, show_progress: bool
) -> list[dict[str, Any]]:
    """The rows of both levels."""
    rows: list[dict[str, Any]] = []
    numbers = sorted(set(counts)) if counts is not None else [2**k for k in range(MOST.bit_length())]
    with (
        tempfile.TemporaryDirectory() as folder,
        Progress("replicas", len(LEVELS) * len(numbers), show_progress) as progress,
    ):
        path = Path(folder) / "model.safetensors"
        path.write_bytes(model.getBytes())
        for index, (level, words) in enumerate(LEVELS.items()):
            for row in _measure_level({**job, "model": str(path), "level": level}, numbers, counts is None):
                rows.append(row)
                progress.advance(1, f"{row['replicas']} {words}")
            # What is not tried, because it would not pay.
            progress.advance((index + 1) * len(numbers) - progress.done, words)
    return rows


def _measure_level(job: dict[str, Any], numbers: Sequence[int], until_it_pays: bool) -> Iterator[dict[str, Any]]:
    """The rows of one level, as they are measured."""
    measured: list[dict[str, Any]] = []
    for count in numbers:
        row = {"level": job["level"], "replicas": count}
        reason = _too_much(measured, count, job["platform"])
        if reason is None:
            found = _run({**job, "count": count})
            reason = found.get("skipped")
        if reason is not None:
            yield {**row, "skipped": reason}
            return
        speed = count / found["median"]  # steps of a replica a second
        row.update(found, us_per_replica_step=1e6 / speed, ns_per_day=speed * TIME_STEP * 86400 / 1e3)
        yield row
        measured.append(row)
        speeds = [row["ns_per_day"] for row in measured]
        if until_it_pays and len(speeds) > 2 and max(speeds[-2:]) < PAYS * max(speeds[:-2]):
            return


def _run(job: dict[str, Any]) -> dict[str, Any]:
    """What replica_process.measure() says, from a process of its own; or ``skipped``, why it says nothing."""
    environment = dict(os.environ)
    if job["platform"] not in ("Reference", "CPU"):
        # Each Context makes as many threads for work on the host as there are cores, unless it is told.
        environment.setdefault("OPENMM_CPU_THREADS", "1")
    command = [sys.executable, "-m", "openmmpainn.benchmark.replica_process"]
    try:
        result = subprocess.run(
            command, input=json.dumps(job), capture_output=True, text=True, timeout=LONGEST, env=environment
        )
    except subprocess.TimeoutExpired:
        return {"skipped": f"it took longer than {LONGEST:.0f} s"}
    if result.returncode == 0:
        return json.loads(result.stdout.splitlines()[-1])
    if result.returncode < 0:
        return {"skipped": f"its process was stopped by signal {-result.returncode}, as for want of memory"}
    lines = result.stderr.strip().splitlines()
    return {"skipped": lines[-1] if lines else f"its process ended with the code {result.returncode}"}


def _growth(rows: Sequence[dict[str, Any]]) -> float | None:
    """What one more replica takes, bytes: from the fewest to the most replicas; None where that is unknown."""
    known = [(row["replicas"], row["memory"]) for row in rows if row.get("memory") is not None]
    if len(known) < 2:
        return None
    (few, little), (many, much) = known[0], known[-1]
    return max(0.0, (much - little) / (many - few))


def _too_much(measured: Sequence[dict[str, Any]], count: int, platform: str) -> str | None:
    """Why so many replicas are not tried; None if memory will be enough or nothing is known of it."""
    growth = _growth(measured)
    if growth is None:
        return None
    free = available_memory() if platform in ("Reference", "CPU") else gpu_memory("free")
    last = measured[-1]
    needed = last["memory"] + growth * (count - last["replicas"])
    if free is None or needed <= MEMORY_SHARE * free:
        return None
    return f"it would take about {needed / 1e9:.1f} GB of memory, of which {free / 1e9:.1f} GB are free"
