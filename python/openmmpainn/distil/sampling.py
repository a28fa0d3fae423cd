# SPDX-License-Identifier: MIT
"""Labels of many molecules: few frames of each, as unlike as they can be, by many processes of one core each.

Each pass over the set runs one short trajectory of each molecule on the teacher and keeps every ``stride``-th frame;
a share of these is distorted and labelled as well. Masses are at least ``lightest_mass``: this changes no
distribution of positions and allows long steps. A molecule whose bonds are no longer those it has by name ends its
trajectory, and that frame counts as distorted.

A chunk is one pass over some twenty molecules. The random numbers of a trajectory depend on the recipe's seed, the
SMILES and the pass alone: any number of processes and of machines that share the chunks give the same frames.
"""

from __future__ import annotations

import concurrent.futures
import concurrent.futures.process
import math
import multiprocessing
import os
import threading
import time
import zlib
from dataclasses import dataclass

import numpy as np

from ..progress import Progress
from .distortions import COVALENT_RADII, distort
from .molecules import Molecule
from .recipe import Labelling, Recipe
from .store import FrameFile, LabelStore
from .structure_set import StructureSet, one_thread_each
from .teacher import TeacherError, langevin, make_teacher

__all__ = ["intact", "label_molecule", "label_set", "passes_over", "plan_set"]

_PER_CHUNK = 20  # molecules
_SAVE_EVERY = 10.0  # seconds
_LONGEST_BOND = 1.45  # in sums of covalent radii, as is the shortest distance of atoms that share no bond
_CLOSEST = 1.12


@dataclass(frozen=True)
class SetChunk:
    """Molecules ``first`` to ``last`` - 1 of the set, in one pass."""

    index: int
    trajectory: int
    first: int
    last: int


def plan_set(molecules: int, passes: range, share: tuple[int, int] = (0, 1)) -> list[SetChunk]:
    """The chunks of a share; molecules are in random order already, so any first part is a fair choice.

    A share has other molecules in each pass, so that each machine meets all of them.
    """
    k, n = share
    blocks = [(first, min(first + _PER_CHUNK, molecules)) for first in range(0, molecules, _PER_CHUNK)]
    return [
        SetChunk(trajectory * len(blocks) + block, trajectory, first, last)
        for trajectory in passes
        for block, (first, last) in enumerate(blocks)
        if (block + trajectory) % n == k
    ]


def passes_over(choices: Labelling, molecules: int) -> int:
    """How many trajectories each molecule gets."""
    return max(choices.passes, math.ceil(choices.trajectories / molecules))


def intact(molecule: Molecule, x: np.ndarray) -> bool:
    """Whether atoms at x [N, 3] (angstrom) are bonded as the molecule says, and no others."""
    radii = np.array([COVALENT_RADII[number] for number in molecule.numbers])
    relative = np.linalg.norm(x[:, None] - x[None], axis=-1) / (radii[:, None] + radii[None])
    bonded = np.zeros(relative.shape, dtype=bool)
    for a, b in molecule.bonds:
        bonded[a, b] = bonded[b, a] = True
    free = ~bonded & ~np.eye(len(radii), dtype=bool)
    return bool((relative[bonded] < _LONGEST_BOND).all() and (relative[free] > _CLOSEST).all())


def label_molecule(
    choices: Labelling, molecule: Molecule, structures: np.ndarray, trajectory: int
) -> list[tuple[float, float, int, np.ndarray, np.ndarray]]:
    """One trajectory.

    Returns
    -------
    list of (energy, temperature, trajectory, positions, forces)
        eV, K (negative: distorted), angstrom, eV/angstrom; ends early where the teacher gives no answer.
    """
    word = zlib.crc32(molecule.smiles.encode())
    rng = np.random.default_rng([choices.seed, word, trajectory])
    temperature = choices.temperatures[(word + trajectory) % len(choices.temperatures)]
    masses = np.maximum(molecule.masses, choices.lightest_mass)
    frames: list[tuple[float, float, int, np.ndarray, np.ndarray]] = []

    def keep(x: np.ndarray, energy: float, forces: np.ndarray, kelvin: float) -> None:
        if np.linalg.norm(forces, axis=1).max() < choices.largest_force:
            frames.append((energy, kelvin, trajectory, x.astype(np.float32), forces.astype(np.float32)))

    try:
        teacher, other = make_teacher(choices.method, molecule.numbers), make_teacher(choices.method, molecule.numbers)
        start = structures[trajectory % len(structures)]
        run = langevin(teacher, start, masses, temperature, choices.steps, rng, choices.timestep, choices.friction)
        for step, (x, energy, forces) in enumerate(run, 1):
            if step <= choices.warmup or (step - choices.warmup) % choices.stride:
                continue
            whole = intact(molecule, x)
            keep(x, energy, forces, temperature if whole else -temperature)
            if not whole:
                break
            if rng.random() < choices.distorted:
                y = distort(molecule, x, rng)
                try:
                    keep(y, *other(y), -temperature)
                except TeacherError:
                    continue
    except TeacherError:
        pass
    return frames


