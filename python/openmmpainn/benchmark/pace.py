# SPDX-License-Identifier: MIT
"""What a call for many atoms will take, to leave out what takes too long."""

from __future__ import annotations

from ..progress import format_seconds

__all__ = ["OVERHEAD_UP_TO", "Pace"]

OVERHEAD_UP_TO = 50  # atoms


class Pace:
    """Foresees times from those of smaller systems.

    Parameters
    ----------
    longest : float
        How long a call may take, s.
    """

    def __init__(self, longest: float) -> None:
        self.longest = longest
        # By who did it: s an atom, and whether it is from a row of many atoms.
        self._paces: dict[str, tuple[float, bool]] = {}

    def note(self, who: str, seconds: float, atoms: int) -> None:
        """Keep the slowest of the rows of many atoms, or the last of the small ones, which are mostly overhead."""
        pace, many = seconds / atoms, atoms > OVERHEAD_UP_TO
        slowest, was_many = self._paces.get(who, (0.0, False))
        if many or not was_many:
            self._paces[who] = (max(pace, slowest) if was_many else pace, many)

    def too_long(self, who: str, atoms: int) -> str | None:
        """Why a call for so many atoms is left out; None if it is not."""
        expected = self._paces.get(who, (0.0, False))[0] * atoms
        return f"one call would take about {format_seconds(expected)}" if expected > self.longest else None
