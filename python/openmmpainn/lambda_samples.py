# SPDX-License-Identifier: MIT
"""Samples of a lambda series in the forms that pymbar and alchemlyb read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .lambda_states import LambdaStates
from .subsystem_integrator import GAS_CONSTANT

if TYPE_CHECKING:
    import pandas

__all__ = ["LambdaSamples"]


class LambdaSamples:
    """Reduced potentials and derivatives of samples drawn from the states of a LambdaStates.

    Parameters
    ----------
    states : LambdaStates
        Evaluates each sample in every state.
    """

    def __init__(self, states: LambdaStates) -> None:
        self._states = states
        self._beta = 1 / (GAS_CONSTANT * states.getTemperature()._value)
        self._samples: list[list[tuple[float, np.ndarray, np.ndarray]]] = [[] for _ in range(states.getNumStates())]

    def add(self, state: int) -> np.ndarray:
        """Evaluate the present geometry of the Context, a sample of a state, and keep the result.

        Parameters
        ----------
        state : int
            The state that it was drawn from. The Context's parameters must be those of that state.

        Returns
        -------
        float64 array [K]
            The energy in every state in units of kT.

        Raises
        ------
        ValueError
            If there is no such state, or the Context has other parameters.
        """
        parameters = self._states.getParameters()
        if not 0 <= state < len(self._samples):
            raise ValueError(f"state is {state}; there are {len(self._samples)}, counted from 0")
        context = self._states._context
        for name, values in parameters.items():
            if context.getParameter(name) != values[state]:
                raise ValueError(
                    f"'{name}' of the Context is {context.getParameter(name)}, but {values[state]} in state {state}; "
                    "set the state before sampling it"
                )
        energies, slopes = self._states.computeEnergies()
        reduced = self._beta * energies._value
        self._samples[state].append((context.getTime()._value, reduced, self._beta * slopes._value))
        return reduced

    def getReducedPotentials(self) -> tuple[np.ndarray, np.ndarray]:
        """Get what ``pymbar.MBAR(u_kn, N_k)`` takes.

        Returns
        -------
        u_kn : float64 array [K, N]
            The energy in state k of sample n in units of kT, samples ordered by the state that they were drawn from.
        N_k : int64 array [K]
            How many were drawn from each state.
        """
        rows = [reduced for samples in self._samples for _, reduced, _ in samples]
        u_nk = np.array(rows).reshape(len(rows), len(self._samples))
        return u_nk.T.copy(), np.array([len(samples) for samples in self._samples])

    def getDerivatives(self) -> list[np.ndarray]:
        """Get the derivatives that thermodynamic integration needs.

        Returns
        -------
        list of float64 arrays [N_k, P]
            For each state and each of its samples dE/dlambda in units of kT; NaN where no force gives it.
        """
        count = len(self._states.getParameters())
        return [np.array([slopes for _, _, slopes in samples]).reshape(-1, count) for samples in self._samples]

    def subsampled(self, discard: float = 0.1) -> LambdaSamples:
        """Choose samples that are independent of each other, which the errors of estimators ask for. Needs pymbar.

        Parameters
        ----------
        discard : float
            What part of each state's samples is dropped first, as equilibration; 0 or more, less than 1.

        Returns
        -------
        LambdaSamples
            Of each state, samples as far apart as the statistical inefficiency of u_last - u_first says.

        Raises
        ------
        ImportError
            If pymbar is not installed.
        ValueError
            If discard is out of range.
        """
        from pymbar import timeseries

        if not 0 <= discard < 1:
            raise ValueError(f"discard is {discard}; it must be 0 or more and less than 1")
        chosen = LambdaSamples(self._states)
        for state, samples in enumerate(self._samples):
            kept = samples[int(discard * len(samples)) :]
            series = np.array([reduced[-1] - reduced[0] for _, reduced, _ in kept])
            # A series that does not vary is of states that do not differ: pymbar knows no inefficiency of it.
            varies = len(kept) > 1 and np.ptp(series) > 0
            picks = timeseries.subsample_correlated_data(series) if varies else range(len(kept))
            chosen._samples[state] = [kept[i] for i in picks]
        return chosen

    def toAlchemlyb(self) -> tuple[pandas.DataFrame, pandas.DataFrame]:
        """Make the tables that alchemlyb's estimators take. Needs pandas.

        Returns
        -------
        u_nk : pandas.DataFrame
            A row for each sample, a column for each state; for alchemlyb.estimators.MBAR and BAR.
        dHdl : pandas.DataFrame
            A row for each sample, a column for each parameter; for alchemlyb.estimators.TI.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        import pandas

        parameters = self._states.getParameters()
        points = [tuple(map(float, point)) for point in zip(*parameters.values(), strict=True)]
        labels = points if len(parameters) > 1 else [point[0] for point in points]
        rows, energies, slopes = [], [], []
        for point, samples in zip(points, self._samples, strict=True):
            for time, reduced, slope in samples:
                rows.append((time, *point))
                energies.append(reduced)
                slopes.append(slope)
        index = pandas.MultiIndex.from_tuples(rows, names=["time", *(f"{name}-lambda" for name in parameters)])
        u_nk = pandas.DataFrame(np.array(energies), index=index, columns=pandas.Index(labels, tupleize_cols=False))
        dHdl = pandas.DataFrame(np.array(slopes), index=index, columns=list(parameters))
        for table in (u_nk, dHdl):
            table.attrs = {"temperature": self._states.getTemperature()._value, "energy_unit": "kT"}
        return u_nk, dHdl