def _follow_parent() -> None:
    """End this process when the one that started it is gone, as after kill -9."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


_sets: dict[str, StructureSet] = {}  # of this process, by folder


def _work(choices: Labelling, chunk: SetChunk, folder: str, end: float) -> tuple[int, int]:
    """Label what the store lacks of a chunk until the time is over; molecules and frames that are new."""
    store = LabelStore(folder)
    structures = _sets.get(folder) or _sets.setdefault(folder, store.structures())
    path = store.chunk_path(chunk.index)
    before = [FrameFile.read(path)] if path.exists() else []
    first = chunk.first + (int(before[0].chunks[0, 1]) if before else 0)
    frames, done, saved = [], first, time.monotonic()

    def save() -> None:
        FrameFile.join([*before, FrameFile.of(chunk.index, done - chunk.first, frames)]).write(path)

    try:
        while done < chunk.last and time.monotonic() < end:
            made = label_molecule(choices, structures.molecules[done], structures.structures[done], chunk.trajectory)
            frames += [(done, *frame) for frame in made]
            done += 1
            if time.monotonic() > saved + _SAVE_EVERY:
                save()
                saved = time.monotonic()
    finally:  # Ctrl-C loses the trajectory under way alone, kill -9 what is younger than the last time
        if done > first:
            save()
    return done - first, len(frames)


def label_set(
    recipe: Recipe,
    structures: StructureSet,
    folder: str | os.PathLike[str],
    processes: int | None = None,
    seconds: float | None = None,
    share: tuple[int, int] = (0, 1),
    first_pass: int = 0,
) -> tuple[int, int]:
    """Label what the folder lacks.

    Parameters
    ----------
    recipe : Recipe
        What to ask of the teacher.
    structures : StructureSet
        The molecules.
    folder : path
        Made if absent; one that was begun with other molecules or another recipe is refused.
    processes : int, optional
        As many as there are cores unless given; 0 works in this process.
    seconds : float, optional
        Stop after this time, at the end of a molecule.
    share : (k, n)
        Only every n-th chunk, from the k-th: machines with the same n and each its own k do the whole together.
    first_pass : int
        Leave out the passes before this one, where they have been made elsewhere.

    Returns
    -------
    done, planned : int
        Trajectories, of all that this share has.

    Raises
    ------
    ValueError
        If the folder belongs to another recipe, or the share is none.
    ChildProcessError
        If a process dies.
    """
    k, n = share
    if not 0 <= k < n:
        raise ValueError(f"share {k} of {n} does not exist; of n machines they are 0 to n - 1")
    unknown = {number for each in structures.molecules for number in each.numbers} - set(COVALENT_RADII)
    if unknown:
        raise ValueError(
            f"the molecules hold elements with the atomic numbers {sorted(unknown)}; "
            f"radii are known of {sorted(COVALENT_RADII)}"
        )
    choices = recipe.labelling
    store = LabelStore.create(folder, structures, recipe.label_hash())
    chunks = plan_set(len(structures), range(first_pass, passes_over(choices, len(structures))), share)
    counts = store.done()
    planned = sum(chunk.last - chunk.first for chunk in chunks)
    done = sum(min(counts.get(chunk.index, 0), chunk.last - chunk.first) for chunk in chunks)
    missing = [chunk for chunk in chunks if counts.get(chunk.index, 0) < chunk.last - chunk.first]
    begin = time.monotonic()
    end = float("inf") if seconds is None else begin + seconds
    frames = 0
    share_at_start = done
    with Progress("labelling", 1.0) as progress:

        def tell(new: tuple[int, int]) -> None:
            nonlocal done, frames
            done, frames = done + new[0], frames + new[1]
            elapsed = time.monotonic() - begin
            part = (done - share_at_start) / max(1, planned - share_at_start)
            if seconds is not None:
                part = max(part, elapsed / seconds)
            text = f"{done} of {planned} trajectories, {frames} new frames, {frames / elapsed:.1f} a second"
            progress.advance(max(0.0, part - progress.done), text)

        if processes == 0:
            for chunk in missing:
                tell(_work(choices, chunk, str(folder), end))
            return done, planned
        with (
            one_thread_each(),
            concurrent.futures.ProcessPoolExecutor(
                processes or os.cpu_count(), multiprocessing.get_context("spawn"), _follow_parent
            ) as pool,
        ):
            futures = [pool.submit(_work, choices, chunk, str(folder), end) for chunk in missing]
            try:
                for future in concurrent.futures.as_completed(futures):
                    tell(future.result())
            except concurrent.futures.process.BrokenProcessPool:
                raise ChildProcessError(
                    "a process that labels has died, perhaps for lack of memory; what is written is kept, run it again"
                ) from None
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    return done, planned
