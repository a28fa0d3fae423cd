# SPDX-License-Identifier: MIT
"""What is timed: random atoms at the density of a molecular liquid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["DENSITY", "PERIODIC_FROM", "BenchmarkSystem", "make_system"]

DENSITY = 100.0  # atoms/nm^3, that of water
PERIODIC_FROM = 1000  # atoms; below, a drop in vacuum
CLOSEST = 0.14  # nm, between any two atoms
# How often the elements of organic matter occur, by atomic number; those a model does not know are left out.
ABUNDANCE = {1: 0.50, 6: 0.30, 7: 0.08, 8: 0.12}


@dataclass
class BenchmarkSystem:
    """Atoms at places.

    Attributes
    ----------
    numbers : int array [N]
        Atomic numbers.
    positions : array [N, 3]
        nm.
    box : array [3, 3] or None
        A cubic box (nm), or None in vacuum.
    """

    numbers: np.ndarray
    positions: np.ndarray
    box: np.ndarray | None

    def moved(self, count: int, seed: int = 1, distance: float = 0.002) -> list[np.ndarray]:
        """Positions [N, 3] of ``count`` frames, in which every coordinate is ``distance`` (nm) off on average."""
        generator = np.random.default_rng(seed)
        return [self.positions + generator.normal(scale=distance, size=self.positions.shape) for _ in range(count)]


def make_system(size: int, elements: list[int], seed: int = 0) -> BenchmarkSystem:
    """Atoms strewn at random, none too close to another: a drop, or a periodic box of PERIODIC_FROM atoms and more.

    Parameters
    ----------
    size : int
        The number of atoms.
    elements : list of int
        The atomic numbers that the model knows.
    seed : int
        For places and elements; the same seed gives the same system.
    """
    generator = np.random.default_rng([seed, size])
    abundance = {z: share for z, share in ABUNDANCE.items() if z in elements} or dict.fromkeys(elements, 1.0)
    shares = np.array(list(abundance.values()))
    numbers = generator.choice(list(abundance), size=size, p=shares / shares.sum())
    if size >= PERIODIC_FROM:
        edge = (size / DENSITY) ** (1 / 3)
        return BenchmarkSystem(numbers, _strew(size, generator, edge, None), edge * np.eye(3))
    radius = (size / DENSITY * 3 / (4 * np.pi)) ** (1 / 3)
    return BenchmarkSystem(numbers, _strew(size, generator, 2 * radius, radius), None)


def _strew(size: int, generator: np.random.Generator, edge: float, radius: float | None) -> np.ndarray:
    """Positions [size, 3] (nm) in a periodic cube, or in the ball of this radius within it, one after another.

    A place is taken if no earlier atom is closer than CLOSEST.
    """
    cells = max(1, int(edge / CLOSEST))  # along an edge, each at least CLOSEST wide
    inside: dict[tuple[int, ...], list[np.ndarray]] = {}
    neighbours = sorted({tuple(np.array(shift) - 1) for shift in np.ndindex(3, 3, 3)})
    taken: list[np.ndarray] = []
    while len(taken) < size:
        for place in generator.uniform(0, edge, (2 * size, 3)):
            if radius is not None and ((place - radius) ** 2).sum() > radius**2:
                continue
            home = tuple(min(int(x / edge * cells), cells - 1) for x in place)
            cell_keys = {tuple((home[k] + shift[k]) % cells for k in range(3)) for shift in neighbours}
            near = [other for key in cell_keys for other in inside.get(key, ())]
            if near:
                difference = np.array(near) - place
                if radius is None:
                    difference -= edge * np.round(difference / edge)
                if (difference**2).sum(axis=1).min() < CLOSEST**2:
                    continue
            inside.setdefault(home, []).append(place)
            taken.append(place)
            if len(taken) == size:
                break
    return np.array(taken)
