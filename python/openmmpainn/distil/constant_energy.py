# SPDX-License-Identifier: MIT
"""Dynamics without a heat bath: the drift of the energy of each molecule, and the law of the time step."""

from __future__ import annotations

from typing import Any

import numpy as np
import openmm
from openmm import unit

from ..check.dynamics import estimate_drift
from ..progress import Progress
from .molecule_system import MoleculeSystem, make_context

__all__ = ["judge_drift", "judge_step_law"]

_EQUILIBRATION, _BETWEEN = 1.0, 0.25  # ps with the heat bath before the first run, and before each other
_SAMPLES = 200
_BATH_STEP = 0.0005  # ps


def _starts(system: MoleculeSystem, kelvin: float, runs: int, platform: str, precision: str | None, seed: int):
    """Positions and velocities of independent runs, one after the other."""
    bath = openmm.LangevinMiddleIntegrator(kelvin, 20.0, _BATH_STEP)
    bath.setRandomNumberSeed(seed)
    context = make_context(system, bath, platform, precision)
    context.setVelocities(system.thermal_velocities(kelvin, np.random.default_rng(seed)))
    bath.step(round(_EQUILIBRATION / _BATH_STEP))
    for _ in range(runs):
        bath.step(round(_BETWEEN / _BATH_STEP))
        yield context.getState(positions=True, velocities=True)


def _free(context: openmm.Context, system: MoleculeSystem, state: Any, step: float, count: int, every: int, shown: Any):
    """Total energies of each molecule, [count, M], of a run from a state."""
    context.setState(state)
    # The bath's velocities are those of the positions; Verlet's are half a step earlier.
    force = (
        context.getState(forces=True).getForces(asNumpy=True).value_in_unit(unit.kilojoule_per_mole / unit.nanometer)
    )
    v = state.getVelocities(asNumpy=True).value_in_unit(unit.nanometer / unit.picosecond)
    context.setVelocities(v - 0.5 * step * force / system.masses[:, None])
    series = []
    for _ in range(count):
        context.getIntegrator().step(every)
        series.append(system.total_energies(context, step))
        shown.advance()
    return np.array(series)


def judge_drift(
    system: MoleculeSystem,
    picoseconds: float,
    kelvin: float = 300.0,
    femtoseconds: float = 0.5,
    runs: int = 8,
    bar: float = 1e-4,
    platform: str = "CPU",
    precision: str | None = None,
    seed: int = 1,
) -> dict[str, Any]:
    """Row 14: the slope of the total energy by Verlet, with its 95 % interval from independent runs.

    Parameters
    ----------
    system : MoleculeSystem
        The molecules; each is judged alone, and all together.
    picoseconds, kelvin, femtoseconds, runs
        Of each run; of the bath that the runs start from; the step; how many.
    bar : float
        kT/ns per degree of freedom: within it with the whole interval a drift is "none", beyond it "found", and else
        "unresolved".
    platform, precision, seed
        Of OpenMM.

    Returns
    -------
    dict
        ``all`` and ``molecules``: slope, interval (both kT/ns per degree of freedom), fluctuation (kJ/mol), verdict.
    """
    step = 1e-3 * femtoseconds
    every = max(1, round(picoseconds / step / _SAMPLES))
    count = max(20, round(picoseconds / step / every))
    context = make_context(system, openmm.VerletIntegrator(step), platform, precision)
    with Progress("constant energy", runs * count) as shown:
        energies = np.array(
            [
                _free(context, system, state, step, count, every, shown)
                for state in _starts(system, kelvin, runs, platform, precision, seed)
            ]
        )  # [runs, count, M]
    times = every * step * np.arange(1, count + 1)
    degrees = 3 * np.diff(system.first)

    def verdict(series: np.ndarray, freedom: int) -> dict[str, Any]:
        if not np.isfinite(series).all():
            return {"slope": None, "interval": None, "fluctuation": None, "verdict": "not finite"}
        drift = estimate_drift(times, series, freedom, kelvin)
        word = "unresolved"
        if abs(drift.slope) + drift.interval <= bar:
            word = "none"
        elif abs(drift.slope) > max(drift.surely, bar):
            word = "found"
        return {
            "slope": drift.slope,
            "interval": drift.interval,
            "fluctuation": drift.fluctuation,
            "verdict": word,
        }

    each = [
        {"name": molecule.name, **verdict(energies[:, :, k], int(degrees[k]))}
        for k, molecule in enumerate(system.molecules)
    ]
    return {
        "picoseconds": float(times[-1]),
        "femtoseconds": femtoseconds,
        "runs": runs,
        "bar": bar,
        "platform": platform,
        "precision": precision,
        "all": verdict(energies.sum(axis=2), int(degrees.sum())),
        "molecules": each,
    }


def judge_step_law(
    system: MoleculeSystem,
    picoseconds: float,
    kelvin: float = 300.0,
    steps: tuple[float, ...] = (1.0, 0.5, 0.25),
    platform: str = "CPU",
    precision: str | None = None,
    seed: int = 1,
) -> dict[str, Any]:
    """Row 15: the fluctuation of the total energy goes as the square of the step (fs), all runs from one state.

    Returns
    -------
    dict
        ``fluctuation`` (kJ/mol) by step, and the largest ``deviation`` from the law, by physical_validation.
    """
    import physical_validation as pv

    (state,) = _starts(system, kelvin, 1, platform, precision, seed)
    data, fluctuations = [], {}
    spacing = max(steps) * 2e-3  # ps between samples, the same for all
    count = max(20, round(picoseconds / spacing))
    with Progress("law of the step", len(steps) * count) as shown:
        for femtoseconds in steps:
            step = 1e-3 * femtoseconds
            context = make_context(system, openmm.VerletIntegrator(step), platform, precision)
            series = _free(context, system, state, step, count, round(spacing / step), shown).sum(axis=1)
            fluctuations[f"{femtoseconds:g} fs"] = float(series.std())
            data.append(pv.data.SimulationData(dt=step, observables=pv.data.ObservableData(constant_of_motion=series)))
    return {
        "picoseconds": picoseconds,
        "fluctuation": fluctuations,
        "deviation": float(pv.integrator.convergence(data, verbose=False)),
    }
