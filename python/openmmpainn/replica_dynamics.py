# SPDX-License-Identifier: MIT
"""What all ways to simulate the replicas of a sampler have in common, and the way one after another."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
import openmm
from openmm import app, unit

__all__ = ["Dynamics", "SerialReplicas", "kelvin_of", "platform_of", "steps_in_pieces", "velocity_factor"]

_PIECE = 0.1  # seconds: Ctrl-C and the progress line wait so long for a call of step()


class Dynamics(Protocol):
    """Some or all replicas of a sampler, as one process simulates them."""

    def run(self, sampler: Any, advance: Callable[[float], None]) -> np.ndarray:
        """Simulate sampler.stepsPerIteration steps of each replica in its state.

        advance(x) is told that the part x of an iteration is done. Returns the energies of each replica in all states
        (kJ/mol), float64 [replicas, states].
        """


class SerialReplicas:
    """One replica after another in the Context of the sampler's Simulation: OpenMM's own way.

    Parameters
    ----------
    indices : range
        The replicas.
    """

    def __init__(self, indices: range) -> None:
        self._indices = indices

    def run(self, sampler: Any, advance: Callable[[float], None]) -> np.ndarray:
        """See Dynamics."""
        energies = []
        for index in self._indices:
            sampler.simulateReplica(index)
            energies.append(sampler._sampler.computeAllEnergies().value_in_unit(unit.kilojoule_per_mole))
            advance(1 / len(self._indices))
        return np.array(energies, dtype=np.float64).reshape(len(self._indices), len(sampler.states))


def steps_in_pieces(steps: int) -> Iterator[int]:
    """Split steps so that what is done between two pieces takes about 0.1 s."""
    piece = 1
    while steps > 0:
        piece = min(piece, steps)
        start = time.perf_counter()
        yield piece
        spent = time.perf_counter() - start
        steps -= piece
        piece = max(1, int(piece * min(4.0, _PIECE / max(spent, 1e-9))))


def kelvin_of(sampler: Any, state: int) -> float:
    """The temperature of a state (K), which is that of the integrator where states have none."""
    temperature = sampler.states[state].get("temperature")
    if temperature is None:
        temperature = sampler.simulation.integrator.getTemperature()
    return float(temperature.value_in_unit(unit.kelvin) if unit.is_quantity(temperature) else temperature)


def velocity_factor(sampler: Any, index: int) -> float | None:
    """What a replica's velocities are multiplied by for its state; None if they are to be drawn anew."""
    before, now = sampler._previousReplicaStateIndex[index], sampler.replicaStateIndex[index]
    if sampler.reinitializeVelocities:
        return 1.0 if before == now else None
    if sampler._kT is None or sampler._kT[now] == sampler._kT[before]:
        return 1.0
    return math.sqrt(sampler._kT[now] / sampler._kT[before])


def platform_of(simulation: app.Simulation) -> tuple[openmm.Platform, dict[str, str]]:
    """The platform of a Simulation's Context and its properties, to make another Context with."""
    platform = simulation.context.getPlatform()
    names = [name for name in platform.getPropertyNames() if name != "DeviceName"]
    return platform, {name: platform.getPropertyValue(simulation.context, name) for name in names}
