# SPDX-License-Identifier: MIT
"""Physics checks of a model: invariances, smoothness, forces, energy drift, agreement of all platforms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..progress import Progress
from ..structures import Structure, default_structures, require_elements
from ..summary import model_summary
from . import derivatives, dynamics, invariance, platforms, smoothness
from .report import Report, Row
from .subject import Subject

if TYPE_CHECKING:
    from .. import PaiNNStudentModel

__all__ = ["Report", "Row", "check_model"]

MAX_STRUCTURES = 5


def check_model(
    model: PaiNNStudentModel,
    structures: Sequence[Structure] | None = None,
    *,
    platform: str = "Reference",
    seed: int = 0,
    nve_steps: int = 400,
    show_progress: bool = False,
) -> Report:
    """Check a model.

    Parameters
    ----------
    model : PaiNNStudentModel
        The network.
    structures : sequence of Structure, optional
        What to check it with; at most 5, evenly chosen, are used, without their cells. By default small molecules of
        the model's elements.
    platform : str
        The OpenMM platform to check on. All others are compared with Reference.
    seed : int
        For everything random.
    nve_steps : int
        Steps of 0.5 fs in each of the 8 constant-energy runs; 0 leaves them out.
    show_progress : bool
        Show the progress on stderr.

    Returns
    -------
    Report
        One row a check.

    Raises
    ------
    ValueError
        If there is no such platform, or a structure holds an element the model does not know.
    """
    summary = model_summary(model)
    elements = summary["metadata"].get("trained_elements") or summary["elements"]
    if structures is None:
        chosen = default_structures(set(elements) & set(summary["elements"]), seed)
    else:
        require_elements(structures, summary["elements"])
        count = min(len(structures), MAX_STRUCTURES)
        chosen = [structures[i * (len(structures) - 1) // max(count - 1, 1)] for i in range(count)]
    subject = Subject(model, summary, chosen, platform, seed)
    parts = [
        ("rotation, translation, permutation", 2.0, invariance.check),
        ("cutoff", 2.0, smoothness.check_cutoff),
        ("finite differences", 5.0, derivatives.check),
        ("bond scans", 3.0, smoothness.check_bonds),
        ("constant energy", 8.0 if nve_steps else 0.0, lambda s, advance: dynamics.check(s, nve_steps, advance)),
        ("platforms", 1.0, platforms.check),
    ]
    rows: list[Row] = []
    with Progress("check", sum(weight for _, weight, _ in parts), show_progress) as progress:
        for name, weight, part in parts:
            before = progress.done
            rows += part(subject, lambda share, weight=weight, name=name: progress.advance(weight * share, name))
            progress.advance(before + weight - progress.done)
    return Report(summary, [structure.name for structure in chosen], platform, rows)
