# SPDX-License-Identifier: MIT
"""Molecules to learn from as a user gives them: SMILES, structures, or the library of the package."""

from __future__ import annotations

import hashlib
import math
import os
import pathlib
from dataclasses import replace

import numpy as np

from ..structures import read_structures, symbol
from .distortions import COVALENT_RADII
from .library import Entry, make_library
from .molecules import Molecule, rdkit
from .recipe import Recipe
from .structure_set import StructureSet, embed

__all__ = ["FEWEST_MOLECULES", "STRUCTURE", "read_molecules"]

FEWEST_MOLECULES = 20
"""With fewer than these, no molecule is held out, but trajectories of all of them."""
STRUCTURE = "structure"
"""The kind of molecules that have no SMILES."""
_BONDED = 1.25  # sums of covalent radii
_EVERY = 20


def read_molecules(source: str, recipe: Recipe, processes: int | None = None) -> StructureSet:
    """Molecules with structures to start from.

    Parameters
    ----------
    source : str
        ``library``; a file ``*.smi`` with a SMILES in each line, a name or nothing behind it, and comments in lines
        that begin with ``#``; or a file of structures that ASE reads, where frames with the same atoms in the same
        order are one molecule.
    recipe : Recipe
        Its library, and its conformers for each SMILES.
    processes : int, optional
        Of embed().

    Returns
    -------
    StructureSet
        In random order. Of 20 molecules or more one in twenty is held out, chosen by a hash of what it is.

    Raises
    ------
    ValueError
        If the file is not there, or a line or a frame of it is no neutral molecule that the package can learn.
    """
    library = recipe.library
    conformers = library.conformers if library else 2
    if source == "library":
        if library is None:
            raise ValueError(f"the recipe {recipe.name} has no table 'library'")
        return embed(make_library(library.size, library.seed), conformers, processes)
    if not os.path.exists(source):
        raise ValueError(f"there is no file '{source}'; --molecules is a .smi file, a file of structures, or 'library'")
    if pathlib.Path(source).suffix.lower() in (".smi", ".smiles"):
        entries = _hold_out(_read_smiles(source))
        return embed(entries, conformers, processes)
    return _from_structures(source)


def _read_smiles(path: str) -> list[Entry]:
    Chem, _ = rdkit()
    found: dict[str, Entry] = {}
    for line, text in enumerate(pathlib.Path(path).read_text().splitlines(), 1):
        words = [] if text.lstrip().startswith("#") else text.split()  # '#' is a triple bond too
        if not words:
            continue
        where = f"line {line} of '{path}', {words[0]!r},"
        molecule = Chem.MolFromSmiles(words[0])
        if molecule is None:
            raise ValueError(f"{where} is no SMILES that RDKit reads")
        charge = Chem.GetFormalCharge(molecule)
        if charge or any(atom.GetNumRadicalElectrons() for atom in molecule.GetAtoms()):
            raise ValueError(f"{where} has the charge {charge} or unpaired electrons; students know neutral molecules")
        smiles = Chem.MolToSmiles(molecule)
        if "." in smiles:
            raise ValueError(f"{where} is more than one molecule; one a line is allowed")
        found[smiles] = Entry(smiles, "")
    if not found:
        raise ValueError(f"'{path}' holds no SMILES")
    return [found[smiles] for smiles in sorted(found, key=_digest)]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _hold_out(entries: list[Entry]) -> list[Entry]:
    """Entries in the order of their digests; the last twentieth held out."""
    if len(entries) < FEWEST_MOLECULES:
        return entries
    first = len(entries) - math.ceil(len(entries) / _EVERY)
    return [replace(entry, held_out=k >= first) for k, entry in enumerate(entries)]


def _bonds(numbers: tuple[int, ...], x: np.ndarray) -> tuple[tuple[int, int], ...]:
    """Pairs of atoms at x [N, 3] (angstrom) that are as close as bonded atoms are."""
    radii = np.array([COVALENT_RADII[number] for number in numbers])
    close = np.linalg.norm(x[:, None] - x[None], axis=-1) < _BONDED * (radii[:, None] + radii[None])
    return tuple((int(a), int(b)) for a, b in np.argwhere(np.triu(close, 1)))


def _from_structures(path: str) -> StructureSet:
    groups: dict[tuple[int, ...], list[np.ndarray]] = {}
    for structure in read_structures(path):
        if any(structure.pbc):
            raise ValueError(f"{structure.name} is periodic; students learn from molecules in vacuum")
        unknown = sorted(set(structure.numbers) - set(COVALENT_RADII))
        if unknown:
            allowed = ", ".join(symbol(number) for number in sorted(COVALENT_RADII))
            raise ValueError(f"{structure.name} holds {symbol(unknown[0])}; the allowed elements are {allowed}")
        if len(structure.numbers) < 2:
            raise ValueError(f"{structure.name} is one atom; a molecule has two at least")
        x = structure.positions * 10.0  # nm to angstrom
        groups.setdefault(structure.numbers, []).append(x - x.mean(axis=0))
    from ase.data import atomic_masses
    from ase.formula import Formula

    found = []
    for numbers, structures in groups.items():
        bonds = _bonds(numbers, structures[0])
        formula = str(Formula.from_list([symbol(number) for number in numbers]).format("hill"))
        # No SMILES, but a text that is as much its own.
        text = f"{formula}:{_digest(repr((numbers, bonds)))[:12]}"
        masses = tuple(float(atomic_masses[number]) for number in numbers)
        found.append((Molecule("", text, numbers, bonds, masses, kind=STRUCTURE), np.array(structures)))
    found.sort(key=lambda each: _digest(each[0].smiles))
    chosen = _hold_out([Entry(molecule.smiles, "") for molecule, _ in found])
    molecules = tuple(
        replace(molecule, name=f"{k:05d}", held_out=entry.held_out)
        for k, ((molecule, _), entry) in enumerate(zip(found, chosen, strict=True))
    )
    return StructureSet(molecules, tuple(structures for _, structures in found))
