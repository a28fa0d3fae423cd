# SPDX-License-Identifier: MIT
"""Does the total energy stay constant? Short constant-energy runs, and what they can and cannot tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import openmm
from openmm import app, unit

from ..structures import Structure
from .report import FAIL, PASS, SKIPPED, UNRESOLVED, WARN, Row
from .subject import Subject

__all__ = ["Drift", "check", "drift_of_one_run", "estimate_drift"]

REPLICAS = 8
TIME_STEP = 0.0005  # ps
TEMPERATURE = 300.0  # K
EQUILIBRATION = 150  # Langevin steps before each run, so that kinetic and potential energy are in balance
BOLTZMANN = 0.00831446261815324  # kJ/mol/K
# Two-sided quantiles of Student's t by degrees of freedom: 95 % to quote, 99.9 % before a model is called faulty.
T_95 = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306}
T_999 = {1: 636.6, 2: 31.60, 3: 12.92, 4: 8.610, 5: 6.869, 6: 5.959, 7: 5.408, 8: 5.041}


@dataclass
class Drift:
    """The slope of the total energy over time, from independent runs.

    Attributes
    ----------
    slope : float
        kT/ns per degree of freedom.
    interval : float
        Half the 95 % interval of the slope: no smaller drift can be seen by these runs.
    surely : float
        Half the 99.9 % interval.
    fluctuation : float
        Root mean square deviation of the energy from the fitted lines, kJ/mol.
    """

    slope: float
    interval: float
    surely: float
    fluctuation: float


def estimate_drift(times: np.ndarray, energies: np.ndarray, degrees: int, temperature: float = TEMPERATURE) -> Drift:
    """The drift of independent runs.

    Parameters
    ----------
    times : array [T]
        ps.
    energies : array [R, T]
        Total energies (kJ/mol) of R >= 2 runs.
    degrees : int
        Degrees of freedom.
    temperature : float
        Of kT, K.
    """
    runs = len(energies)
    fits = [np.polyfit(times, energy, 1) for energy in energies]
    residuals = [energy - np.polyval(fit, times) for fit, energy in zip(fits, energies, strict=True)]
    slopes = np.array([fit[0] for fit in fits]) * 1e3 / (BOLTZMANN * temperature * degrees)  # per ps -> kT/ns/dof
    error = slopes.std(ddof=1) / np.sqrt(runs)
    freedom = min(runs - 1, 7)
    return Drift(
        float(slopes.mean()),
        float(T_95[freedom] * error),
        float(T_999[freedom] * error),
        float(np.sqrt(np.mean(np.square(residuals)))),
    )


def drift_of_one_run(times: np.ndarray, energies: np.ndarray, degrees: int, temperature: float = TEMPERATURE) -> Drift:
    """The drift of a single run, from a line through the means of ten blocks.

    Blocks much longer than the energy remembers its past (a few vibrations) have independent means, so the scatter of
    the means about the line tells how well its slope is known.

    Parameters
    ----------
    times, energies : array [T]
        ps; total energies in kJ/mol, T >= 20.
    degrees : int
        Degrees of freedom.
    temperature : float
        Of kT, K.
    """
    blocks = 10
    length = len(times) // blocks * blocks
    t, e = (np.asarray(values)[:length].reshape(blocks, -1).mean(axis=1) for values in (times, energies))
    slope, start = np.polyfit(t, e, 1)
    residuals = e - (slope * t + start)
    error = np.sqrt((residuals**2).sum() / (blocks - 2) / ((t - t.mean()) ** 2).sum())
    scale = 1e3 / (BOLTZMANN * temperature * degrees)  # kJ/mol/ps -> kT/ns per degree of freedom
    return Drift(
        float(slope * scale),
        float(T_95[blocks - 2] * error * scale),
        float(T_999[blocks - 2] * error * scale),
        float(np.std(energies - np.polyval((slope, start), times))),
    )


def _system(subject: Subject, structure: Structure) -> openmm.System:
    from .. import PaiNNStudentForce

    system = openmm.System()
    force = PaiNNStudentForce(subject.model)
    for i, number in enumerate(structure.numbers):
        system.addParticle(app.Element.getByAtomicNumber(number).mass)
        force.addParticle(i, number)
    system.addForce(force)
    return system


def _runs(
    subject: Subject, structure: Structure, steps: int, advance: Callable[[float], None]
) -> tuple[np.ndarray, ...]:
    """Times [T] (ps) and total energies [REPLICAS, T] (kJ/mol); each run from its own random velocities."""
    system, platform = _system(subject, structure), openmm.Platform.getPlatform(subject.platform)
    # Starts are made on Reference: the same for every platform, whose minimisers may differ.
    bath = openmm.LangevinMiddleIntegrator(TEMPERATURE, 20.0, TIME_STEP)
    bath.setRandomNumberSeed(subject.seed + 1)
    warm = openmm.Context(system, bath, openmm.Platform.getPlatform("Reference"))
    warm.setPositions(structure.positions)
    openmm.LocalEnergyMinimizer.minimize(warm, 10.0, 200)
    warm.setVelocitiesToTemperature(2 * TEMPERATURE, subject.seed + 1)  # half of it goes into the potential energy
    free = openmm.Context(system, openmm.VerletIntegrator(TIME_STEP), platform)
    every = max(1, steps // 100)
    times, energies = [], []
    for _ in range(REPLICAS):
        bath.step(EQUILIBRATION)
        state = warm.getState(positions=True, velocities=True)
        free.setPositions(state.getPositions(asNumpy=True))
        free.setVelocities(state.getVelocities(asNumpy=True))
        series = []
        for _ in range(steps // every):
            free.getIntegrator().step(every)
            now = free.getState(energy=True)
            total = now.getPotentialEnergy() + now.getKineticEnergy()
            series.append(total.value_in_unit(unit.kilojoule_per_mole))
            advance(every / (steps * REPLICAS))
        energies.append(series)
        times = every * TIME_STEP * np.arange(1, len(series) + 1)
    return np.asarray(times), np.array(energies)


def check(subject: Subject, steps: int, advance: Callable[[float], None]) -> list[Row]:
    """The row of this module, for runs of ``steps`` steps. ``advance`` is told each share of the work that is done."""
    name = "energy drift"
    structure = max(subject.structures, key=lambda structure: len(structure.numbers))
    if steps == 0:
        return [Row(name, SKIPPED, "no steps were asked for")]
    if len(structure.numbers) < 2 or max(structure.numbers) > 112:
        return [Row(name, SKIPPED, "it needs two atoms or more, of elements with a known mass")]
    bad = FAIL if subject.sound else WARN
    try:
        times, energies = _runs(subject, structure, steps, advance)
    except openmm.OpenMMException as error:
        return [Row(name, bad, f"{structure.name}: the run broke down: {error}")]
    if not np.isfinite(energies).all():
        return [Row(name, bad, f"{structure.name}: the energy became infinite")]
    drift = estimate_drift(times, energies, 3 * len(structure.numbers))
    bar = 1e-7 if subject.double else 1e-4
    text = (
        f"{structure.name}, {REPLICAS} x {times[-1]:.3g} ps Verlet at {1000 * TIME_STEP:g} fs: {drift.slope:+.2g} +- "
        f"{drift.interval:.2g} kT/ns per degree of freedom (95 %), energy fluctuation {drift.fluctuation:.2g} kJ/mol"
    )
    if abs(drift.slope) + drift.interval <= bar:
        status = PASS
    elif abs(drift.slope) - drift.surely > bar:
        status = bad
        text += "; this is a drift, not noise"
    else:
        status = UNRESOLVED
        text += (
            f"; runs this short cannot see a drift below {drift.interval:.2g}, the goal is {bar:.0e}: longer ones see "
        )
        text += "less as length^-1.5"
    details = {"slope": drift.slope, "interval_95": drift.interval, "fluctuation_kj_mol": drift.fluctuation}
    return [Row(name, status, text, abs(drift.slope), bar, details)]
