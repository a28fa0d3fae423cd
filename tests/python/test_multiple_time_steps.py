# SPDX-License-Identifier: MIT
"""Multiple time steps: one network in the short steps, another in the long ones, by force groups."""

from __future__ import annotations

import numpy as np
import openmm
import pytest

from conftest import PLATFORMS
from models import random_model
from openmmpainn import PaiNNStudentForce, PaiNNStudentModel, createSystem

FAST, INNER = 1, 4
SMOOTH = {"strength": 30.0, "envelope": {"type": "polynomial", "p": 6}}


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """The larger and the smaller network."""
    folder = tmp_path_factory.mktemp("models")
    large = random_model(folder / "large.safetensors", seed=1, **SMOOTH)
    small = random_model(folder / "small.safetensors", seed=2, hidden=4, blocks=1, **SMOOTH)
    return PaiNNStudentModel(large), PaiNNStudentModel(small)


def split_system(networks, topology):
    """large + small (fast group) - small: the forces of the large network alone."""
    large, small = networks
    system = createSystem(topology, large, removeCMMotion=False)
    fast, minus = (PaiNNStudentForce.fromTopology(small, topology) for _ in range(2))
    fast.setForceGroup(FAST)
    minus.addGlobalParameter("minus one", -1.0)
    minus.setSubsystemScale(0, "minus one")
    system.addForce(fast)
    system.addForce(minus)
    return system


def context_of(system, integrator, positions, platform):
    context = openmm.Context(system, integrator, openmm.Platform.getPlatform(platform))
    context.setPositions(positions)
    return context


@pytest.mark.parametrize("platform", PLATFORMS)
def test_parts_add_up(platform, networks, ethanol):
    topology, positions = ethanol
    split = context_of(split_system(networks, topology), openmm.VerletIntegrator(0.001), positions, platform)
    whole = context_of(createSystem(topology, networks[0]), openmm.VerletIntegrator(0.001), positions, platform)
    bar = 1e-10 if platform == "Reference" else 1e-4
    found, expected = (
        context.getState(energy=True, forces=True).getForces(asNumpy=True)._value for context in (split, whole)
    )
    assert np.abs(found - expected).max() < bar * np.abs(expected).max()
    groups = [
        split.getState(forces=True, groups={group}).getForces(asNumpy=True)._value for group in (0, FAST)
    ]  # each of its own group
    assert np.abs(groups[0] + groups[1] - expected).max() < bar * np.abs(expected).max()
    assert np.abs(groups[1]).max() > 1e-3 * np.abs(expected).max()


@pytest.mark.parametrize("platform", PLATFORMS)
def test_energy(platform, networks, ethanol):
    """With half the outer step the energy fluctuates a quarter as much, and the trajectory is that of short steps."""
    topology, positions = ethanol
    end, fluctuations = {}, []
    whole = createSystem(topology, networks[0], removeCMMotion=False)
    for step, groups in (
        (0.0004, [(0, 1), (FAST, INNER)]),
        (0.0002, [(0, 1), (FAST, INNER)]),
        (0.00002, [(0, 1)]),  # velocity Verlet
    ):
        system = split_system(networks, topology) if len(groups) > 1 else whole
        context = context_of(system, integrator := openmm.MTSIntegrator(step, groups), positions, platform)
        energies = []
        for _ in range(50):
            integrator.step(round(0.0004 / step))
            state = context.getState(energy=True, positions=True)
            energies.append((state.getPotentialEnergy() + state.getKineticEnergy())._value)
        fluctuations.append(np.std(energies))
        end[step] = state.getPositions(asNumpy=True)._value
    exact = end.pop(0.00002)
    coarse, fine = (np.abs(x - exact).max() for x in end.values())
    print(fluctuations, coarse, fine, np.abs(exact - positions).max())
    assert np.abs(exact - positions).max() > 0.003
    assert coarse < 0.05 * np.abs(exact - positions).max() and fine < 0.35 * coarse
    assert fluctuations[1] < 0.35 * fluctuations[0]


def test_langevin(networks, ethanol):
    """MTSLangevinIntegrator keeps the temperature."""
    topology, positions = ethanol
    integrator = openmm.MTSLangevinIntegrator(50, 200, 0.0004, [(0, 1), (FAST, INNER)])
    integrator.setRandomNumberSeed(1)
    context = context_of(split_system(networks, topology), integrator, positions, "Reference")
    context.setVelocitiesToTemperature(50, 1)
    integrator.step(200)
    kinetic = []
    for _ in range(200):
        integrator.step(10)
        kinetic.append(context.getState(energy=True).getKineticEnergy()._value)
    kelvin = 2 * np.mean(kinetic) / (27 * 0.00831446261815324)
    print(kelvin)
    assert kelvin == pytest.approx(50, rel=0.08)
