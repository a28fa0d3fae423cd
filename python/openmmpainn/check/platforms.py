# SPDX-License-Identifier: MIT
"""Do all platforms of this machine give the same energies and forces, and does PyTorch?"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import openmm

from ..evaluator import Evaluator
from ..platforms import platform_names
from ..torch_engine import why_no_torch
from .report import FAIL, SKIPPED, Row, judge
from .subject import Subject, worst

__all__ = ["check"]

TRUTH = "Reference"
# Median and largest force error in units of the RMS, energy error in kJ/mol an atom.
SINGLE, DOUBLE = (2e-6, 3e-5, 2e-5), (2e-12, 1e-11, 1e-10)


def _why_unusable(platform: openmm.Platform) -> str | None:
    """Why OpenMM itself cannot use a platform here (no device, no driver); None if it can."""
    system, bond = openmm.System(), openmm.HarmonicBondForce()  # two particles: one alone crashes OpenMM on PoCL
    system.addParticle(1.0)
    system.addParticle(1.0)
    bond.addBond(0, 1, 0.1, 1.0)
    system.addForce(bond)
    try:
        context = openmm.Context(system, openmm.VerletIntegrator(0.001), platform)
        context.setPositions(0.1 * np.eye(3)[:2])
        context.getState(energy=True)
    except openmm.OpenMMException as error:
        return str(error)
    return None


def check(subject: Subject, advance: Callable[[float], None]) -> list[Row]:
    """A row for each platform but Reference. ``advance`` is told each share of the work that is done."""
    truth = Evaluator(subject.model, TRUTH)
    expected = [subject.evaluate(s.numbers, s.positions, truth) for s in subject.structures]
    rows = []
    for name in platform_names():
        if name == TRUTH:
            continue
        reason = _why_unusable(openmm.Platform.getPlatform(name))
        rows.append(
            Row(f"platform {name}", SKIPPED, f"cannot be used: {reason}")
            if reason
            else _agreement(subject, f"platform {name}", name, SINGLE, expected)
        )
        advance(1 / max(1, len(platform_names()) - 1))
    if not rows:
        rows.append(Row("platforms", SKIPPED, f"there is none but {TRUTH} to compare"))
    return rows + _torch(subject, expected)


def _torch(subject: Subject, expected: list[tuple[float, np.ndarray]]) -> list[Row]:
    """The LibTorch engine on Reference, in double precision, and on the platform that is checked, if it is another."""
    from ..painn import PaiNNStudentForce

    reason = why_no_torch()
    if reason:
        return [Row("LibTorch engine", SKIPPED, reason.removeprefix("PaiNNStudentForce: "))]
    method = PaiNNStudentForce.LibTorch
    rows = [_agreement(subject, "LibTorch engine", TRUTH, DOUBLE, expected, method)]
    if subject.platform != TRUTH:
        rows.append(
            _agreement(subject, f"LibTorch engine, {subject.platform}", subject.platform, SINGLE, expected, method)
        )
    return rows


def _agreement(
    subject: Subject,
    title: str,
    name: str,
    bars: tuple[float, float, float],
    expected: list[tuple[float, np.ndarray]],
    method: int = 0,
) -> Row:
    """A platform, by its kernels or the LibTorch engine, against what is expected."""
    differences: list[np.ndarray] = []
    per_atom: list[float] = []
    try:
        platform = Evaluator(subject.model, name, method=method)
        for index, (structure, (energy, forces)) in enumerate(zip(subject.structures, expected, strict=True)):
            other, other_forces = subject.evaluate(structure.numbers, structure.positions, platform)
            # Of large atom references doubles have no more digits than this.
            rounding = 8 * np.spacing(abs(energy))
            per_atom.append(np.maximum(0.0, abs(other - energy) - rounding) / len(structure.numbers))  # keeps NaN
            differences.append(np.abs(other_forces - forces).ravel() / subject.force_scale(index))
    except openmm.OpenMMException as error:
        return Row(title, FAIL, f"does not run the model: {error}")
    together = np.concatenate(differences)
    median, largest, energy = float(np.median(together)), worst(together), worst(per_atom)
    text = (
        f"against {TRUTH}: energy {energy:.1e} kJ/mol an atom (<= {bars[2]:.0e}), forces {median:.1e} of their RMS in "
        f"the median (<= {bars[0]:.0e}), {largest:.1e} at most (<= {bars[1]:.0e})"
    )
    ratio = worst([median / bars[0], largest / bars[1], energy / bars[2]])
    return judge(title, ratio, 1.0, text, energy=energy, median=median, largest=largest)
