# SPDX-License-Identifier: MIT
"""Structures from files that ASE reads, and structures to check a model with when none are given."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from .boxes import reduced_box

__all__ = ["SYMBOLS", "Structure", "default_structures", "read_structures", "require_elements", "symbol"]

ANGSTROM = 0.1  # nm
_SYMBOLS = (
    "X H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr "
    "Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W "
    "Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr Rf Db Sg Bh Hs Mt "
    "Ds Rg Cn Nh Fl Mc Lv Ts Og"
)
SYMBOLS = _SYMBOLS.split()
"""Element symbols by atomic number."""


def symbol(number: int) -> str:
    """The symbol of an atomic number."""
    return SYMBOLS[number] if 0 <= number < len(SYMBOLS) else str(number)


@dataclass
class Structure:
    """Atoms at places.

    Attributes
    ----------
    name : str
        For messages.
    numbers : tuple of int [N]
        Atomic numbers.
    positions : array [N, 3]
        nm, in the frame of the file.
    cell : array [3, 3] or None
        Cell vectors as rows, nm; None if the file gives none.
    pbc : tuple of bool [3]
        Along which cell vectors the file calls the structure periodic.
    """

    name: str
    numbers: tuple[int, ...]
    positions: np.ndarray
    cell: np.ndarray | None = None
    pbc: tuple[bool, bool, bool] = (False, False, False)

    def box(self, cutoff: float, rotate: bool) -> tuple[np.ndarray, np.ndarray]:
        """The box (nm) for OpenMM and the rotation to it; see `openmmpainn.boxes.reduced_box`.

        Parameters
        ----------
        cutoff : float
            nm; the box must be twice as wide.
        rotate : bool
            Whether the frame may be rotated.

        Raises
        ------
        ValueError
            If there is no full cell, or it is too small, or it would have to be rotated.
        """
        if self.cell is None:
            raise ValueError(f"{self.name} has no cell, which --periodic needs")
        if any(self.pbc) and not all(self.pbc):
            axes = " and ".join(axis for axis, periodic in zip("abc", self.pbc, strict=True) if periodic)
            raise ValueError(f"{self.name} is periodic along {axes} only; --periodic needs all three")
        try:
            box, rotation = reduced_box(self.cell, rotate)
        except ValueError as error:
            reason = "" if rotate else ", which would change the energy of this model, as it is not rotation invariant"
            raise ValueError(f"{self.name}: {error}{reason}") from None
        # No lattice vector is shorter than the smallest diagonal component: one image at most is within the cutoff.
        narrowest = np.diag(box).min()
        if narrowest < 2 * cutoff:
            raise ValueError(
                f"{self.name}: its cell is {narrowest:.4g} nm wide at the narrowest; it must be at least twice the "
                f"cutoff of the model, {2 * cutoff:.4g} nm"
            )
        return box, rotation


def read_structures(path: str) -> list[Structure]:
    """Read all frames of a file.

    Parameters
    ----------
    path : str
        Anything that ASE reads: extended XYZ, XYZ, PDB, CIF, trajectories, ...

    Raises
    ------
    ValueError
        If the file cannot be read or holds no atoms.
    """
    try:
        from ase.io import read
    except ImportError:
        raise ValueError("reading structures needs the Python package ase: pip install ase") from None
    if not os.path.exists(path):
        raise ValueError(f"there is no file '{path}'")
    if os.path.isdir(path):
        raise ValueError(f"'{path}' is a folder; a file of structures is needed")
    try:
        frames = read(path, index=":")
    except Exception as error:  # ASE's readers raise whatever their parsing runs into
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"'{path}' cannot be read as structures by ASE: {reason}") from None
    if not frames:
        raise ValueError(f"'{path}' holds no structure")
    structures = []
    for index, atoms in enumerate(frames):
        name = f"frame {index} of '{path}'" if len(frames) > 1 else f"'{path}'"
        if len(atoms) == 0:
            raise ValueError(f"{name} holds no atoms")
        positions = np.asarray(atoms.get_positions(), dtype=np.float64) * ANGSTROM
        bad = np.nonzero(~np.isfinite(positions).all(axis=1))[0]
        if bad.size:
            raise ValueError(f"{name}: the position of atom {bad[0]} is not a finite number")
        cell = np.asarray(atoms.cell.array, dtype=np.float64) * ANGSTROM
        numbers = tuple(int(number) for number in atoms.get_atomic_numbers())
        periodic = tuple(bool(p) for p in atoms.get_pbc())
        structures.append(Structure(name, numbers, positions, cell if np.any(cell) else None, periodic))
    return structures


def require_elements(structures: Sequence[Structure], elements: Collection[int]) -> None:
    """Raise ValueError naming the first atom whose element is not among ``elements``."""
    for structure in structures:
        for index, number in enumerate(structure.numbers):
            if number not in elements:
                known = ", ".join(symbol(element) for element in sorted(elements))
                raise ValueError(
                    f"{structure.name}: atom {index} is {symbol(number)} ({number}), which the model does not know; "
                    f"it knows {known}"
                )


# Names in ASE's G2 set, from which the first few that a model knows are taken: of several sizes, no radicals.
_MOLECULES = ("CH3CONH2 CH3CH2OH CH3NO2 C6H6 C3H7Cl CH3SH C2F4 SiH4 PH3 H2O NH3 CH4 HCN CO2 SO2 LiF NaCl H2 N2").split()  # noqa: SIM905


def default_structures(elements: Collection[int], seed: int = 0, count: int = 4) -> list[Structure]:
    """Molecules made of the given elements, every atom moved a little at random so that none is symmetric.

    They are taken from ASE's G2 set; where none fits or ASE is absent, atoms are strewn about 0.2 nm apart.

    Parameters
    ----------
    elements : collection of int
        Atomic numbers that may occur.
    seed : int
        For the displacements (0.005 nm a coordinate) and the strewn atoms.
    count : int
        How many at most.
    """
    generator = np.random.default_rng(seed)
    structures: list[Structure] = []
    try:
        from ase.build import molecule
    except ImportError:
        names: Sequence[str] = ()
    else:
        names = _MOLECULES
    for name in names:
        atoms = molecule(name)
        numbers = tuple(int(number) for number in atoms.get_atomic_numbers())
        if set(numbers) <= set(elements) and len(structures) < count:
            positions = atoms.get_positions() * ANGSTROM + generator.normal(scale=0.005, size=(len(atoms), 3))
            structures.append(Structure(name, numbers, positions))
    if not structures:
        structures.append(_strewn(sorted(elements), generator))
    return structures


def _strewn(elements: Sequence[int], generator: np.random.Generator) -> Structure:
    """Eight atoms of the elements in turn at the corners of a cube of 0.2 nm, moved by up to 0.02 nm."""
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], dtype=float) * 0.2
    numbers = tuple(elements[i % len(elements)] for i in range(8))
    return Structure("eight atoms", numbers, corners + generator.uniform(-0.02, 0.02, size=(8, 3)))
