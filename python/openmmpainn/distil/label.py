# SPDX-License-Identifier: MIT
"""Labels by many processes, one core each, into a folder that a later run takes up again.

A chunk is a few trajectories of one molecule and one file ``NAME-0007.npz``: frames in order with ``positions``
[F, N, 3] (angstrom, float32), ``energies`` [F] (eV, float64), ``forces`` [F, N, 3] (eV/angstrom, float32),
``temperatures`` [F] (K; minus the temperature for a distorted frame) and ``trajectories`` [F]. The random numbers of a
trajectory depend on the recipe's seed, the molecule and the trajectory's number alone, so the same recipe gives the
same frames on any number of cores.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import pathlib
import time
import zlib
from dataclasses import dataclass

import numpy as np

from ..progress import Progress
from .distortions import distort
from .molecules import Molecule, make_molecule, starting_structure
from .recipe import Recipe
from .structure_set import one_thread_each
from .teacher import Teacher, TeacherError, langevin

__all__ = ["Chunk", "label", "label_chunk", "plan", "trajectory_start"]

_PER_CHUNK = {True: 8, False: 20}  # trajectories: main molecule, others; a chunk takes some ten seconds


@dataclass(frozen=True)
class Chunk:
    """Trajectories ``first`` to ``last`` - 1 of a molecule."""

    molecule: str
    index: int
    first: int
    last: int

    @property
    def file_name(self) -> str:
        """Where its frames lie in the folder."""
        return f"{self.molecule.replace(' ', '_')}-{self.index:04d}.npz"


def plan(recipe: Recipe) -> list[Chunk]:
    """All chunks in a random order, so that any first part of them is a fair choice."""
    chunks = []
    for name in recipe.molecules:
        main = name == recipe.main[0]
        total = recipe.labelling.passes * recipe.labelling.grid**2 if main else recipe.labelling.trajectories_small
        size = _PER_CHUNK[main]
        chunks += [Chunk(name, k // size, k, min(k + size, total)) for k in range(0, total, size)]
    order = np.random.default_rng(recipe.labelling.seed).permutation(len(chunks))
    return [chunks[k] for k in order]


def _generator(recipe: Recipe, name: str, trajectory: int) -> np.random.Generator:
    return np.random.default_rng([recipe.labelling.seed, zlib.crc32(name.encode()), trajectory])


def trajectory_start(
    recipe: Recipe, molecule: Molecule, trajectory: int, rng: np.random.Generator
) -> tuple[np.ndarray, float]:
    """Positions (angstrom) and temperature (K) that a trajectory begins with.

    Those of a dipeptide start on a grid of phi and psi, visited in a fixed random order; a few have a peptide bond cis.
    """
    choices = recipe.labelling
    temperature = choices.temperatures[trajectory % len(choices.temperatures)]
    torsions: dict[tuple[int, ...], float] = {}
    if molecule.backbone and molecule.name == recipe.main[0]:
        cells = choices.grid**2
        order = np.random.default_rng([choices.seed, trajectory // cells]).permutation(cells)
        row, column = divmod(int(order[trajectory % cells]), choices.grid)
        for torsion, k in zip(molecule.backbone, (row, column), strict=True):
            torsions[torsion] = -180.0 + 360.0 * (k + rng.random()) / choices.grid
        for omega in molecule.omegas:
            torsions[omega] = 0.0 if rng.random() < choices.cis / 2 else 180.0
    for _ in range(5):
        try:
            return starting_structure(molecule, int(rng.integers(2**31)), torsions), temperature
        except ValueError as error:
            failure = error
    raise failure


def label_chunk(recipe: Recipe, chunk: Chunk) -> dict[str, np.ndarray]:
    """The frames of a chunk; a trajectory ends early where the teacher gives no answer."""
    choices = recipe.labelling
    molecule = make_molecule(chunk.molecule, recipe.molecules[chunk.molecule])
    teacher, other = Teacher(molecule.numbers, choices.method), Teacher(molecule.numbers, choices.method)
    masses = np.array(molecule.masses)
    frames: list[tuple[np.ndarray, float, np.ndarray, float, int]] = []

    def keep(x: np.ndarray, energy: float, forces: np.ndarray, temperature: float, trajectory: int) -> None:
        if np.linalg.norm(forces, axis=1).max() < choices.largest_force:
            frames.append((x, energy, forces, temperature, trajectory))

    for trajectory in range(chunk.first, chunk.last):
        rng = _generator(recipe, chunk.molecule, trajectory)
        start, temperature = trajectory_start(recipe, molecule, trajectory, rng)
        try:
            run = langevin(teacher, start, masses, temperature, choices.steps, rng, choices.timestep)
            for step, (x, energy, forces) in enumerate(run, 1):
                if step <= choices.warmup or step % choices.stride:
                    continue
                keep(x, energy, forces, temperature, trajectory)
                if rng.random() < choices.distorted:
                    y = distort(molecule, x, rng)
                    try:
                        keep(y, *other(y), -temperature, trajectory)
                    except TeacherError:
                        continue
        except TeacherError:
            continue
    N = len(molecule.numbers)
    x, energies, forces, temperatures, trajectories = zip(*frames, strict=True) if frames else [()] * 5
    return {
        "positions": np.asarray(x, dtype=np.float32).reshape(-1, N, 3),
        "energies": np.asarray(energies, dtype=np.float64),
        "forces": np.asarray(forces, dtype=np.float32).reshape(-1, N, 3),
        "temperatures": np.asarray(temperatures, dtype=np.float32),
        "trajectories": np.asarray(trajectories, dtype=np.int32),
    }


def _work(arguments: tuple[Recipe, Chunk, str]) -> Chunk:
    recipe, chunk, folder = arguments
    path = pathlib.Path(folder) / chunk.file_name
    part = path.with_suffix(f".{os.getpid()}.part")
    with open(part, "wb") as file:
        np.savez(file, **label_chunk(recipe, chunk))
    os.replace(part, path)
    return chunk


def label(
    recipe: Recipe, folder: str | os.PathLike[str], processes: int | None = None, seconds: float | None = None
) -> tuple[int, int]:
    """Label what the folder lacks.

    Parameters
    ----------
    recipe : Recipe
        What to label.
    folder : path
        Made if absent; one that was begun with another recipe is refused.
    processes : int, optional
        As many as there are cores unless given; 0 works in this process.
    seconds : float, optional
        Stop after this time; chunks under way are lost, and what is there is a fair sample of the whole.

    Returns
    -------
    done, planned : int
        Chunks.

    Raises
    ------
    ValueError
        If the folder belongs to another recipe.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    stamp = folder / "recipe.json"
    ours = recipe.label_hash()
    if stamp.exists():
        theirs = json.loads(stamp.read_text())["hash"]
        if theirs != ours:
            raise ValueError(f"'{folder}' holds labels of another recipe ({theirs}, not {ours}); name another folder")
    else:
        stamp.write_text(json.dumps({"hash": ours}))
    chunks = plan(recipe)
    missing = [chunk for chunk in chunks if not (folder / chunk.file_name).exists()]
    tasks = [(recipe, chunk, str(folder)) for chunk in missing]
    begin = time.monotonic()
    with Progress("labelling", len(chunks)) as progress, one_thread_each():
        progress.advance(len(chunks) - len(missing))
        if processes == 0:
            for task in tasks:
                _work(task)
                progress.advance()
        else:
            with multiprocessing.get_context("spawn").Pool(processes or os.cpu_count()) as pool:
                results = pool.imap_unordered(_work, tasks)
                for _ in tasks:
                    left = None if seconds is None else max(0.0, seconds - (time.monotonic() - begin))
                    try:
                        results.next(left)
                    except multiprocessing.TimeoutError:
                        break
                    progress.advance()
    done = sum((folder / chunk.file_name).exists() for chunk in chunks)
    return done, len(chunks)
