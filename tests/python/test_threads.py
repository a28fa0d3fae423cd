# SPDX-License-Identifier: MIT
"""Python threads run while the network does."""

import threading
import time

import numpy as np
import openmm
import pytest
from openmm import unit

from models import random_model
from openmmpainn import PaiNNStudentForce, PaiNNStudentModel


def gas(model, count=120, seed=0):
    """A System of carbon atoms that see each other, its force and positions in nm."""
    force = PaiNNStudentForce(model)
    system = openmm.System()
    for index in range(count):
        system.addParticle(12.0)
        force.addParticle(index, 6)
    system.addForce(force)
    side = int(np.ceil(count ** (1 / 3)))
    grid = np.stack(np.meshgrid(*[np.arange(side)] * 3), axis=-1).reshape(-1, 3)[:count]
    return system, force, 0.17 * grid + np.random.default_rng(seed).uniform(0, 0.02, (count, 3))


def longest_gap(function):
    """Run a function in a thread; how long it took, and the longest time in which this thread could not run, in s."""
    times = [time.perf_counter()]
    thread = threading.Thread(target=function)
    thread.start()
    while thread.is_alive():
        time.sleep(0.001)
        times.append(time.perf_counter())
    thread.join()
    return times[-1] - times[0], np.diff(times).max()


def assert_releases(function):
    """A function that held the lock would leave one gap as long as itself. A busy machine may need a second try."""
    shares = []
    for _ in range(4):
        duration, gap = longest_gap(function)
        assert duration > 0.02, "the function is too short to tell"
        shares.append(gap / duration)
        if shares[-1] < 0.6:
            return
    raise AssertionError(f"the lock was held for these shares of the call: {shares}")


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """The file of a model that takes a while to read."""
    path = tmp_path_factory.mktemp("large") / "large.safetensors"
    return random_model(path, hidden=256, blocks=6, size=20, elements=tuple(range(1, 19)))


def test_reading_releases(large):
    assert_releases(lambda: PaiNNStudentModel(large))
    with open(large, "rb") as file:
        contents = file.read()
    assert_releases(lambda: PaiNNStudentModel.fromBytes(contents))


def test_first_warnings_release(tmp_path):
    """They come from evaluations of the network, once a model."""
    models = []
    for seed in range(4):
        path = random_model(tmp_path / f"{seed}.safetensors", "student", seed, hidden=256, blocks=4)
        models.append(PaiNNStudentModel(path))
    remaining = iter(models)
    assert_releases(lambda: next(remaining).getWarnings())


def test_evaluation_releases(tmp_path):
    model = PaiNNStudentModel(random_model(tmp_path / "m.safetensors", hidden=128))
    system, force, positions = gas(model, 400)
    context = openmm.Context(system, openmm.VerletIntegrator(1e-6), openmm.Platform.getPlatform("Reference"))
    context.setPositions(positions)
    assert_releases(lambda: force.getSubsystemEnergies(context))
    assert_releases(lambda: force.getParticleEnergies(context))
    assert_releases(lambda: context.getState(energy=True, forces=True))


def test_four_contexts_advance_together(tmp_path):
    """Each thread makes one long step() call; when the first ends, the others are under way; all results are right."""
    model = PaiNNStudentModel(random_model(tmp_path / "m.safetensors"))
    steps, contexts = 40, []
    for seed in range(4):
        system, _, positions = gas(model, 60, seed)
        context = openmm.Context(system, openmm.VerletIntegrator(1e-5), openmm.Platform.getPlatform("Reference"))
        contexts.append((context, positions))

    def positions_after(index):
        context, start = contexts[index]
        context.setPositions(start)
        context.setVelocities(np.zeros_like(start))
        context.setStepCount(0)
        context.getIntegrator().step(steps)
        return context.getState(positions=True).getPositions(asNumpy=True).value_in_unit(unit.nanometer)

    alone = [positions_after(index) for index in range(4)]
    together, counts = [None] * 4, []

    def work(index):
        together[index] = positions_after(index)
        counts.append(sorted(context.getStepCount() for context, _ in contexts))

    threads = [threading.Thread(target=work, args=(index,)) for index in range(4)]
    for context, _ in contexts:
        context.setStepCount(0)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.isfinite(a).all() and (a == b).all() for a, b in zip(alone, together, strict=True))
    # One at a time would leave three at 0 steps when the first ends.
    assert sum(count > 0 for count in counts[0]) >= 3, counts
