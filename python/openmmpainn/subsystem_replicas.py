# SPDX-License-Identifier: MIT
"""Replicas of a sampler in one Context: each a subsystem of the network with a temperature and scales of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import openmm
from openmm import app, unit

from .replica_conformations import ReplicaConformations
from .replica_dynamics import kelvin_of, platform_of, steps_in_pieces, velocity_factor
from .replicas import replicate
from .state_energies import NetworkStateSampler
from .subsystem_integrator import GAS_CONSTANT, SubsystemLangevinIntegrator

__all__ = ["SubsystemReplicas"]


class SubsystemReplicas:
    """Replicas in one System made by replicate(), in one Context of a SubsystemLangevinIntegrator.

    Parameters
    ----------
    simulation : openmm.app.Simulation
        The molecule. Its Context makes the States of replicas, and evaluates forces beside the network.
    sampler : NetworkStateSampler
        The states, and that Context.
    indices : range
        The replicas to simulate here.

    Raises
    ------
    ValueError
        If that is not valid for the System, its integrator or the states; the message says why.
    """

    def __init__(self, simulation: app.Simulation, sampler: NetworkStateSampler, indices: range) -> None:
        from .painn import PaiNNStudentForce

        _check(simulation, sampler)
        self._simulation, self._sampler, self._indices = simulation, sampler, indices
        self._network = sampler.network
        context, count = simulation.context, len(indices)
        molecule = context.getSystem()
        state = context.getState(positions=True)
        self._shape = (count, molecule.getNumParticles(), 3)
        _, system, _ = replicate(simulation.topology, molecule, state.getPositions(asNumpy=True), count)
        system.setDefaultPeriodicBoxVectors(*state.getPeriodicBoxVectors())
        self._force = PaiNNStudentForce.cast(system.getForce(self._network.index))
        self._names = _own_scales(self._force, self._network, count)
        own = simulation.integrator
        self._integrator = SubsystemLangevinIntegrator(
            own.getTemperature(),
            own.getFriction(),
            own.getStepSize(),
            system,
            np.repeat(np.arange(count), molecule.getNumParticles()),
        )
        self._integrator.setConstraintTolerance(own.getConstraintTolerance())
        seed = own.getRandomNumberSeed()
        self._integrator.setRandomNumberSeed(seed + indices.start if seed else 0)
        self._random = np.random.default_rng(seed + indices.start if seed else None)
        self._context = openmm.Context(system, self._integrator, *platform_of(simulation))
        masses = np.array([molecule.getParticleMass(i)._value for i in range(molecule.getNumParticles())])
        self._inverse_masses = np.divide(1, masses, out=np.zeros_like(masses), where=masses > 0)
        # How far the time (ps) and the step count of each replica are ahead of the Context's.
        self._ahead: list[tuple[float, int]] = [(0.0, 0)] * count
        self._states = [0] * count
        self._latest: openmm.State | None = None

    def run(self, sampler: Any, advance: Callable[[float], None]) -> np.ndarray:
        """See Dynamics."""
        self._take(sampler.replicaConformation)
        self._apply(sampler)
        self._latest = None
        sampler.replicaConformation.moved(self._indices, self._conformation)
        for piece in steps_in_pieces(sampler.stepsPerIteration):
            self._integrator.step(piece)
            advance(piece / sampler.stepsPerIteration)
        energies = self._energies()
        self._set_clock(len(self._indices) - 1)
        return energies

    def _take(self, conformations: ReplicaConformations) -> None:
        """Take over the States that were assigned to replicas."""
        taken = conformations.take(self._indices)
        if not taken:
            return
        everything = len(taken) == len(self._indices)
        states = [conformations[i] for i in taken]
        if everything:
            self._context.setPeriodicBoxVectors(*states[0].getPeriodicBoxVectors())
            self._context.setTime(states[0].getTime())
            self._context.setStepCount(states[0].getStepCount())
        now = self._context.getState(positions=not everything, velocities=not everything)
        positions, velocities = np.zeros((2, *self._shape))
        if not everything:
            positions = now.getPositions(asNumpy=True)._value.reshape(self._shape).copy()
            velocities = now.getVelocities(asNumpy=True)._value.reshape(self._shape).copy()
        box = now.getPeriodicBoxVectors(asNumpy=True)._value
        for index, state in zip(taken, states, strict=True):
            k = index - self._indices.start
            positions[k] = state.getPositions(asNumpy=True)._value
            velocities[k] = state.getVelocities(asNumpy=True)._value
            if not np.array_equal(state.getPeriodicBoxVectors(asNumpy=True)._value, box):
                raise ValueError(
                    f"the State of replica {index} has another periodic box than the others; at the level 'subsystems' "
                    "all replicas have one"
                )
            self._ahead[k] = (
                (state.getTime() - now.getTime()).value_in_unit(unit.picosecond),
                state.getStepCount() - now.getStepCount(),
            )
        self._take_parameters(taken, states)
        self._context.setPositions(positions.reshape(-1, 3))
        self._context.setVelocities(velocities.reshape(-1, 3))

    def _take_parameters(self, taken: list[int], states: list[openmm.State]) -> None:
        """Parameters that the states of the sampler do not set are one for all replicas."""
        present = dict(self._context.getParameters())
        values = {name: value for name, value in states[0].getParameters().items() if name not in self._names}
        everything = len(taken) == len(self._indices)
        for index, state in zip(taken, states, strict=True):
            for name, value in values.items():
                expected = value if everything else present[name]
                if state.getParameters()[name] != expected:
                    raise ValueError(
                        f"the State of replica {index} has {name} = {state.getParameters()[name]:g} and others have "
                        f"{expected:g}; at the level 'subsystems' a parameter that the states do not set is one for all"
                    )
        for name, value in values.items():
            self._context.setParameter(name, value)

    def _apply(self, sampler: Any) -> None:
        """Give each replica the temperature, the scales and the velocities of its state."""
        own = self._simulation.integrator
        self._integrator.setFriction(own.getFriction())
        if self._integrator.getStepSize() != own.getStepSize():
            self._integrator.setStepSize(own.getStepSize())
            self._context.reinitialize(True)  # OpenMM's Reference platform reads it from a CustomIntegrator only then
        self._states = [sampler.replicaStateIndex[i] for i in self._indices]
        kelvin = np.array([kelvin_of(sampler, state) for state in self._states])
        factors = [velocity_factor(sampler, i) for i in self._indices]
        if any(factor != 1 for factor in factors):
            found = self._context.getState(velocities=True).getVelocities(asNumpy=True)._value
            velocities = found.reshape(self._shape).copy()
            for k, factor in enumerate(factors):
                if factor is None:
                    width = np.sqrt(GAS_CONSTANT * kelvin[k] * self._inverse_masses)
                    velocities[k] = width[:, None] * self._random.standard_normal(self._shape[1:])
                else:
                    velocities[k] *= factor
            self._context.setVelocities(velocities.reshape(-1, 3))
            if None in factors:
                self._context.applyVelocityConstraints(self._integrator.getConstraintTolerance())
        if not np.array_equal(kelvin, self._integrator.getTemperatures()._value):
            self._integrator.setTemperatures(kelvin)
        for name, names in self._names.items():
            for own_name, state in zip(names, self._states, strict=True):
                self._context.setParameter(own_name, sampler.states[state][name])
        for index, state in zip(self._indices, self._states, strict=True):
            sampler._previousReplicaStateIndex[index] = state

    def _energies(self) -> np.ndarray:
        """The energies of all replicas in all states, kJ/mol [replicas, states]."""
        subsystems = self._force.getSubsystemEnergies(self._context)._value.reshape(len(self._indices), -1)
        parameters = dict(self._context.getParameters())
        others = np.zeros((len(self._indices), len(self._network.others)))
        if self._network.others:
            self._share_parameters()
            for k in range(len(self._indices)):
                self._simulation.context.setPositions(self._arrays()[0][k])
                others[k] = self._sampler.computeOtherEnergies()
        return self._network.combine(subsystems, list(others.T), parameters)

    def _arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Positions (nm) and velocities (nm/ps) of all replicas [replicas, N, 3]."""
        if self._latest is None:
            self._latest = self._context.getState(positions=True, velocities=True)
        positions, velocities = self._latest.getPositions(asNumpy=True), self._latest.getVelocities(asNumpy=True)
        return positions._value.reshape(self._shape), velocities._value.reshape(self._shape)

    def _share_parameters(self) -> None:
        """Give the Simulation's Context the box and those parameters that all replicas have in common."""
        context, values = self._simulation.context, dict(self._context.getParameters())
        context.setPeriodicBoxVectors(*self._latest_box())
        for name in dict(context.getParameters()):
            if name in values and name not in self._names:
                context.setParameter(name, values[name])

    def _latest_box(self) -> Any:
        self._arrays()
        return self._latest.getPeriodicBoxVectors()

    def _set_clock(self, k: int) -> None:
        time, steps = self._ahead[k]
        self._simulation.context.setTime(self._context.getTime() + time * unit.picosecond)
        self._simulation.context.setStepCount(self._context.getStepCount() + steps)

    def _conformation(self, index: int) -> openmm.State:
        """The State of a replica, from the Simulation's Context."""
        k = index - self._indices.start
        context = self._simulation.context
        positions, velocities = self._arrays()
        self._share_parameters()
        context.setPositions(positions[k])
        context.setVelocities(velocities[k])
        self._sampler.applyState(self._states[k])
        self._set_clock(k)
        return context.getState(positions=True, velocities=True, parameters=True, integratorParameters=True)


