# SPDX-License-Identifier: MIT
"""OpenMM's expanded ensemble with the energies of all states from one call of the network."""

from __future__ import annotations

import math
import sys
from typing import Any

import openmm
from openmm import app, unit

from .pressure_work import pressure_work
from .progress import Progress
from .state_energies import NetworkStateSampler

__all__ = ["ExpandedEnsembleSampler"]


class ExpandedEnsembleSampler(app.ExpandedEnsembleSampler):
    """openmm.app.ExpandedEnsembleSampler, which asks the network once for the energies of all states where it can.

    Attributes, methods and files are those of OpenMM's class, and so is what is sampled. One call of the network is
    enough where states differ in temperature, force groups and scale parameters of the network alone, and no other
    force with an energy is in the force group of the network; otherwise energies are computed as OpenMM does.

    Parameters
    ----------
    states : list of dict
        What OpenMM's class allows: 'temperature', 'groups', parameters of the Context, variables of a CustomIntegrator.
    simulation : openmm.app.Simulation
        With its positions set.
    stepsPerIteration : int
        Time steps between attempts to change the state.
    reinitializeVelocities : bool
        Whether velocities are drawn anew, and not scaled, when the state changes.
    weights : list of float, optional
        Of the states; without them they are learnt on the way.
    reportInterval : int
        Time steps between reports, a multiple of stepsPerIteration.
    logFile, energyFile : str or file, optional
        Where states and weights, and reduced energies, are written.
    checkpointFile : str, optional
        Where to save what resume needs.
    resume : bool
        Whether to go on from checkpointFile.
    level : str, optional
        'serial', the only level there is for one replica.
    progress : bool
        Whether to show on stderr how the energies are computed, and how far step() is, with the time left.

    Raises
    ------
    ValueError
        If there is no such level, or the states set the pressure of a barostat, whose work energies do not tell.

    Notes
    -----
    Beyond OpenMM 8.6.1: an energy that is not finite in the present state is an exception; where another state's is
    none, that state is not chosen. With a barostat and states of different temperature the reduced energies hold the
    work of the pressure. Checkpoints work with given weights too.

    Examples
    --------
    >>> states = [{"temperature": t * unit.kelvin} for t in (300, 320, 340)]
    >>> sampler = ExpandedEnsembleSampler(states, simulation, 100, reportInterval=1000, logFile="log.csv")
    >>> sampler.step(1000000)
    """

    # OpenMM's class sets these only where weights are learnt, or where its constructor comes so far.
    _weightUpdateFactor = 1.0
    _histogram: list[int] = []
    _hasMadeTransition = False
    _openedLogFile = _openedEnergyFile = False

    def __init__(
        self,
        states: list[dict[str, Any]],
        simulation: app.Simulation,
        stepsPerIteration: int,
        reinitializeVelocities: bool = False,
        weights: list[float] | None = None,
        reportInterval: int = 1000,
        logFile: Any = None,
        energyFile: Any = None,
        checkpointFile: str | None = None,
        resume: bool = False,
        level: str | None = None,
        progress: bool = True,
    ) -> None:
        if level not in (None, "serial"):
            raise ValueError(
                f"level is {level!r}; an expanded ensemble has one replica, which is simulated at 'serial'"
            )
        if not states:
            raise ValueError("states is empty; there must be at least one")
        work = pressure_work(simulation.context.getSystem(), states)
        self._moved = 0
        self.level, self.progress = "serial", progress
        super().__init__(
            states,
            simulation,
            stepsPerIteration,
            reinitializeVelocities,
            weights,
            reportInterval,
            logFile,
            energyFile,
            checkpointFile,
            resume,
        )
        self._first = self.currentIteration
        self._sampler = _CheckedStateSampler(states, simulation.context, work)
        if progress:
            how = "one call of the network for all states"
            if self._sampler.network is None and len(self._sampler.subsets) > 1:
                how = f"one evaluation for each set of parameters, because {self._sampler.reason}"
            print(f"Expanded ensemble of {len(states)} states, their energies from {how}", file=sys.stderr)

    def step(self, steps: int) -> None:
        """Advance the simulation.

        Parameters
        ----------
        steps : int
            The number of time steps.
        """
        with Progress("Expanded ensemble", steps, self.progress) as progress:
            while steps > 0:
                piece = min(steps, self.stepsPerIteration - self.simulation.currentStep % self.stepsPerIteration)
                self.simulation.step(piece)
                steps -= piece
                tries = self.currentIteration - self._first
                moved = f", {100 * self._moved / tries:.0f} % of attempts changed it" if tries else ""
                progress.advance(piece, f"state {self.currentStateIndex}{moved}")

    def attemptStateChange(self, state: openmm.State) -> list[float]:
        """Try to go to another state. Called on the way, every stepsPerIteration steps.

        Parameters
        ----------
        state : openmm.State
            With velocities.

        Returns
        -------
        list of float
            The reduced energies of all states.

        Raises
        ------
        openmm.OpenMMException
            If the energy in the present state is not finite.
        """
        before = self._sampler.present = self.currentStateIndex
        reduced = super().attemptStateChange(state)
        self._moved += self.currentStateIndex != before
        return reduced

    def getAcceptance(self) -> float:
        """Get how often an attempt led to another state.

        Returns
        -------
        float
            Changes for each attempt since the sampler was made; NaN before the first.
        """
        tries = self.currentIteration - self._first
        return self._moved / tries if tries else math.nan


class _CheckedStateSampler(NetworkStateSampler):
    """Energies with the work of a pressure, infinite where they are no numbers."""

    present = 0  # the state that the Context is in

    def __init__(self, states: list[dict[str, Any]], context: openmm.Context, work: Any) -> None:
        super().__init__(states, context)
        self._work = work

    def computeAllEnergies(self) -> unit.Quantity:
        energies = super().computeAllEnergies().value_in_unit(unit.kilojoule_per_mole)
        if not math.isfinite(energies[self.present]):
            raise openmm.OpenMMException(
                f"the energy in the present state {self.present} is {energies[self.present]} kJ/mol: the dynamics has "
                "become unstable"
            )
        added = 0.0 if self._work is None else self._work(self.context.getState(parameters=True))
        return unit.Quantity([math.inf if math.isnan(e) else e + added for e in energies], unit.kilojoule_per_mole)
