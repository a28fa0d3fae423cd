# SPDX-License-Identifier: MIT
"""Cells of any shape and orientation as the boxes that OpenMM takes."""

from __future__ import annotations

import numpy as np

__all__ = ["reduced_box"]


def _lower_triangular(cell: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``cell`` = ``box`` @ ``rotation`` with a along x, b in the xy plane and a positive diagonal."""
    q, r = np.linalg.qr(cell.T)  # cell = r.T @ q.T
    signs = np.where(np.diag(r) < 0, -1.0, 1.0)
    return r.T * signs, (q * signs).T


def _shorten(box: np.ndarray) -> np.ndarray:
    """Take whole earlier vectors off the later ones until OpenMM's conditions hold; the lattice stays the same."""
    a, b, c = box
    c = c - b * np.round(c[1] / b[1])
    c = c - a * np.round(c[0] / a[0])
    b = b - a * np.round(b[0] / a[0])
    return np.array([a, b, c])


def reduced_box(cell: np.ndarray, rotate: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """The reduced box of OpenMM that has the same lattice as a cell, and the rotation to it.

    A position x of the original frame is ``rotation @ x`` in the frame of the box; a force F there is
    ``rotation.T @ F`` in the original one.

    Parameters
    ----------
    cell : array [3, 3]
        The cell vectors as rows, in any unit of length. Left-handed cells and any orientation are allowed.
    rotate : bool
        If False, a cell that would need a rotation is an error.

    Returns
    -------
    box : array [3, 3]
        The box vectors as rows: a along x, b in the xy plane, |b_x| and |c_x| <= a_x / 2, |c_y| <= b_y / 2.
    rotation : array [3, 3]
        A proper rotation; exactly the identity if none is needed.

    Raises
    ------
    ValueError
        If the vectors span no volume, or a rotation is needed and not allowed.
    """
    cell = np.array(cell, dtype=np.float64)
    lengths = np.linalg.norm(cell, axis=1)
    volume = np.linalg.det(cell)
    if not np.isfinite(cell).all() or lengths.min() <= 0 or abs(volume) < 1e-9 * np.prod(lengths):
        raise ValueError("the cell needs three vectors that span a volume")
    if volume < 0:
        cell[2] *= -1  # the same lattice, right-handed
    plain = None
    if not cell[[0, 0, 1], [1, 2, 2]].any() and np.diag(cell).min() > 0:
        plain = _shorten(cell)
    if not rotate:
        if plain is None:
            raise ValueError(
                "the cell would have to be rotated: its first vector is not along x, or its second not in xy"
            )
        return plain, np.eye(3)
    # The shortest vectors of the lattice: OpenMM's conditions alone leave some cells narrower than they are.
    box, rotation = _lower_triangular(_shortest(cell))
    box = _shorten(box)
    if plain is not None and np.diag(plain).min() > np.diag(box).min() * (1 - 1e-9):
        return plain, np.eye(3)
    return box, rotation


def _shortest(cell: np.ndarray) -> np.ndarray:
    """Three short, right-handed vectors of the lattice (Minkowski's reduction, by ASE)."""
    from ase.geometry.minkowski_reduction import minkowski_reduce

    shortest = np.asarray(minkowski_reduce(cell)[0], dtype=np.float64)
    if np.linalg.det(shortest) < 0:
        shortest *= -1
    return shortest
