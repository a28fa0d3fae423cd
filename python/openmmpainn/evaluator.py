# SPDX-License-Identifier: MIT
"""Energies and forces of a model for plain arrays of positions, through a Context that is kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import openmm
from openmm import unit

if TYPE_CHECKING:
    from . import PaiNNStudentModel

__all__ = ["Evaluator", "get_platform", "platform_names"]


def platform_names() -> list[str]:
    """The names of OpenMM's platforms, slowest first."""
    platforms = [openmm.Platform.getPlatform(i) for i in range(openmm.Platform.getNumPlatforms())]
    return [platform.getName() for platform in sorted(platforms, key=lambda platform: platform.getSpeed())]


def get_platform(name: str) -> openmm.Platform:
    """The platform of this name.

    Raises
    ------
    ValueError
        If there is none; the message lists those there are.
    """
    if name not in platform_names():
        raise ValueError(f"platform '{name}' is not here; OpenMM has {', '.join(platform_names())}")
    return openmm.Platform.getPlatform(name)


class Evaluator:
    """Evaluates one composition again and again.

    Parameters
    ----------
    model : PaiNNStudentModel
        The network.
    numbers : sequence of int [N]
        Atomic numbers.
    platform : str
        The name of one of OpenMM's platforms. Platforms with a choice of precision run in mixed precision.
    box : array [3, 3], optional
        Box vectors as rows, nm, in OpenMM's reduced form: makes the force periodic.

    Raises
    ------
    openmm.OpenMMException
        If the model does not know an element, or the box is too small.
    ValueError
        If there is no such platform.
    """

    def __init__(
        self,
        model: PaiNNStudentModel,
        numbers: Sequence[int],
        platform: str = "Reference",
        box: np.ndarray | None = None,
    ) -> None:
        from . import PaiNNStudentForce

        self.numbers = [int(number) for number in numbers]
        self.force = PaiNNStudentForce(model)
        system = openmm.System()
        for i, number in enumerate(self.numbers):
            system.addParticle(1.0)
            self.force.addParticle(i, number)
        # OpenMM on PoCL crashes with one particle alone: a second one, unknown to the network, keeps it company.
        self._spare = 1 if len(self.numbers) == 1 else 0
        for _ in range(self._spare):
            system.addParticle(1.0)
        if box is not None:
            self.force.setUsesPeriodicBoundaryConditions(True)
            system.setDefaultPeriodicBoxVectors(*_vectors(box))
        system.addForce(self.force)
        chosen = get_platform(platform)
        properties = {"Precision": "mixed"} if "Precision" in chosen.getPropertyNames() else {}
        self._integrator = openmm.VerletIntegrator(0.001)
        self.context = openmm.Context(system, self._integrator, chosen, properties)

    def _place(self, positions: np.ndarray, box: np.ndarray | None) -> None:
        if box is not None:
            self.context.setPeriodicBoxVectors(*_vectors(box))
        spare = np.zeros((self._spare, 3))
        self.context.setPositions(np.vstack([np.asarray(positions, dtype=np.float64), spare]))

    def evaluate(self, positions: np.ndarray, box: np.ndarray | None = None) -> tuple[float, np.ndarray]:
        """Energy (kJ/mol) and forces [N, 3] (kJ/mol/nm) at positions [N, 3] (nm), in a new box (nm) if one is given."""
        self._place(positions, box)
        state = self.context.getState(energy=True, forces=True)
        energy = state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole)
        forces = state.getForces(asNumpy=True).value_in_unit(unit.kilojoule_per_mole / unit.nanometer)
        return energy, np.array(forces[: len(self.numbers)])

    def energy(self, positions: np.ndarray, box: np.ndarray | None = None) -> float:
        """The energy alone (kJ/mol) at positions [N, 3] (nm)."""
        self._place(positions, box)
        return self.context.getState(energy=True).getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole)

    def particle_energies(self, positions: np.ndarray) -> np.ndarray:
        """What the network gives to each atom [N] (kJ/mol) at positions [N, 3] (nm)."""
        self._place(positions, None)
        energies = self.force.getParticleEnergies(self.context)
        return np.array(energies.value_in_unit(unit.kilojoule_per_mole))


def _vectors(box: np.ndarray) -> list[openmm.Vec3]:
    return [openmm.Vec3(*(float(x) for x in row)) for row in box]
