# SPDX-License-Identifier: MIT
"""Whether molecules hold: long dynamics by a student, the first break of each, and kinetic energies.

A molecule breaks when a bond is 0.5 angstrom off its first length, or a coordinate is no finite number. It is then put
back to its start and goes on, so that it stops nobody else; only its first break counts.
"""

from __future__ import annotations

import io
import os
import pathlib
import time
from typing import Any

import numpy as np
import openmm

from ..progress import Progress
from .molecule_system import BOLTZMANN, MoleculeSystem, make_context, positions_of

__all__ = ["BREAK", "run_stability", "summarise_kinetic"]

BREAK = 0.5  # angstrom
_SAMPLE = 0.05  # ps between looks
_KINETIC = 20  # looks between kinetic energies kept: 1 ps, after which they are new
_FRICTION = 1.0  # 1/ps


class _Run:
    """The state of a run, that a file keeps."""

    def __init__(self, count: int) -> None:
        self.look = 0
        self.worst = np.zeros(count)  # angstrom
        self.broke_at = np.full(count, np.nan)  # ps
        self.kinetic: list[np.ndarray] = []  # [M] each, kJ/mol

    def save(self, path: pathlib.Path, context: openmm.Context) -> None:
        part = path.with_suffix(f".{os.getpid()}.part")
        arrays = {"worst": self.worst, "broke_at": self.broke_at, "kinetic": np.array(self.kinetic)}
        data = io.BytesIO()
        np.savez(data, look=self.look, checkpoint=np.frombuffer(context.createCheckpoint(), np.uint8), **arrays)
        part.write_bytes(data.getvalue())
        os.replace(part, path)

    def load(self, path: pathlib.Path, context: openmm.Context) -> None:
        with np.load(path) as file:
            self.look, self.worst, self.broke_at = int(file["look"]), file["worst"], file["broke_at"]
            self.kinetic = list(file["kinetic"])
            context.loadCheckpoint(file["checkpoint"].tobytes())


def run_stability(
    system: MoleculeSystem,
    kelvin: float,
    picoseconds: float,
    femtoseconds: float = 1.0,
    platform: str = "CPU",
    precision: str | None = None,
    seed: int = 1,
    file: str | os.PathLike[str] | None = None,
    seconds: float | None = None,
) -> dict[str, Any]:
    """Langevin dynamics of molecules until a time, or what is left of it.

    Parameters
    ----------
    system : MoleculeSystem
        The molecules.
    kelvin, picoseconds, femtoseconds : float
        The heat bath, how long, and the step.
    platform, precision, seed
        Of OpenMM.
    file : path, optional
        Where the run is kept every minute and at its end, and from where it goes on (on the same platform).
    seconds : float, optional
        Stop after this time, to be gone on with.

    Returns
    -------
    dict
        ``picoseconds`` done, ``molecules`` (name, atoms, ``broke_at_ps`` or None, ``largest_bond_change_A`` until
        then), ``broken`` (how many), ``kelvin`` and ``kinetic`` of summarise_kinetic().
    """
    step = 1e-3 * femtoseconds
    integrator = openmm.LangevinMiddleIntegrator(kelvin, _FRICTION, step)
    integrator.setRandomNumberSeed(seed)
    context = make_context(system, integrator, platform, precision)
    rng = np.random.default_rng(seed)
    context.setVelocities(system.thermal_velocities(kelvin, rng))
    run, path = _Run(len(system.molecules)), None if file is None else pathlib.Path(file)
    if path is not None and path.exists():
        run.load(path, context)
    steps = max(1, round(_SAMPLE / step))
    looks = max(1, round(picoseconds / (steps * step)))
    begin = saved = time.monotonic()
    with Progress(f"{len(system.molecules)} molecules at {kelvin:.0f} K", looks) as progress:
        progress.advance(run.look)
        good = context.getState(positions=True, velocities=True)
        while run.look < looks:
            failed = False
            try:
                integrator.step(steps)
                change = system.largest_bond_changes(positions_of(context))
            except openmm.OpenMMException:
                # Something is not finite: the one that was worst before it is taken to be the one that broke.
                failed = True
                context.setState(good)
                change = system.largest_bond_changes(positions_of(context))
                change[int(np.argmax(change))] = np.inf
            broken = ~(change < BREAK)
            now = (run.look + 1) * steps * step
            unbroken = np.isnan(run.broke_at)
            run.broke_at[broken & unbroken] = now
            run.worst[unbroken] = np.maximum(run.worst, np.minimum(change, 99.0))[unbroken]
            if broken.any():
                _put_back(system, context, broken, kelvin, rng)
            if not failed:
                run.look += 1
                progress.advance(text=f"{int((~np.isnan(run.broke_at)).sum())} broke")
                if run.look % _KINETIC == 0:
                    run.kinetic.append(system.kinetic_energies(_velocities(context)))
            good = context.getState(positions=True, velocities=True)
            if path is not None and time.monotonic() - saved > 60:
                run.save(path, context)
                saved = time.monotonic()
            if seconds is not None and time.monotonic() - begin > seconds:
                break
    if path is not None:
        run.save(path, context)
    molecules = [
        {
            "name": each.name,
            "smiles": each.smiles,
            "atoms": len(each.numbers),
            "broke_at_ps": None if np.isnan(at) else round(float(at), 3),
            "largest_bond_change_A": round(float(worst), 4),
        }
        for each, at, worst in zip(system.molecules, run.broke_at, run.worst, strict=True)
    ]
    return {
        "kelvin": kelvin,
        "picoseconds": round(run.look * steps * step, 3),
        "femtoseconds": femtoseconds,
        "platform": platform,
        "broken": int((~np.isnan(run.broke_at)).sum()),
        "molecules": molecules,
        "kinetic": summarise_kinetic(np.array(run.kinetic), system, kelvin),
    }


