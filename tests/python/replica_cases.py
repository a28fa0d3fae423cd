# SPDX-License-Identifier: MIT
"""What the tests of PaiNNReplicaContexts share: a molecule that holds together, and Contexts of its replicas."""

from __future__ import annotations

from typing import Any

import numpy as np
import openmm

from openmmpainn import PaiNNReplicaContexts, PaiNNStudentForce, createSystem

STEP = 0.0005  # ps


def bound_system(model: Any, ethanol: Any, *forces: openmm.Force, edge: float | None = None) -> openmm.System:
    """Ethanol: the network in force group 0, bonds that hold it together in group 1; `edge` (nm) is that of its box."""
    topology, positions = ethanol
    system = createSystem(topology, model, removeCMMotion=False)
    bonds = openmm.HarmonicBondForce()
    for first, second in topology.bonds():
        length = np.linalg.norm(positions[first.index] - positions[second.index])
        bonds.addBond(first.index, second.index, length, 1e5)
    bonds.setForceGroup(1)
    for force in (bonds, *forces):
        system.addForce(force)
    if edge is not None:
        network_of(system).setUsesPeriodicBoundaryConditions(True)
        system.setDefaultPeriodicBoxVectors(*(edge * np.eye(3)))
    return system


def network_of(system: openmm.System) -> PaiNNStudentForce:
    return next(PaiNNStudentForce.cast(f) for f in system.getForces() if PaiNNStudentForce.isinstance(f))


def langevin(seed: int = 1, temperature: float = 300) -> openmm.LangevinMiddleIntegrator:
    integrator = openmm.LangevinMiddleIntegrator(temperature, 1, STEP)
    integrator.setRandomNumberSeed(seed)
    return integrator


def start(contexts: Any, positions: np.ndarray) -> None:
    """Give the Contexts different positions and velocities, the same in every call."""
    for i, context in enumerate(contexts):
        rng = np.random.default_rng(i)
        context.setPositions(positions + rng.normal(0, 0.003, positions.shape))
        context.setVelocities(rng.normal(0, 0.5, positions.shape))


def make_group(
    systems: list, integrators: list, positions: np.ndarray, platform: str = "CPU", threads: int = 2
) -> PaiNNReplicaContexts:
    properties = {"Threads": threads} if platform == "CPU" else {}
    group = PaiNNReplicaContexts(systems, integrators, openmm.Platform.getPlatform(platform), properties)
    start(group, positions)
    return group


def contexts_alone(systems: list, integrators: list, positions: np.ndarray, platform: str = "CPU") -> list:
    """Contexts of their own for the same replicas."""
    properties = {"Threads": "1"} if platform == "CPU" else {}
    chosen = openmm.Platform.getPlatform(platform)
    contexts = [openmm.Context(s, i, chosen, properties) for s, i in zip(systems, integrators, strict=True)]
    start(contexts, positions)
    return contexts


def moved(context: openmm.Context) -> np.ndarray:
    """Positions (nm), velocities (nm/ps) and box vectors (nm): [2 N + 3, 3]."""
    state = context.getState(positions=True, velocities=True)
    parts = (state.getPositions(asNumpy=True), state.getVelocities(asNumpy=True), state.getPeriodicBoxVectors(True))
    values = np.concatenate([part._value for part in parts])
    assert np.isfinite(values).all()
    return values


def all_moved(contexts: Any) -> np.ndarray:
    return np.array([moved(context) for context in contexts])


def energy_and_forces(context: openmm.Context, groups: Any = -1) -> tuple[float, np.ndarray]:
    """kJ/mol, and kJ/mol/nm [N, 3]."""
    state = context.getState(energy=True, forces=True, groups=groups)
    return state.getPotentialEnergy()._value, state.getForces(asNumpy=True)._value
