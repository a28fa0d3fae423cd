# SPDX-License-Identifier: MIT
"""What PyTorch takes for a row that our platform was measured for: eager, as a CUDA graph, as a Force of OpenMM's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import openmm

from .dynamics import SCALE, make_context, time_dynamics
from .graph_peer import GraphPeer
from .machine import available_memory
from .pace import Pace
from .peers import TorchPeer, failure
from .python_force import PYTHON_FORCE_UP_TO, check_finite, python_force, scaled_forces
from .systems import BenchmarkSystem
from .timing import time_calls
from .torch_force import torch_force, why_no_torch_force

__all__ = ["PeerRows", "difference", "time_steps"]

WARM_UP = 15  # steps: TorchScript compiles itself in the first few, and TorchForce records its CUDA graph after ten
WRONG = 1e-2  # of the RMS of the forces: what differs by more did not do the same work


class PeerRows:
    """Measures PyTorch beside our platform. What fails there is said in the row, and the benchmark goes on.

    Parameters
    ----------
    peer : TorchPeer
        The network in PyTorch.
    platform : str
        The platform that runs the dynamics of PythonForce.
    properties : mapping of str to str
        Of the platform.
    seconds : float
        For each figure.
    pace : Pace
        Leaves out what takes too long.

    Attributes
    ----------
    no_graph : str or None
        Why no CUDA graph is measured at all, if so.
    no_torch_force : str or None
        Why openmm-torch's TorchForce is not, likewise.
    """

    def __init__(
        self, peer: TorchPeer, platform: str, properties: Mapping[str, str], seconds: float, pace: Pace
    ) -> None:
        self.peer, self.platform, self.properties = peer, platform, properties
        self.seconds, self.pace = seconds, pace
        self.no_graph: str | None = None
        if peer.device != "cuda":
            why = "this PyTorch sees none" if platform == "CUDA" else f"the platform is {platform}"
            self.no_graph = f"it needs PyTorch on a CUDA device, and {why}"
        self.no_torch_force = why_no_torch_force()

    def settings(self) -> dict[str, Any]:
        """What the peers are, for the results."""
        return {
            "peer": "eager PyTorch, float32, edges given",
            "peer_device": self.peer.device,
            "graph": None if self.no_graph else "the same captured once as a CUDA graph, positions copied in",
            "python_force": "openmm.PythonForce, eager PyTorch, float32, edges chosen among all pairs",
            "torch_force": self.no_torch_force or "openmm-torch's TorchForce, traced PyTorch, float32, all pairs",
            "python_force_up_to": PYTHON_FORCE_UP_TO,
        }

    def evaluate(
        self, systems: list[BenchmarkSystem], frames: list[list[np.ndarray]], forces: np.ndarray, ours: float
    ) -> dict[str, Any]:
        """Energies and forces of systems together.

        Parameters
        ----------
        systems : list of BenchmarkSystem
            The systems.
        frames : list of list of array [n, 3]
            frames[k] holds the positions (nm) of every system.
        forces : array [N, 3]
            Ours in frame 0, kJ/mol/nm.
        ours : float
            Our time of a call, s.

        Returns
        -------
        dict
            ``peer`` and, on a GPU, ``graph``, each with figures or with ``skipped``, a sentence that says why there are
            none; ``ratio`` and ``graph_ratio`` to our time, for those with figures.
        """
        reason = self.pace.too_long("peer", len(forces))
        if reason:
            return {"peer": {"skipped": reason}}
        peer = self.peer
        there = [
            BenchmarkSystem(system.numbers, positions, system.box)
            for system, positions in zip(systems, frames[0], strict=True)
        ]
        try:
            # The edges of frame 0, in which forces are compared; in others they may be a few more or fewer, which
            # changes no time.
            edges = peer.prepare(there, frames)
            if peer.device == "cpu" and peer.bytes_needed(edges) > available_memory():
                return {"peer": {"edges": edges, "skipped": f"{edges:,} edges would need more memory than there is"}}
            eager = self._time(peer, forces, len(systems))
        except (RuntimeError, MemoryError) as error:
            return {"peer": {"skipped": failure(error)}}
        found: dict[str, Any] = {"peer": {"edges": edges, **eager}, "ratio": eager["median"] / ours}
        self.pace.note("peer", eager["median"], len(forces))
        if self.no_graph is None:
            found["graph"] = self._graph(forces, len(systems), edges)
            if "median" in found["graph"]:
                found["graph_ratio"] = found["graph"]["median"] / ours
        return found

    def _graph(self, forces: np.ndarray, molecules: int, edges: int) -> dict[str, Any]:
        try:
            with GraphPeer(self.peer) as graph:
                return {"edges": edges, **self._time(graph, forces, molecules)}
        except (RuntimeError, MemoryError) as error:
            return {"edges": edges, "skipped": failure(error)}

    def _time(self, peer: TorchPeer | GraphPeer, forces: np.ndarray, molecules: int) -> dict[str, Any]:
        """Compare the forces, then measure."""
        off = difference(peer.evaluate(0)[1], forces)
        timing = time_calls(peer.evaluate, self.seconds)
        return {**asdict(timing), "per_molecule": timing.median / molecules, "force_difference": off}

    def dynamics(self, system: BenchmarkSystem, forces: np.ndarray, ours: float) -> dict[str, Any]:
        """Steps of the same dynamics with PyTorch as a Force; nothing for systems of more than PYTHON_FORCE_UP_TO.

        Parameters
        ----------
        system : BenchmarkSystem
            The atoms.
        forces : array [N, 3]
            Ours, scaled by SCALE, kJ/mol/nm.
        ours : float
            Our time of a step, s.

        Returns
        -------
        dict
            ``python_force``, ``torch_force`` and ``torch_force_graph`` (openmm-torch's TorchForce without and with CUDA
            graphs) with figures or ``skipped``, and for those with figures the ratio to our time, ``NAME_ratio``.
        """
        if len(forces) > PYTHON_FORCE_UP_TO:
            return {}
        makers: dict[str, Callable[[], openmm.Force]] = {"python_force": lambda: python_force(self.peer, system, SCALE)}
        if self.no_torch_force is None:
            makers["torch_force"] = lambda: torch_force(self.peer, system, False, SCALE)
            if self.no_graph is None:
                makers["torch_force_graph"] = lambda: torch_force(self.peer, system, True, SCALE)
        found: dict[str, Any] = {}
        for name, make in makers.items():
            reason = self.pace.too_long("peer", len(forces))
            found[name] = (
                {"skipped": reason.replace("call", "step")}
                if reason
                else time_steps(make, system, forces, self.platform, self.properties, self.seconds)
            )
            if "median" in found[name]:
                found[f"{name}_ratio"] = found[name]["median"] / ours
        return found


def time_steps(
    make: Callable[[], openmm.Force],
    system: BenchmarkSystem,
    forces: np.ndarray,
    platform: str,
    properties: Mapping[str, str],
    seconds: float,
) -> dict[str, Any]:
    """Compare the forces of the Force that is made with ours [N, 3] (kJ/mol/nm), then measure steps of dynamics.

    Returns
    -------
    dict
        Figures, or ``skipped``, a sentence that says why there are none.
    """
    try:
        context = make_context(system, make(), platform, properties)
        off = difference(scaled_forces(context), forces)
        context.getIntegrator().step(WARM_UP)
        timing = time_dynamics(context, system, seconds)
        check_finite(context)
    except (RuntimeError, MemoryError, openmm.OpenMMException) as error:
        return {"skipped": failure(error)}
    return {**asdict(timing), "steps_per_second": 1 / timing.median, "force_difference": off}


def difference(theirs: np.ndarray, ours: np.ndarray) -> float:
    """The largest difference of a component, relative to the RMS of our forces [N, 3].

    Raises
    ------
    RuntimeError
        If it is larger than rounding can make it, or not finite.
    """
    size = max(float(np.sqrt(np.mean(ours**2))), 1e-30)
    found = float(np.abs(theirs - ours).max()) / size
    if not found < WRONG:
        raise RuntimeError(f"its forces are off by {found:.1e} of their RMS")
    return found
