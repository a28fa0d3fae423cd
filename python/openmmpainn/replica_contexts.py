# SPDX-License-Identifier: MIT
"""Replicas in Contexts of their own, whose networks are evaluated together."""

from __future__ import annotations

import operator
import time
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import openmm
from openmm import app, unit

from .painn import _ReplicaContexts
from .replica_simulation import ReplicaSimulation

CHUNK_SECONDS = 0.1
"""How long steps are made without a look at signals and reporters."""


def _strip_unit(value: unit.Quantity | float) -> float:
    """A parameter's value in the unit in which Context.setParameter() takes it."""
    if not unit.is_quantity(value):
        return float(value)
    if value.unit.is_compatible(unit.bar):
        return float(value.value_in_unit(unit.bar))
    return float(value.value_in_unit_system(unit.md_unit_system))


def _mask_of(groups: int | Iterable[int]) -> int:
    """Force groups as 32 bits of an int of C++, whose highest is its sign."""
    if isinstance(groups, Iterable):
        numbers = {operator.index(group) for group in groups}
        if not numbers <= set(range(32)):
            raise ValueError(f"groups is {sorted(numbers)}; force groups are numbered from 0 to 31")
        groups = sum(1 << number for number in numbers)
    mask = operator.index(groups)
    if not -(1 << 31) <= mask < 1 << 32:
        raise ValueError(f"groups is {mask}; as a mask it must have 32 bits, and as a set the numbers of the groups")
    return mask - (1 << 32) if mask >= 1 << 31 else mask


