# SPDX-License-Identifier: MIT
"""What the tests of samplers share: Simulations of small molecules, and a stand-in for PaiNNReplicaContexts."""

from __future__ import annotations

import copy

import numpy as np
import openmm
import pytest
from openmm import app

import openmmpainn
from openmmpainn import PaiNNStudentForce, createSystem

LEVELS = ("subsystems", "contexts", "serial")


class ContextsInTurn:
    """The interface of PaiNNReplicaContexts, one Context after another."""

    def __init__(self, systems, integrators, platform=None, properties={}):  # noqa: B006
        self._kept = list(zip(systems, integrators, strict=True))
        self._contexts = [openmm.Context(s, i, platform, properties) for s, i in self._kept]

    def __len__(self):
        return len(self._contexts)

    def __iter__(self):
        return iter(self._contexts)

    def getContext(self, i):
        return self._contexts[i]

    def step(self, n):
        for _ in range(n):
            for context in self._contexts:
                context.getIntegrator().step(1)

    def computeStateEnergies(self, states, groups=-1):
        energies = np.zeros((len(self), len(states)))
        for i, context in enumerate(self._contexts):
            before = dict(context.getParameters())
            for j, state in enumerate(states):
                for name, value in state.items():
                    context.setParameter(name, value)
                energies[i, j] = context.getState(energy=True, groups=groups).getPotentialEnergy()._value
            for name, value in before.items():
                context.setParameter(name, value)
        return energies


@pytest.fixture(autouse=True)
def replica_contexts(monkeypatch):
    """The true PaiNNReplicaContexts where there is one."""
    if not hasattr(openmmpainn, "PaiNNReplicaContexts"):
        monkeypatch.setattr(openmmpainn, "PaiNNReplicaContexts", ContextsInTurn, raising=False)


def molecule(model, ethanol, platform="Reference", friction=0.0, scale=None, change=None, step=0.0002):
    """A Simulation of ethanol at 300 K, whose velocities are always the same.

    `scale` is the value of a parameter lambda that scales the network; change(system) is called before the Context is
    made.
    """
    topology, positions = ethanol
    system = createSystem(topology, model, removeCMMotion=False)
    if scale is not None:
        force = PaiNNStudentForce.cast(system.getForce(0))
        force.addGlobalParameter("lambda", scale)
        force.setSubsystemScale(0, "lambda")
    if change is not None:
        change(system)
    integrator = openmm.LangevinMiddleIntegrator(300, friction, step)
    integrator.setRandomNumberSeed(1)
    simulation = app.Simulation(topology, system, integrator, openmm.Platform.getPlatform(platform))
    simulation.context.setPositions(positions)
    simulation.context.setVelocitiesToTemperature(300, 5)
    return simulation


def bonds(group=1):
    """Adds a HarmonicBondForce in a force group to a System."""

    def change(system):
        force = openmm.HarmonicBondForce()
        for first, second in ((0, 1), (0, 3), (1, 2), (2, 8)):
            force.addBond(first, second, 0.12, 10000)
        force.setForceGroup(group)
        system.addForce(force)

    return change


def spread(sampler, seed=2):
    """Begin with velocities that differ between replicas."""
    rng = np.random.default_rng(seed)
    context = sampler.simulation.context
    start = sampler.replicaConformation[0]
    shape = start.getVelocities(asNumpy=True).shape
    for i in range(len(sampler.states)):
        context.setState(start)
        context.setVelocities(rng.normal(0, 0.8, shape))
        state = context.getState(positions=True, velocities=True, parameters=True, integratorParameters=True)
        sampler.replicaConformation[i] = copy.copy(state)
    return sampler


def energies(sampler):
    """kJ/mol, [replicas, states]."""
    return np.array(sampler.replicaStateEnergy.value_in_unit(openmm.unit.kilojoule_per_mole))
