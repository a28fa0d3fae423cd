# SPDX-License-Identifier: MIT
"""Frames for training and frames held out; atom references; the part of the labels that the network has to learn."""

from __future__ import annotations

import hashlib
import os
import pathlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .molecules import Molecule, make_molecule
from .recipe import Recipe
from .store import LabelStore

__all__ = ["Frames", "atom_references", "held_out_by_hash", "load", "split", "split_molecules"]

_KEYS = ("positions", "energies", "forces", "temperatures", "trajectories")


@dataclass
class Frames:
    """Frames of one molecule; the arrays are those of label.py."""

    molecule: Molecule
    positions: np.ndarray
    energies: np.ndarray
    forces: np.ndarray
    temperatures: np.ndarray
    trajectories: np.ndarray

    def __len__(self) -> int:
        return len(self.energies)

    def pick(self, chosen: np.ndarray) -> Frames:
        """Those frames that a mask or an index array picks."""
        return Frames(self.molecule, *(getattr(self, key)[chosen] for key in _KEYS))


def load(recipe: Recipe, folder: str | os.PathLike[str]) -> dict[str, Frames]:
    """All frames of a folder, by molecule; in the order of trajectories, whatever the order of labelling was.

    Raises
    ------
    ValueError
        If a molecule of the recipe has no frame.
    """
    if LabelStore.exists(folder):
        return _load_store(LabelStore(folder))
    frames = {}
    for name, smiles in recipe.molecules.items():
        parts = []
        for path in sorted(pathlib.Path(folder).glob(f"{name.replace(' ', '_')}-[0-9]*.npz")):
            with np.load(path) as file:
                parts.append({key: file[key] for key in _KEYS})
        if sum(len(part["energies"]) for part in parts) == 0:
            raise ValueError(f"'{folder}' holds no frame of {name}; label more")
        frames[name] = Frames(make_molecule(name, smiles), *(np.concatenate([p[key] for p in parts]) for key in _KEYS))
    return frames


def _load_store(store: LabelStore) -> dict[str, Frames]:
    """The frames of many molecules; those of which there is none are left out."""
    molecules, all_frames = store.structures().molecules, store.frames()
    places, begins = np.unique(all_frames.molecule, return_index=True)
    ends = [*begins[1:], len(all_frames.molecule)]
    frames, row = {}, 0
    for place, begin, end in zip(places, begins, ends, strict=True):
        molecule = molecules[place]
        shape = (end - begin, len(molecule.numbers), 3)
        rows = slice(row, row + shape[0] * shape[1])
        row = rows.stop
        frames[molecule.name] = Frames(
            molecule,
            all_frames.positions[rows].reshape(shape),
            all_frames.energies[begin:end],
            all_frames.forces[rows].reshape(shape),
            all_frames.temperatures[begin:end],
            all_frames.trajectories[begin:end],
        )
    return frames


def split(frames: dict[str, Frames], every: int) -> tuple[dict[str, Frames], dict[str, Frames]]:
    """Whole trajectories for training, and every ``every``-th of each molecule held out.

    Temperatures come in turn, so that always the last of ``every`` might always be of the same temperature: the choice
    moves on by one each time.
    """
    train, held_out = {}, {}
    for name, each in frames.items():
        numbers = np.unique(each.trajectories)
        chosen = [
            block[-1 - k % len(block)] for k, block in enumerate(np.split(numbers, range(every, len(numbers), every)))
        ]
        out = np.isin(each.trajectories, chosen)
        train[name], held_out[name] = each.pick(~out), each.pick(out)
    return train, held_out


def atom_references(frames: dict[str, Frames], elements: list[int]) -> np.ndarray:
    """The energy (eV) of each element, by least squares over the molecules' mean energies of undistorted frames."""
    counts, means = [], []
    for each in frames.values():
        plain = each.energies[each.temperatures > 0]
        if len(plain):
            counts.append([each.molecule.numbers.count(element) for element in elements])
            means.append(plain.mean())
    # Each molecule counts alike; the smallest-norm solution where they do not decide.
    return np.linalg.lstsq(np.array(counts, dtype=float), np.array(means), rcond=None)[0]


def held_out_by_hash(molecule: Molecule, every: int = 20) -> bool:
    """Whether a molecule is one of the 1 in ``every`` that are held out, by a hash of its SMILES."""
    return int(hashlib.sha256(molecule.smiles.encode()).hexdigest(), 16) % every == 0


def split_molecules(
    frames: dict[str, Frames], held_out: Callable[[Molecule], bool] | None = None
) -> tuple[dict[str, Frames], dict[str, Frames]]:
    """Whole molecules for training, and whole molecules held out.

    Parameters
    ----------
    frames : dict
        Frames by molecule.
    held_out : callable, optional
        Says which; unless given, those that are marked so, and if none is, held_out_by_hash().

    Raises
    ------
    ValueError
        If either part is empty.
    """
    if held_out is None:
        marked = any(getattr(each.molecule, "held_out", False) for each in frames.values())
        held_out = (lambda molecule: molecule.held_out) if marked else held_out_by_hash
    chosen = {name: held_out(each.molecule) for name, each in frames.items()}
    train = {name: each for name, each in frames.items() if not chosen[name]}
    rest = {name: each for name, each in frames.items() if chosen[name]}
    if not train or not rest:
        raise ValueError(f"of {len(frames)} molecules {len(rest)} are held out; both parts need at least one")
    return train, rest