class PaiNNReplicaContexts:
    """Replicas that are simulated side by side, each in a Context of its own.

    Every replica has its own System, Integrator, box and parameters, while the PaiNNStudentForces of all of them are
    evaluated together, in one batch. What a PaiNNStudentForce gives a replica is, bit for bit, what it gives it alone.
    Replicas need not be alike: forces with the same model (and either all or none of them periodic) are evaluated
    together, others beside each other. On GPU platforms all Contexts share one device.

    ``len()`` gives the number of replicas, iteration their Contexts. To be used by one thread at a time: while one
    advances or evaluates the replicas, another one that wants to gets an exception.

    Parameters
    ----------
    systems : sequence of openmm.System
        One for each replica. The same System may stand there several times.
    integrators : sequence of openmm.Integrator
        One for each replica, of any kind, none twice. Each belongs to its replica for good.
    platform : openmm.Platform, optional
        By default the fastest that works.
    properties : mapping of str to str, optional
        Properties of the platform; only with a platform. On CPU, Threads is the number of threads that evaluate the
        network for all replicas.

    Raises
    ------
    openmm.OpenMMException
        If there are no Systems or not as many Integrators, if an Integrator stands there twice or belongs to a Context,
        if more than one device is asked for, or if a Context cannot be made.
    ValueError
        If there are properties without a platform.
    """

    def __init__(
        self,
        systems: Sequence[openmm.System],
        integrators: Sequence[openmm.Integrator],
        platform: openmm.Platform | None = None,
        properties: Mapping[str, str] | None = None,
    ) -> None:
        systems, integrators = list(systems), list(integrators)
        if platform is None and properties:
            raise ValueError("there are properties, but no platform that they are of; name the platform too")
        texts = {str(name): str(value) for name, value in (properties or {}).items()}
        # Attributes are destroyed in the order in which they are set: the Contexts before what they use.
        self._replicas = _ReplicaContexts(systems, integrators, platform, texts)
        self._systems = systems
        self._integrators = integrators
        self._contexts: weakref.WeakValueDictionary[int, openmm.Context] = weakref.WeakValueDictionary()
        self._simulations: weakref.WeakValueDictionary[int, ReplicaSimulation] = weakref.WeakValueDictionary()
        self._steps_a_second = 10.0

    def __len__(self) -> int:
        return self._replicas.getNumContexts()

    def __iter__(self) -> Iterator[openmm.Context]:
        return (self.getContext(i) for i in range(len(self)))

    def getContext(self, index: int) -> openmm.Context:
        """Get the Context of a replica: for positions, parameters, states, checkpoints.

        Parameters
        ----------
        index : int
            Of the replica, counted from 0.

        Returns
        -------
        openmm.Context
            Always the same object for the same replica. It keeps this object alive.

        Raises
        ------
        openmm.OpenMMException
            If there is no such replica.
        """
        index = operator.index(index)
        context = self._contexts.get(index)
        if context is None:
            context = self._replicas.getContext(index)
            # What openmm.Context's own constructor notes; and nothing of it may go before it does.
            context._system = self._systems[index]
            context._integrator = self._integrators[index]
            context._replicas = self
            self._contexts[index] = context
        return context

    def getSimulation(self, index: int, topology: app.Topology) -> ReplicaSimulation:
        """Get a Simulation around the Context of a replica: for reporters, files, minimization.

        Parameters
        ----------
        index : int
            Of the replica, counted from 0.
        topology : openmm.app.Topology
            Of the replica's System.

        Returns
        -------
        openmm.app.Simulation
            Its reporters are called in step() of this object for as long as the Simulation is kept. The same object for
            the same replica, until it is dropped.
        """
        index = operator.index(index)
        simulation = self._simulations.get(index)
        if simulation is None:
            simulation = ReplicaSimulation(topology, self.getContext(index))
            self._simulations[index] = simulation
        simulation.topology = topology
        return simulation

    def step(self, steps: int) -> None:
        """Advance all replicas.

        Other Python threads run meanwhile. Ctrl-C is obeyed within some 0.1 s (or one step); all replicas stand at the
        same step then.

        Parameters
        ----------
        steps : int
            The number of time steps.

        Raises
        ------
        openmm.OpenMMException
            If a replica fails: the message names it. The others stand at the same step, and go on from there at the
            next call. Also if another thread advances or evaluates the replicas just now.
        """
        if int(steps) != steps:
            raise TypeError(f"steps is {steps!r}; it must be a whole number")
        if steps < 0:
            raise ValueError(f"steps is {steps}; it must not be negative")
        to_go = int(steps)
        while to_go > 0:
            simulations = list(self._simulations.values())
            wanted = [(s, reporter, report) for s in simulations for reporter, report in s._describe_reports()]
            # A reporter that has stopped asks for 0 steps.
            now = min([to_go, *(report["steps"] for _, _, report in wanted if report["steps"] > 0)])
            self._advance(now)
            to_go -= now
            for simulation in simulations:
                due = [(r, report) for s, r, report in wanted if s is simulation and report["steps"] == now]
                simulation._report(due)

    def _advance(self, steps: int) -> None:
        """Make steps in pieces: Python looks for signals between them."""
        while steps > 0:
            piece = min(steps, max(1, int(CHUNK_SECONDS * self._steps_a_second)))
            start = time.perf_counter()
            self._replicas.step(piece)
            self._steps_a_second = piece / max(time.perf_counter() - start, 1e-6)
            steps -= piece

    def computeStateEnergies(self, states: Sequence[Mapping[str, Any]], groups: int | set[int] = -1) -> np.ndarray:
        """Compute the potential energy of every replica in several states, each at its own positions.

        The replicas are evaluated together; states that do not differ in any parameter of a Context are evaluated once.

        Parameters
        ----------
        states : sequence of mapping of str to float
            Global parameters of each state; what a state does not name stays as it is. Quantities are taken as
            Context.setParameter() takes them: in OpenMM's units, pressures in bar.
        groups : set of int or int
            The force groups to include, as in Context.getState(): their numbers, or a mask with one bit for each.

        Returns
        -------
        numpy.ndarray, [replicas, states]
            kJ/mol. All parameters are as they were.

        Raises
        ------
        openmm.OpenMMException
            If a Context has no parameter of that name, or an evaluation fails.
        TypeError
            If a state is no mapping.
        ValueError
            If there is no such force group.
        """
        states = list(states)
        for state in states:
            if not isinstance(state, Mapping):
                raise TypeError(f"states holds {state!r}; it must be a sequence of mappings, one for each state")
        plain = [{name: _strip_unit(value) for name, value in state.items()} for state in states]
        energies = self._replicas.computeStateEnergies(plain, _mask_of(groups))
        return np.array(energies, dtype=float).reshape(len(self), len(plain))

    def getMode(self) -> str:
        """Get how replicas are stepped: 'parallel' or 'baton', see setMode()."""
        return "baton" if self._replicas.getMode() == _ReplicaContexts.Baton else "parallel"

    def setMode(self, mode: str) -> None:
        """Set how replicas are stepped.

        Parameters
        ----------
        mode : str
            'parallel': all at once. 'baton': one after the other between evaluations of the network. That makes results
            reproducible with whatever draws from OpenMM's random numbers for the process: all Monte Carlo barostats,
            CustomIntegrators, and stochastic integrators on the Reference platform. The default is baton on Reference
            and CPU and where there is such a barostat or integrator, otherwise parallel.
        """
        modes = {"parallel": _ReplicaContexts.Parallel, "baton": _ReplicaContexts.Baton}
        if mode not in modes:
            raise ValueError(f"mode is {mode!r}; it must be 'parallel' or 'baton'")
        self._replicas.setMode(modes[mode])

    def getTimeout(self) -> unit.Quantity:
        """Get how long replicas wait in parallel mode for one that does not come to be evaluated."""
        return self._replicas.getTimeout() * unit.second

    def setTimeout(self, timeout: unit.Quantity | float) -> None:
        """Set how long replicas wait in parallel mode for one that does not come to be evaluated (1 s by default)."""
        if unit.is_quantity(timeout):
            timeout = timeout.value_in_unit(unit.second)
        self._replicas.setTimeout(timeout)

    def getNumBatches(self) -> int:
        """Get the number of batches that were evaluated together so far."""
        return self._replicas.getNumBatches()

    def getNumBatchedEvaluations(self) -> int:
        """Get the number of evaluations in all batches so far."""
        return self._replicas.getNumBatchedEvaluations()
