# SPDX-License-Identifier: MIT
"""What the LibTorch engine takes for a row that our kernels were measured for: the same Force, another method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import openmm

from ..evaluator import Evaluator
from ..torch_engine import why_no_torch
from .dynamics import network_force
from .pace import Pace
from .peer_rows import difference, time_steps
from .peers import failure
from .systems import BenchmarkSystem
from .timing import time_calls

if TYPE_CHECKING:
    from .. import PaiNNStudentModel

__all__ = ["EngineRows"]


class EngineRows:
    """Measures the LibTorch engine beside our kernels, through the same calls and in the precision of the platform.

    Parameters
    ----------
    model : PaiNNStudentModel
        The network.
    platform : str
        The platform.
    properties : mapping of str to str
        Of the platform.
    seconds : float
        For each figure.
    pace : Pace
        Leaves out what takes too long.

    Attributes
    ----------
    why_not : str
        Why the engine is not measured at all, "" if it is.
    """

    def __init__(
        self, model: PaiNNStudentModel, platform: str, properties: Mapping[str, str], seconds: float, pace: Pace
    ) -> None:
        from .. import PaiNNStudentForce

        self.model, self.platform, self.properties = model, platform, properties
        self.seconds, self.pace = seconds, pace
        self.method = PaiNNStudentForce.LibTorch
        self.why_not = why_no_torch().removeprefix("PaiNNStudentForce: ")
        self.evaluator = Evaluator(model, platform, properties, self.method)

    def evaluate(
        self, systems: list[BenchmarkSystem], frames: list[list[np.ndarray]], forces: np.ndarray, ours: float
    ) -> dict[str, Any]:
        """Energies and forces of systems together; arguments and results as of PeerRows.evaluate().

        Returns
        -------
        dict
            ``libtorch`` with figures or ``skipped``, and ``libtorch_ratio`` to our time if there are figures.
        """
        reason = self.why_not or self.pace.too_long("libtorch", len(forces))
        if reason:
            return {"libtorch": {"skipped": reason}}
        numbers = np.concatenate([system.numbers for system in systems])
        offsets = np.concatenate([[0], np.cumsum([len(system.numbers) for system in systems])])
        flat = [np.concatenate(frame) for frame in frames]

        def call(index: int) -> np.ndarray | None:
            return self.evaluator.computeFlat(numbers, flat[index % len(flat)], offsets, systems[0].box)[1]

        try:
            off = difference(call(0), forces)
            timing = time_calls(call, self.seconds)
        except (RuntimeError, MemoryError, openmm.OpenMMException) as error:
            return {"libtorch": {"skipped": failure(error)}}
        self.pace.note("libtorch", timing.median, len(forces))
        figures = {**asdict(timing), "per_molecule": timing.median / len(systems), "force_difference": off}
        return {"libtorch": figures, "libtorch_ratio": timing.median / ours}

    def dynamics(self, system: BenchmarkSystem, forces: np.ndarray, ours: float) -> dict[str, Any]:
        """Steps of the same dynamics; arguments as of PeerRows.dynamics(), results as of evaluate()."""
        reason = self.why_not or self.pace.too_long("libtorch", len(forces))
        if reason:
            return {"libtorch": {"skipped": reason.replace("call", "step")}}
        force = network_force(self.model, system)
        force.setEvaluationMethod(self.method)
        figures = time_steps(lambda: force, system, forces, self.platform, self.properties, self.seconds)
        return {"libtorch": figures, **({"libtorch_ratio": figures["median"] / ours} if "median" in figures else {})}
