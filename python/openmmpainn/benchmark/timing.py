# SPDX-License-Identifier: MIT
"""Medians of repeated calls within a time budget."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

__all__ = ["Timing", "time_calls"]

FEWEST, MOST = 3, 200


@dataclass
class Timing:
    """Times of one call.

    Attributes
    ----------
    median, low, high : float
        s; low and high are the quartiles.
    repeats : int
        How many calls they are from.
    """

    median: float
    low: float
    high: float
    repeats: int

    @classmethod
    def of(cls, samples: list[float]) -> Timing:
        """From the times of the calls, s."""
        low, median, high = np.percentile(samples, [25, 50, 75])
        return cls(float(median), float(low), float(high), len(samples))


def time_calls(call: Callable[[int], object], seconds: float) -> Timing:
    """Time ``call(0)``, ``call(1)``, ... for about ``seconds``.

    The first calls, up to a tenth of the time, are not counted: caches fill and clocks rise. There are at least three
    counted ones, unless those alone would take ten times the budget: then the first call is counted as it is.
    """
    start = time.perf_counter()
    call(0)
    first = time.perf_counter() - start
    if FEWEST * first > 10 * seconds:
        return Timing.of([first])
    done = 1
    while time.perf_counter() - start < seconds / 10:
        call(done)
        done += 1
    samples: list[float] = []
    while len(samples) < MOST:
        before = time.perf_counter()
        if len(samples) >= FEWEST and before - start > seconds:
            break
        call(done + len(samples))
        samples.append(time.perf_counter() - before)
    return Timing.of(samples)
