# SPDX-License-Identifier: MIT
"""ReplicaExchangeSampler and ExpandedEnsembleSampler sample what they should (row 19)."""

import math
import random

import numpy as np
import openmm
import pytest
from openmm import app, unit

from models import random_model
from openmmpainn import ExpandedEnsembleSampler, PaiNNStudentForce, PaiNNStudentModel, ReplicaExchangeSampler
from sampler_cases import energies, replica_contexts  # noqa: F401

R = 0.00831446261815324  # kJ/mol/K
KINDS = ["subsystems", "contexts", *(pytest.param(kind, marks=pytest.mark.long) for kind in ("serial", "openmm"))]
LADDER = (300.0, 360.0, 432.0, 518.0)


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return PaiNNStudentModel(random_model(tmp_path_factory.mktemp("models") / "m.safetensors", strength=30.0))


def atoms(network, positions, force, mass, friction, step):
    """A Simulation of C atoms of a mass with the network, which a parameter lambda scales, and another force."""
    topology = app.Topology()
    residue = topology.addResidue("C", topology.addChain())
    system = openmm.System()
    painn = PaiNNStudentForce(network)
    for i in range(len(positions)):
        topology.addAtom("C", app.element.carbon, residue)
        system.addParticle(mass)
        painn.addParticle(i, 6)
    painn.addGlobalParameter("lambda", 1.0)
    painn.setSubsystemScale(0, "lambda")
    system.addForce(painn)
    force.setForceGroup(1)
    system.addForce(force)
    integrator = openmm.LangevinMiddleIntegrator(300, friction, step)
    integrator.setRandomNumberSeed(1)  # the same numbers in every run: of so many comparisons one may fail by chance
    simulation = app.Simulation(topology, system, integrator, openmm.Platform.getPlatform("Reference"))
    simulation.context.setPositions(positions)
    simulation.context.setVelocitiesToTemperature(300, 1)
    return simulation


def oscillator(network):
    """One atom, of which the network says a constant, in a harmonic well. Its period is 2 pi sqrt(12/500) = 0.97 ps."""
    well = openmm.CustomExternalForce("250*(x^2 + y^2 + z^2)")
    well.addParticle(0)
    return atoms(network, [(0, 0, 0)], well, 12.0, 4, 0.05)


def pair(network):
    """Two atoms with the network between them and a spring that keeps them where it says something."""
    spring = openmm.CustomBondForce("1500*(r - 0.25)^2")
    spring.addBond(0, 1)
    return atoms(network, [(0, 0, 0), (0.25, 0, 0)], spring, 12.0, 5, 0.01)


def acceptance_of_oscillators(low, high):
    """How often a swap of the temperatures (K) of two harmonic wells of three directions is accepted."""
    beta = 1 / (R * np.array([low, high]))
    root = (np.arange(2000) + 0.5) * math.sqrt(30 / beta[1]) / 2000  # of the energy: the density is smooth in it
    weights = [root**2 * np.exp(-b * root**2) for b in beta]
    exponent = (beta[0] - beta[1]) * (root[:, None] ** 2 - root[None, :] ** 2)
    chance = np.exp(np.minimum(exponent, 0.0))
    return weights[0] @ chance @ weights[1] / (weights[0].sum() * weights[1].sum())


def mean_energies_of_pair(network, states):
    """The exact mean of the potential energy (kJ/mol) in each state, by quadrature over the distance."""
    context = pair(network).context
    r = np.linspace(0.05, 0.45, 801)
    said = []
    for distance in r:
        context.setPositions([(0, 0, 0), (distance, 0, 0)])
        said.append(context.getState(energy=True, groups={0}).getPotentialEnergy()._value)
    means = []
    for state in states:
        u = state["lambda"] * np.array(said) + 1500 * (r - 0.25) ** 2
        weights = r**2 * np.exp(-(u - u.min()) / (R * state["temperature"]))
        assert weights[0] < 1e-4 * weights.max() and weights[-1] < 1e-4 * weights.max()
        means.append((weights * u).sum() / weights.sum())
    return np.array(means)


def blocked(values, blocks=20):
    """Mean and standard error of a correlated series."""
    means = np.array([block.mean() for block in np.array_split(np.asarray(values, dtype=float), blocks)])
    return means.mean(), means.std(ddof=1) / math.sqrt(blocks)


def replica_exchange(kind, states, simulation, steps):
    if kind == "openmm":
        return app.ReplicaExchangeSampler(states, simulation, steps)
    return ReplicaExchangeSampler(states, simulation, steps, level=kind, progress=False)


def energies_of_states(sampler, iterations):
    """The energy (kJ/mol) of the replica that has each state, in that state, [iterations, states]."""
    found = []

    def report(sampler):
        now = np.empty(len(sampler.states))
        for replica, state in enumerate(sampler.replicaStateIndex):
            now[state] = energies(sampler)[replica, state]
        found.append(now)

    sampler.reporters.append(report)
    sampler.simulate(iterations)
    return np.array(found)


