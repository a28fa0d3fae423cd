# SPDX-License-Identifier: MIT
"""What is being checked, and the scales that errors are measured in."""

from __future__ import annotations

import itertools
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..evaluator import Evaluator
from ..structures import Structure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .. import PaiNNStudentModel

__all__ = ["Subject", "random_rotation", "worst"]

DOUBLE_PRECISION = ("Reference",)  # platforms whose network runs in double precision
MANY_ELEMENTS = 8


def worst(values: Sequence[float] | np.ndarray) -> float:
    """The largest of the absolute values, NaN if any of them is NaN, 0 of none."""
    absolute = np.abs(np.asarray(values, dtype=float)).ravel()
    return float(absolute.max()) if absolute.size else 0.0


def random_rotation(generator: np.random.Generator) -> np.ndarray:
    """A proper rotation [3, 3], uniformly distributed."""
    q, r = np.linalg.qr(generator.normal(size=(3, 3)))
    q *= np.sign(np.diag(r))
    return q * np.sign(np.linalg.det(q))


class Subject:
    """A model with the structures to check it with, on one platform.

    Parameters
    ----------
    model : PaiNNStudentModel
        The network.
    summary : dict
        Of `openmmpainn.summary.model_summary`.
    structures : sequence of Structure
        Their cells are not used.
    platform : str
        The platform.
    seed : int
        For everything random.
    """

    def __init__(
        self,
        model: PaiNNStudentModel,
        summary: dict[str, Any],
        structures: Sequence[Structure],
        platform: str,
        seed: int,
    ) -> None:
        self.evaluator = Evaluator(model, platform)
        self.model, self.summary, self.structures, self.platform = model, summary, list(structures), platform
        self.seed = seed
        self.double = platform in DOUBLE_PRECISION
        self.cutoff: float = summary["cutoff"]  # nm
        metadata = summary["metadata"]
        self.sound = metadata["family"] != "student"  # not of the family with known flaws
        functions = [metadata["cutoff_function"], metadata.get("envelope")]
        # Whether the second derivative goes to 0 at the cutoff: the polynomial's does, the cosine's does not.
        self.smooth = self.sound and any(f is not None and f["type"] == "polynomial" for f in functions)

    def evaluate(
        self, numbers: Sequence[int], positions: np.ndarray, evaluator: Evaluator | None = None
    ) -> tuple[float, np.ndarray]:
        """Energy (kJ/mol) and forces [N, 3] (kJ/mol/nm) at positions [N, 3] (nm), by another evaluator if given."""
        [energy], [forces] = (evaluator or self.evaluator).compute([(numbers, positions)])
        return float(energy), forces

    def energy(self, numbers: Sequence[int], positions: np.ndarray) -> float:
        """The energy alone (kJ/mol) at positions [N, 3] (nm)."""
        return float(self.evaluator.compute([(numbers, positions)], forces=False)[0][0])

    @cached_property
    def scan_elements(self) -> list[int]:
        """The elements to scan pairs of: all the model was trained on, or those of the structures if they are many."""
        elements = self.summary["metadata"].get("trained_elements") or self.summary["elements"]
        elements = sorted(set(elements) & set(self.summary["elements"]))
        if len(elements) > MANY_ELEMENTS:
            elements = sorted({number for structure in self.structures for number in structure.numbers})
        return elements

    def pairs(self) -> list[tuple[int, int]]:
        """All pairs of `scan_elements`, each once."""
        return list(itertools.combinations_with_replacement(self.scan_elements, 2))

    @cached_property
    def _scales(self) -> list[tuple[float, float]]:
        scales = []
        for structure in self.structures:
            alone = {z: self.energy([z], np.zeros((1, 3))) for z in set(structure.numbers)}
            references = np.array([alone[z] for z in structure.numbers])
            [energies] = self.evaluator.computeParticleEnergies([(structure.numbers, structure.positions)])
            bound = np.abs(energies - references).sum()
            forces = self.evaluate(structure.numbers, structure.positions)[1]
            scales.append((float(bound), float(np.sqrt((forces**2).mean()))))
        return scales

    def energy_scale(self, index: int, energy: float) -> float:
        """What energy errors of structure ``index`` are measured in, kJ/mol.

        The sum over atoms of what the network adds to the isolated atom, and 1e4 times the spacing of doubles at the
        total energy, which atom references can make large.
        """
        return self._scales[index][0] + 1e4 * np.spacing(abs(energy))

    def force_scale(self, index: int) -> float:
        """The root mean square of the force components of structure ``index``, kJ/mol/nm."""
        return max(self._scales[index][1], 1e-12)

    @cached_property
    def typical_force(self) -> float:
        """The largest `force_scale`, kJ/mol/nm: for fragments that have hardly a force of their own."""
        return max(self.force_scale(index) for index in range(len(self.structures)))
