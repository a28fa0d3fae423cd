# SPDX-License-Identifier: MIT
"""Molecules with structures to start from, in one file, so that labelling needs no RDKit.

``molecules.npz`` holds for M molecules ``names``, ``smiles``, ``kinds`` (texts) and ``held_out`` [M]; ``atoms``,
``bonds`` and ``conformers`` [M] count what follows, one molecule after the other: ``numbers`` and ``masses`` [sum N],
``pairs`` [sum B, 2] and ``positions`` [sum C N, 3] (units of 0.001 angstrom, int16, around the middle).
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import multiprocessing
import os
import pathlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..progress import Progress
from .library import Entry
from .molecules import Molecule, make_molecule, starting_structure

__all__ = ["FILE_NAME", "StructureSet", "embed", "one_thread_each"]

FILE_NAME = "molecules.npz"
_UNIT = 1e-3  # angstrom


@dataclass(frozen=True)
class StructureSet:
    """Molecules, and for each its starting structures [C, N, 3] in angstrom."""

    molecules: tuple[Molecule, ...]
    structures: tuple[np.ndarray, ...]

    def __len__(self) -> int:
        return len(self.molecules)

    def to_bytes(self) -> bytes:
        """The file; the same molecules give the same bytes."""
        many = self.molecules
        arrays = {
            "names": np.array([each.name for each in many], dtype=np.str_),
            "smiles": np.array([each.smiles for each in many], dtype=np.str_),
            "kinds": np.array([each.kind for each in many], dtype=np.str_),
            "held_out": np.array([each.held_out for each in many], dtype=bool),
            "atoms": np.array([len(each.numbers) for each in many], dtype=np.int32),
            "bonds": np.array([len(each.bonds) for each in many], dtype=np.int32),
            "conformers": np.array([len(each) for each in self.structures], dtype=np.int32),
            "numbers": np.concatenate([each.numbers for each in many]).astype(np.uint8),
            "masses": np.concatenate([each.masses for each in many]).astype(np.float64),
            "pairs": np.concatenate([np.reshape(each.bonds, (-1, 2)) for each in many]).astype(np.int16),
            "positions": np.concatenate([np.round(x.reshape(-1, 3) / _UNIT).astype(np.int16) for x in self.structures]),
        }
        # Texts take four bytes a character in numpy: as UTF-8 they are small, and compress.
        for key in ("names", "smiles", "kinds"):
            arrays[key] = np.frombuffer("\n".join(arrays[key].tolist()).encode(), dtype=np.uint8)
        file = io.BytesIO()
        np.savez_compressed(file, **arrays)
        return file.getvalue()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file, whole or not at all."""
        part = pathlib.Path(f"{os.fspath(path)}.part")
        part.write_bytes(self.to_bytes())
        os.replace(part, path)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> StructureSet:
        """Read what save() wrote.

        Raises
        ------
        ValueError
            If the file is something else.
        """
        try:
            with np.load(path) as file:
                arrays = {key: file[key] for key in file.files}
            names, smiles, kinds = (arrays[key].tobytes().decode().split("\n") for key in ("names", "smiles", "kinds"))
            atoms, conformers = arrays["atoms"], arrays["conformers"]
            numbers, masses = (np.split(arrays[key], np.cumsum(atoms)[:-1]) for key in ("numbers", "masses"))
            pairs = np.split(arrays["pairs"], np.cumsum(arrays["bonds"])[:-1])
            positions = np.split(arrays["positions"] * _UNIT, np.cumsum(atoms * conformers)[:-1])
        except FileNotFoundError:
            raise
        except (OSError, KeyError, EOFError, ValueError) as error:
            raise ValueError(f"'{path}' is no file of molecules with structures: {error}") from None
        molecules = tuple(
            Molecule(
                names[k],
                smiles[k],
                tuple(numbers[k].tolist()),
                tuple(map(tuple, pairs[k].tolist())),
                tuple(masses[k].tolist()),
                kind=kinds[k],
                held_out=bool(arrays["held_out"][k]),
            )
            for k in range(len(names))
        )
        return StructureSet(
            molecules, tuple(x.reshape(-1, n, 3) for x, n in zip(positions, atoms.tolist(), strict=True))
        )

    def hash(self) -> str:
        """A short hash of all of it, atom for atom."""
        digest = hashlib.sha256()
        for molecule, x in zip(self.molecules, self.structures, strict=True):
            digest.update(repr((molecule.smiles, molecule.numbers, molecule.bonds, molecule.held_out)).encode())
            digest.update(np.round(x / _UNIT).astype(np.int16).tobytes())
        return digest.hexdigest()[:16]


@contextlib.contextmanager
def one_thread_each() -> Iterator[None]:
    """Processes started meanwhile use one thread each, as together they fill the cores."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before


def _embed(arguments: tuple[str, Entry, int]) -> tuple[Molecule, np.ndarray] | None:
    name, entry, conformers = arguments
    molecule = replace(make_molecule(name, entry.smiles), kind=entry.kind, held_out=entry.held_out)
    seed = int.from_bytes(hashlib.sha256(entry.smiles.encode()).digest()[:3], "little")
    structures = []
    for k in range(conformers):
        with contextlib.suppress(ValueError):
            x = starting_structure(molecule, seed + 1 + k)
            if np.isfinite(x).all():
                structures.append(x - x.mean(axis=0))
    return (molecule, np.array(structures)) if structures else None


def embed(entries: Sequence[Entry], conformers: int = 2, processes: int | None = None) -> StructureSet:
    """Conformers of molecules, relaxed with MMFF94; molecules that RDKit cannot embed are left out.

    Parameters
    ----------
    entries : sequence of Entry
        What to embed; names are numbers in this order.
    conformers : int
        For each molecule, from different random numbers (they may turn out alike).
    processes : int, optional
        As many as there are cores unless given; 0 works in this process.

    Raises
    ------
    ValueError
        If none can be embedded.
    """
    tasks = [(f"{k:05d}", entry, conformers) for k, entry in enumerate(entries)]
    made = []
    with Progress("structures", len(tasks)) as progress, contextlib.ExitStack() as stack:
        if processes == 0:
            results = map(_embed, tasks)
        else:
            stack.enter_context(one_thread_each())
            pool = stack.enter_context(multiprocessing.get_context("spawn").Pool(processes or os.cpu_count()))
            results = pool.imap(_embed, tasks, chunksize=10)
        for result in results:
            if result is not None:
                made.append(result)
            progress.advance()
    if not made:
        raise ValueError(f"RDKit finds a structure of none of the {len(tasks)} molecules")
    return StructureSet(*zip(*made, strict=True))
