# SPDX-License-Identifier: MIT
"""A folder of labels of many molecules: ``molecules.npz``, ``recipe.json``, and frames in files of one or more chunks.

A file of frames holds ``chunks`` [C, 2] (the chunk's number; how many of its molecules are done), and for its F frames
``molecule`` [F] (place in molecules.npz), ``energies`` [F] (eV), ``temperatures`` [F] (K; negative for a distorted
frame), ``trajectories`` [F], and one frame after the other ``positions`` and ``forces`` [sum N, 3] in units of 2^-17
angstrom and 2^-14 eV/angstrom: far below what the labels are known to, and half the size of single precision.
"""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from .recipe import Recipe
from .structure_set import FILE_NAME, StructureSet

__all__ = ["FrameFile", "LabelStore"]

_POSITION_UNIT = 2.0**-17  # angstrom
_FORCE_UNIT = 2.0**-14  # eV/angstrom
_SCALARS = {"molecule": np.int32, "energies": np.float64, "temperatures": np.float32, "trajectories": np.int32}


def _to_planes(values: np.ndarray, unit: float) -> np.ndarray:
    """Integers as bytes [4, n], the like beside the like, which compresses best."""
    whole = np.round(np.asarray(values, dtype=np.float64).ravel() / unit).astype("<i4")
    return np.ascontiguousarray(whole.view(np.uint8).reshape(-1, 4).T)


def _from_planes(planes: np.ndarray, unit: float) -> np.ndarray:
    whole = np.ascontiguousarray(planes.T).view("<i4")
    return (whole.reshape(-1, 3) * unit).astype(np.float32)


def _source(source: str, recipe: Recipe) -> dict[str, Any]:
    """What decides the molecules and structures that are made from a source."""
    path = pathlib.Path(source)
    content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
    return {"source": source, "content": content, "library": asdict(recipe.library) if recipe.library else None}


