# SPDX-License-Identifier: MIT
"""Molecular dynamics as one has it without a plugin: eager PyTorch called by openmm.PythonForce in every step."""

from __future__ import annotations

import numpy as np
import openmm
from openmm import unit

from .peers import TorchPeer
from .systems import BenchmarkSystem

__all__ = ["PYTHON_FORCE_UP_TO", "check_finite", "python_force", "scaled_forces"]

PYTHON_FORCE_UP_TO = 50  # atoms


def python_force(peer: TorchPeer, system: BenchmarkSystem, scale: float = 1.0) -> openmm.PythonForce:
    """The network in eager PyTorch as a Force.

    In a step, positions go from the State to a tensor and the forces come back as an array. The edges are chosen among
    all pairs of atoms in every step: right wherever the atoms go, also for networks whose filters do not vanish at the
    cutoff.

    Parameters
    ----------
    peer : TorchPeer
        Prepared for the system here, and not to be prepared anew while the Force is used.
    system : BenchmarkSystem
        The atoms, in vacuum.
    scale : float
        The energy is multiplied by it.

    Returns
    -------
    openmm.PythonForce
        For all particles of a System.

    Raises
    ------
    ValueError
        If the system is periodic.
    """
    if system.box is not None:
        raise ValueError("PythonForce is measured in vacuum; this system is periodic")
    peer.prepare([system], [[system.positions]], cutoff=np.inf)

    def compute(state: openmm.State) -> tuple[float, np.ndarray]:
        """Energy (kJ/mol) and forces [N, 3] (kJ/mol/nm)."""
        positions = state.getPositions(asNumpy=True).value_in_unit(unit.nanometer)
        energies, forces = peer.to_arrays(*peer.compute_within_cutoff(peer.to_tensor(positions)))
        return scale * float(energies[0]), scale * forces

    return openmm.PythonForce(compute)


def scaled_forces(context: openmm.Context) -> np.ndarray:
    """Forces [N, 3] (kJ/mol/nm) of a Context where its atoms are."""
    state = context.getState(forces=True)
    return np.array(state.getForces(asNumpy=True).value_in_unit(unit.kilojoules_per_mole / unit.nanometer))


def check_finite(context: openmm.Context) -> None:
    """Look at the positions after dynamics.

    OpenMM may call a PythonForce from a thread of its own while the GPU is at work, which has gone wrong with PyTorch.

    Raises
    ------
    RuntimeError
        If a position is not finite.
    """
    positions = context.getState(positions=True).getPositions(asNumpy=True).value_in_unit(unit.nanometer)
    if not np.isfinite(positions).all():
        raise RuntimeError("positions became NaN in PythonForce")
