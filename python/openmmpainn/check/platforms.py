# SPDX-License-Identifier: MIT
"""Do all platforms of this machine give the same energies and forces?"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import openmm

from ..evaluator import Evaluator
from ..platforms import platform_names
from .report import FAIL, SKIPPED, Row, judge
from .subject import Subject, worst

__all__ = ["check"]

TRUTH = "Reference"
# Single-precision networks: median and largest force error in units of the RMS, energy error in kJ/mol an atom.
MEDIAN, LARGEST, ENERGY = 2e-6, 3e-5, 2e-5


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
            else _agreement(subject, name, expected)
        )
        advance(1 / max(1, len(platform_names()) - 1))
    if not rows:
        rows.append(Row("platforms", SKIPPED, f"there is none but {TRUTH} to compare"))
    return rows


def _agreement(subject: Subject, name: str, expected: list[tuple[float, np.ndarray]]) -> Row:
    differences: list[np.ndarray] = []
    per_atom: list[float] = []
    try:
        platform = Evaluator(subject.model, name)
        for index, (structure, (energy, forces)) in enumerate(zip(subject.structures, expected, strict=True)):
            other, other_forces = subject.evaluate(structure.numbers, structure.positions, platform)
            per_atom.append(abs(other - energy) / len(structure.numbers))
            differences.append(np.abs(other_forces - forces).ravel() / subject.force_scale(index))
    except openmm.OpenMMException as error:
        return Row(f"platform {name}", FAIL, f"does not run the model: {error}")
    together = np.concatenate(differences)
    median, largest, energy = float(np.median(together)), worst(together), worst(per_atom)
    text = (
        f"against {TRUTH}: energy {energy:.1e} kJ/mol an atom (<= {ENERGY:.0e}), forces {median:.1e} of their RMS in "
        f"the median (<= {MEDIAN:.0e}), {largest:.1e} at most (<= {LARGEST:.0e})"
    )
    ratio = worst([energy / ENERGY, median / MEDIAN, largest / LARGEST])
    return judge(f"platform {name}", ratio, 1.0, text, energy=energy, median=median, largest=largest)