def _own_scales(force: Any, network: Any, count: int) -> dict[str, list[str]]:
    """Give each copy scale parameters of its own, whose names are returned for each parameter that the states set."""
    scales = [network.force.getSubsystemScale(s) for s in range(network.force.getNumSubsystems())]
    names = {name: [f"{name}_replica_{k}" for k in range(count)] for name in sorted(network.parameters)}
    for name, own in names.items():
        for k, own_name in enumerate(own):
            force.addGlobalParameter(own_name, 1.0)
            for s, scale in enumerate(scales):
                if scale == name:
                    force.setSubsystemScale(k * len(scales) + s, own_name)
    return names


def _check(simulation: app.Simulation, sampler: NetworkStateSampler) -> None:
    """Raise ValueError where subsystems of one Context are not what the Simulation is."""
    integrator = simulation.integrator
    # No subclass of a user's, whose step() may do something else. (LangevinIntegrator is another name.)
    if type(integrator) not in (openmm.LangevinMiddleIntegrator, openmm.LangevinIntegrator):
        raise ValueError(f"the integrator is a {type(integrator).__name__}, and no LangevinMiddleIntegrator")
    if integrator.getIntegrationForceGroups() & 0xFFFFFFFF != 0xFFFFFFFF:
        raise ValueError("the integrator leaves force groups out")
    if sampler.network is None:
        raise ValueError(sampler.reason)
    for force in simulation.context.getSystem().getForces():
        kind = type(force).__name__
        if kind == "AndersenThermostat" or "Barostat" in kind:
            raise ValueError(f"{kind} acts on all replicas at once")
