# SPDX-License-Identifier: MIT
"""How good a student is: errors on held-out frames, and on frames that it visits by itself."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from ..progress import Progress
from ..torch_network import PaiNNNetwork
from .dataset import Frames
from .molecules import Molecule, dihedral
from .predict import predict
from .teacher import Teacher, TeacherError, langevin

__all__ = ["backbone_map", "errors", "held_out_errors", "wander"]


def errors(energies: np.ndarray, forces: np.ndarray, frames: Frames) -> dict[str, float]:
    """Errors of energies [F] (eV) and forces [F, N, 3] (eV/angstrom) against the teacher's, in meV and meV/angstrom."""
    e = 1000 * (energies - frames.energies)
    f = 1000 * (forces - frames.forces)
    return {
        "frames": len(frames),
        "force_mae": float(np.abs(f).mean()),
        "force_rmse": float(np.sqrt((f**2).mean())),
        "force_mean_size": float(1000 * np.abs(frames.forces).mean()),
        "energy_mae": float(np.abs(e).mean()),
        "energy_rmse": float(np.sqrt((e**2).mean())),
        "energy_offset": float(e.mean()),
    }


def held_out_errors(network: PaiNNNetwork, held_out: dict[str, Frames]) -> dict[str, dict[str, dict[str, float]]]:
    """Errors by molecule, and in it by temperature ("300 K" ...) and for distorted frames ("distorted")."""
    table: dict[str, dict[str, dict[str, float]]] = {}
    for name, frames in held_out.items():
        energies, forces = predict(network, frames.molecule.numbers, frames.positions)
        table[name] = {}
        kinds = {
            f"{t:.0f} K": frames.temperatures == t for t in np.unique(frames.temperatures[frames.temperatures > 0])
        }
        kinds["distorted"] = frames.temperatures < 0
        for kind, mask in kinds.items():
            if mask.any():
                table[name][kind] = errors(energies[mask], forces[mask], frames.pick(mask))
    return table


def backbone_map(network: PaiNNNetwork, frames: Frames, cells: int = 6) -> list[list[float | None]]:
    """Force MAE (meV/angstrom) of undistorted frames by cell of phi (rows) and psi (columns), from -180 degrees."""
    frames = frames.pick(frames.temperatures > 0)
    _, forces = predict(network, frames.molecule.numbers, frames.positions)
    error = 1000 * np.abs(forces - frames.forces).mean(axis=(1, 2))
    phi, psi = (dihedral(frames.positions, torsion) for torsion in frames.molecule.backbone)
    row, column = (((angle + 180) / 360 * cells).astype(int) % cells for angle in (phi, psi))
    return [
        [float(error[mask].mean()) if (mask := (row == i) & (column == j)).any() else None for j in range(cells)]
        for i in range(cells)
    ]


def wander(
    network: PaiNNNetwork,
    molecule: Molecule,
    starts: np.ndarray,
    temperature: float,
    seconds: float,
    method: str,
    timestep: float = 0.5,
    labelled: int = 200,
    max_steps: int = 20000,
    seed: int = 7,
) -> dict[str, Any]:
    """Let copies of a molecule move by the student alone, and ask the teacher about where they have come to.

    Parameters
    ----------
    network : PaiNNNetwork
        The student, in any precision, on any device.
    molecule : Molecule
        What moves.
    starts : array [R, N, 3]
        angstrom, one copy each.
    temperature : float
        K.
    seconds : float
        How long to go on (wall time, besides the labels); at most ``max_steps`` steps.
    method : str
        The teacher's.
    timestep : float
        fs.
    labelled : int
        About how many frames the teacher sees.
    max_steps, seed : int
        As they say.

    Returns
    -------
    dict
        ``copies``, ``picoseconds`` (of each), ``kelvin`` (wanted), ``intact`` (copies whose coordinates stayed finite
        and whose bonds stayed between 0.6 and 1.5 times their first length), ``teacher_failures``, and errors() of the
        visited frames.
    """
    pairs = np.array(molecule.bonds)

    def lengths(x: np.ndarray) -> np.ndarray:
        return np.linalg.norm(x[:, pairs[:, 0]] - x[:, pairs[:, 1]], axis=-1)

    first = lengths(starts)
    intact = np.ones(len(starts), dtype=bool)
    kept: list[np.ndarray] = []
    begin, steps, progress_done = time.monotonic(), 0, 0.0
    run = langevin(
        lambda x: predict(network, molecule.numbers, x, batch=len(starts)),
        starts.astype(np.float64),
        np.array(molecule.masses),
        temperature,
        max_steps,
        np.random.default_rng(seed),
        timestep,
    )
    with Progress(f"free dynamics at {temperature:.0f} K", 1.0) as progress:
        for x, _, _ in run:
            steps += 1
            if steps % 20 == 0:
                ratio = lengths(x) / first
                intact &= np.isfinite(x).all(axis=(1, 2)) & (ratio > 0.6).all(axis=1) & (ratio < 1.5).all(axis=1)
                kept.append(x.astype(np.float32))
            elapsed = (time.monotonic() - begin) / seconds
            now = max(elapsed, steps / max_steps)
            progress.advance(now - progress_done)
            progress_done = now
            if elapsed > 1:
                break
    # The later half, when the copies have left their starting points.
    visited = np.concatenate(kept[len(kept) // 2 :] or [x[None, 0].astype(np.float32)])
    visited = visited[np.isfinite(visited).all(axis=(1, 2))]
    visited = visited[np.linspace(0, len(visited) - 1, min(labelled, len(visited))).astype(int)]
    teacher, labels, failures = Teacher(molecule.numbers, method), [], 0
    for x in visited:
        try:
            labels.append((x, *teacher(x.astype(np.float64))))
        except TeacherError:
            failures += 1
    answer: dict[str, Any] = {
        "copies": len(starts),
        "picoseconds": steps * timestep / 1000,
        "kelvin": temperature,
        "intact": int(intact.sum()),
        "teacher_failures": failures,
    }
    if labels:
        x, energies, forces = (np.array(column) for column in zip(*labels, strict=True))
        zeros = np.zeros(len(x))
        frames = Frames(molecule, x, energies, forces, zeros, zeros)
        answer.update(errors(*predict(network, molecule.numbers, x), frames))
    return answer
