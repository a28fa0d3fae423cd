# SPDX-License-Identifier: MIT
"""The rows of a check and how they are printed."""

from __future__ import annotations

import textwrap
from dataclasses import asdict, dataclass, field
from typing import Any

from ..structures import symbol

__all__ = ["FAIL", "INFO", "PASS", "SKIPPED", "UNRESOLVED", "WARN", "Report", "Row", "judge"]

PASS, FAIL = "pass", "FAIL"
WARN = "warn"  # a known flaw of the model: printed, not judged
INFO = "info"  # a number without a bar
UNRESOLVED = "unresolved"  # the test was too short to tell
SKIPPED = "skipped"


@dataclass
class Row:
    """One check.

    Attributes
    ----------
    name : str
        What was checked.
    status : str
        ``pass``, ``FAIL``, ``warn``, ``info``, ``unresolved`` or ``skipped``.
    text : str
        What was found, with units.
    value, bar : float or None
        The figure that was judged and the one it must not exceed.
    details : dict
        More figures.
    """

    name: str
    status: str
    text: str
    value: float | None = None
    bar: float | None = None
    details: dict[str, Any] = field(default_factory=dict)


def judge(name: str, value: float, bar: float, text: str, *, judged: bool = True, **details: Any) -> Row:
    """A row that passes if ``value`` <= ``bar``, so never for NaN; what is not judged warns instead."""
    status = PASS if value <= bar else FAIL if judged else WARN
    return Row(name, status, text, float(value), bar, details)


@dataclass
class Report:
    """All that a check found.

    Attributes
    ----------
    model : dict
        The model; see `openmmpainn.summary.model_summary`.
    structures : list of str
        The structures it was checked with.
    platform : str
        The platform it was checked on.
    rows : list of Row
        The checks.
    """

    model: dict[str, Any]
    structures: list[str]
    platform: str
    rows: list[Row]

    @property
    def failed(self) -> bool:
        """Whether any row failed."""
        return any(row.status == FAIL for row in self.rows)

    def to_dict(self) -> dict[str, Any]:
        """The report as plain values, for JSON."""
        return {
            "model": self.model,
            "structures": self.structures,
            "platform": self.platform,
            "rows": [asdict(row) for row in self.rows],
            "failed": self.failed,
        }

    def to_text(self) -> str:
        """The report for people."""
        elements = " ".join(symbol(number) for number in self.model["elements"])
        lines = [
            f"Model       {self.model['name'] or '(no name)'}: {self.model['architecture']}",
            f"            {self.model['parameters']:,} weights, cutoff {self.model['cutoff']:.4g} nm",
            f"Elements    {elements}",
            f"Structures  {', '.join(self.structures)}",
            f"Platform    {self.platform}",
            "",
        ]
        width = max(len(row.name) for row in self.rows)
        for row in self.rows:
            first = f"{row.status:<10}  {row.name:<{width}}  "
            lines += textwrap.wrap(row.text, 120, initial_indent=first, subsequent_indent=" " * len(first))
        if self.model["warnings"]:
            lines += ["", "Warnings of the model:"]
            for warning in self.model["warnings"]:
                lines += textwrap.wrap(warning, 120, initial_indent="- ", subsequent_indent="  ")
        counts = {status: sum(row.status == status for row in self.rows) for status in (PASS, FAIL, WARN, UNRESOLVED)}
        passed, failed, warned, unresolved = counts.values()
        summary = [f"{passed} passed", f"{failed} failed"]
        summary += [f"{warned} not judged, as the model is known for it"] if warned else []
        summary += [f"{unresolved} unresolved"] if unresolved else []
        return "\n".join([*lines, "", ", ".join(summary)])