def _velocities(context: openmm.Context) -> np.ndarray:
    return np.array(context.getState(velocities=True).getVelocities(asNumpy=True)._value)  # nm/ps


def _put_back(
    system: MoleculeSystem, context: openmm.Context, broken: np.ndarray, kelvin: float, rng: np.random.Generator
) -> None:
    """Molecules that broke begin anew."""
    atoms = broken[system.atom_owners]
    x, v = positions_of(context).copy(), _velocities(context)
    x[atoms] = system.starts[atoms]
    v[atoms] = system.thermal_velocities(kelvin, rng)[atoms]
    context.setPositions(x)
    context.setVelocities(v)


def summarise_kinetic(kinetic: np.ndarray, system: MoleculeSystem, kelvin: float) -> dict[str, Any]:
    """Kinetic energies [samples, M] (kJ/mol, 1 ps apart) against the canonical distribution.

    Returns
    -------
    dict
        Mean temperature (K) of all, its standard error, and the probability that a Kolmogorov-Smirnov test gives to
        all samples (row 16: at least 0.01), each molecule's distribution being that of its 3 N degrees of freedom; the
        first tenth, when the molecules warm up, is left out. None with fewer than 20 samples.
    """
    kept = kinetic[len(kinetic) // 10 :] if len(kinetic) else kinetic
    if kept.size < 20:
        return {"samples": int(kept.size), "mean_kelvin": None, "standard_error": None, "p_value": None}
    from scipy import stats

    degrees = 3 * np.diff(system.first)
    temperatures = 2 * kept.sum(axis=1) / (BOLTZMANN * degrees.sum())
    quantiles = stats.chi2.cdf(2 * kept / (BOLTZMANN * kelvin), degrees)
    return {
        "samples": int(kept.size),
        "mean_kelvin": float(temperatures.mean()),
        "standard_error": float(temperatures.std(ddof=1) / np.sqrt(len(temperatures))),
        "p_value": float(stats.kstest(quantiles.ravel(), "uniform").pvalue),
    }
