# SPDX-License-Identifier: MIT
"""Where the derivatives of a System's energy by its global parameters come from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import openmm

__all__ = ["Networks", "derivative_sources"]

Networks = list[tuple[Any, np.ndarray]]
"""PaiNNStudentForces with the subsystems that a parameter scales."""


def derivative_sources(system: openmm.System, names: Sequence[str]) -> list[Networks | None] | None:
    """Where the derivative of each parameter comes from: None for the forces, or networks with the subsystems that it
    scales. None in all if the derivative of a parameter is not to be had."""
    sources: list[Networks | None] = []
    for name in names:
        using = [force for force in _forces(system) if name in _parameters(force)]
        if using and all(name in _derivatives(force) for force in using):
            sources.append(None)
            continue
        networks = [(force, _scaled_by(force, name)) for force in using if _is_network(force)]
        if len(networks) < len(using) or not using:
            return None
        sources.append(networks)
    return sources


def _forces(system: openmm.System) -> Iterator[Any]:
    from .painn import PaiNNStudentForce

    for force in system.getForces():
        yield PaiNNStudentForce.cast(force) if PaiNNStudentForce.isinstance(force) else force


def _is_network(force: Any) -> bool:
    from .painn import PaiNNStudentForce

    return isinstance(force, PaiNNStudentForce)


def _parameters(force: Any) -> set[str]:
    """The global parameters of a force, with those of the forces inside a CustomCVForce."""
    found = set()
    if hasattr(force, "getNumGlobalParameters"):
        found = {force.getGlobalParameterName(i) for i in range(force.getNumGlobalParameters())}
    if isinstance(force, openmm.CustomCVForce):
        for i in range(force.getNumCollectiveVariables()):
            found |= _parameters(force.getCollectiveVariable(i))
    return found


def _derivatives(force: Any) -> set[str]:
    if not hasattr(force, "getNumEnergyParameterDerivatives"):
        return set()
    return {force.getEnergyParameterDerivativeName(i) for i in range(force.getNumEnergyParameterDerivatives())}


def _scaled_by(force: Any, name: str) -> np.ndarray:
    return np.array([i for i in range(force.getNumSubsystems()) if force.getSubsystemScale(i) == name], dtype=int)
