# SPDX-License-Identifier: MIT
"""Active learning: rounds of exploring with a committee, labelling what it disagrees on, and training on that too.

A round is a folder ``round-003`` with ``candidates.npz``, then ``labels-0000.npz`` and so on, then ``done.json``. Each
file appears whole or not at all, so a round that was killed goes on where it stopped. All arrays are flat: F frames
after each other with A atoms in all.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import pathlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..progress import Progress
from .dataset import Frames
from .molecules import Molecule
from .teacher import TeacherError

if TYPE_CHECKING:  # the labelling processes need no PyTorch
    from ..torch_network import PaiNNNetwork
    from .committee import Exploration

__all__ = ["TeacherOf", "load_rounds", "round_folder", "run_round"]

_PER_FILE = 64  # frames
Potential = Callable[[np.ndarray], tuple[float, np.ndarray]]


@dataclass(frozen=True)
class TeacherOf:
    """Makes a teacher of a molecule; can be sent to another process."""

    method: str = "GFN2-xTB"

    def __call__(self, molecule: Molecule) -> Potential:
        from .teacher import make_teacher

        return make_teacher(self.method, molecule.numbers)


def round_folder(folder: str | os.PathLike[str], number: int) -> pathlib.Path:
    """Where the files of a round are."""
    return pathlib.Path(folder) / f"round-{number:03d}"


def _save(path: pathlib.Path, **arrays: Any) -> None:
    part = path.with_suffix(f".{os.getpid()}.part")
    with open(part, "wb") as file:
        np.savez_compressed(file, **arrays)
    os.replace(part, path)


def _starts(frames: dict[str, Frames], copies: int, rng: np.random.Generator) -> tuple[list[str], list[np.ndarray]]:
    """Names of molecules drawn at random, all different while there are enough, and an undistorted frame of each."""
    names = [name for name, each in frames.items() if (each.temperatures > 0).any()]
    chosen = [names[k] for k in np.concatenate([rng.permutation(len(names)) for _ in range(-(-copies // len(names)))])]
    starts = [frames[name].positions[rng.choice(np.flatnonzero(frames[name].temperatures > 0))] for name in chosen]
    return chosen[:copies], starts[:copies]


def _explore(
    path: pathlib.Path,
    frames: dict[str, Frames],
    networks: Sequence[PaiNNNetwork],
    settings: Exploration,
    copies: int,
    at_once: int,
) -> None:
    from .committee import explore

    rng = np.random.default_rng(settings.seed)
    names, starts = _starts(frames, copies, rng)
    found = []
    for k in range(0, len(names), at_once):
        some = names[k : k + at_once]
        molecules = [frames[name].molecule for name in some]
        chosen = explore(networks, molecules, starts[k : k + at_once], settings)
        found += [(some[each.index], each) for each in chosen]
        print(f"explored {min(k + at_once, len(names))} of {len(names)} copies: {len(found)} frames", flush=True)
    _save(
        path,
        names=np.array([name for name, _ in found], dtype=str),
        positions=np.concatenate([np.zeros((0, 3)), *(each.positions for _, each in found)]).astype(np.float32),
        temperatures=np.array([each.temperature for _, each in found]),
        deviations=np.array([each.deviation for _, each in found]),
        broke=np.array([each.broke for _, each in found], dtype=bool),
        copies=np.array(len(names)),
    )


def _label(arguments: tuple[pathlib.Path, list[Molecule], list[np.ndarray], np.ndarray, Any, float]) -> int:
    """Label frames and write them; the number of those that the teacher refuses or that the bar drops."""
    path, molecules, positions, temperatures, teacher, largest = arguments
    kept: list[tuple[str, np.ndarray, float, np.ndarray, float]] = []
    for molecule, x, temperature in zip(molecules, positions, temperatures, strict=True):
        try:
            energy, forces = teacher(molecule)(x.astype(np.float64))
        except TeacherError:
            continue
        if np.linalg.norm(forces, axis=1).max() < largest:
            kept.append((molecule.name, x, energy, forces, temperature))
    empty = np.zeros((0, 3), dtype=np.float32)
    _save(
        path,
        names=np.array([each[0] for each in kept], dtype=str),
        positions=np.concatenate([empty, *(each[1] for each in kept)]).astype(np.float32),
        energies=np.array([each[2] for each in kept]),
        forces=np.concatenate([empty, *(each[3] for each in kept)]).astype(np.float32),
        temperatures=np.array([each[4] for each in kept]),
    )
    return len(molecules) - len(kept)


def run_round(
    folder: str | os.PathLike[str],
    number: int,
    frames: dict[str, Frames],
    networks: Sequence[PaiNNNetwork],
    settings: Exploration | None = None,
    copies: int = 2000,
    at_once: int = 200,
    teacher: Callable[[Molecule], Potential] | None = None,
    largest_force: float = 40.0,
    processes: int | None = None,
) -> dict[str, int]:
    """One round, or what is left of it.

    Parameters
    ----------
    folder : path
        Of all rounds.
    number : int
        Of this one; its random numbers are its own.
    frames : dict
        By molecule name: where copies start. Give only molecules to learn from: what is labelled here is learnt.
    networks : sequence of PaiNNNetwork
        The committee, on any device; the first one moves the atoms.
    settings : Exploration, optional
        How to look.
    copies, at_once : int
        How many molecules move, and how many of them together.
    teacher : callable, optional
        Makes of a Molecule a function of positions [N, 3] (angstrom) that gives energy (eV) and forces (eV/angstrom)
        and may raise TeacherError; GFN2-xTB unless given. Must be importable by other processes.
    largest_force : float
        eV/angstrom; frames beyond are dropped.
    processes : int, optional
        For labelling: as many as cores unless given; 0 labels in this process.

    Returns
    -------
    dict
        ``copies``, ``candidates``, ``broke`` (copies), ``labelled``.
    """
    here = round_folder(folder, number)
    done = here / "done.json"
    if done.exists():
        return json.loads(done.read_text())
    here.mkdir(parents=True, exist_ok=True)
    if not (here / "candidates.npz").exists():
        from .committee import Exploration

        settings = settings or Exploration()
        settings = replace(settings, seed=settings.seed + 1000 * number)
        _explore(here / "candidates.npz", frames, networks, settings, copies, at_once)
    with np.load(here / "candidates.npz") as file:
        found = {key: file[key] for key in file.files}
    molecules = [frames[str(name)].molecule for name in found["names"]]
    positions = np.split(found["positions"], np.cumsum([len(each.numbers) for each in molecules]))[: len(molecules)]
    # What led to a break is not what dynamics should visit: like a distorted frame.
    temperatures = np.where(found["broke"], -found["temperatures"], found["temperatures"])
    tasks = []
    for k in range(0, len(molecules), _PER_FILE):
        part, path = slice(k, k + _PER_FILE), here / f"labels-{k // _PER_FILE:04d}.npz"
        if not path.exists():
            one = (path, molecules[part], positions[part], temperatures[part], teacher or TeacherOf(), largest_force)
            tasks.append(one)
    _label_all(tasks, processes)
    labelled = 0
    for path in here.glob("labels-[0-9]*.npz"):
        with np.load(path) as file:
            labelled += len(file["energies"])
    result = {
        "copies": int(found["copies"]),
        "candidates": len(molecules),
        "broke": int(found["broke"].sum()),
        "labelled": labelled,
    }
    part = done.with_suffix(".part")
    part.write_text(json.dumps(result))
    os.replace(part, done)
    return result


def _one_thread() -> None:
    """As many processes as cores need but one thread each; read when the teacher's library is loaded."""
    os.environ["OMP_NUM_THREADS"] = "1"


