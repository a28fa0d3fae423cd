# SPDX-License-Identifier: MIT
"""Teachers: GFN2-xTB through tblite, or any calculator of ASE; and Langevin dynamics on them."""

from __future__ import annotations

import importlib
import importlib.util
import pathlib
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np

__all__ = ["BOLTZMANN", "FEMTOSECOND", "METHODS", "AseTeacher", "Teacher", "TeacherError", "langevin", "make_teacher"]

METHODS = {"gfn2": "GFN2-xTB", "gfn1": "GFN1-xTB"}
"""Short names of tblite's methods; their full names are understood as well."""

BOHR = 0.529177210903  # angstrom
HARTREE = 27.211386245988  # eV
BOLTZMANN = 8.617333262e-5  # eV/K
FEMTOSECOND = 0.09822694788  # in sqrt(amu/eV) angstrom, the unit of time of (angstrom, eV, amu)


class TeacherError(RuntimeError):
    """The teacher gave no answer for a structure."""


class Teacher:
    """Energies and forces of one molecule; each call starts from the electrons of the last.

    Parameters
    ----------
    numbers : sequence of int [N]
        Atomic numbers.
    method : str
        A method of tblite.
    """

    def __init__(self, numbers: tuple[int, ...], method: str = "GFN2-xTB") -> None:
        self._numbers, self._method = np.array(numbers), method
        self._calculator = self._last = None

    def __call__(self, positions: np.ndarray) -> tuple[float, np.ndarray]:
        """The energy (eV) and the forces (eV/angstrom) [N, 3] at positions (angstrom) [N, 3].

        Raises
        ------
        TeacherError
            If the self-consistent field does not converge or gives no finite number.
        """
        from tblite.interface import Calculator

        try:
            if self._calculator is None:
                self._calculator = Calculator(self._method, self._numbers, positions / BOHR)
                self._calculator.set("verbosity", 0)
            else:
                self._calculator.update(positions / BOHR)
            self._last = self._calculator.singlepoint(self._last) if self._last else self._calculator.singlepoint()
            energy = float(self._last.get("energy")) * HARTREE
            forces = -np.asarray(self._last.get("gradient")) * (HARTREE / BOHR)
        except RuntimeError as error:
            self._calculator = self._last = None
            raise TeacherError(str(error)) from None
        if not (np.isfinite(energy) and np.isfinite(forces).all()):
            self._calculator = self._last = None
            raise TeacherError("the energy or a force is not a finite number")
        return energy, forces


@cache
def _factory(name: str) -> Callable[[], Any]:
    """The function that makes a calculator, from ``module:function`` or ``file.py:function``."""
    place, _, function = name.rpartition(":")
    if not place or not function.isidentifier():
        raise ValueError(
            f"the teacher {name!r} is none of {', '.join(METHODS)} and not module:function or file.py:function, "
            "where the function takes nothing and gives a calculator of ASE"
        )
    try:
        if place.endswith(".py"):
            path = pathlib.Path(place)
            if not path.exists():
                raise ValueError(f"the file of the teacher {name!r} does not exist")
            spec = importlib.util.spec_from_file_location(path.stem, path)
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
        else:
            module = importlib.import_module(place)
    except ImportError as error:
        raise ValueError(f"the module of the teacher {name!r} cannot be imported: {error}") from None
    if not callable(getattr(module, function, None)):
        raise ValueError(f"'{place}' has no function {function!r} for the teacher")
    return getattr(module, function)


class AseTeacher:
    """Energies and forces of one molecule by a calculator of ASE.

    Parameters
    ----------
    numbers : sequence of int [N]
        Atomic numbers.
    calculator : ase.calculators.calculator.Calculator
        Knows ``energy`` (eV) and ``forces`` (eV/angstrom).
    """

    def __init__(self, numbers: tuple[int, ...], calculator: Any) -> None:
        from ase import Atoms

        if not hasattr(calculator, "get_potential_energy"):
            raise ValueError(f"the teacher gave a {type(calculator).__name__}, which is no calculator of ASE")
        self._atoms = Atoms(numbers=numbers, positions=np.zeros((len(numbers), 3)), calculator=calculator)

    def __call__(self, positions: np.ndarray) -> tuple[float, np.ndarray]:
        """The energy (eV) and the forces (eV/angstrom) [N, 3] at positions (angstrom) [N, 3].

        Raises
        ------
        TeacherError
            If the calculator fails on this structure or gives no finite number.
        """
        from ase.calculators.calculator import CalculatorError, PropertyNotImplementedError

        self._atoms.positions = positions
        try:
            energy, forces = float(self._atoms.get_potential_energy()), np.array(self._atoms.get_forces(), dtype=float)
        except PropertyNotImplementedError as error:  # on every structure
            raise ValueError(
                f"the teacher {type(self._atoms.calc).__name__} gives no energies or forces: {error}"
            ) from None
        except (CalculatorError, RuntimeError, ArithmeticError, np.linalg.LinAlgError) as error:
            raise TeacherError(str(error)) from None
        if forces.shape != positions.shape:
            raise ValueError(f"the teacher gives forces of shape {forces.shape} for positions of {positions.shape}")
        if not (np.isfinite(energy) and np.isfinite(forces).all()):
            raise TeacherError("the energy or a force is not a finite number")
        return energy, forces


def make_teacher(method: str, numbers: tuple[int, ...]) -> Teacher | AseTeacher:
    """The teacher of one molecule.

    Parameters
    ----------
    method : str
        ``gfn2``, ``gfn1``, a method of tblite by its full name, or ``module:function`` or ``file.py:function`` that
        makes a calculator of ASE.
    numbers : sequence of int [N]
        Atomic numbers.

    Raises
    ------
    ValueError
        If there is no such teacher.
    """
    method = METHODS.get(method, method)
    if method in METHODS.values():
        return Teacher(numbers, method)
    return AseTeacher(numbers, _factory(method)())


def langevin(
    potential: Callable[[np.ndarray], tuple[float, np.ndarray]],
    positions: np.ndarray,
    masses: np.ndarray,
    temperature: float,
    steps: int,
    rng: np.random.Generator,
    timestep: float = 1.0,
    friction: float = 0.02,
) -> Iterator[tuple[np.ndarray, float, np.ndarray]]:
    """Langevin middle dynamics.

    Parameters
    ----------
    potential : callable
        Positions to energy and forces.
    positions : array [..., N, 3]
        angstrom; several copies may run at once if the potential takes them.
    masses : array [N]
        amu.
    temperature : float or array that broadcasts over positions
        K.
    steps : int
        How many.
    rng : Generator
        Velocities at the start, and the noise.
    timestep, friction : float
        fs and 1/fs.

    Yields
    ------
    positions, energy, forces
        After each step.
    """
    dt = timestep * FEMTOSECOND
    mass = np.asarray(masses)[:, None]
    thermal = np.sqrt(BOLTZMANN * temperature / mass)
    keep = np.exp(-friction * timestep)
    kick = np.sqrt(1 - keep**2) * thermal
    x = positions
    v = thermal * rng.normal(size=x.shape)
    _, forces = potential(x)
    for _ in range(steps):
        v = v + dt * forces / mass
        x = x + 0.5 * dt * v
        v = keep * v + kick * rng.normal(size=x.shape)
        x = x + 0.5 * dt * v
        energy, forces = potential(x)
        yield x, energy, forces
