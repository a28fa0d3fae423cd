# SPDX-License-Identifier: MIT
"""Replica exchange between the temperatures of subsystems of one Context."""

from __future__ import annotations

import math

import numpy as np
import openmm
from openmm import unit

from .painn import PaiNNStudentForce
from .subsystem_integrator import GAS_CONSTANT, SubsystemLangevinIntegrator

__all__ = ["SubsystemTemperatureExchange"]


class SubsystemTemperatureExchange:
    """Parallel tempering of the copies of a molecule in one Context.

    The temperatures that the integrator has when this is made form a ladder. Each call of exchange() tries to swap
    those of neighbours on it, every second pair in turn; a replica keeps its particles and takes another temperature.
    Velocities are scaled along. After loading a checkpoint, make a new one: it goes on from the temperatures of the
    integrator.

    Parameters
    ----------
    context : openmm.Context
        The Context to simulate. Its System is that of replicate(), with a PaiNNStudentForce as its only force: what
        another force gives to each replica is not known.
    integrator : SubsystemLangevinIntegrator
        The integrator of the Context.
    seed : int, optional
        Of the random numbers that decide on swaps; without it they differ every time.

    Raises
    ------
    TypeError
        If the integrator is of another type.
    ValueError
        If there are fewer than two subsystems, or they are not copies of each other; if a temperature is 0; if the
        System has another force.

    Examples
    --------
    >>> exchange = SubsystemTemperatureExchange(simulation.context, integrator)
    >>> for _ in range(1000):
    ...     simulation.step(100)
    ...     exchange.exchange()
    """

    def __init__(
        self, context: openmm.Context, integrator: SubsystemLangevinIntegrator, seed: int | None = None
    ) -> None:
        if not isinstance(integrator, SubsystemLangevinIntegrator):
            raise TypeError(
                f"integrator is of the type {type(integrator).__name__}; it must be a SubsystemLangevinIntegrator"
            )
        system = context.getSystem()
        for i, force in enumerate(system.getForces()):
            if not PaiNNStudentForce.isinstance(force) or i > 0:
                raise ValueError(
                    f"force {i} of the System is a {type(force).__name__} '{force.getName()}'; the energy of each "
                    "replica is known only if one PaiNNStudentForce is the only force"
                )
        self._force = PaiNNStudentForce.cast(system.getForce(0)) if system.getNumForces() else None
        self._members = integrator.getSubsystems()
        self._scale = _checked_scale(system, self._force, self._members)
        kelvin = integrator.getTemperatures()._value
        if len(kelvin) < 2:
            raise ValueError(f"there is {len(kelvin)} subsystem; an exchange needs at least 2")
        if not (kelvin > 0).all():
            raise ValueError(f"the temperature of subsystem {np.argmin(kelvin)} is 0; it must be greater")
        self._context, self._integrator = context, integrator
        self._replicas = np.argsort(kelvin, kind="stable")  # by position on the ladder
        self._ladder = kelvin[self._replicas]
        self._random = np.random.default_rng(seed)
        self._first = 0
        self._tried, self._accepted = np.zeros((2, len(kelvin) - 1), dtype=np.int64)

    def exchange(self) -> int:
        """Try to swap the temperatures of neighbours on the ladder.

        Returns
        -------
        int
            How many pairs swapped.

        Raises
        ------
        ValueError
            If the integrator's temperatures were changed by something else.
        """
        before = self._integrator.getTemperatures()._value
        if not np.allclose(before[self._replicas], self._ladder, rtol=1e-6, atol=0):
            raise ValueError("the integrator's temperatures were changed outside; make a new exchange with them")
        energies = self._force.getSubsystemEnergies(self._context)._value
        if self._scale:
            energies = energies * self._context.getParameter(self._scale)
        beta = 1 / (GAS_CONSTANT * self._ladder)
        swapped = 0
        for low in range(self._first, len(self._ladder) - 1, 2):
            cold, hot = self._replicas[low : low + 2]
            exponent = (beta[low] - beta[low + 1]) * (energies[cold] - energies[hot])
            accepted = self._random.random() < math.exp(min(exponent, 0.0))
            self._tried[low] += 1
            if accepted:
                self._accepted[low] += 1
                self._replicas[low : low + 2] = hot, cold
                swapped += 1
        self._first = 1 - self._first if len(self._ladder) > 2 else 0
        if swapped:
            after = np.empty_like(before)
            after[self._replicas] = self._ladder
            velocities = self._context.getState(velocities=True).getVelocities(asNumpy=True)._value
            factors = np.append(np.sqrt(after / before), 1.0)[self._members]
            self._context.setVelocities(velocities * factors[:, None])
            self._integrator.setTemperatures(after)
        return swapped

    def getLadder(self) -> unit.Quantity:
        """Get the temperatures that are exchanged.

        Returns
        -------
        openmm.unit.Quantity
            A float64 array [n], ascending, K.
        """
        return unit.Quantity(self._ladder.copy(), unit.kelvin)

    def getReplicas(self) -> np.ndarray:
        """Get which replica has which temperature at present.

        Returns
        -------
        int array [n]
            The subsystem that has each temperature of the ladder: average over these to get what is true at one.
        """
        return self._replicas.copy()

    def getAcceptance(self) -> np.ndarray:
        """Get how often neighbours swapped.

        Returns
        -------
        float64 array [n - 1]
            For the temperatures i and i + 1 of the ladder, swaps for each attempt; NaN before the first.
        """
        fractions = np.full(len(self._tried), np.nan)
        return np.divide(self._accepted, self._tried, out=fractions, where=self._tried > 0)


def _checked_scale(system: openmm.System, force: PaiNNStudentForce | None, members: np.ndarray) -> str:
    """The parameter that scales all subsystems, "" for none. Raises ValueError unless they are copies of each other."""
    if force is None:
        raise ValueError("the System has no PaiNNStudentForce, which would give the energy of each replica")
    kinds: list[list[tuple[int, float]]] = [[] for _ in range(force.getNumSubsystems())]
    for i in range(force.getNumParticles()):
        particle, number, subsystem = force.getParticleParameters(i)
        if members[particle] != subsystem:
            raise ValueError(
                f"particle {particle} is of subsystem {subsystem} of the PaiNNStudentForce and of {members[particle]} "
                "of the integrator; they must be the same"
            )
        kinds[subsystem].append((number, system.getParticleMass(particle)._value))
    for subsystem, kind in enumerate(kinds):
        if kind != kinds[0] or force.getSubsystemScale(subsystem) != force.getSubsystemScale(0):
            raise ValueError(
                f"subsystem {subsystem} has other elements, masses or another scale than subsystem 0; temperatures "
                "are exchanged between copies of one molecule"
            )
    return force.getSubsystemScale(0)
