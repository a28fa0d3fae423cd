# SPDX-License-Identifier: MIT
"""The teacher: GFN2-xTB through tblite, and Langevin dynamics on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

__all__ = ["BOLTZMANN", "FEMTOSECOND", "Teacher", "TeacherError", "langevin"]

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
