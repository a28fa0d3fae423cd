# SPDX-License-Identifier: MIT
"""A Simulation around the Context of a replica: reporters and files."""

from __future__ import annotations

from typing import Any

import openmm
from openmm import app


class ReplicaSimulation(app.Simulation):
    """An openmm.app.Simulation around the Context of a replica.

    It is made by PaiNNReplicaContexts.getSimulation(). Its reporters are called by PaiNNReplicaContexts.step() too; its
    own step() advances this replica alone.
    """

    def __init__(self, topology: app.Topology, context: openmm.Context) -> None:
        # Simulation's own would make another Context.
        self.topology = topology
        self.system = context._system
        self.integrator = context.getIntegrator()
        self.context = context
        self.reporters = []
        try:
            self._usesPBC = self.system.usesPeriodicBoundaryConditions()
        except openmm.OpenMMException:  # a force that does not say
            self._usesPBC = topology.getUnitCellDimensions() is not None

    def _describe_reports(self) -> list[tuple[Any, dict]]:
        """Ask every reporter what it wants next, in the form of a dict."""
        reports = []
        for reporter in self.reporters:
            report = reporter.describeNextReport(self)
            if isinstance(report, tuple):
                names = ("positions", "velocities", "forces", "energy")
                wanted = [name for name, is_wanted in zip(names, report[1:5], strict=True) if is_wanted]
                report = {"steps": report[0], "include": wanted, "periodic": report[5] if len(report) > 5 else None}
            reports.append((reporter, report))
        return reports

    def _report(self, due: list[tuple[Any, dict]]) -> None:
        """Call reporters whose time has come; those that want wrapped positions apart from the others."""
        for wraps in (True, False):
            some = [
                (reporter, report)
                for reporter, report in due
                if wraps == (self._usesPBC if report.get("periodic") is None else bool(report["periodic"]))
            ]
            if some:
                self._generate_reports(some, wraps)
