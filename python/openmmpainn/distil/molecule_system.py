# SPDX-License-Identifier: MIT
"""Many different molecules in one OpenMM System, each a subsystem that sees no other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import openmm
from openmm import unit

from .. import PaiNNStudentForce, PaiNNStudentModel
from .molecules import Molecule

__all__ = ["BOLTZMANN", "MoleculeSystem", "make_context"]

BOLTZMANN = 0.00831446261815324  # kJ/mol/K


class MoleculeSystem:
    """Molecules side by side, and what is measured of each; nm, ps, kJ/mol.

    Parameters
    ----------
    model : PaiNNStudentModel
        The student.
    molecules : sequence of Molecule
        Subsystem k is molecule k. A molecule may be named again.
    starts : sequence of arrays [N, 3]
        angstrom.

    Attributes
    ----------
    system : openmm.System
        Without removal of the motion of the centre.
    starts : array [A, 3]
        nm.
    first : int array [M + 1]
        Where a molecule's atoms begin.
    masses : array [A]
        amu.
    """

    def __init__(self, model: PaiNNStudentModel, molecules: Sequence[Molecule], starts: Sequence[np.ndarray]) -> None:
        self.molecules = list(molecules)
        self.system, force = openmm.System(), PaiNNStudentForce(model)
        self.first = np.cumsum([0] + [len(each.numbers) for each in molecules])
        self.masses = np.concatenate([each.masses for each in molecules]).astype(float)
        self.starts = 0.1 * np.concatenate(starts).astype(float)
        for k, each in enumerate(molecules):
            for number, mass in zip(each.numbers, each.masses, strict=True):
                force.addParticle(self.system.addParticle(mass), number, k)
        self.force = force
        self.system.addForce(force)
        pairs = [np.array(m.bonds, dtype=int).reshape(-1, 2) + o for m, o in zip(molecules, self.first, strict=False)]
        self._bonds = np.concatenate(pairs)
        self._owners = np.repeat(np.arange(len(pairs)), [len(each) for each in pairs])
        self._lengths = self.bond_lengths(self.starts)
        self.atom_owners = np.repeat(np.arange(len(pairs)), np.diff(self.first))

    def bond_lengths(self, x: np.ndarray) -> np.ndarray:
        """Of all bonds at positions [A, 3]."""
        return np.linalg.norm(x[self._bonds[:, 0]] - x[self._bonds[:, 1]], axis=1)

    def largest_bond_changes(self, x: np.ndarray) -> np.ndarray:
        """How far a bond of each molecule is from where it started, at most; angstrom, inf where not finite, [M]."""
        with np.errstate(invalid="ignore"):
            change = 10 * np.abs(self.bond_lengths(x) - self._lengths)
        change = np.where(np.isfinite(change), change, np.inf)
        worst = np.zeros(len(self.molecules))
        np.maximum.at(worst, self._owners, change)
        return worst

    def kinetic_energies(self, v: np.ndarray) -> np.ndarray:
        """Of each molecule at velocities [A, 3], [M]."""
        return np.bincount(self.atom_owners, 0.5 * self.masses * (v**2).sum(axis=1), len(self.molecules))

    def thermal_velocities(self, kelvin: float, rng: np.random.Generator) -> np.ndarray:
        """Of all atoms, [A, 3]."""
        return np.sqrt(BOLTZMANN * kelvin / self.masses)[:, None] * rng.normal(size=self.starts.shape)

    def total_energies(self, context: openmm.Context, step: float) -> np.ndarray:
        """Potential and kinetic energy of each molecule in a VerletIntegrator's run with this step (ps), [M].

        Its velocities are half a step behind; the kinetic energy is that of velocities moved on by the forces.
        """
        state = context.getState(velocities=True, forces=True)
        v = state.getVelocities(asNumpy=True).value_in_unit(unit.nanometer / unit.picosecond)
        f = state.getForces(asNumpy=True).value_in_unit(unit.kilojoule_per_mole / unit.nanometer)
        potential = self.force.getSubsystemEnergies(context).value_in_unit(unit.kilojoule_per_mole)
        return np.asarray(potential) + self.kinetic_energies(v + 0.5 * step * f / self.masses[:, None])


def positions_of(context: openmm.Context) -> np.ndarray:
    """nm, [A, 3]."""
    return context.getState(positions=True).getPositions(asNumpy=True).value_in_unit(unit.nanometer)


def make_context(
    system: MoleculeSystem, integrator: Any, platform: str = "CPU", precision: str | None = None
) -> openmm.Context:
    """A Context with the molecules at their starts; precision is that of CUDA or OpenCL."""
    properties = {"Precision": precision} if precision and platform in ("CUDA", "OpenCL", "HIP") else {}
    context = openmm.Context(system.system, integrator, openmm.Platform.getPlatform(platform), properties)
    context.setPositions(system.starts)
    return context
