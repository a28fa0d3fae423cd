# SPDX-License-Identifier: MIT
"""One Context that holds a batch of molecules, each a subsystem of one PaiNNStudentForce."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import openmm

from .platforms import get_platform

if TYPE_CHECKING:
    from .painn import PaiNNStudentModel

__all__ = ["BatchContext"]

# Platforms on which the derivative by a subsystem's scale, which is its energy, is taken along with the forces. On the
# others (CUDA, and those that copy to the host) the subsystems' energies take an evaluation of their own.
_WITH_DERIVATIVES = ("Reference", "CPU")


class BatchContext:
    """Evaluates molecules of given elements again and again.

    Parameters
    ----------
    model : PaiNNStudentModel
        The network.
    numbers : int array [N]
        Atomic numbers of all molecules, one after another.
    offsets : int array [M + 1]
        Molecule m is the atoms from offsets[m] up to, but not including, offsets[m + 1].
    box : array [3, 3] or None
        Box vectors as rows, nm, in OpenMM's reduced form: makes the force periodic.
    platform : str
        The name of one of OpenMM's platforms.
    properties : mapping of str to str, optional
        Of the platform. A platform with a choice of precision runs in mixed precision unless told otherwise.
    method : int
        PaiNNStudentForce.Kernels or PaiNNStudentForce.LibTorch.

    Raises
    ------
    openmm.OpenMMException
        If the model does not know an element, the box is not allowed, or the platform refuses a property.
    ValueError
        If there is no such platform.
    """

    def __init__(
        self,
        model: PaiNNStudentModel,
        numbers: np.ndarray,
        offsets: np.ndarray,
        box: np.ndarray | None,
        platform: str,
        properties: Mapping[str, str] | None = None,
        method: int = 0,
    ) -> None:
        from .painn import PaiNNStudentForce

        chosen = get_platform(platform)
        self.offsets = np.array(offsets)
        self.num_atoms, self.num_molecules = len(numbers), len(offsets) - 1
        self.force = PaiNNStudentForce(model)
        self.force.setEvaluationMethod(method)
        system = openmm.System()
        subsystems = np.repeat(np.arange(self.num_molecules), np.diff(offsets))
        for i, (number, subsystem) in enumerate(zip(numbers.tolist(), subsystems.tolist(), strict=True)):
            system.addParticle(1.0)
            self.force.addParticle(i, number, subsystem)
        self._scales: list[str] = []
        if self.num_molecules > 1 and platform in _WITH_DERIVATIVES:
            self._scales = [f"scale{m}" for m in range(self.num_molecules)]
            for molecule, scale in enumerate(self._scales):
                self.force.addGlobalParameter(scale, 1.0)
                self.force.setSubsystemScale(molecule, scale)
                self.force.addEnergyParameterDerivative(scale)
        # OpenMM on PoCL crashes with one particle alone: a second one, unknown to the network, keeps it company.
        self._spare = 1 if self.num_atoms == 1 else 0
        for _ in range(self._spare):
            system.addParticle(1.0)
        if box is not None:
            self.force.setUsesPeriodicBoundaryConditions(True)
            system.setDefaultPeriodicBoxVectors(*_vectors(box))
        system.addForce(self.force)
        values = {str(key): str(value) for key, value in (properties or {}).items()}
        if "Precision" in chosen.getPropertyNames():
            values.setdefault("Precision", "mixed")
        # An integrator whose kinetic energy needs no forces: asking for the energy alone then computes none.
        self._integrator = openmm.LangevinMiddleIntegrator(0.0, 1.0, 0.001)
        self._box = None if box is None else np.array(box)
        self.context = openmm.Context(system, self._integrator, chosen, values)

    def evaluate(
        self, positions: np.ndarray, box: np.ndarray | None, forces: bool = True
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Energies [M] (kJ/mol) and, unless unwanted, forces [N, 3] (kJ/mol/nm) at positions [N, 3] in a box (nm)."""
        self._place(positions, box)
        if self.num_molecules > 1 and not forces:
            return self._subsystem_energies(), None
        state = self.context.getState(energy=True, forces=forces, parameterDerivatives=bool(self._scales))
        found = np.array(state.getForces(asNumpy=True)._value[: self.num_atoms]) if forces else None
        if self.num_molecules == 1:
            return np.array([state.getPotentialEnergy()._value]), found
        if not self._scales:
            return self._subsystem_energies(), found
        derivatives = state.getEnergyParameterDerivatives()
        return np.array([derivatives[scale] for scale in self._scales]), found

    def particle_energies(self, positions: np.ndarray, box: np.ndarray | None) -> np.ndarray:
        """What the network gives to each atom [N] (kJ/mol) at positions [N, 3] in a box (nm)."""
        self._place(positions, box)
        return np.array(self.force.getParticleEnergies(self.context)._value)

    def _subsystem_energies(self) -> np.ndarray:
        return np.array(self.force.getSubsystemEnergies(self.context)._value)

    def _place(self, positions: np.ndarray, box: np.ndarray | None) -> None:
        if box is not None and not np.array_equal(box, self._box):
            self.context.setPeriodicBoxVectors(*_vectors(box))
            self._box = np.array(box)
        if self._spare:
            positions = np.vstack([positions, np.zeros((self._spare, 3))])
        self.context.setPositions(np.ascontiguousarray(positions))


def _vectors(box: np.ndarray) -> list[openmm.Vec3]:
    return [openmm.Vec3(*(float(x) for x in row)) for row in box]
