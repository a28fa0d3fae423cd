# SPDX-License-Identifier: MIT
"""Molecules from SMILES, and structures of them to start dynamics from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

__all__ = ["BACKBONE", "OMEGAS", "Molecule", "dihedral", "make_molecule", "rdkit", "starting_structure"]

# Torsions of an N-acetyl amino acid N'-methyl amide: C(O)-N-CA-C(O)-N is the pattern both phi and psi are read from.
_DIPEPTIDE = "[CH3]C(=O)[NX3;H1][CX4][CX3](=O)[NX3;H1][CH3]"
BACKBONE = ((1, 3, 4, 5), (3, 4, 5, 7))
"""phi and psi as indices into the match of the dipeptide pattern."""
OMEGAS = ((0, 1, 3, 4), (4, 5, 7, 8))
"""The two peptide bonds, likewise."""


@dataclass(frozen=True)
class Molecule:
    """A molecule with its hydrogens.

    Attributes
    ----------
    name, smiles : str
        What it is called, and what it is.
    numbers : tuple of int [N]
        Atomic numbers.
    bonds : tuple of pairs of int
        Indices of bonded atoms.
    masses : tuple of float [N]
        Atomic mass units.
    backbone, omegas : tuples of four atom indices
        phi and psi, and the peptide bonds, of a dipeptide; else empty.
    kind : str
        The kind of molecule, for tables of errors; may be empty.
    held_out : bool
        Whether it is kept from training.
    """

    name: str
    smiles: str
    numbers: tuple[int, ...]
    bonds: tuple[tuple[int, int], ...]
    masses: tuple[float, ...]
    backbone: tuple[tuple[int, ...], ...] = ()
    omegas: tuple[tuple[int, ...], ...] = ()
    kind: str = ""
    held_out: bool = False


def rdkit() -> tuple[Any, Any]:
    """RDKit's Chem and AllChem, silent."""
    from rdkit import Chem, RDLogger
    from rdkit.Chem import AllChem

    RDLogger.DisableLog("rdApp.*")
    return Chem, AllChem


@cache
def make_molecule(name: str, smiles: str) -> Molecule:
    """Build a molecule; hydrogens come after the heavy atoms, in RDKit's order.

    Raises
    ------
    ValueError
        If RDKit cannot read the SMILES.
    """
    Chem, _ = rdkit()
    plain = Chem.MolFromSmiles(smiles)
    if plain is None:
        raise ValueError(f"molecule {name!r} has the SMILES {smiles!r}, which RDKit cannot read")
    full = Chem.AddHs(plain)
    match = full.GetSubstructMatch(Chem.MolFromSmarts(_DIPEPTIDE))
    pick = (lambda torsions: tuple(tuple(match[k] for k in torsion) for torsion in torsions)) if match else lambda _: ()
    return Molecule(
        name,
        smiles,
        tuple(atom.GetAtomicNum() for atom in full.GetAtoms()),
        tuple((bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in full.GetBonds()),
        tuple(atom.GetMass() for atom in full.GetAtoms()),
        pick(BACKBONE),
        pick(OMEGAS),
    )


def dihedral(positions: np.ndarray, atoms: tuple[int, ...]) -> np.ndarray:
    """Dihedral angles in degrees, (-180, 180], of positions [..., N, 3]; 180 is trans."""
    a, b, c, d = (positions[..., k, :].astype(np.float64) for k in atoms)
    axis = c - b
    left, right = np.cross(b - a, axis), np.cross(axis, d - c)
    sine = (np.cross(left, right) * axis).sum(-1) / np.linalg.norm(axis, axis=-1)
    return np.degrees(np.arctan2(sine, (left * right).sum(-1)))


def starting_structure(
    molecule: Molecule, seed: int, torsions: dict[tuple[int, ...], float] | None = None
) -> np.ndarray:
    """A conformer, relaxed with the MMFF94 force field, or with UFF where MMFF94 does not know an atom.

    Parameters
    ----------
    molecule : Molecule
        What to embed.
    seed : int
        Of the embedding.
    torsions : dict, optional
        Dihedral angles in degrees that are set first and held while all else relaxes.

    Returns
    -------
    array [N, 3]
        In angstrom.

    Raises
    ------
    ValueError
        If RDKit finds no conformer.
    """
    Chem, AllChem = rdkit()
    full = Chem.AddHs(Chem.MolFromSmiles(molecule.smiles))
    if AllChem.EmbedMolecule(full, maxAttempts=20, randomSeed=seed & 0x7FFFFFFF) != 0:
        raise ValueError(f"RDKit finds no conformer of {molecule.name} ({molecule.smiles})")
    properties = AllChem.MMFFGetMoleculeProperties(full)
    if properties is None:  # MMFF94 lacks the elements or bonds of this molecule
        if AllChem.UFFHasAllMoleculeParams(full):
            AllChem.UFFOptimizeMolecule(full, maxIters=500)
        return full.GetConformer().GetPositions()
    from rdkit.Chem import rdMolTransforms

    for atoms, angle in (torsions or {}).items():
        rdMolTransforms.SetDihedralDeg(full.GetConformer(), *atoms, angle)
    field = AllChem.MMFFGetMoleculeForceField(full, properties)
    for atoms, angle in (torsions or {}).items():
        field.MMFFAddTorsionConstraint(*atoms, False, angle - 2.0, angle + 2.0, 100.0)
    field.Initialize()
    field.Minimize(maxIts=500)
    return full.GetConformer().GetPositions()
