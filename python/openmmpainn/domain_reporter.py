# SPDX-License-Identifier: MIT
"""A reporter that tells when a simulation leaves what its model has seen."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any, TextIO

from .domain import DomainReport, NetworkAtoms
from .structures import symbol

if TYPE_CHECKING:
    from openmm import app

    from .painn import PaiNNStudentForce

__all__ = ["DomainReporter"]

_COLUMNS = ("step", "finding", "elements", "particle 1", "particle 2", "distance (nm)", "shortest seen (nm)")


class DomainReporter:
    """Write a line of CSV for each thing in a simulation that its model has not seen; nothing while all is well.

    It costs a copy of the positions to the host and all distances within each subsystem, at its interval only.

    Parameters
    ----------
    file : str or file
        Where the lines go. A file that is given by name is made with its header, also when nothing is found.
    reportInterval : int
        Steps between looks.
    force : PaiNNStudentForce, optional
        Whose atoms; needed if the System has several.
    """

    def __init__(self, file: str | TextIO, reportInterval: int, force: PaiNNStudentForce | None = None) -> None:
        if int(reportInterval) != reportInterval or reportInterval < 1:
            raise ValueError(f"reportInterval is {reportInterval}; it is a number of steps, 1 or more")
        self._interval, self._force = int(reportInterval), force
        self._file = open(file, "w", newline="") if isinstance(file, str) else file  # noqa: SIM115
        self._ours = isinstance(file, str)
        self._writer = csv.writer(self._file)
        self._writer.writerow(_COLUMNS)
        self._atoms: NetworkAtoms | None = None
        self._last: DomainReport | None = None
        self._outside = 0

    def __del__(self) -> None:
        if getattr(self, "_ours", False):
            self._file.close()

    def getNumReportsOutside(self) -> int:
        """How many looks found something."""
        return self._outside

    def getLastReport(self) -> DomainReport | None:
        """What the last look found; None before the first."""
        return self._last

    def describeNextReport(self, simulation: app.Simulation) -> dict[str, Any]:
        """When the next look is due and what it needs, for Simulation."""
        steps = self._interval - simulation.currentStep % self._interval
        return {"steps": steps, "periodic": False, "include": ["positions"]}

    def report(self, simulation: app.Simulation, state: Any) -> None:
        """Look, and write what is found."""
        if self._atoms is None:
            self._atoms = NetworkAtoms(simulation.system, self._force)
        found = self._last = self._atoms.check(state)
        if found.isInside:
            return
        self._outside += 1
        step = simulation.currentStep
        for number in found.untrainedElements:
            self._writer.writerow((step, "element not trained", symbol(number), "", "", "", ""))
        kinds = [("too close", contact, f"{seen:.5f}") for contact, seen in found.tooClose]
        kinds += [("elements not seen together", contact, "") for contact in found.unseenPairs]
        kinds += [("bond not seen", contact, "") for contact in found.unseenBonds]
        for kind, contact, seen in kinds:
            name = "-".join(map(symbol, contact.elements))
            self._writer.writerow((step, kind, name, *contact.atoms, f"{contact.distance:.5f}", seen))
        self._file.flush()
