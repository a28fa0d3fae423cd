# SPDX-License-Identifier: MIT
"""Replicas divided among the processes of an MPI communicator."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

import openmm

__all__ = ["Ranks"]


class Ranks:
    """The processes that simulate replicas together; one process where there is no communicator.

    Parameters
    ----------
    comm : mpi4py.MPI.Comm or None
        All processes of it make the same calls in the same order.

    Attributes
    ----------
    rank, size : int
    """

    def __init__(self, comm: Any) -> None:
        if comm is not None and not all(hasattr(comm, name) for name in ("Get_rank", "Get_size", "allgather")):
            raise TypeError(f"comm is of the type {type(comm).__name__}; it must be a communicator of mpi4py, or None")
        self._comm = comm
        self.rank = 0 if comm is None else comm.Get_rank()
        self.size = 1 if comm is None else comm.Get_size()

    def share(self, count: int) -> range:
        """The replicas of this process: of count, as evenly as it goes, in order of ranks."""
        if count < self.size:
            raise ValueError(f"comm has {self.size} processes, but there are {count} states; each needs a replica")
        return range(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def together(self, work: Callable[[], Any]) -> list[Any]:
        """What work() returns in each process. If it fails in one, all raise an exception, so that none waits."""
        if self.size == 1:
            return [work()]
        result, error, message = None, None, ""
        try:
            result = work()
        except Exception as caught:
            error, message = caught, "".join(traceback.format_exception_only(caught)).strip()
        results = self._comm.allgather((result, message))
        if error is not None:
            raise error
        for rank, (_, failure) in enumerate(results):
            if failure:
                raise openmm.OpenMMException(f"rank {rank} of the replicas failed: {failure}")
        return [value for value, _ in results]
