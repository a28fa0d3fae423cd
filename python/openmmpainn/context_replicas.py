# SPDX-License-Identifier: MIT
"""Replicas of a sampler in Contexts of their own that share the network: PaiNNReplicaContexts."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import openmm
from openmm import app, unit

from .replica_conformations import ReplicaConformations
from .replica_dynamics import kelvin_of, platform_of, steps_in_pieces, velocity_factor
from .state_energies import NetworkStateSampler

__all__ = ["ContextReplicas"]


class ContextReplicas:
    """Replicas in the Contexts of a PaiNNReplicaContexts, made of copies of a Simulation's System and integrator.

    Parameters
    ----------
    simulation : openmm.app.Simulation
        What is copied.
    states : list of dict
        The states of the sampler.
    indices : range
        The replicas to simulate here.

    Raises
    ------
    ValueError
        If there is no PaiNNReplicaContexts.
    """

    def __init__(self, simulation: app.Simulation, states: list[dict[str, Any]], indices: range) -> None:
        try:
            from openmmpainn import PaiNNReplicaContexts
        except ImportError:
            raise ValueError("this build has no PaiNNReplicaContexts") from None
        systems = [copy.deepcopy(simulation.context.getSystem()) for _ in indices]
        integrators = [copy.copy(simulation.integrator) for _ in indices]
        for index, system, integrator in zip(indices, systems, integrators, strict=True):
            _offset_seeds([integrator, *system.getForces()], index)
        platform, properties = platform_of(simulation)
        self.contexts = PaiNNReplicaContexts(systems, integrators, platform, properties)
        self._indices = indices
        self._each = [self.contexts.getContext(k) for k in range(len(indices))]
        self._samplers = [NetworkStateSampler(states, context) for context in self._each]
        self._simulation = simulation

    def run(self, sampler: Any, advance: Callable[[float], None]) -> np.ndarray:
        """See Dynamics."""
        self._take(sampler.replicaConformation)
        for context in self._each:
            _follow(context.getIntegrator(), self._simulation.integrator)
        for index, context, states in zip(self._indices, self._each, self._samplers, strict=True):
            state = sampler.replicaStateIndex[index]
            factor = velocity_factor(sampler, index)
            if factor is None:
                context.setVelocitiesToTemperature(kelvin_of(sampler, state))
            elif factor != 1:
                velocities = context.getState(velocities=True).getVelocities(asNumpy=True)
                context.setVelocities(velocities * factor)
            states.applyState(state)
            sampler._previousReplicaStateIndex[index] = state
        sampler.replicaConformation.moved(self._indices, self._conformation)
        for piece in steps_in_pieces(sampler.stepsPerIteration):
            self.contexts.step(piece)
            advance(piece / sampler.stepsPerIteration)
        self._simulation.context.setTime(self._each[-1].getTime())
        self._simulation.context.setStepCount(self._each[-1].getStepCount())
        return self._energies()

    def _take(self, conformations: ReplicaConformations) -> None:
        for index in conformations.take(self._indices):
            self._each[index - self._indices.start].setState(conformations[index])

    def _conformation(self, index: int) -> openmm.State:
        context = self._each[index - self._indices.start]
        return context.getState(positions=True, velocities=True, parameters=True, integratorParameters=True)

    def _energies(self) -> np.ndarray:
        """The energies of all replicas in all states, kJ/mol [replicas, states]."""
        states = self._samplers[0]
        energies = np.zeros((len(self._indices), len(states.states)))
        if states.network is not None and len(states.subsets) > 1:  # one call of the network for all states
            for k, each in enumerate(self._samplers):
                energies[k] = each.computeAllEnergies().value_in_unit(unit.kilojoule_per_mole)
            return energies
        # As MultistateSampler does it for one Context, for all at once.
        parameters = [_energy_parameters(states, subset[0]) for subset in states.subsets]
        if states.groups is None:
            found = self.contexts.computeStateEnergies(parameters)
            for column, subset in zip(found.T, states.subsets, strict=True):
                energies[:, subset] = column[:, None]
            return energies
        for values, subset, sets in zip(parameters, states.subsets, states.groups_of_groups, strict=True):
            for groups in sets:
                column = self.contexts.computeStateEnergies([values], groups)[:, 0]
                for j in subset:
                    weight = states.groups[j].get(next(iter(groups)))
                    if weight is not None:
                        energies[:, j] += weight * column
        return energies


def _energy_parameters(sampler: NetworkStateSampler, index: int) -> dict[str, float]:
    """The parameters of the Context that a state sets and energies may depend on."""
    state = sampler.states[index]
    names = [name for name in sampler.parameters[index] if name in state]
    return {
        name: float(value.value_in_unit_system(unit.md_unit_system) if unit.is_quantity(value) else value)
        for name, value in ((name, state[name]) for name in names)
    }


def _follow(integrator: openmm.Integrator, own: openmm.Integrator) -> None:
    """Give a replica's integrator what was set for the Simulation's in the meantime."""
    names = ["Temperature", "Friction", "ConstraintTolerance"]
    if not hasattr(own, "getErrorTolerance"):  # else the step size is the integrator's own affair
        names.append("StepSize")
    for name in names:
        if hasattr(own, f"get{name}") and hasattr(own, f"set{name}"):
            value = getattr(own, f"get{name}")()
            if getattr(integrator, f"get{name}")() != value:
                getattr(integrator, f"set{name}")(value)


def _offset_seeds(objects: list[Any], index: int) -> None:
    """Where a seed was chosen, replicas must not share it: they would feel the same noise."""
    for one in objects:
        if isinstance(one, openmm.CompoundIntegrator):
            _offset_seeds([one.getIntegrator(i) for i in range(one.getNumIntegrators())], index)
        elif hasattr(one, "setRandomNumberSeed") and one.getRandomNumberSeed():
            one.setRandomNumberSeed(one.getRandomNumberSeed() + index)
