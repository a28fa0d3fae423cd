# SPDX-License-Identifier: MIT
"""Structures that dynamics at room temperature does not visit, so that the student learns its walls.

Each function takes positions [N, 3] (angstrom) and returns new ones.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from .molecules import Molecule

__all__ = ["bring_together", "distort", "shake", "stretch"]

# Radii in angstrom. Covalent: Cordero et al. 2008 (single bonds). Contacts: Bondi 1964, B from Mantina et al. 2009.
COVALENT_RADII = {
    **{1: 0.31, 5: 0.84, 6: 0.76, 7: 0.71, 8: 0.66, 9: 0.57, 14: 1.11, 15: 1.07, 16: 1.05, 17: 1.02},
    **{34: 1.20, 35: 1.20, 53: 1.39},
}
CONTACT_RADII = {
    **{1: 1.20, 5: 1.92, 6: 1.70, 7: 1.55, 8: 1.52, 9: 1.47, 14: 2.10, 15: 1.80, 16: 1.80, 17: 1.75},
    **{34: 1.90, 35: 1.85, 53: 1.98},
}


def _bond_distances(molecule: Molecule) -> np.ndarray:
    """The number of bonds between each two atoms, [N, N]."""
    N = len(molecule.numbers)
    neighbours: list[list[int]] = [[] for _ in range(N)]
    for a, b in molecule.bonds:
        neighbours[a].append(b)
        neighbours[b].append(a)
    distances = np.full((N, N), N)
    for start in range(N):
        distances[start, start] = 0
        queue = deque([start])
        while queue:
            atom = queue.popleft()
            for other in neighbours[atom]:
                if distances[start, other] == N:
                    distances[start, other] = distances[start, atom] + 1
                    queue.append(other)
    return distances


def _side(molecule: Molecule, a: int, b: int) -> np.ndarray:
    """Which atoms hang on b when the bond a-b is cut, bool [N]; empty of truth if the bond is in a ring."""
    N = len(molecule.numbers)
    inside = np.zeros(N, dtype=bool)
    inside[b] = True
    grown = True
    while grown:
        grown = False
        for x, y in molecule.bonds:
            if {x, y} != {a, b} and inside[x] != inside[y]:
                inside[x] = inside[y] = True
                grown = True
    return np.zeros(N, dtype=bool) if inside[a] else inside


def shake(molecule: Molecule, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """All atoms moved at random, light atoms more, as high normal modes would: 0.02 to 0.15 angstrom."""
    scale = np.sqrt(12.0 / np.maximum(np.array(molecule.masses), 4.0))[:, None]
    return x + rng.uniform(0.02, 0.10) * scale * rng.normal(size=x.shape)


def stretch(molecule: Molecule, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One bond made 0.68 to 1.6 times as long, what hangs on it moving along; shakes if the bond is in a ring."""
    a, b = molecule.bonds[rng.integers(len(molecule.bonds))]
    side = _side(molecule, a, b)
    if not side.any():
        return shake(molecule, x, rng)
    factor = rng.uniform(0.68, 1.0) if rng.random() < 0.6 else rng.uniform(1.0, 1.6)
    return x + side[:, None] * (factor - 1) * (x[b] - x[a])


def bring_together(molecule: Molecule, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Two atoms that share no bond brought to 0.5 to 0.95 of the sum of their contact radii; neighbours follow."""
    bonds = _bond_distances(molecule)
    d = np.linalg.norm(x[:, None] - x[None], axis=-1)
    pairs = np.argwhere((bonds >= 2) & (d < 4.5) & np.triu(np.ones_like(bonds, dtype=bool), 1))
    if len(pairs) == 0:
        return shake(molecule, x, rng)
    far = pairs[bonds[pairs[:, 0], pairs[:, 1]] >= 3]
    chosen = far if len(far) and rng.random() < 0.7 else pairs
    i, j = chosen[rng.integers(len(chosen))]
    wanted = rng.uniform(0.5, 0.95) * (CONTACT_RADII[molecule.numbers[i]] + CONTACT_RADII[molecule.numbers[j]])
    if wanted >= d[i, j]:
        wanted = rng.uniform(0.75, 1.0) * d[i, j]
    step = 0.5 * (d[i, j] - wanted) * (x[j] - x[i]) / d[i, j]
    follow = np.array([1.0, 0.55, 0.15])  # atoms 0, 1 and 2 bonds away
    weight_i = np.where(bonds[i] < 3, follow[np.minimum(bonds[i], 2)], 0.0)
    weight_j = np.where(bonds[j] < 3, follow[np.minimum(bonds[j], 2)], 0.0)
    weight_i[j] = weight_j[i] = 0.0
    return x + weight_i[:, None] * step - weight_j[:, None] * step


def distort(molecule: Molecule, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One of the above at random; shaken a little besides."""
    kinds = (shake, stretch, bring_together)
    y = kinds[rng.choice(3, p=(0.3, 0.35, 0.35))](molecule, x, rng)
    return y + 0.02 * rng.normal(size=x.shape)
