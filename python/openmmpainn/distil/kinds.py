# SPDX-License-Identifier: MIT
"""Kinds of molecules by their functional groups, for tables of errors; needs RDKit."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from .molecules import Molecule

__all__ = ["KINDS", "kinds_of"]

KINDS = {
    "alcohol": "[OX2H][CX4]",
    "phenol or enol": "[OX2H][c,$(C=C)]",
    "ether": "[OX2]([#6;!$(C=[O,S,N])])[#6;!$(C=[O,S,N])]",
    "aldehyde or ketone": "[CX3;$(C([#6,#1])(=O)[#6,#1]),$([CX3H]=O)]=O",
    "carboxylic acid": "[CX3](=O)[OX2H]",
    "ester": "[CX3;!$(C[#7])](=O)[OX2][#6]",
    "amide": "[CX3;!$(C(=O)([#7])[#7,#8])](=O)[NX3]",
    "urea or carbamate": "[CX3](=O)([NX3])[NX3,OX2]",
    "amine": "[NX3;!$(N[#6,#16]=[!#6]);!$(N~[#7,#8])][#6]",
    "nitrile": "[CX2]#[NX1]",
    "nitro": "[$([NX3](=O)=O),$([NX3+](=O)[O-])]",
    "imine, amidine": "[CX3]=[NX2;!$(N~[!#6;!#1])]",
    "thiol or thioether": "[SX2;!$(S=*)]",
    "sulfoxide": "[SX3]=O",
    "sulfone or sulfonamide": "[SX4](=O)(=O)",
    "thiocarbonyl": "[#6]=[SX1]",
    "fluoride": "[F]",
    "chloride": "[Cl]",
    "alkene": "[CX3;!$(C=[!#6])]=[CX3]",
    "alkyne": "[CX2]#[CX2]",
    "benzene ring": "c1ccccc1",
    "heteroaromatic ring": "[$([n,o,s]1aaaa1),$([n]1aaaaa1)]",
    "small ring (3 or 4)": "[r3,r4]",
    "saturated ring (5 to 7)": "[CX4;r5,r6,r7]",
    "N-N, N-O or O-O bond": "[N,O;!$(N(~[OX1])~[OX1]);!$([OX1]~N~[OX1])]~[N,O;!$(N(~[OX1])~[OX1]);!$([OX1]~N~[OX1])]",
}
"""SMARTS patterns by kind."""


@cache
def _patterns() -> dict[str, Any]:
    from rdkit import Chem

    return {kind: Chem.MolFromSmarts(pattern) for kind, pattern in KINDS.items()}


def kinds_of(molecules: Iterable[Molecule]) -> dict[str, list[str]]:
    """The kinds of each molecule by its name; a molecule may be of several, and is a "hydrocarbon" if of none.

    Raises
    ------
    ValueError
        If RDKit cannot read a SMILES.
    """
    from rdkit import Chem

    kinds = {}
    for each in molecules:
        read = Chem.MolFromSmiles(each.smiles)
        if read is None:
            raise ValueError(f"molecule {each.name!r} has the SMILES {each.smiles!r}, which RDKit cannot read")
        found = [kind for kind, pattern in _patterns().items() if read.HasSubstructMatch(pattern)]
        elements = set(each.numbers)
        kinds[each.name] = found or ["hydrocarbon" if elements <= {1, 6} else "other"]
    return kinds