def _label_all(tasks: list[Any], processes: int | None) -> None:
    with Progress("labelling", max(1, len(tasks))) as progress:
        if processes == 0:
            for task in tasks:
                _label(task)
                progress.advance()
            return
        with multiprocessing.get_context("spawn").Pool(processes or os.cpu_count(), _one_thread) as pool:
            for _ in pool.imap_unordered(_label, tasks):
                progress.advance()


def load_rounds(folder: str | os.PathLike[str], frames: dict[str, Frames]) -> dict[str, Frames]:
    """The frames, with those of all rounds added; a round under way gives what it has.

    Their trajectory number is minus the number of the round, counted from 1.
    """
    more: dict[str, list[tuple[Any, ...]]] = {}
    for path in sorted(pathlib.Path(folder).glob("round-[0-9]*/labels-[0-9]*.npz")):
        number = int(path.parent.name.split("-")[1])
        with np.load(path) as file:
            names = [str(name) for name in file["names"]]
            if not names:
                continue
            ends = np.cumsum([len(frames[name].molecule.numbers) for name in names])[:-1]
            x, forces = np.split(file["positions"], ends), np.split(file["forces"], ends)
            for row in zip(names, x, file["energies"], forces, file["temperatures"], strict=True):
                more.setdefault(row[0], []).append((*row[1:], -1 - number))
    result = dict(frames)
    for name, rows in more.items():
        added = [np.stack(column) for column in zip(*rows, strict=True)]
        old = frames[name]
        parts = (old.positions, old.energies, old.forces, old.temperatures, old.trajectories)
        result[name] = Frames(
            old.molecule, *(np.concatenate([a, b.astype(a.dtype)]) for a, b in zip(parts, added, strict=True))
        )
    return result
