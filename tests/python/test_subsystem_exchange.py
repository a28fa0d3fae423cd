# SPDX-License-Identifier: MIT
"""SubsystemTemperatureExchange: parallel tempering of subsystems (row 19)."""

import copy
import itertools

import numpy as np
import openmm
import pytest

from conftest import PLATFORMS
from openmmpainn import (
    PaiNNStudentForce,
    SubsystemLangevinIntegrator,
    SubsystemTemperatureExchange,
    createSystem,
    replicate,
)

GAS_CONSTANT = 0.00831446261815324


def replicas(model, ethanol, kelvin, platform="Reference", scale=None):
    """Context, integrator and PaiNNStudentForce of replicas of ethanol whose energies differ by a few kT."""
    topology, positions = ethanol
    single = createSystem(topology, model, removeCMMotion=False)
    if scale is not None:
        force = PaiNNStudentForce.cast(single.getForce(0))
        force.addGlobalParameter("lambda", scale)
        force.setSubsystemScale(0, "lambda")
    n = len(kelvin)
    places = positions + np.random.default_rng(3).normal(0, 0.002, (n, 9, 3))
    _, system, flat = replicate(topology, single, places, n)
    integrator = SubsystemLangevinIntegrator(kelvin, 1, 0.0001, system)
    context = openmm.Context(system, integrator, openmm.Platform.getPlatform(platform))
    context.setPositions(flat)
    return context, integrator, PaiNNStudentForce.cast(system.getForce(0))


@pytest.mark.parametrize("scale", [None, 0.5])
def test_distribution_of_temperatures(canonical, ethanol, scale):
    """At fixed positions, temperatures are distributed among the replicas as exp(-sum of U/kT) says."""
    context, integrator, force = replicas(canonical, ethanol, [1.0] * 3, scale=scale)
    energies = force.getSubsystemEnergies(context)._value * (scale or 1)
    # A ladder on which a swap of the most distant energies costs 1.5.
    base = 1 / (GAS_CONSTANT * 300)
    width = 1.5 / (energies.max() - energies.min())
    kelvin = 1 / (GAS_CONSTANT * (base + width * np.array([1.0, 0.4, 0.0])))
    integrator.setTemperatures(kelvin)
    exchange = SubsystemTemperatureExchange(context, integrator, seed=1)
    counts, attempts = {}, 4000
    for _ in range(attempts):
        exchange.exchange()
        order = tuple(exchange.getReplicas())
        counts[order] = counts.get(order, 0) + 1
        assert np.array_equal(integrator.getTemperatures()._value[list(order)], kelvin)
    weights = {
        order: np.exp(-((energies[list(order)] - energies.min()) / (GAS_CONSTANT * kelvin)).sum())
        for order in itertools.permutations(range(3))
    }
    total = sum(weights.values())
    for order, weight in weights.items():
        expected = weight / total
        error = np.sqrt(expected * (1 - expected) * 4 / attempts)  # 4: one attempt is like the one before
        print(order, counts.get(order, 0) / attempts, expected, error)
        assert abs(counts.get(order, 0) / attempts - expected) < 4 * error
    assert ((exchange.getAcceptance() > 0.2) & (exchange.getAcceptance() <= 1)).all()


@pytest.mark.parametrize("platform", PLATFORMS)
def test_swaps(platform, canonical, ethanol):
    """Velocities go along with temperatures, pairs take turns, and nothing else changes."""
    kelvin = np.array([400.0, 100.0, 200.0, 300.0])
    context, integrator, _ = replicas(canonical, ethanol, kelvin, platform)
    exchange = SubsystemTemperatureExchange(context, integrator, seed=2)
    assert list(exchange.getLadder()._value) == [100, 200, 300, 400]
    assert list(exchange.getReplicas()) == [1, 2, 3, 0] and np.isnan(exchange.getAcceptance()).all()
    integrator.setVelocitiesToTemperatures(context, seed=1)
    swaps = 0
    for turn in range(40):
        state = context.getState(positions=True, velocities=True)
        before, measured = integrator.getTemperatures()._value, integrator.computeSubsystemTemperatures(context)._value
        order = exchange.getReplicas()
        swapped = exchange.exchange()
        swaps += swapped
        after = integrator.getTemperatures()._value
        assert sorted(after) == [100, 200, 300, 400] and (after != before).sum() == 2 * swapped
        moved = np.flatnonzero(order != exchange.getReplicas())
        assert set(moved) <= ({0, 1, 2, 3} if turn % 2 == 0 else {1, 2})
        found = integrator.computeSubsystemTemperatures(context)._value
        assert found == pytest.approx(measured * after / before, rel=1e-5)
        now = context.getState(positions=True)
        assert np.array_equal(now.getPositions(asNumpy=True)._value, state.getPositions(asNumpy=True)._value)
    assert swaps > 0


