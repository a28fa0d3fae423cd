# SPDX-License-Identifier: MIT
"""Energies of all states of a lambda series at a geometry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import openmm
from openmm import unit

from .lambda_derivatives import derivative_sources
from .subsystem_integrator import GAS_CONSTANT

__all__ = ["LambdaStates"]

_TOLERANCE = 0.01  # kT: how far from a straight line in lambda an energy may be
_ROUNDING = 4e-7  # and so many times the largest energy, which single precision cannot tell apart


class LambdaStates:
    """The states of a lambda series: values of global parameters of a Context at one temperature.

    Where the energy is linear in the parameters, one evaluation with its derivatives gives the energies of all
    states, E(lambda_k) = E(lambda) + sum over p of (lambda_kp - lambda_p) dE/dlambda_p. That is so if a parameter is
    the scale of a network and of nothing else, or if everything is mixed linearly, as by createInterpolatedSystem()
    or by openmm-ml with ``interpolate=True``. It is not assumed: at the first geometry, and at one in ``checkEvery``
    later, every state is evaluated too, and if the first does not agree, all of them are from then on.

    Parameters
    ----------
    context : openmm.Context
        The Context to evaluate; its present positions and box are those of the sample. Its parameters are left as
        they are.
    parameters : mapping of str to sequence of float [K]
        For each global parameter its value in each of the K states.
    temperature : float or openmm.unit.Quantity
        K, of all states. Terms that are the same in all states, such as pV, are left out: they change no free energy.
    references : mapping of str to float or openmm.unit.Quantity, optional
        kJ/mol, by parameter: lambda times it is taken off each energy, so that those of free atoms in the network do
        not hide the differences. Free energies become smaller by lambda times it.
    linear : bool, optional
        False evaluates every state for each sample, whatever the energy is like.
    checkEvery : int
        How often linearity is checked.

    Raises
    ------
    ValueError
        If the Context has no such parameter, the numbers of values differ, a number is not finite, or there are
        fewer than two states.

    Notes
    -----
    The derivative is the one that the forces give if all forces that have the parameter were asked for it by
    addEnergyParameterDerivative(). If they were not, but all of them are PaiNNStudentForces, it is the sum of the
    energies of the subsystems scaled by it, which is a second evaluation of the network.

    Examples
    --------
    >>> states = LambdaStates(context, {"lambda": [0, 0.25, 0.5, 0.75, 1]}, 300)
    >>> samples = LambdaSamples(states)
    >>> for k in range(states.getNumStates()):
    ...     states.setState(k)
    ...     for _ in range(100):
    ...         integrator.step(100)
    ...         samples.add(k)
    >>> mbar = pymbar.MBAR(*samples.getReducedPotentials())
    """

    def __init__(
        self,
        context: openmm.Context,
        parameters: Mapping[str, Sequence[float]],
        temperature: Any,
        references: Mapping[str, Any] | None = None,
        linear: bool | None = None,
        checkEvery: int = 100,
    ) -> None:
        self._context = context
        self._names = tuple(parameters)
        self._values = _read_values(context, parameters)  # [K, P]
        self._temperature = _read_number(temperature, unit.kelvin, "temperature")
        if self._temperature <= 0:
            raise ValueError(f"temperature is {self._temperature} K; it must be greater than 0")
        if checkEvery < 1:
            raise ValueError(f"checkEvery is {checkEvery}; it must be 1 or more")
        references = dict(references or {})
        if set(references) - set(self._names):
            raise ValueError(f"references names {sorted(references)}; the parameters are {list(self._names)}")
        self._references = np.array(
            [_read_number(references.get(name, 0.0), unit.kilojoule_per_mole, "references") for name in self._names]
        )
        self._networks = derivative_sources(context.getSystem(), self._names)
        self._linear = linear is not False and self._networks is not None
        self._check_every, self._evaluated = checkEvery, 0

    def getNumStates(self) -> int:
        """Get the number of states, K."""
        return len(self._values)

    def getParameters(self) -> dict[str, np.ndarray]:
        """Get the values of the parameters, a float64 array [K] for each name."""
        return {name: self._values[:, p].copy() for p, name in enumerate(self._names)}

    def getTemperature(self) -> unit.Quantity:
        """Get the temperature, a float in K."""
        return unit.Quantity(self._temperature, unit.kelvin)

    def isLinear(self) -> bool:
        """Whether one evaluation gives all states. Before the first sample: whether that will be tried."""
        return self._linear

    def setState(self, state: int) -> None:
        """Set the parameters of the Context to those of a state.

        Parameters
        ----------
        state : int
            Counted from 0.
        """
        if not 0 <= state < len(self._values):
            raise ValueError(f"state is {state}; there are {len(self._values)}, counted from 0")
        self._set(self._values[state])

    def computeEnergies(self) -> tuple[unit.Quantity, unit.Quantity]:
        """Compute the energy of every state, and its derivatives, at the present geometry of the Context.

        Returns
        -------
        energies : openmm.unit.Quantity
            A float64 array [K], kJ/mol.
        derivatives : openmm.unit.Quantity
            A float64 array [P], dE/dlambda at the present parameters of the Context, kJ/mol; NaN where no force gives
            it.

        Raises
        ------
        RuntimeError
            If energies that were linear in the parameters are so no longer.
        """
        present = np.array([self._context.getParameter(name) for name in self._names])
        slopes = np.full(len(self._names), np.nan)
        line = None
        if self._networks is not None:
            energy, slopes = self._evaluate_with_slopes()
            line = energy + (self._values - present) @ slopes
        energies = line
        check = self._evaluated % self._check_every == 0
        if not self._linear or check:
            energies = self._evaluate_each(present)
        if self._linear and check:
            apart = float(np.abs(energies - line).max())
            allowed = _TOLERANCE * GAS_CONSTANT * self._temperature + _ROUNDING * float(np.abs(energies).max())
            if not apart <= allowed:
                if self._evaluated > 0:
                    raise RuntimeError(
                        f"the energies of {self._evaluated} samples were taken as linear in {list(self._names)}, but "
                        f"now one is {apart:.3g} kJ/mol beside the line; make the LambdaStates with linear=False"
                    )
                self._linear = False
        self._evaluated += 1
        energies = energies - self._values @ self._references
        return energies * unit.kilojoule_per_mole, (slopes - self._references) * unit.kilojoule_per_mole

    def _set(self, values: np.ndarray) -> None:
        for name, value in zip(self._names, values, strict=True):
            self._context.setParameter(name, float(value))

    def _evaluate_with_slopes(self) -> tuple[float, np.ndarray]:
        """The energy at the present parameters (kJ/mol) and its derivatives [P]."""
        state = self._context.getState(energy=True, parameterDerivatives=True)
        found = state.getEnergyParameterDerivatives()
        slopes = np.zeros(len(self._names))
        for p, name in enumerate(self._names):
            networks = self._networks[p]
            slopes[p] = found[name] if networks is None else 0.0
            for network, subsystems in networks or ():
                slopes[p] += network.getSubsystemEnergies(self._context)._value[subsystems].sum()
        return state.getPotentialEnergy()._value, slopes

    def _evaluate_each(self, present: np.ndarray) -> np.ndarray:
        """The energy of each state [K], kJ/mol, by setting its parameters."""
        energies = np.empty(len(self._values))
        try:
            for k, values in enumerate(self._values):
                self._set(values)
                energies[k] = self._context.getState(energy=True).getPotentialEnergy()._value
        finally:
            self._set(present)
        return energies


def _read_number(value: Any, wanted: unit.Unit, name: str) -> float:
    try:
        number = float(value.value_in_unit(wanted) if unit.is_quantity(value) else value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} is {value!r}; it must be a number ({wanted}) or a Quantity") from None
    if not np.isfinite(number):
        raise ValueError(f"{name} is {number}; it must be finite")
    return number


def _read_values(context: openmm.Context, parameters: Mapping[str, Sequence[float]]) -> np.ndarray:
    """The parameters of the states [K, P]."""
    known = set(context.getParameters())
    for name, values in parameters.items():
        if name not in known:
            raise ValueError(f"the Context has no parameter '{name}'; it has {sorted(known)}")
        if not np.isfinite(np.asarray(values, dtype=float)).all():
            raise ValueError(f"the values of '{name}' are not all finite")
    counts = {name: len(values) for name, values in parameters.items()}
    if len(set(counts.values())) != 1 or min(counts.values()) < 2:
        raise ValueError(f"the numbers of values are {counts}; all must be the same, and 2 or more")
    return np.array([parameters[name] for name in parameters], dtype=float).T.copy()
