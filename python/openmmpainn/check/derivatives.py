# SPDX-License-Identifier: MIT
"""Forces against finite differences of the energy, over a scan of step sizes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..evaluator import Evaluator
from .report import Row, judge
from .subject import Subject, worst

__all__ = ["check", "central_difference", "finite_difference_scan"]

STEPS = np.geomspace(1e-6, 1e-2, 13)  # nm
COORDINATES = 12  # a structure, chosen at random
BEYOND = 1e4  # the scan ends where the error has grown so much above its floor
STENCIL = ((-2, 1 / 12), (-1, -8 / 12), (1, 8 / 12), (2, -1 / 12))  # f' from 5 points, error of order h^4


def central_difference(function: Callable[[float], float], step: float) -> float:
    """The derivative of ``function`` at 0 by the 5-point stencil."""
    return sum(weight * function(k * step) for k, weight in STENCIL) / step


def finite_difference_scan(
    evaluator: Evaluator,
    numbers: Sequence[int],
    positions: np.ndarray,
    coordinates: Sequence[int],
    steps: Sequence[float] = STEPS,
    advance: Callable[[float], None] = lambda share: None,
) -> np.ndarray:
    """The largest error of a force component for each step size.

    Parameters
    ----------
    evaluator : Evaluator
        Of the model.
    numbers : sequence of int [N]
        Atomic numbers.
    positions : array [N, 3]
        nm.
    coordinates : sequence of int
        Which of the 3 N coordinates to move.
    steps : sequence of float
        nm.
    advance : callable
        Told each share of the work that is done.

    Returns
    -------
    array [<= len(steps)]
        In units of the root mean square of the force components. Large steps suffer from the stencil, small ones from
        rounding: the floor between them is the figure to quote. Steps far beyond the floor are left out.
    """
    forces = evaluator.compute([(numbers, positions)])[1][0].ravel()
    scale = max(float(np.sqrt((forces**2).mean())), 1e-12)
    errors = []
    for step in steps:
        differences = []
        for coordinate in coordinates:

            def energy(distance: float, coordinate: int = coordinate) -> float:
                moved = positions.copy()
                moved.ravel()[coordinate] += distance
                return evaluator.compute([(numbers, moved)], forces=False)[0][0]

            differences.append(central_difference(energy, step) + forces[coordinate])
        errors.append(worst(differences) / scale)
        advance(1 / len(steps))
        if errors[-1] > BEYOND * min(errors):
            break
    return np.array(errors)


def _steps_inside(positions: np.ndarray, cutoff: float) -> np.ndarray:
    """The step sizes that carry no pair across the cutoff, where the stencil's own error would be seen."""
    i, j = np.triu_indices(len(positions), 1)
    distances = np.linalg.norm(positions[i] - positions[j], axis=1)
    nearest = np.abs(distances - cutoff).min(initial=np.inf)
    return STEPS[: max(1, np.count_nonzero(nearest > 2 * STEPS))]


def check(subject: Subject, advance: Callable[[float], None]) -> list[Row]:
    """The row of this module. ``advance`` is told each share of the work that is done."""
    generator = np.random.default_rng(subject.seed)
    floors, best, bars = [], [], []
    for index, structure in enumerate(subject.structures):
        coordinates = generator.permutation(3 * len(structure.numbers))[:COORDINATES]
        steps = _steps_inside(structure.positions, subject.cutoff)
        errors = finite_difference_scan(
            subject.evaluator,
            structure.numbers,
            structure.positions,
            coordinates,
            steps,
            lambda share: advance(share / len(subject.structures)),
        )
        at = int(np.argmin(errors)) if np.isfinite(errors).all() else 0
        floors.append(float(errors[at]))
        best.append(float(steps[at]))
        # What the last bits of the energy alone make of the difference: much where the energy is large.
        energy = subject.energy(structure.numbers, structure.positions)
        rounding = 4 * np.spacing(abs(energy)) / steps[at] / subject.force_scale(index)
        bars.append(float(1e-9 + rounding) if subject.double else 1e-3)
    worst_index = int(np.argmax(np.nan_to_num(np.array(floors) / bars, nan=np.inf)))
    value, bar = floors[worst_index], bars[worst_index]
    text = (
        f"forces differ from the slope of the energy by {value:.1e} of their RMS (<= {bar:.1e}); steps scanned from "
        f"{STEPS[0]:.0e} to {STEPS[-1]:.0e} nm, best {min(best):.1e} to {max(best):.1e}"
    )
    return [judge("finite differences", value, bar, text, floors=floors, bars=bars)]
