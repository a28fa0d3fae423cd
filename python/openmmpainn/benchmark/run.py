# SPDX-License-Identifier: MIT
"""The benchmark: which rows there are, and each measured for a few seconds."""

from __future__ import annotations

import contextlib
import importlib.metadata
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import numpy as np

from ..batch_context import BatchContext
from ..evaluator import Evaluator
from ..platforms import get_platform
from ..progress import Progress
from ..summary import model_summary
from .dynamics import TIME_STEP, make_context, network_force, time_dynamics
from .machine import describe_machine, load_average, usable_cores
from .memory import bytes_per_atom
from .pace import Pace
from .python_force import PYTHON_FORCE_UP_TO, scaled_forces
from .systems import DENSITY, PERIODIC_FROM, BenchmarkSystem, make_system
from .timing import time_calls

if TYPE_CHECKING:
    from .. import PaiNNStudentModel
    from .engine_rows import EngineRows
    from .peer_rows import PeerRows

__all__ = ["BATCHES", "BATCH_ATOMS", "SIZES", "run_benchmark"]

SIZES = (12, 22, 50, 100, 300, 1000, 5000, 20000)
BATCHES = (1, 4, 16, 64, 256)
BATCH_ATOMS = 22
FRAMES = 4  # the positions change from call to call, by a few thousandths of a nm, as they do from step to step
LONGEST = 30.0  # s: work that takes longer in one call is left out
FLATNESS_FROM = 1000  # atoms


def run_benchmark(
    model: PaiNNStudentModel,
    platform: str = "CPU",
    threads: int | None = None,
    sizes: Sequence[int] = SIZES,
    batches: Sequence[int] = BATCHES,
    seconds: float = 3.0,
    peers: bool = False,
    dynamics: bool = True,
    memory: bool = True,
    show_progress: bool = False,
) -> dict[str, Any]:
    """Measure energies and forces of single systems and of batches, and molecular dynamics.

    Parameters
    ----------
    model : PaiNNStudentModel
        The network.
    platform : str
        The name of one of OpenMM's platforms.
    threads : int, optional
        For the CPU platform and for PyTorch; all cores that the process may use by default.
    sizes : sequence of int
        Numbers of atoms; each is measured once.
    batches : sequence of int
        Numbers of molecules of 22 atoms, likewise.
    seconds : float
        For each figure.
    peers : bool
        Whether to do the same work in PyTorch, right after each row: by the LibTorch engine of this plugin where it is
        there, eager, as a CUDA graph (on CUDA), and dynamics through openmm.PythonForce and, where openmmtorch is
        installed, openmm-torch's TorchForce (up to 50 atoms).
    dynamics, memory : bool
        Whether to measure molecular dynamics, and memory for each atom.
    show_progress : bool
        Whether to say on stderr how far it is.

    Returns
    -------
    dict
        Plain values, ready for JSON: ``machine``, ``model``, ``settings``, ``rows`` and ``summary``. A row has ``kind``
        (single, batch or md), ``atoms`` (of a molecule), ``molecules``, and either the figures or ``skipped``, a
        sentence that says why there are none. Times are ``median``, ``low``, ``high`` (quartiles), s a call. The same
        holds for PyTorch's entries in a row, ``peer``, ``graph``, ``python_force``, ``torch_force`` and
        ``torch_force_graph``; the ratios of their times to ours are ``ratio``, ``graph_ratio``, ``python_force_ratio``
        and so on.

    Raises
    ------
    ValueError
        If an argument is out of range, or PyTorch is asked for and absent.
    openmm.OpenMMException
        If the platform cannot evaluate the model.
    """
    for name, values in (("sizes", sizes), ("batches", batches)):
        if any(value < 1 for value in values):
            raise ValueError(f"{name} holds {min(values)}; numbers from 1 are allowed")
    if threads is not None and threads < 1:
        raise ValueError(f"threads is {threads}; numbers from 1 are allowed")
    if not seconds > 0:
        raise ValueError(f"seconds is {seconds}; it must be positive")
    benchmark = _Benchmark(model, platform, threads or usable_cores(), seconds, peers)
    with benchmark.torch_threads():
        return benchmark.run(sorted(set(sizes)), sorted(set(batches)), dynamics, memory, show_progress)


