# SPDX-License-Identifier: MIT
"""OpenMM's replica exchange with the replicas evaluated in batches."""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import openmm
from openmm import app, unit

from .context_replicas import ContextReplicas
from .pressure_work import pressure_work
from .progress import Progress
from .replica_conformations import ReplicaConformations
from .replica_dynamics import Dynamics, SerialReplicas, kelvin_of
from .sampler_ranks import Ranks
from .state_energies import NetworkStateSampler
from .subsystem_integrator import GAS_CONSTANT
from .subsystem_replicas import SubsystemReplicas

__all__ = ["ReplicaExchangeSampler"]

LEVELS = ("subsystems", "contexts", "serial")


class ReplicaExchangeSampler(app.ReplicaExchangeSampler):
    """openmm.app.ReplicaExchangeSampler, which can simulate all replicas at once.

    Attributes, methods, reporters and files are those of OpenMM's class, and so is what is sampled. There are three
    levels. 'subsystems' puts all replicas into one Context, each a subsystem of the network: for a
    LangevinMiddleIntegrator, a System that replicate() can copy, and states that set temperatures, scale parameters of
    the network and force groups. 'contexts' gives each replica a Context, and these share the network. 'serial' is
    OpenMM's way, one replica after another in the Context of the Simulation, and is also taken by a subclass that
    overrides simulateReplica().

    Parameters
    ----------
    states : list of dict
        What OpenMM's class allows: 'temperature', 'groups', parameters of the Context, variables of a CustomIntegrator.
    simulation : openmm.app.Simulation
        One replica, with its positions set.
    stepsPerIteration : int
        Time steps between exchanges.
    reinitializeVelocities : bool
        Whether velocities are drawn anew, and not scaled, when a replica changes its state.
    level : str, optional
        'subsystems', 'contexts' or 'serial'; by default the first of them that is possible, and a line on stderr tells
        which, and why no faster one.
    comm : mpi4py.MPI.Comm, optional
        Divides the replicas among its processes, each of which makes the same sampler and makes the same calls. Give
        each its device with the properties of the Simulation's platform. Reporters belong to rank 0; exchanges are
        decided there.
    progress : bool
        Whether to show on stderr the level, and how far simulate() is, with acceptance and time left.

    Attributes
    ----------
    level : str
        The one chosen.

    Raises
    ------
    ValueError
        If there is no such level or it is not possible here; if the states set the pressure of a barostat, because
        OpenMM's energies do not tell it; if comm has more processes than there are states.

    Notes
    -----
    Beyond OpenMM 8.6.1: an energy that is not finite in a replica's own state is an exception and not an accepted swap,
    energies far apart do not overflow, and with a barostat and states of different temperature, swaps count the work of
    the pressure.

    Examples
    --------
    >>> states = [{"temperature": t * unit.kelvin} for t in np.geomspace(300, 450, 16)]
    >>> sampler = ReplicaExchangeSampler(states, simulation, 100)
    >>> sampler.reporters.append(app.ReplicaExchangeReporter("output", 10, sampler, energy=True))
    >>> sampler.simulate(1000)
    """

    def __init__(
        self,
        states: list[dict[str, Any]],
        simulation: app.Simulation,
        stepsPerIteration: int,
        reinitializeVelocities: bool = False,
        level: str | None = None,
        comm: Any = None,
        progress: bool = True,
    ) -> None:
        if level is not None and level not in LEVELS:
            raise ValueError(f"level is {level!r}; allowed are {', '.join(map(repr, LEVELS))} and None")
        if not states:
            raise ValueError("states is empty; there must be at least one")
        self._ranks = Ranks(comm)
        self._indices = self._ranks.share(len(states))
        super().__init__(states, simulation, stepsPerIteration, reinitializeVelocities)
        self._sampler = NetworkStateSampler(states, simulation.context)
        self._work = pressure_work(simulation.context.getSystem(), states)
        self.progress = progress
        self._tried, self._accepted = np.zeros((2, len(states), len(states)), dtype=np.int64)
        self._serial = SerialReplicas(self._indices)
        # All processes work at one level, because forces differ in the last bits between levels.
        slowest = max(self._ranks.together(lambda: self._set_level(level)), key=LEVELS.index)
        reasons = self._reasons
        if slowest != self.level:
            self._ranks.together(lambda: self._set_level(slowest))
        if level is None and progress and self._ranks.rank == 0:
            because = "".join(f"; not '{name}': {reason}" for name, reason in reasons.items())
            print(f"Replica exchange of {len(states)} states at the level '{self.level}'{because}", file=sys.stderr)

    @property
    def replicaConformation(self) -> ReplicaConformations:
        """The State of each replica; one that is assigned is where the replica goes on from."""
        return self._conformations

    @replicaConformation.setter
    def replicaConformation(self, states: list[openmm.State]) -> None:
        self._conformations = ReplicaConformations(states)

    def simulate(self, iterations: int) -> None:
        """Simulate all replicas and exchange their states, again and again.

        Parameters
        ----------
        iterations : int
            How often; each is stepsPerIteration steps of every replica, the reporters, and exchangeReplicas().

        Raises
        ------
        openmm.OpenMMException
            If the energy of a replica in its own state is not finite, or the dynamics fails.
        """
        dynamics = self._serial if self._overridden() else self._dynamics
        self._receive()
        shown = self.progress and self._ranks.rank == 0
        with Progress("Replica exchange", iterations, shown) as progress:
            for _ in range(iterations):
                self.replicaStateEnergy = None
                text = self._acceptance_text() if shown else ""

                def advance(part: float, text: str = text) -> None:
                    progress.advance(part, text)

                found = self._ranks.together(lambda report=advance: dynamics.run(self, report))
                self._previousReplicaStateIndex = self.replicaStateIndex[:]
                energies = np.concatenate(found)
                self._check(energies)
                self.replicaStateEnergy = unit.Quantity(energies.tolist(), unit.kilojoule_per_mole)
                self.currentIteration += 1
                self._report()
                self._exchange()
        self._share_conformations()

    def exchangeReplicas(self) -> None:
        """Try to exchange the states of exchangesPerIteration random pairs of replicas. Called by simulate()."""
        n = len(self.states)
        if n < 2:
            return
        energies = self.replicaStateEnergy.value_in_unit(unit.kilojoule_per_mole)
        if self._work is not None:
            energies = [
                (np.array(row) + self._work(state)).tolist()
                for row, state in zip(energies, self.replicaConformation, strict=True)
            ]
        if self._kT is None:
            kT = [GAS_CONSTANT * kelvin_of(self, state) for state in range(n)]
        else:
            kT = self._kT.value_in_unit(unit.kilojoule_per_mole)
        for _ in range(self.exchangesPerIteration):
            while True:  # the random numbers are drawn as OpenMM draws them, so a seed gives the same exchanges
                i, j = random.randrange(n), random.randrange(n)
                if i != j:
                    break
            si, sj = self.replicaStateIndex[i], self.replicaStateIndex[j]
            exponent = (energies[i][si] - energies[j][si]) / kT[si] + (energies[j][sj] - energies[i][sj]) / kT[sj]
            # NaN, of a geometry that is impossible in the other state, is no reason to go there.
            probability = 0.0 if math.isnan(exponent) else math.exp(min(exponent, 0.0))
            self._tried[si, sj] += 1
            if random.random() < probability:
                self._accepted[si, sj] += 1
                self.replicaStateIndex[i], self.replicaStateIndex[j] = sj, si

    def getAcceptance(self) -> np.ndarray:
        """Get how often pairs of states were exchanged.

        Returns
        -------
        float64 array [states, states]
            Exchanges for each attempt since the sampler was made, symmetric; NaN where there was no attempt. With comm,
            rank 0 knows them.
        """
        tried, accepted = self._tried + self._tried.T, self._accepted + self._accepted.T
        return np.divide(accepted, tried, out=np.full(tried.shape, np.nan), where=tried > 0)

    def _set_level(self, level: str | None) -> str:
        """Make what simulates at the level, by default at the fastest that is possible, and return the level.

        Raises ValueError if it is not possible; _reasons says why faster ones than the default are not.
        """
        makers: dict[str, Callable[[], Dynamics]] = {
            "subsystems": lambda: SubsystemReplicas(self.simulation, self._sampler, self._indices),
            "contexts": lambda: ContextReplicas(self.simulation, self.states, self._indices),
            "serial": lambda: self._serial,
        }
        self._reasons: dict[str, str] = {}
        for name in LEVELS if level is None else (level,):
            try:
                if name != "serial" and self._overridden():
                    raise ValueError("simulateReplica() is overridden")
                self._dynamics = makers[name]()
                self.level = name
                break
            except (TypeError, ValueError, openmm.OpenMMException) as error:
                if level is not None:
                    raise ValueError(f"the level '{level}' is not possible here: {error}") from error
                self._reasons[name] = str(error)
        return self.level

    def _overridden(self) -> bool:
        return (
            type(self).simulateReplica is not app.ReplicaExchangeSampler.simulateReplica
            or "simulateReplica" in self.__dict__
        )

    def _check(self, energies: np.ndarray) -> None:
        for replica, state in enumerate(self.replicaStateIndex):
            if not math.isfinite(energies[replica, state]):
                raise openmm.OpenMMException(
                    f"the energy of replica {replica} in its own state {state} is {energies[replica, state]} kJ/mol in "
                    f"iteration {self.currentIteration + 1}: its dynamics has become unstable"
                )

    def _acceptance_text(self) -> str:
        """How often neighbours were exchanged, for the line of progress."""
        tried, accepted = ((x + x.T).diagonal(1).sum() for x in (self._tried, self._accepted))
        return f"{100 * accepted / tried:.0f} % of swaps with neighbours accepted" if tried else ""

    def _receive(self) -> None:
        """All processes go on from where rank 0 is: a reporter that resumes tells it to that alone."""
        if self._ranks.size == 1:
            return
        changed = {i: self.replicaConformation[i] for i in self.replicaConformation.assigned}
        found = self._ranks.together(
            lambda: (self.replicaStateIndex, self._previousReplicaStateIndex, self.currentIteration, changed)
            if self._ranks.rank == 0
            else None
        )
        self.replicaStateIndex, self._previousReplicaStateIndex, self.currentIteration, changed = found[0]
        for index, state in changed.items():
            self.replicaConformation[index] = state

    def _report(self) -> None:
        if self._ranks.size > 1 and any(self._ranks.together(lambda: bool(self.reporters or self._work))):
            self._share_conformations()

        def call_reporters() -> None:
            for reporter in self.reporters:
                reporter(self)

        self._ranks.together(call_reporters)

    def _share_conformations(self) -> None:
        """Every process learns the States of the others' replicas."""
        if self._ranks.size == 1:
            return
        for found in self._ranks.together(lambda: {i: self.replicaConformation[i] for i in self._indices}):
            for index, state in found.items():
                if index not in self._indices:
                    self.replicaConformation.show(index, state)

    def _exchange(self) -> None:
        """Exchange states as rank 0 decides."""

        def decide() -> list[int] | None:
            if self._ranks.rank > 0:
                return None
            self.exchangeReplicas()
            return self.replicaStateIndex

        self.replicaStateIndex = self._ranks.together(decide)[0]