def test_energies_are_those_of_the_molecule_alone(canonical, ethanol):
    """What decides on a swap has the bits that a Context of one molecule gives."""
    context, _, force = replicas(canonical, ethanol, [300.0] * 6)
    energies = force.getSubsystemEnergies(context)._value
    places = context.getState(positions=True).getPositions(asNumpy=True)._value
    for k in range(6):
        alone, _, force_alone = replicas(canonical, ethanol, [300.0])
        alone.setPositions(places[9 * k : 9 * (k + 1)])
        assert force_alone.getSubsystemEnergies(alone)._value[0] == energies[k]


def test_together_with_dynamics(canonical, ethanol):
    context, integrator, _ = replicas(canonical, ethanol, [5.0, 6.0, 7.0], "CPU")
    exchange = SubsystemTemperatureExchange(context, integrator, seed=1)
    for _ in range(10):
        integrator.step(5)
        exchange.exchange()
    assert sorted(exchange.getReplicas()) == [0, 1, 2]
    again = SubsystemTemperatureExchange(context, integrator)  # as after loading a checkpoint
    assert np.array_equal(again.getReplicas(), exchange.getReplicas())
    integrator.setTemperatures([5, 6, 8])
    with pytest.raises(ValueError, match="temperatures were changed outside"):
        exchange.exchange()


def test_refusals(canonical, ethanol):
    def refused(context, integrator, text, error=ValueError):
        with pytest.raises(error, match=text):
            SubsystemTemperatureExchange(context, integrator)

    context, integrator, _ = replicas(canonical, ethanol, [300.0, 400.0])
    refused(context, openmm.VerletIntegrator(0.001), "integrator is of the type VerletIntegrator", TypeError)
    integrator.setSubsystemTemperature(1, 0)
    refused(context, integrator, "the temperature of subsystem 1 is 0")
    alone = replicas(canonical, ethanol, [300.0])
    refused(alone[0], alone[1], "there is 1 subsystem; an exchange needs at least 2")

    def changed(change, members=None):
        system = copy.deepcopy(context.getSystem())
        change(system, PaiNNStudentForce.cast(system.getForce(0)))
        count = 2 if members is None else max(members) + 1
        integrator = SubsystemLangevinIntegrator(range(300, 300 + count), 1, 0.001, system, members)
        return openmm.Context(system, integrator, openmm.Platform.getPlatform("Reference")), integrator

    def scaled(system, force):
        force.addGlobalParameter("lambda", 1)
        force.setSubsystemScale(1, "lambda")

    other = "subsystem 1 has other elements, masses or another scale than subsystem 0"
    refused(
        *changed(lambda system, force: system.addForce(openmm.HarmonicBondForce())), "force 1 of the System is a Harm"
    )
    refused(*changed(lambda system, force: system.setParticleMass(10, 2)), other)
    refused(*changed(lambda system, force: force.setParticleParameters(9, 9, 8, 1)), other)
    refused(*changed(scaled), other)
    refused(*changed(lambda system, force: None, [0] * 8 + [1] * 10), "particle 8 is of subsystem 0 .* and of 1 of the")
    refused(*changed(lambda system, force: system.removeForce(0), [0] * 9 + [1] * 9), "no PaiNNStudentForce")
