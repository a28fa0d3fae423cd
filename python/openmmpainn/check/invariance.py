# SPDX-License-Identifier: MIT
"""Rotation and reflection, translation, permutation, and fragments out of each other's reach."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .report import Row, judge
from .subject import Subject, random_rotation, worst

__all__ = ["check"]

REPEATS = 10  # random moves a structure
GRID = 2.0**-30  # nm; positions on it can be shifted by 1e3 nm without rounding


def check(subject: Subject, advance: Callable[[float], None]) -> list[Row]:
    """All rows of this module. ``advance`` is told each share of the work that is done."""
    generator = np.random.default_rng(subject.seed)
    found: dict[str, list[tuple[float, float]]] = {"rotation": [], "translation": [], "permutation": []}
    rotated_kj: list[float] = []
    for index, structure in enumerate(subject.structures):
        numbers = structure.numbers
        positions = np.round(structure.positions / GRID) * GRID
        energy, forces = subject.evaluate(numbers, positions)
        scale, force_scale = subject.energy_scale(index, energy), subject.force_scale(index)

        def compare(name: str, other: float, back: np.ndarray, here=(energy, forces, scale, force_scale)) -> None:
            found[name].append((abs(other - here[0]) / here[2], worst(back - here[1]) / here[3]))

        for repeat in range(REPEATS):
            turn = random_rotation(generator) * (-1 if repeat % 2 else 1)  # every second one with an inversion
            other, turned = subject.evaluate(numbers, positions @ turn.T)
            compare("rotation", other, turned @ turn)
            rotated_kj.append(abs(other - energy))
            reach = 1e3 if subject.double else 1.0
            shift = np.round(generator.uniform(-reach, reach, size=3) / GRID) * GRID
            compare("translation", *subject.evaluate(numbers, positions + shift))
            order = generator.permutation(len(structure.numbers))
            other, permuted = subject.evaluate([numbers[i] for i in order], positions[order])
            back = np.empty_like(permuted)
            back[order] = permuted
            compare("permutation", other, back)
            advance(0.9 / (REPEATS * len(subject.structures)))

    bars = {"rotation": (1e-12, 1e-11), "translation": (1e-12, 1e-11), "permutation": (1e-13, 1e-12)}
    if not subject.double:
        bars = dict.fromkeys(bars, (3e-6, 3e-5))
    rows = []
    for name, errors in found.items():
        error_e, error_f = worst([e for e, _ in errors]), worst([f for _, f in errors])
        bar_e, bar_f = bars[name]
        text = _figures(error_e, bar_e, error_f, bar_f)
        if name == "rotation":
            text += f"; largest change {worst(rotated_kj):.2g} kJ/mol"
        ratio = worst([error_e / bar_e, error_f / bar_f])
        judged = subject.sound or name != "rotation"
        rows.append(judge(name, ratio, 1.0, text, judged=judged, energy=error_e, forces=error_f))
    return [*rows, _separation(subject)]


def _figures(error_e: float, bar_e: float, error_f: float, bar_f: float) -> str:
    """Both errors, each with what is allowed."""
    return (
        f"energy {error_e:.1e} of the interaction (<= {bar_e:.0e}), forces {error_f:.1e} of their RMS (<= {bar_f:.0e})"
    )


def _separation(subject: Subject) -> Row:
    """Two structures beyond each other's cutoff: energies add up, forces are those of each alone."""
    first, second = subject.structures[0], subject.structures[-1]
    e1, f1 = subject.evaluate(first.numbers, first.positions)
    e2, f2 = subject.evaluate(second.numbers, second.positions)
    gap = np.array([np.ptp(first.positions[:, 0]) + np.ptp(second.positions[:, 0]) + 2 * subject.cutoff, 0, 0])
    start = first.positions[:, 0].min() - second.positions[:, 0].min()
    placed = second.positions + np.array([start, 0, 0]) + gap
    energy, forces = subject.evaluate([*first.numbers, *second.numbers], np.vstack([first.positions, placed]))
    scale = subject.energy_scale(0, energy) + subject.energy_scale(len(subject.structures) - 1, energy)
    error_e = abs(energy - e1 - e2) / scale
    error_f = worst(forces - np.vstack([f1, f2])) / subject.typical_force
    bar_e, bar_f = (1e-12, 1e-11) if subject.double else (3e-6, 3e-5)
    text = "two molecules apart: " + _figures(error_e, bar_e, error_f, bar_f)
    return judge("separation", worst([error_e / bar_e, error_f / bar_f]), 1.0, text, energy=error_e, forces=error_f)