def _write_json(path: pathlib.Path, value: Any) -> None:
    """Write the file, whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(value) + "\n")
    os.replace(part, path)


@dataclass
class FrameFile:
    """Frames of any molecules; the arrays of the file."""

    chunks: np.ndarray
    molecule: np.ndarray
    energies: np.ndarray
    temperatures: np.ndarray
    trajectories: np.ndarray
    positions: np.ndarray
    forces: np.ndarray

    @staticmethod
    def join(files: Iterable[FrameFile]) -> FrameFile:
        """All frames of files, one file after the other; of a chunk named twice the longer count."""
        files = list(files)
        done: dict[int, int] = {}
        for file in files:
            for chunk, count in file.chunks.tolist():
                done[chunk] = max(count, done.get(chunk, 0))
        keys = (*_SCALARS, "positions", "forces")
        return FrameFile(
            np.array(sorted(done.items()), dtype=np.int32).reshape(-1, 2),
            *(np.concatenate([getattr(file, key) for file in files]) for key in keys),
        )

    @staticmethod
    def of(chunk: int, done: int, frames: list[tuple[int, float, float, int, np.ndarray, np.ndarray]]) -> FrameFile:
        """From frames as (molecule, energy, temperature, trajectory, positions, forces)."""
        columns = list(zip(*frames, strict=True)) if frames else [()] * 6
        scalars = (np.array(column, dtype=kind) for column, kind in zip(columns, _SCALARS.values(), strict=False))
        vectors = (np.concatenate([np.zeros((0, 3), np.float32), *column]) for column in columns[4:])
        return FrameFile(np.array([[chunk, done]], dtype=np.int32), *scalars, *vectors)

    def write(self, path: pathlib.Path) -> None:
        """Write the file, whole or not at all."""
        part = path.with_suffix(f".{os.getpid()}.part")
        arrays = {key: getattr(self, key) for key in ("chunks", *_SCALARS)}
        arrays["positions"] = _to_planes(self.positions, _POSITION_UNIT)
        arrays["forces"] = _to_planes(self.forces, _FORCE_UNIT)
        with open(part, "wb") as file:
            np.savez_compressed(file, **arrays)
        os.replace(part, path)

    @staticmethod
    def read(path: pathlib.Path) -> FrameFile:
        """Read what write() wrote."""
        with np.load(path) as file:
            arrays = {key: file[key] for key in file.files}
        arrays["positions"] = _from_planes(arrays["positions"], _POSITION_UNIT)
        arrays["forces"] = _from_planes(arrays["forces"], _FORCE_UNIT)
        return FrameFile(**arrays)


class LabelStore:
    """A folder of labels.

    Parameters
    ----------
    folder : path
        Must exist for reading; create() makes one.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = pathlib.Path(folder)

    @staticmethod
    def exists(folder: str | os.PathLike[str]) -> bool:
        """Whether a folder is such a store."""
        return (pathlib.Path(folder) / FILE_NAME).exists()

    @staticmethod
    def create(folder: str | os.PathLike[str], structures: StructureSet, labelling_hash: str) -> LabelStore:
        """Make the folder, or take one up.

        Raises
        ------
        ValueError
            If it holds labels of other molecules or of another recipe.
        """
        store = LabelStore(folder)
        stamp = store.folder / "recipe.json"
        ours = {"labelling": labelling_hash, "molecules": structures.hash()}
        if stamp.exists():
            theirs = json.loads(stamp.read_text())
            if theirs != ours:
                raise ValueError(
                    f"'{folder}' holds labels of another recipe ({theirs}, not {ours}); name another folder"
                )
        elif store.folder.exists() and any(path.suffix != ".part" for path in store.folder.iterdir()):
            raise ValueError(f"'{folder}' is not empty and holds no labels of many molecules; name another folder")
        else:
            store.folder.mkdir(parents=True, exist_ok=True)
            _write_json(stamp, ours)
        if not (store.folder / FILE_NAME).exists():
            structures.save(store.folder / FILE_NAME)
        return store

    def structures(self) -> StructureSet:
        """The molecules."""
        return StructureSet.load(self.folder / FILE_NAME)

    def remember(self, source: str, recipe: Recipe, structures: StructureSet) -> None:
        """Say where the molecules come from, for structures_of(); makes the store if there is none."""
        LabelStore.create(self.folder, structures, recipe.label_hash())
        _write_json(self.folder / "source.json", _source(source, recipe))

    def structures_of(self, source: str, recipe: Recipe) -> StructureSet | None:
        """The molecules, if they come from this source in its present state; else None."""
        path = self.folder / "source.json"
        if not (path.exists() and LabelStore.exists(self.folder)):
            return None
        if json.loads(path.read_text()) != _source(source, recipe):
            return None
        return self.structures()

    def files(self) -> list[pathlib.Path]:
        """All files of frames, in order."""
        return sorted(self.folder.glob("frames-*.npz"))

    def chunk_path(self, chunk: int) -> pathlib.Path:
        """Where a chunk is written."""
        return self.folder / f"frames-{chunk:05d}.npz"

    def done(self) -> dict[int, int]:
        """How many molecules of each chunk are done."""
        counts: dict[int, int] = {}
        for path in self.files():
            with np.load(path) as file:
                for chunk, count in file["chunks"].tolist():
                    counts[chunk] = max(count, counts.get(chunk, 0))
        return counts

    def frames(self) -> FrameFile:
        """All frames, each once: in the order of molecules, trajectories, and of dynamics within these."""
        files = [FrameFile.read(path) for path in self.files()]
        if sum(len(file.energies) for file in files) == 0:
            raise ValueError(f"'{self.folder}' holds no frame; label more")
        whole = FrameFile.join(files)
        # A trajectory that came twice (folders put together) counts once: that of the first file.
        source = np.repeat(np.arange(len(files)), [len(file.energies) for file in files])
        order = np.lexsort((source, whole.trajectories, whole.molecule))
        run = np.stack([whole.molecule, whole.trajectories, source])[:, order]
        new_run = np.r_[True, (run[:2, 1:] != run[:2, :-1]).any(axis=0)]
        first = run[2][np.maximum.accumulate(np.where(new_run, np.arange(len(order)), 0))]
        order = order[run[2] == first]
        atoms = np.array([len(molecule.numbers) for molecule in self.structures().molecules])[whole.molecule]
        begin = np.cumsum(atoms) - atoms
        rows = np.repeat(begin[order] - np.r_[0, np.cumsum(atoms[order])[:-1]], atoms[order])
        rows += np.arange(len(rows))
        scalars = (getattr(whole, key)[order] for key in _SCALARS)
        return FrameFile(whole.chunks, *scalars, whole.positions[rows], whole.forces[rows])

    def pack(self, output: str | os.PathLike[str], limit: float = 15 * 2**20) -> list[pathlib.Path]:
        """Put the files of frames into few files of at most ``limit`` bytes each, with all else a store has.

        Returns
        -------
        list of path
            The files of frames.
        """
        output = LabelStore(output)
        output.folder.mkdir(parents=True, exist_ok=True)
        for name in (FILE_NAME, "recipe.json"):
            (output.folder / name).write_bytes((self.folder / name).read_bytes())
        groups: list[list[pathlib.Path]] = []
        size = 0.0
        for path in self.files():
            more = path.stat().st_size
            if not groups or size + more > 0.97 * limit:
                groups.append([])
                size = 0.0
            groups[-1].append(path)
            size += more
        written = []
        for group in groups:
            joined = FrameFile.join(map(FrameFile.read, group))
            path = output.folder / f"frames-{joined.chunks[0, 0]:05d}-{joined.chunks[-1, 0]:05d}.npz"
            joined.write(path)
            written.append(path)
        return written
