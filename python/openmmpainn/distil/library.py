# SPDX-License-Identifier: MIT
"""Thousands of neutral organic molecules of H, C, N, O, F, S and Cl, put together by rule from fragments.py.

Each has one place: hosts alone, hosts with one, two or three substituents, two or three hosts joined by linkers,
peptides, sugars, nucleobases. The same seed gives the same list. One molecule in twenty is held out, by a hash of its
canonical SMILES, and so is every molecule with a ring system of ``HELD_OUT_SCAFFOLDS``.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..progress import Progress
from .fragments import HELD_OUT_SCAFFOLDS, LINKERS, RESIDUES, SCAFFOLDS, SUBSTITUENTS, WHOLE
from .molecules import Molecule, rdkit

__all__ = ["ELEMENTS", "HELD_OUT_KIND", "Entry", "hash_holds_out", "is_held_out", "make_library"]

ELEMENTS = (1, 6, 7, 8, 9, 16, 17)
HELD_OUT_KIND = "held-out ring system"
LARGEST = 60  # atoms
_HETERO = {7, 8, 9, 16, 17}
# Groups that fall apart at once or that nobody simulates; atoms of rings and of nitro groups are no matter here.
_UNWANTED = (
    "[OX2][OX2]",
    "[#7;!R;!$([N+](=O)[O-])]~[#7;!R]~[#7;!R]",
    "[CX4;!R]([OH])[OH,NH2,NH,SH,F,Cl]",
    "[CX4;!R]([NH2])[NH2,NH,SH,F,Cl]",
    "[CX4]([OX2,NX3,SX2,F,Cl])([OX2,NX3,SX2])[OX2,NX3,SX2]",
    "[OX2,SX2,NX3;!$(N[SX4]);!$(NC=[O,S]);!$(n)][F,Cl]",
    "[OH]C=[CH2]",
    "[SX2;!R][OX2,NX3;!R]",
)


@dataclass(frozen=True)
class Entry:
    """A molecule of a library: what it is, its kind for tables of errors, and whether it is kept from training."""

    smiles: str
    kind: str
    held_out: bool = False


def hash_holds_out(smiles: str, every: int = 20) -> bool:
    """Whether a molecule is one of the 1 in ``every`` held out, by a hash of its SMILES."""
    return int(hashlib.sha256(smiles.encode()).hexdigest(), 16) % every == 0


def is_held_out(molecule: Molecule) -> bool:
    """Whether a molecule of a set of structures is kept from training."""
    return molecule.held_out


class _Builder:
    """Joins fragments; every product is checked."""

    def __init__(self, rng: random.Random) -> None:
        self._chem = rdkit()[0]
        self.rng = rng
        self._unwanted = [self._chem.MolFromSmarts(smarts) for smarts in _UNWANTED]
        self._ring_systems = [self._chem.MolFromSmiles(smiles) for smiles in HELD_OUT_SCAFFOLDS]
        self._parsed: dict[str, Any] = {}

    def read(self, smiles: str) -> Any:
        """The parsed fragment."""
        if smiles not in self._parsed:
            self._parsed[smiles] = self._chem.MolFromSmiles(smiles)
        return self._parsed[smiles]

    def sites(self, molecule: Any, newcomer: Any) -> list[int]:
        """Atoms whose hydrogen another fragment may replace: carbon with any, nitrogen with carbon."""
        first = newcomer.GetAtomWithIdx(0)
        chosen = []
        for atom in molecule.GetAtoms():
            if atom.GetTotalNumHs() == 0 or atom.GetFormalCharge() != 0:
                continue
            number = atom.GetAtomicNum()
            if number == 6 or (number == 7 and first.GetAtomicNum() == 6):
                chosen.append(atom.GetIdx())
        return chosen

    def join(self, host: Any, guest: Any, host_atom: int, guest_atom: int) -> Any | None:
        """One molecule with a single bond between them; None where that makes no sense."""
        both = self._chem.RWMol(self._chem.CombineMols(host, guest))
        pair = (host_atom, host.GetNumAtoms() + guest_atom)
        both.AddBond(*pair, self._chem.BondType.SINGLE)
        for index in pair:
            atom = both.GetAtomWithIdx(index)
            if atom.GetNumExplicitHs() > 0:
                atom.SetNumExplicitHs(atom.GetNumExplicitHs() - 1)
        product = both.GetMol()
        return product if self._chem.SanitizeMol(product, catchErrors=True) == 0 else None

    def substitute(self, host: Any) -> Any | None:
        """The host with one more substituent, at random."""
        guest = self.read(self.rng.choice(SUBSTITUENTS))
        sites = self.sites(host, guest)
        return self.join(host, guest, self.rng.choice(sites), 0) if sites else None

    def bridge(self, host: Any, guest: Any) -> Any | None:
        """Two hosts with a linker, or in one case of five a bond, between them."""
        open_ends = self.sites(guest, self.read("C"))
        if not open_ends:
            return None
        if self.rng.random() < 0.2:
            linked, end = guest, self.rng.choice(open_ends)
        else:
            linker = self.read(self.rng.choice(LINKERS))
            last = max(
                (atom.GetIdx() for atom in linker.GetAtoms() if atom.GetTotalNumHs() or atom.GetAtomicNum() == 16),
                default=linker.GetNumAtoms() - 1,
            )
            open_ends = self.sites(guest, self.chem_atom(linker, last))
            linked = self.join(linker, guest, last, self.rng.choice(open_ends)) if open_ends else None
            end = 0
        if linked is None:
            return None
        sites = self.sites(host, self.chem_atom(linked, end))
        return self.join(host, linked, self.rng.choice(sites), end) if sites else None

    def chem_atom(self, molecule: Any, index: int) -> Any:
        """A fragment of that one atom, for sites()."""
        return self.read(f"[{molecule.GetAtomWithIdx(index).GetSymbol()}]")

    def accept(self, molecule: Any | None) -> tuple[str, bool] | None:
        """Canonical SMILES, and whether a held-out ring system is in it; None for what is not wanted."""
        if molecule is None:
            return None
        smiles = self._chem.MolToSmiles(molecule)
        whole = self._chem.MolFromSmiles(smiles)
        if whole is None or self._chem.GetFormalCharge(whole) != 0:
            return None
        if any(atom.GetAtomicNum() not in ELEMENTS or atom.GetNumRadicalElectrons() for atom in whole.GetAtoms()):
            return None
        if not 2 <= self._chem.AddHs(whole).GetNumAtoms() <= LARGEST:
            return None
        if any(whole.HasSubstructMatch(pattern) for pattern in self._unwanted):
            return None
        return self._chem.MolToSmiles(whole), any(whole.HasSubstructMatch(ring) for ring in self._ring_systems)


def _fixed(builder: _Builder) -> Iterator[tuple[str, Any]]:
    """What is in every library: wholes, hosts alone, peptides."""
    for kind, words in WHOLE.items():
        for smiles in words:
            yield kind, builder.read(smiles)
    for kind, words in SCAFFOLDS.items():
        for smiles in words:
            yield kind, builder.read(smiles)
    for smiles in HELD_OUT_SCAFFOLDS:
        yield HELD_OUT_KIND, builder.read(smiles)
    for residue in RESIDUES.values():
        yield "amino acid", builder.read(residue + "O")
        yield "dipeptide", builder.read(f"CC(=O){residue}NC")


def _random(builder: _Builder) -> Iterator[tuple[str, Any]]:
    """Products of chance, without end."""
    rng, kinds = builder.rng, list(SCAFFOLDS)
    residues = list(RESIDUES.values())
    while True:
        if rng.random() < 0.015:
            yield "peptide", builder.read(f"CC(=O){rng.choice(residues[:6])}{rng.choice(residues)}NC")
            continue
        kind = rng.choice(kinds)
        host = builder.read(rng.choice(SCAFFOLDS[kind]))
        if rng.random() < 0.02:
            kind, host = HELD_OUT_KIND, builder.read(rng.choice(HELD_OUT_SCAFFOLDS))
        if rng.random() < 0.35:
            other = builder.read(rng.choice(SCAFFOLDS[rng.choice(kinds)]))
            host, kind = builder.bridge(host, other), "two fragments" if kind != HELD_OUT_KIND else kind
            if host is not None and rng.random() < 0.2:
                host = builder.bridge(host, builder.read(rng.choice(SCAFFOLDS[rng.choice(kinds)])))
            count = rng.choice((0, 0, 1))
        else:
            count = rng.choice((1, 1, 2, 2, 2, 3))
        for _ in range(count):
            host = None if host is None else builder.substitute(host)
        yield kind, host


def make_library(size: int, seed: int = 8) -> list[Entry]:
    """A list of molecules in random order, so that any first part of it is a fair choice.

    Parameters
    ----------
    size : int
        How many; at most some tens of thousands, beyond which few new ones are found.
    seed : int
        Of every choice.

    Returns
    -------
    list of Entry
        Unique by canonical SMILES. The mean is some 20 atoms; larger molecules are taken the more rarely, the larger.

    Raises
    ------
    ValueError
        If the size is not positive or more than the rules yield.
    """
    if size < 1:
        raise ValueError(f"a library has at least one molecule, not {size}")
    rng = random.Random(seed)
    builder = _Builder(rng)
    found: dict[str, Entry] = {}
    with Progress("molecules", size) as progress:

        def take(kind: str, molecule: Any | None, always: bool) -> None:
            accepted = builder.accept(molecule)
            if accepted is None or accepted[0] in found:
                return
            smiles, held_out = accepted
            heavy = builder.read(smiles).GetNumHeavyAtoms()
            # Labels cost some 2.5th power of the size; a kind for every size, but not at any price.
            if not always and rng.random() > min(1.0, (10.0 / heavy) ** 2):
                return
            if held_out:
                kind = HELD_OUT_KIND
            found[smiles] = Entry(smiles, kind, held_out or hash_holds_out(smiles))
            progress.advance()

        for kind, molecule in _fixed(builder):
            take(kind, molecule, True)
        for tries, (kind, molecule) in enumerate(_random(builder)):
            if len(found) >= size:
                break
            if tries > 200 * size + 10000:
                raise ValueError(f"the rules yield {len(found)} molecules with this seed, not {size}; ask for fewer")
            take(kind, molecule, False)
    entries = sorted(found.values(), key=lambda entry: entry.smiles)
    rng.shuffle(entries)
    return entries[:size]
