# SPDX-License-Identifier: MIT
"""Cells of any size, periodic along any of their vectors, as boxes in which one image at most is within the cutoff."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .boxes import reduced_box

__all__ = ["PlacedCell", "place_cell"]

MOST_COPIES = 1000


@dataclass
class PlacedCell:
    """A structure as an Evaluator takes it.

    Attributes
    ----------
    molecule : tuple
        Atomic numbers, positions (nm) and box (nm) or None; the first atoms are those of the structure, copies follow.
    rotation : array [3, 3]
        From the frame of the structure to that of the box.
    copies : int
        How often the structure is in the box.
    """

    molecule: tuple[Any, ...]
    rotation: np.ndarray
    copies: int

    def result(self, energy: float, forces: np.ndarray) -> tuple[float, np.ndarray]:
        """Energy and forces of one copy in its own frame."""
        return float(energy) / self.copies, forces[: len(forces) // self.copies] @ self.rotation


def place_cell(
    numbers: np.ndarray, positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray, cutoff: float, may_rotate: bool
) -> PlacedCell:
    """Make a box of a structure.

    Parameters
    ----------
    numbers : int array [n]
        Atomic numbers.
    positions : array [n, 3]
        nm.
    cell : array [3, 3]
        Cell vectors as rows, nm. Those that are not periodic are not read.
    pbc : bool array [3]
        Which cell vectors are periodic.
    cutoff : float
        nm.
    may_rotate : bool
        Whether the frame may be rotated.

    Raises
    ------
    ValueError
        If the periodic cell vectors are dependent, have to be rotated and must not be, or are so short that more than
        a thousand copies of the cell were needed.
    """
    pbc = np.asarray(pbc, dtype=bool)
    if not pbc.any():
        return PlacedCell((numbers, positions), np.eye(3), 1)
    if not np.isfinite(positions).all():
        raise ValueError("a position is not a finite number")
    cell = _with_vacuum(positions, np.array(cell, dtype=np.float64), pbc, cutoff)
    repeats = np.where(pbc, np.maximum(1, np.ceil(2 * cutoff / _widths(cell) - 1e-9)), 1).astype(int)
    while True:
        if np.prod(repeats) > MOST_COPIES:
            raise ValueError(f"the cell is too small: more than {MOST_COPIES} copies of it are within the cutoff")
        try:
            box, rotation = reduced_box(cell * repeats[:, None], may_rotate)
        except ValueError as error:
            reason = "" if may_rotate else ", which would change the energy of a model that is not rotation invariant"
            raise ValueError(f"{error}{reason}") from None
        if np.diag(box).min() >= 2 * cutoff:
            break
        # The shortest vectors of a wide lattice can still span layers that are close: widen where it is narrowest.
        narrow = np.where(pbc, _widths(cell) * repeats, np.inf)
        repeats[int(np.argmin(narrow))] += 1
    grid = np.array(np.meshgrid(*[np.arange(n) for n in repeats], indexing="ij")).reshape(3, -1).T
    copies = len(grid)
    images = (positions[None] + (grid @ cell)[:, None]).reshape(-1, 3)
    return PlacedCell((np.tile(numbers, copies), images @ rotation.T, box), rotation, copies)


def _widths(cell: np.ndarray) -> np.ndarray:
    """The distance of opposite faces, for each cell vector."""
    return 1 / np.linalg.norm(np.linalg.inv(cell), axis=0)


def _with_vacuum(positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray, cutoff: float) -> np.ndarray:
    """The cell with vectors at right angles to the periodic ones in place of the others, beyond everyone's reach."""
    periodic = cell[pbc]
    if np.linalg.matrix_rank(periodic, tol=1e-9 * max(1e-300, np.abs(periodic).max(initial=0))) < len(periodic):
        raise ValueError("the cell needs periodic vectors that are not zero and independent of one another")
    cell = cell.copy()
    free = np.flatnonzero(~pbc)
    if free.size:
        # Directions that keep the axes of the frame where they can: the rest of an orthonormal basis, as near to the
        # axes of the same number as it goes.
        inside = np.linalg.qr(periodic.T)[0]
        outside = np.eye(3)[free] - (np.eye(3)[free] @ inside) @ inside.T
        for row, axis in enumerate(free):
            direction = outside[row] - sum((cell[k] @ outside[row]) / (cell[k] @ cell[k]) * cell[k] for k in free[:row])
            if np.linalg.norm(direction) < 1e-3:
                basis = np.linalg.svd(np.vstack([periodic, *(cell[k][None] for k in free[:row])]))[2]
                direction = basis[-1]
            direction /= np.linalg.norm(direction)
            reach = np.ptp(positions @ direction) if len(positions) else 0.0
            cell[axis] = direction * (reach + 2.1 * cutoff)
    return cell
