# SPDX-License-Identifier: MIT
"""The range of what a student has seen, for the metadata of its file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..structures import symbol
from .dataset import Frames

__all__ = ["domain_metadata", "shortest_distances"]

_AT_ONCE = 2_000_000  # distances: some 16 MB


def shortest_distances(frames: Iterable[Frames]) -> dict[tuple[int, int], float]:
    """The shortest distance (angstrom) of each two elements, the lower atomic number first, in all frames."""
    shortest: dict[tuple[int, int], float] = {}
    for each in frames:
        numbers = np.array(each.molecule.numbers)
        first, second = np.triu_indices(len(numbers), 1)
        if len(first) == 0 or len(each) == 0:
            continue
        closest = np.full(len(first), np.inf)
        for k in range(0, len(each), max(1, _AT_ONCE // len(first))):
            x = each.positions[k : k + max(1, _AT_ONCE // len(first))].astype(np.float64)
            closest = np.minimum(closest, np.linalg.norm(x[:, first] - x[:, second], axis=-1).min(axis=0))
        for a, b, distance in zip(numbers[first].tolist(), numbers[second].tolist(), closest.tolist(), strict=True):
            pair = (min(a, b), max(a, b))
            shortest[pair] = min(distance, shortest.get(pair, np.inf))
    return shortest


def domain_metadata(frames: Mapping[str, Frames]) -> dict[str, Any]:
    """What a student learns from these frames, for ``provenance``; lengths in angstrom, the student's own unit.

    Returns
    -------
    dict
        ``domain_pairs`` (texts such as "C-H", in the order of atomic numbers) and ``domain_shortest_distances`` (as
        many numbers), and ``domain_bonded_pairs``: the pairs of elements that were bonded.
    """
    shortest = shortest_distances(frames.values())
    bonded = set()
    for each in frames.values():
        for a, b in each.molecule.bonds:
            bonded.add(tuple(sorted((each.molecule.numbers[a], each.molecule.numbers[b]))))

    def name(pair: tuple[int, ...]) -> str:
        return "-".join(symbol(number) for number in pair)

    pairs = sorted(shortest)
    return {
        "domain_pairs": [name(pair) for pair in pairs],
        "domain_shortest_distances": [round(shortest[pair], 4) for pair in pairs],
        "domain_bonded_pairs": [name(pair) for pair in sorted(bonded)],
    }
