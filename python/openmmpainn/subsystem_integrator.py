# SPDX-License-Identifier: MIT
"""Langevin dynamics with one temperature for each subsystem."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
import openmm
from openmm import unit

from .subsystem_members import check_members, members_of, read_members

__all__ = ["GAS_CONSTANT", "SubsystemLangevinIntegrator"]

# kJ/mol/K
GAS_CONSTANT = unit.MOLAR_GAS_CONSTANT_R.value_in_unit(unit.kilojoule_per_mole / unit.kelvin)

# Variables of the CustomIntegrator. All that is known of the subsystems is in them, so XML and checkpoints keep it.
# Names are long because no parameter of the Context may have the same.
_FRICTION, _COUNT = "langevin_friction", "langevin_num_particles"
_TEMPERATURE = "langevin_temperature_"  # and the subsystem
_KT, _MEMBER, _FREE = "langevin_kT", "langevin_subsystem", "langevin_unconstrained"


class SubsystemLangevinIntegrator(openmm.CustomIntegrator):
    """Langevin dynamics in which every subsystem has a temperature of its own.

    The algorithm is that of openmm.LangevinMiddleIntegrator, constraints included; with equal temperatures it samples
    the same ensemble. It is an openmm.CustomIntegrator and works with Simulation, reporters and checkpoints. XML keeps
    it whole, but XmlSerializer.deserialize() returns a plain CustomIntegrator: cast() makes it this class again
    (copies and pickles need no cast()).

    Parameters
    ----------
    temperatures : sequence of float, or float
        K or a Quantity, one for each subsystem, or one for all.
    friction : float
        How strongly the heat bath is coupled, 1/ps or a Quantity. 0 gives dynamics without a heat bath.
    stepSize : float
        ps or a Quantity.
    system : openmm.System
        The System to be simulated. Its PaiNNStudentForces say which particle is of which subsystem.
    subsystems : int array [number of particles], optional
        Says that in their place, -1 for a particle of none. Every particle with a mass must be of one.

    Raises
    ------
    TypeError
        If the system is of another type.
    ValueError
        If the number of temperatures is not that of the subsystems; if a temperature, the friction or the step size is
        not finite or negative; if a particle with a mass is of no subsystem, or of different ones for two forces; if a
        constraint joins two subsystems; if a force of the System ties all subsystems together (CMMotionRemover,
        AndersenThermostat, barostats).

    Notes
    -----
    Reporters show one temperature, the mean of all; computeSubsystemTemperatures() gives each. On OpenMM's Reference
    and CPU platforms random numbers come from one generator for the whole process: the same seed of
    setRandomNumberSeed() gives the same trajectory if nothing else draws from it.

    Examples
    --------
    >>> integrator = SubsystemLangevinIntegrator([300, 350, 400] * unit.kelvin, 1, 0.001, system)
    """

    _members: np.ndarray | None = None
    _fits = False

    def __init__(
        self, temperatures: Any, friction: Any, stepSize: Any, system: openmm.System, subsystems: Any = None
    ) -> None:
        if not isinstance(system, openmm.System):
            raise TypeError(f"system is of the type {type(system).__name__}; it must be an openmm.System")
        members = members_of(system) if subsystems is None else read_members(system, subsystems)
        count = int(members.max(initial=-1)) + 1
        check_members(system, members, count)
        kelvin = _read_temperatures(temperatures, count)
        step = _read_number(stepSize, unit.picosecond, "stepSize")
        if step == 0:
            raise ValueError("stepSize is 0; it must be greater")
        super().__init__(step)
        self.addGlobalVariable(_FRICTION, _read_number(friction, unit.picosecond**-1, "friction"))
        self.addGlobalVariable(_COUNT, len(members))
        for subsystem in range(count):
            self.addGlobalVariable(f"{_TEMPERATURE}{subsystem}", kelvin[subsystem])
        for name in (_KT, _MEMBER, _FREE):
            self.addPerDofVariable(name, 0.0)
        self.addUpdateContextState()
        self.addComputePerDof("v", "v + dt*f/m")
        self.addConstrainVelocities()
        self.addComputePerDof("x", "x + 0.5*dt*v")
        self.addComputePerDof("v", f"kept*v + sqrt((1 - kept*kept)*{_KT}/m)*gaussian; kept = exp(-{_FRICTION}*dt)")
        self.addComputePerDof("x", "x + 0.5*dt*v")
        self.addComputePerDof(_FREE, "x")
        self.addConstrainPositions()
        self.addComputePerDof("v", f"v + (x - {_FREE})/dt")
        self._members = members
        self.setPerDofVariableByName(_MEMBER, _per_dof(members))
        self.setPerDofVariableByName(_KT, _per_dof(_each(GAS_CONSTANT * kelvin, members)))

    @staticmethod
    def cast(integrator: openmm.CustomIntegrator) -> SubsystemLangevinIntegrator:
        """Make a CustomIntegrator that was a SubsystemLangevinIntegrator, and went through XML, one again.

        Parameters
        ----------
        integrator : openmm.CustomIntegrator
            What XmlSerializer.deserialize() returned. It is changed.

        Returns
        -------
        SubsystemLangevinIntegrator
            The same object.

        Raises
        ------
        ValueError
            If it never was one.
        """
        names = []
        if isinstance(integrator, openmm.CustomIntegrator):
            names = [integrator.getPerDofVariableName(i) for i in range(integrator.getNumPerDofVariables())]
        if _MEMBER not in names:
            raise ValueError("cast() needs an integrator that was a SubsystemLangevinIntegrator before it became XML")
        integrator.__class__ = SubsystemLangevinIntegrator
        integrator._forget()
        return integrator

    def getNumSubsystems(self) -> int:
        """Get the number of subsystems.

        Returns
        -------
        int
        """
        names = (self.getGlobalVariableName(i) for i in range(self.getNumGlobalVariables()))
        return sum(name.startswith(_TEMPERATURE) for name in names)

    def getSubsystems(self) -> np.ndarray:
        """Get the subsystem of each particle.

        Returns
        -------
        int64 array [number of particles]
            -1 for a particle of none.
        """
        return self._get_members().copy()

    def getTemperatures(self) -> unit.Quantity:
        """Get the temperatures of the heat baths.

        Returns
        -------
        openmm.unit.Quantity
            A float64 array [number of subsystems], K.
        """
        names = (f"{_TEMPERATURE}{subsystem}" for subsystem in range(self.getNumSubsystems()))
        return unit.Quantity(np.array([self.getGlobalVariableByName(name) for name in names]), unit.kelvin)

    def setTemperatures(self, temperatures: Any) -> None:
        """Set the temperatures of the heat baths, before or during a simulation. Velocities stay as they are.

        Parameters
        ----------
        temperatures : sequence of float, or float
            K or a Quantity, one for each subsystem, or one for all.
        """
        kelvin = _read_temperatures(temperatures, self.getNumSubsystems())
        self._check_fit()
        self.setPerDofVariableByName(_KT, _per_dof(_each(GAS_CONSTANT * kelvin, self._get_members())))
        for subsystem, temperature in enumerate(kelvin):
            self.setGlobalVariableByName(f"{_TEMPERATURE}{subsystem}", temperature)

    def getSubsystemTemperature(self, subsystem: int) -> unit.Quantity:
        """Get the temperature of a subsystem's heat bath.

        Parameters
        ----------
        subsystem : int
            Counted from 0.

        Returns
        -------
        openmm.unit.Quantity
            A float, K.
        """
        name = f"{_TEMPERATURE}{self._index(subsystem)}"
        return unit.Quantity(self.getGlobalVariableByName(name), unit.kelvin)

    def setSubsystemTemperature(self, subsystem: int, temperature: Any) -> None:
        """Set the temperature of a subsystem's heat bath, before or during a simulation. Velocities stay as they are.

        Parameters
        ----------
        subsystem : int
            Counted from 0.
        temperature : float
            K or a Quantity.
        """
        kelvin = self.getTemperatures()._value
        kelvin[self._index(subsystem)] = _read_number(temperature, unit.kelvin, "temperature")
        self.setTemperatures(kelvin)

    def getFriction(self) -> unit.Quantity:
        """Get how strongly the heat baths are coupled.

        Returns
        -------
        openmm.unit.Quantity
            A float, 1/ps.
        """
        return unit.Quantity(self.getGlobalVariableByName(_FRICTION), unit.picosecond**-1)

    def setFriction(self, friction: Any) -> None:
        """Set how strongly the heat baths are coupled.

        Parameters
        ----------
        friction : float
            1/ps or a Quantity.
        """
        self.setGlobalVariableByName(_FRICTION, _read_number(friction, unit.picosecond**-1, "friction"))

    def setVelocitiesToTemperatures(self, context: openmm.Context, seed: int | None = None) -> None:
        """Draw velocities from each subsystem's temperature: Context.setVelocitiesToTemperature() knows only one.

        Parameters
        ----------
        context : openmm.Context
            The Context of this integrator.
        seed : int, optional
            The same gives the same velocities; without it they differ every time.
        """
        masses = self._masses(context)
        kT = _each(GAS_CONSTANT * self.getTemperatures()._value, self._get_members())
        width = np.sqrt(np.divide(kT, masses, out=np.zeros_like(masses), where=masses > 0))
        context.setVelocities(width[:, None] * np.random.default_rng(seed).standard_normal((len(masses), 3)))
        context.applyVelocityConstraints(self.getConstraintTolerance())

    def getSubsystemKineticEnergies(self, context: openmm.Context) -> unit.Quantity:
        """Get the kinetic energy of every subsystem.

        Parameters
        ----------
        context : openmm.Context
            The Context of this integrator.

        Returns
        -------
        openmm.unit.Quantity
            A float64 array [number of subsystems], kJ/mol.
        """
        masses = self._masses(context)
        velocities = context.getState(velocities=True).getVelocities(asNumpy=True)._value
        return unit.Quantity(self._sums(0.5 * masses * (velocities**2).sum(axis=1)), unit.kilojoule_per_mole)

    def computeSubsystemTemperatures(self, context: openmm.Context) -> unit.Quantity:
        """Compute the temperature that each subsystem has at this moment, from its kinetic energy.

        Parameters
        ----------
        context : openmm.Context
            The Context of this integrator.

        Returns
        -------
        openmm.unit.Quantity
            A float64 array [number of subsystems], K; NaN for a subsystem in which nothing moves.
        """
        system = context.getSystem()
        freedom = self._sums(3.0 * (self._masses(context) > 0))
        for i in range(system.getNumConstraints()):
            first, second, _ = system.getConstraintParameters(i)
            if system.getParticleMass(first)._value > 0 or system.getParticleMass(second)._value > 0:
                freedom[self._get_members()[first]] -= 1
        energies = self.getSubsystemKineticEnergies(context)._value
        kelvin = np.full(len(freedom), np.nan)
        np.divide(2 * energies, GAS_CONSTANT * freedom, out=kelvin, where=freedom > 0)
        return unit.Quantity(kelvin, unit.kelvin)

    def step(self, steps: int) -> None:
        """Advance the simulation.

        Parameters
        ----------
        steps : int
            The number of time steps.
        """
        self._check_fit()
        super().step(steps)

    def __copy__(self) -> SubsystemLangevinIntegrator:
        duplicate = super().__copy__()
        duplicate._forget()
        return duplicate

    def __setstate__(self, state: str) -> None:
        super().__setstate__(state)
        self._forget()

    def _forget(self) -> None:
        """Be an integrator that no Context was made with yet, if that is so."""
        self._members, self._fits = None, False
        try:
            self.setPerDofVariableByName(_FREE, [openmm.Vec3(0, 0, 0)])
        except openmm.OpenMMException:  # it has a Context
            return

    def _check_fit(self) -> None:
        """Raise ValueError if the Context is not one of the System that this integrator was made for.

        A variable of one value has as many as there are particles once there is a Context.
        """
        if self._fits:
            return
        found = len(self.getPerDofVariableByName(_FREE))
        expected = int(self.getGlobalVariableByName(_COUNT))
        if found != 1 and found != expected:
            raise ValueError(
                f"this integrator was made for a System of {expected} particles, but its Context has {found}; make it "
                "with the System that the Context is made of"
            )
        self._fits = found != 1

    def _get_members(self) -> np.ndarray:
        """The subsystem of each particle, -1 for none, int64 [number of particles]."""
        if self._members is None:
            values = self.getPerDofVariableByName(_MEMBER)
            self._members = np.array([round(value[0]) for value in values], dtype=np.int64)
        return self._members

    def _index(self, subsystem: int) -> int:
        try:
            index = operator.index(subsystem)
        except TypeError:
            raise ValueError(f"subsystem is {subsystem!r}; it must be an integer") from None
        if not 0 <= index < self.getNumSubsystems():
            raise ValueError(f"subsystem is {index}; there are subsystems 0 to {self.getNumSubsystems() - 1}")
        return index

    def _masses(self, context: openmm.Context) -> np.ndarray:
        system = context.getSystem()
        if system.getNumParticles() != len(self._get_members()):
            raise ValueError(
                f"the context has {system.getNumParticles()} particles, but this integrator was made for a System of "
                f"{len(self._get_members())}"
            )
        return np.array([system.getParticleMass(i)._value for i in range(system.getNumParticles())])

    def _sums(self, values: np.ndarray) -> np.ndarray:
        """Sums over the particles of each subsystem."""
        members = self._get_members()
        inside = members >= 0
        return np.bincount(members[inside], values[inside], self.getNumSubsystems())


def _per_dof(values: np.ndarray) -> np.ndarray:
    return np.repeat(np.asarray(values, dtype=np.float64)[:, None], 3, axis=1)


def _each(values: np.ndarray, members: np.ndarray) -> np.ndarray:
    """The subsystem's value for every particle, 0 for those of none."""
    return np.append(values, 0.0)[members]


def _read_number(value: Any, allowed: unit.Unit, name: str) -> float:
    """A number, 0 or greater, in a unit."""
    try:
        number = float(value.value_in_unit(allowed) if unit.is_quantity(value) else value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} is {value!r}; it must be a number ({allowed}) or a Quantity of such a unit") from None
    if not np.isfinite(number) or number < 0:
        raise ValueError(f"{name} is {value}; it must be a finite number, not negative")
    return number


def _read_temperatures(value: Any, count: int) -> np.ndarray:
    """K, [count]."""
    if unit.is_quantity(value):
        try:
            value = value.value_in_unit(unit.kelvin)
        except TypeError:
            raise ValueError(f"temperatures has the unit {value.unit}; it must be one of temperature") from None
    if not isinstance(value, (Sequence, np.ndarray)) or np.ndim(value) == 0:
        return np.full(count, _read_number(value, unit.kelvin, "temperatures"))
    if len(value) != count:
        raise ValueError(f"temperatures lists {len(value)}; there are {count} subsystems")
    return np.array([_read_number(one, unit.kelvin, f"temperatures[{i}]") for i, one in enumerate(value)])
