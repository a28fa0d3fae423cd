# SPDX-License-Identifier: MIT
"""The States of replicas that are simulated elsewhere, made when somebody asks for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import openmm

__all__ = ["ReplicaConformations"]


class ReplicaConformations(Sequence[openmm.State]):
    """A list of States of fixed length.

    A replica's State is fetched from where the replica is simulated when it is first asked for. One that is assigned is
    where the replica goes on from.

    Parameters
    ----------
    states : iterable of openmm.State
        Where the replicas begin.
    """

    def __init__(self, states: Iterable[openmm.State]) -> None:
        self._states: list[openmm.State | None] = list(states)
        self._fetch: Callable[[int], openmm.State] | None = None
        self.assigned = set(range(len(self._states)))  # since they were last taken over

    def __len__(self) -> int:
        return len(self._states)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        index = range(len(self))[index]
        if self._states[index] is None:
            self._states[index] = self._fetch(index)
        return self._states[index]

    def __setitem__(self, index: int, state: openmm.State) -> None:
        index = range(len(self))[index]
        self._states[index] = state
        self.assigned.add(index)

    def take(self, indices: Iterable[int]) -> list[int]:
        """Those of the replicas that were assigned a State since this was last asked."""
        taken = sorted(self.assigned.intersection(indices))
        self.assigned.difference_update(taken)
        return taken

    def moved(self, indices: Iterable[int], fetch: Callable[[int], openmm.State]) -> None:
        """These replicas were simulated; fetch(index) makes the State of each."""
        self._fetch = fetch
        for index in indices:
            self._states[index] = None

    def show(self, index: int, state: openmm.State) -> None:
        """The State of a replica that another process simulates."""
        self._states[index] = state
