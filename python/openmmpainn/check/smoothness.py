# SPDX-License-Identifier: MIT
"""What happens to energy and force as a pair of atoms crosses the cutoff, and along every bond length."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import openmm

from ..evaluator import Evaluator
from ..structures import symbol
from .derivatives import central_difference
from .report import INFO, SKIPPED, Row, judge
from .subject import Subject, worst

__all__ = ["check_bonds", "check_cutoff"]

AXIS = np.array([0.36, -0.48, 0.80])  # the line along which a pair is pulled apart; no symmetry of anything
OTHER = np.array([-0.60, 0.64, -0.48])  # where a third atom stands: on the far side, out of the moving atom's reach
BOND = 0.12  # nm, from the first to the third atom
SHORTEST = 1e-3  # nm, where bond scans start
POINTS = 120  # a bond scan
SLOPE_BAR = 1e-6  # of the force
DEEP = -2000.0  # kJ/mol; the strongest bond of a pair, in CO, is about -1100


@dataclass
class _Line:
    """Two atoms, and perhaps a third, as a function of the distance (nm) of the first two."""

    subject: Subject
    numbers: list[int]
    third: bool
    name: str
    evaluator: Evaluator | None = None  # the subject's own by default

    def positions(self, distance: float) -> np.ndarray:
        fixed = [np.zeros(3), distance * AXIS]
        return np.array([*fixed, BOND * OTHER] if self.third else fixed)

    def energy(self, distance: float) -> float:
        return self.subject.energy(self.numbers, self.positions(distance))

    def both(self, distance: float) -> tuple[float, float]:
        """The energy (kJ/mol) and the force (kJ/mol/nm) that pulls the second atom outwards."""
        energy, forces = self.subject.evaluate(self.numbers, self.positions(distance), self.evaluator)
        return energy, float(forces[1] @ AXIS)


def check_cutoff(subject: Subject, advance: Callable[[float], None]) -> list[Row]:
    """Jumps of value, slope and curvature at the cutoff: a pair alone, and next to a third atom."""
    lines = []
    for a, b in subject.pairs():
        name = f"{symbol(a)}-{symbol(b)}"
        lines.append(_Line(subject, [a, b], False, name))
        lines.append(_Line(subject, [a, b, a], True, f"{name} beside {symbol(a)}"))
    cutoff = subject.cutoff
    near = 1e-12 if subject.double else 1e-6
    energies, slopes, curvatures = [], [], []
    for line in lines:
        inside, outside = line.both(cutoff * (1 - near)), line.both(cutoff * (1 + near))
        energies.append(abs(inside[0] - outside[0]))
        slopes.append(abs(inside[1] - outside[1]))
        # Outside nothing changes with the distance, so the curvature just inside is the jump: -dF/dd for h -> 0.
        h = 1e-5
        edge = inside[1]
        one, half = ((edge - line.both(cutoff - step)[1]) / step for step in (h, h / 2))
        curvature = abs(2 * half - one)
        grid = np.linspace(cutoff / 2, cutoff, 25)[:-1]
        scale = worst(np.diff([line.both(d)[1] for d in grid]) / (grid[1] - grid[0]))
        curvatures.append(curvature / max(scale, 1e-12))
        advance(1 / len(lines))

    def named(values: list[float]) -> str:
        return f"largest for {lines[int(np.argmax(values))].name}"

    jump, bar = worst(energies), 1e-12 * _size(lines, cutoff) if subject.double else 1e-3
    rows = [
        judge(
            "cutoff: energy",
            jump,
            bar,
            f"jump of {jump:.2g} kJ/mol (<= {bar:.0e}), {named(energies)}",
            judged=subject.sound,
            jumps={line.name: value for line, value in zip(lines, energies, strict=True)},
        )
    ]
    jump, bar = worst(slopes) / subject.typical_force, 1e-10 if subject.double else 1e-4
    text = f"jump of {jump:.1e} of the forces' RMS (<= {bar:.0e}), {named(slopes)}"
    rows.append(judge("cutoff: force", jump, bar, text, judged=subject.sound))
    jump, bar = worst(curvatures), 1e-6
    text = f"jump of {jump:.1e} of its largest value in the outer half (<= {bar:.0e}), {named(curvatures)}"
    if not subject.double:
        rows.append(
            Row("cutoff: curvature", SKIPPED, f"needs double precision, which {subject.platform} is not judged in")
        )
    else:
        if subject.sound and not subject.smooth:
            text += "; its cosine cutoff is only once differentiable"
        rows.append(judge("cutoff: curvature", jump, bar, text, judged=subject.smooth))
    return rows


def _size(lines: list[_Line], cutoff: float) -> float:
    """The largest energy (kJ/mol) met at the cutoff, at least 1: what rounding is measured by."""
    return max(1.0, *(abs(line.energy(cutoff)) for line in lines))


def check_bonds(subject: Subject, advance: Callable[[float], None]) -> list[Row]:
    """Every pair of elements from 0.001 nm to the cutoff: is it finite, and the force the slope of the energy?

    Differences of energies in single precision do not resolve how sharply a network bends there: a platform that is not
    in double precision is compared with Reference.
    """
    pairs = subject.pairs()
    distances = np.geomspace(SHORTEST, subject.cutoff * 0.999, POINTS)
    broken: list[str] = []
    refused: list[str] = []
    mismatches: list[tuple[float, str]] = []
    depths: list[tuple[float, str]] = []
    minima: dict[str, list[float]] = {}
    reference = Evaluator(subject.model, "Reference")
    for a, b in pairs:
        line = _Line(subject, [a, b], False, f"{symbol(a)}-{symbol(b)}")
        truth = None if subject.double else _Line(subject, [a, b], False, line.name, reference)
        energies = []
        for distance in distances:
            energies.append(_scan_point(subject, line, truth, float(distance), broken, refused, mismatches))
            advance(1 / (POINTS * len(pairs)))
        values = np.array(energies)
        apart = line.energy(2 * subject.cutoff)
        deepest = int(np.nanargmin(values)) if np.isfinite(values).any() else 0
        depths.append((float(values[deepest] - apart), f"{line.name} at {distances[deepest]:.4f} nm"))
        lower = (values[1:-1] < values[:-2]) & (values[1:-1] < values[2:])
        minima[line.name] = [round(float(d), 4) for d in distances[1:-1][lower]]
    rows = [
        judge(
            "bond scan: finite",
            len(broken),
            0,
            f"{len(pairs)} pairs of {' '.join(symbol(z) for z in subject.scan_elements)}, {SHORTEST} nm to the cutoff: "
            + (f"not finite at {', '.join(broken[:4])}" if broken else "finite everywhere")
            + (f"; {len(refused)} of {POINTS * len(pairs)} points refused by {subject.platform}" if refused else ""),
        )
    ]
    value, bar = worst([error for error, _ in mismatches]), SLOPE_BAR if subject.double else 1e-2
    where = max(mismatches)[1] if mismatches else "no pair"
    compared = "slope of the energy" if subject.double else "that of Reference"
    text = f"force and {compared} differ by {value:.1e} of the force (<= {bar:.0e}), most for {where}"
    rows.append(judge("bond scan: forces", value, bar, text))
    depth, where = min(depths)
    text = f"lowest energy of a pair, from its atoms apart: {depth:.3g} kJ/mol, {where}"
    if depth < DEEP:
        text += "; no bond is so strong: far inside the wall, where no data were, the network means nothing"
    rows.append(Row("bond scan: depth", INFO, text, details={"depth_kj_mol": depth}))
    several = {name: found for name, found in minima.items() if len(found) > 1}
    listed = "; ".join(f"{name} at {', '.join(f'{d:.3f}' for d in found)} nm" for name, found in several.items())
    rows.append(
        Row(
            "bond scan: minima",
            INFO,
            f"more than one: {listed}" if several else "at most one for each pair",
            details={"minima_nm": minima},
        )
    )
    return rows


def _scan_point(
    subject: Subject,
    line: _Line,
    truth: _Line | None,
    distance: float,
    broken: list[str],
    refused: list[str],
    mismatches: list[tuple[float, str]],
) -> float:
    """One point of a bond scan: adds to the lists; returns the energy (kJ/mol)."""
    # Down to tiny steps, because a vector feature that goes through zero bends |v| and with it the energy sharply.
    steps = distance * np.geomspace(1e-3, 1e-9, 7)
    errors = []
    try:
        energy, force = line.both(distance)
        if truth is not None:
            expected = truth.both(distance)[1]
            errors.append(abs(force - expected) / max(abs(expected), subject.typical_force))
        for step in steps if truth is None else []:
            slope = central_difference(lambda moved: line.energy(distance + moved), step)
            rounding = 10 * np.spacing(abs(energy)) / step  # what the difference cannot resolve
            errors.append(max(0.0, abs(slope + force) - rounding) / max(abs(force), subject.typical_force))
            if errors[-1] < SLOPE_BAR / 10:
                break
    except openmm.OpenMMException:
        if not subject.double:  # forces beyond the range of the platform's buffer must be refused
            refused.append(line.name)
            return float("nan")
        energy = force = float("nan")
    if not np.isfinite([energy, force, *errors]).all():
        broken.append(f"{line.name} {distance:.4f} nm")
        return float("nan")
    mismatches.append((min(errors), f"{line.name} at {distance:.4f} nm"))
    return energy