def test_acceptance_of_many_swaps(network):
    """Energies drawn as harmonic wells have them: swaps are accepted as often as theory says."""
    kelvin = (300.0, 390.0, 507.0)
    sampler = replica_exchange("serial", [{"temperature": t} for t in kelvin], oscillator(network), 1)
    sampler.exchangesPerIteration = 1
    rng = np.random.default_rng(4)
    random.seed(4)
    kT = R * np.array(kelvin)
    for _ in range(15000):
        drawn = rng.gamma(1.5, kT[sampler.replicaStateIndex])
        sampler.replicaStateEnergy = unit.Quantity([[u] * 3 for u in drawn.tolist()], unit.kilojoule_per_mole)
        sampler.exchangeReplicas()
    acceptance = sampler.getAcceptance()
    for i, j in ((0, 1), (1, 2), (0, 2)):
        expected = acceptance_of_oscillators(kelvin[i], kelvin[j])
        error = math.sqrt(expected * (1 - expected) / 5000)
        print(i, j, acceptance[i, j], expected, error)
        assert abs(acceptance[i, j] - expected) < 3 * error


@pytest.mark.parametrize("kind", KINDS)
def test_harmonic_wells(kind, network):
    """With dynamics: the mean energy at each temperature, and how often swaps are accepted."""
    random.seed(7)
    sampler = replica_exchange(kind, [{"temperature": t} for t in LADDER], oscillator(network), 12)
    sampler.exchangesPerIteration = 3
    constant = sampler.simulation.context.getState(energy=True, groups={0}).getPotentialEnergy()._value
    iterations = 1000
    found = energies_of_states(sampler, iterations)[20:] - constant
    for state, kelvin in enumerate(LADDER):
        mean, error = blocked(found[:, state])
        print(kind, kelvin, mean, 1.5 * R * kelvin, error)
        assert abs(mean - 1.5 * R * kelvin) < 3 * error and error < 0.1 * mean
    if kind != "openmm":
        expected = acceptance_of_oscillators(300, 360)
        acceptance, tried = sampler.getAcceptance()[0, 1], 3 * iterations / 6
        error = math.sqrt(expected * (1 - expected) / tried)
        print(kind, acceptance, expected, error)
        assert abs(acceptance - expected) < 3 * error


STATES = [{"temperature": t, "lambda": x} for t, x in ((300, 1.0), (300, 0.5), (350, 0.0), (450, 1.0))]


@pytest.mark.parametrize("kind", KINDS)
def test_mean_energies_of_states(kind, network):
    """States of other temperature and scale: the mean energies are those of quadrature over the distance."""
    random.seed(5)
    sampler = replica_exchange(kind, STATES, pair(network), 20)
    found = energies_of_states(sampler, 500)[10:]
    for state, expected in enumerate(mean_energies_of_pair(network, STATES)):
        mean, error = blocked(found[:, state])
        print(kind, state, mean, expected, error)
        assert abs(mean - expected) < 3 * error and error < 0.2


@pytest.mark.parametrize(
    "kind", [ExpandedEnsembleSampler, pytest.param(app.ExpandedEnsembleSampler, marks=pytest.mark.long)]
)
def test_expanded_ensemble(kind, network, tmp_path):
    """The same for an expanded ensemble, whose states are visited as often as their weights say."""
    random.seed(6)
    arguments = {"reportInterval": 20, "logFile": str(tmp_path / "log"), "energyFile": str(tmp_path / "energy")}
    if kind is ExpandedEnsembleSampler:
        arguments["progress"] = False
    simulation = pair(network)
    means = mean_energies_of_pair(network, STATES)
    weights = [u / (R * state["temperature"]) for u, state in zip(means, STATES, strict=True)]
    sampler = kind(STATES, simulation, 20, weights=weights, **arguments)
    sampler.step(20 * 3000)
    log = np.loadtxt(tmp_path / "log", delimiter=",", skiprows=1)
    reduced = np.loadtxt(tmp_path / "energy", delimiter=",", skiprows=1)
    assert len(log) == len(reduced) == 3000
    of_state = log[:, 2].astype(int)
    for state, expected in enumerate(means):
        kT = R * STATES[state]["temperature"]
        chosen = reduced[of_state == state, 1 + state] * kT
        mean, error = blocked(chosen)
        print(kind.__name__, state, len(chosen), mean, expected, error)
        assert len(chosen) > 100 and abs(mean - expected) < 3 * error
    if kind is ExpandedEnsembleSampler:
        changes = np.count_nonzero(np.diff(of_state))
        assert sampler.getAcceptance() == pytest.approx(changes / 3000, abs=1 / 3000)