class _Benchmark:
    def __init__(self, model: PaiNNStudentModel, platform: str, threads: int, seconds: float, peers: bool) -> None:
        self.model, self.platform, self.threads, self.seconds = model, platform, threads, seconds
        self.summary = model_summary(model)
        self.elements: list[int] = self.summary["metadata"].get("trained_elements") or self.summary["elements"]
        known = get_platform(platform).getPropertyNames()
        # Named, so that dynamics runs in the precision that an Evaluator takes by itself.
        self.properties = {
            name: value for name, value in (("Threads", str(threads)), ("Precision", "mixed")) if name in known
        }
        self.evaluator = Evaluator(model, platform, self.properties)
        self.pace = Pace(LONGEST)
        self.peers: PeerRows | None = None
        self.engine: EngineRows | None = None
        self.versions: dict[str, str] = {}
        self.load = load_average()
        if peers:
            self.peers = self._make_peers()

    def _make_peers(self) -> PeerRows:
        try:
            import torch
        except ImportError as error:
            raise ValueError(f"--peers needs the Python package {error.name}: pip install {error.name}") from None
        from .engine_rows import EngineRows
        from .peer_rows import PeerRows
        from .peers import TorchPeer

        self.versions = {"PyTorch": torch.__version__}
        with contextlib.suppress(ImportError):  # finds pairs faster
            self.versions["SciPy"] = importlib.metadata.version("scipy")
        with contextlib.suppress(ImportError):
            self.versions["openmmtorch"] = importlib.metadata.version("openmmtorch")
        self.engine = EngineRows(self.model, self.platform, self.properties, self.seconds, self.pace)
        device = "cuda" if self.platform == "CUDA" and torch.cuda.is_available() else "cpu"
        peer = TorchPeer(self.model, self.summary["cutoff"], device)
        return PeerRows(peer, self.platform, self.properties, self.seconds, self.pace)

    @contextlib.contextmanager
    def torch_threads(self) -> Iterator[None]:
        """PyTorch with as many threads as the platform, if it takes part."""
        if self.peers is None:
            yield
            return
        import torch

        before = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)

    def run(
        self, sizes: list[int], batches: list[int], dynamics: bool, memory: bool, show_progress: bool
    ) -> dict[str, Any]:
        rows: list[dict[str, Any]] = []
        engine = int(self.engine is not None and not self.engine.why_not)
        one = engine + (1 if self.peers is None else 2 if self.peers.no_graph else 3)
        steps = [2 if self.peers and size <= PYTHON_FORCE_UP_TO else 1 for size in sizes] if dynamics else []
        steps = [work + engine for work in steps]
        total = (len(sizes) + len(batches)) * one + sum(steps) + memory
        with Progress("benchmark", total, show_progress) as progress:
            for size in sizes:
                rows.append(self._evaluate("single", [make_system(size, self.elements)]))
                progress.advance(one, f"{size} atoms")
            for count in batches:
                systems = [make_system(BATCH_ATOMS, self.elements, seed) for seed in range(count)]
                rows.append(self._evaluate("batch", systems))
                progress.advance(one, f"{count} molecules of {BATCH_ATOMS} atoms")
            for size, work in zip(sizes, steps, strict=False):
                rows.append(self._dynamics(make_system(size, self.elements)))
                progress.advance(work, f"dynamics of {size} atoms")
            figures = self._summary(rows)
            if self.peers and self.peers.no_graph:
                figures["graph_skipped"] = self.peers.no_graph
            if self.peers and self.peers.no_torch_force:
                figures["torch_force_skipped"] = self.peers.no_torch_force
            if self.engine and self.engine.why_not:
                figures["libtorch_skipped"] = self.engine.why_not
            if memory:
                figures.update(self._memory(rows))
                progress.advance(1, "memory")
        return {
            "benchmark": 1,
            "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "machine": self._machine(),
            "model": {key: self.summary[key] for key in ("name", "architecture", "parameters", "cutoff", "sha256")},
            "settings": {
                "threads": self.threads,
                "seconds": self.seconds,
                "density": DENSITY,
                "periodic_from": PERIODIC_FROM,
                "time_step_fs": 1e3 * TIME_STEP,
                **(self.peers.settings() if self.peers else {"peer": None}),
                **({"libtorch": self.engine.why_not or "the LibTorch engine of this plugin"} if self.engine else {}),
            },
            "rows": rows,
            "summary": figures,
        }

    def _machine(self) -> dict[str, Any]:
        numbers, offsets = np.array([self.elements[0]] * 2), np.array([0, 2])
        context = BatchContext(self.model, numbers, offsets, None, self.platform, self.properties)
        machine = describe_machine(context.context)
        machine["versions"].update(self.versions)
        machine["load_before"] = self.load
        return machine

    def _evaluate(self, kind: str, systems: list[BenchmarkSystem]) -> dict[str, Any]:
        """Energy and forces of systems together, and the same in PyTorch."""
        atoms = sum(len(system.numbers) for system in systems)
        row: dict[str, Any] = {
            "kind": kind,
            "atoms": len(systems[0].numbers),
            "molecules": len(systems),
            "periodic": systems[0].box is not None,
        }
        reason = self.pace.too_long("ours", atoms)
        if reason:
            return {**row, "skipped": reason}
        frames = [list(frame) for frame in zip(*(s.moved(FRAMES, k) for k, s in enumerate(systems)), strict=True)]
        numbers = np.concatenate([system.numbers for system in systems])
        offsets = np.concatenate([[0], np.cumsum([len(system.numbers) for system in systems])])
        flat = [np.concatenate(frame) for frame in frames]
        box = systems[0].box

        def ours(index: int) -> tuple[np.ndarray, np.ndarray | None]:
            return self.evaluator.computeFlat(numbers, flat[index % FRAMES], offsets, box)

        start = time.perf_counter()
        ours(0)
        row["first_call"] = time.perf_counter() - start  # makes the Context
        timing = time_calls(ours, self.seconds)
        self.pace.note("ours", timing.median, atoms)
        row.update(asdict(timing), us_per_atom=1e6 * timing.median / atoms, per_molecule=timing.median / len(systems))
        if self.peers is not None:
            row.update(self.peers.evaluate(systems, frames, ours(0)[1], timing.median))
        if self.engine is not None and not self.engine.why_not:
            row.update(self.engine.evaluate(systems, frames, ours(0)[1], timing.median))
        return row

    def _dynamics(self, system: BenchmarkSystem) -> dict[str, Any]:
        atoms = len(system.numbers)
        row: dict[str, Any] = {"kind": "md", "atoms": atoms, "molecules": 1, "periodic": system.box is not None}
        reason = self.pace.too_long("ours", atoms)
        if reason:
            return {**row, "skipped": reason.replace("call", "step")}
        context = make_context(system, network_force(self.model, system), self.platform, self.properties)
        forces = scaled_forces(context)
        timing = time_dynamics(context, system, self.seconds)
        speed = 1 / timing.median
        row.update(asdict(timing), steps_per_second=speed, ns_per_day=speed * TIME_STEP * 86400 / 1e3)
        del context  # PythonForce has the device to itself
        if self.peers is not None:
            row.update(self.peers.dynamics(system, forces, timing.median))
        if self.engine is not None and not self.engine.why_not:
            row.update(self.engine.dynamics(system, forces, timing.median))
        return row

    def _memory(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """Memory for each atom, from the smallest and largest periodic systems that were measured."""
        sizes = [row["atoms"] for row in rows if row["kind"] == "single" and row["periodic"] and "median" in row]
        if len(sizes) < 2:
            return {"memory_skipped": f"it needs two sizes of {PERIODIC_FROM:,} atoms or more"}
        try:
            value = bytes_per_atom(self.model, self.platform, self.properties, (min(sizes), max(sizes)), 20 * LONGEST)
        except (subprocess.SubprocessError, OSError) as error:
            return {"memory_skipped": f"the process that measures it failed: {error}"}
        return {"bytes_per_atom": value, "bytes_per_atom_sizes": [min(sizes), max(sizes)]}

    @staticmethod
    def _summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
        """How the cost of an atom changes among the large systems."""
        costs = [
            row["us_per_atom"]
            for row in rows
            if row["kind"] == "single" and row["atoms"] >= FLATNESS_FROM and "median" in row
        ]
        return {"spread_of_cost_per_atom": max(costs) / min(costs) - 1} if len(costs) > 1 else {}
