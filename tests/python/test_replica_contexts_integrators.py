# SPDX-License-Identifier: MIT
"""PaiNNReplicaContexts with all kinds of integrators, barostats, callbacks in Python and replicas that fail."""

import threading

import numpy as np
import openmm
import pytest
from openmm import unit

from conftest import PLATFORMS
from replica_cases import STEP, all_moved, bound_system, contexts_alone, langevin, make_group, moved, start

MODES = ("parallel", "baton")


def compound(seed=1):
    integrator = openmm.CompoundIntegrator()
    integrator.addIntegrator(openmm.VerletIntegrator(STEP))
    integrator.addIntegrator(langevin(seed))
    integrator.setCurrentIntegrator(1)
    return integrator


def seeded(integrator):
    integrator.setRandomNumberSeed(11)
    return integrator


OWN = {  # none of them draws from the random numbers that the process has
    "Verlet": lambda: openmm.VerletIntegrator(STEP),
    "VariableVerlet": lambda: openmm.VariableVerletIntegrator(1e-3),
    "NoseHoover": lambda: openmm.NoseHooverIntegrator(300, 10, STEP),
    "LangevinMiddle": langevin,
    "MTS": lambda: openmm.MTSIntegrator(2 * STEP, [(0, 1), (1, 2)]),
    "Compound": compound,
}
SHARED = {
    "Brownian": lambda: seeded(openmm.BrownianIntegrator(300, 1000, STEP)),
    "Langevin": lambda: seeded(openmm.LangevinIntegrator(300, 1, STEP)),
    "VariableLangevin": lambda: seeded(openmm.VariableLangevinIntegrator(300, 1, 1e-3)),
    "MTSLangevin": lambda: seeded(openmm.MTSLangevinIntegrator(300, 1, 2 * STEP, [(0, 1), (1, 2)])),
}


def test_trajectories_of_contexts_alone(model, ethanol):
    """All integrators with generators of their own side by side, in both modes: the bits of Contexts alone."""
    system = bound_system(model, ethanol)
    alone = contexts_alone([system] * len(OWN), [make() for make in OWN.values()], ethanol[1])
    for context in alone:
        context.getIntegrator().step(40)
    expected = all_moved(alone)
    for mode in MODES:
        group = make_group([system] * len(OWN), [make() for make in OWN.values()], ethanol[1])
        group.setMode(mode)
        group.step(15)
        group.step(25)
        for name, got, wanted in zip(OWN, all_moved(group), expected, strict=True):
            assert np.array_equal(got, wanted), (name, mode)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_reproducible_where_random_numbers_are_shared(canonical, ethanol, platform):
    """With a baton: all integrators and a barostat that draw from OpenMM's generator for the process."""

    def make():
        barostat = seeded_barostat()
        systems = [bound_system(canonical, ethanol, edge=1.5) for _ in SHARED]
        systems[1:1] = [bound_system(canonical, ethanol, barostat, edge=1.5)]
        integrators = [make_one() for make_one in SHARED.values()]
        integrators[1:1] = [langevin(5)]
        return make_group(systems, integrators, ethanol[1], platform)

    def seeded_barostat():
        return seeded(openmm.MonteCarloBarostat(1, 300, 4))

    results = []
    for pieces in ([60], [60], [1, 29, 30]):
        group = make()
        assert group.getMode() == "baton"
        for piece in pieces:
            group.step(piece)
        results.append(all_moved(group))
    assert np.array_equal(results[0], results[1]) and np.array_equal(results[0], results[2])
    edges = results[0][:, -3, 0]
    assert edges[1] != 1.5 and set(np.delete(edges, 1)) == {1.5}


def test_a_barostat_in_one_replica_leaves_the_others_alone(canonical, ethanol):
    barostat = seeded(openmm.MonteCarloBarostat(1, 300, 3))
    systems = [bound_system(canonical, ethanol, edge=1.5) for _ in range(2)]
    systems.insert(1, bound_system(canonical, ethanol, barostat, edge=1.5))
    for mode in MODES:
        alone = contexts_alone(systems, [langevin(i + 1) for i in range(3)], ethanol[1])
        group = make_group(systems, [langevin(i + 1) for i in range(3)], ethanol[1])
        group.setMode(mode)
        group.step(50)
        for i in (0, 2):
            alone[i].getIntegrator().step(50)
            assert np.array_equal(moved(group.getContext(i)), moved(alone[i]))
        assert moved(group.getContext(1))[-1, 2] != 1.5


def in_time(function, seconds=30):
    """Call a function in a thread; a deadlock is a failure, and does not hold the tests up."""
    errors = []

    def work():
        try:
            function()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    assert not thread.is_alive(), "deadlock"
    if errors:
        raise errors[0]


@pytest.mark.parametrize("mode", MODES)
def test_callbacks_in_python(canonical, ethanol, mode):
    """A PythonForce needs Python's lock while others wait for its replica."""
    calls, count = [], len(ethanol[1])

    def pull(state):
        calls.append(threading.get_ident())
        if len(calls) == limit:
            raise RuntimeError("enough of it")
        x = state.getPositions(asNumpy=True).value_in_unit(unit.nanometer)
        return 5 * (x**2).sum(), -10 * x

    limit = -1
    no_network = openmm.System()
    for _ in range(count):
        no_network.addParticle(12)
    no_network.addForce(openmm.PythonForce(pull, {}))
    systems = [bound_system(canonical, ethanol, openmm.PythonForce(pull, {})), bound_system(canonical, ethanol)]
    systems += [no_network, bound_system(canonical, ethanol, openmm.PythonForce(pull, {}))]
    group = make_group(systems, [langevin(i + 1) for i in range(4)], ethanol[1])
    group.setMode(mode)
    alone = contexts_alone(systems, [langevin(i + 1) for i in range(4)], ethanol[1])
    in_time(lambda: group.step(30))
    assert len(calls) >= 90 and len(set(calls)) >= 3
    in_time(lambda: group.computeStateEnergies([{}]))
    for context in alone:
        context.getIntegrator().step(30)
    assert np.array_equal(all_moved(group), all_moved(alone))
    limit = len(calls) + 1
    with pytest.raises(openmm.OpenMMException, match="replica [023]: .*enough of it"):
        in_time(lambda: group.step(1))
    limit = -1
    start(group, ethanol[1])
    in_time(lambda: group.step(3))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_one_replica_blows_up(canonical, ethanol, platform, mode):
    system, positions = bound_system(canonical, ethanol), ethanol[1]
    group = make_group([system] * 3, [langevin(i + 1) for i in range(3)], positions, platform)
    group.setMode(mode)
    group.step(5)
    lost = positions.copy()
    lost[4, 1] = np.nan
    group.getContext(1).setPositions(lost)
    with pytest.raises(openmm.OpenMMException, match="^replica 1: .*(NaN|not a number|nan)"):
        group.step(4)
    counts = [context.getStepCount() for context in group]
    assert counts[0] == counts[2] > 5 == counts[1]
    with pytest.raises(openmm.OpenMMException, match="^replica 1: "):
        group.computeStateEnergies([{}])
    before = moved(group.getContext(0))
    with pytest.raises(openmm.OpenMMException, match="^replica 1: "):
        group.step(1)
    assert not np.array_equal(moved(group.getContext(0)), before)
    group.getContext(1).setPositions(positions)
    group.step(4)
    assert [context.getStepCount() for context in group] == [counts[0] + 5, 9, counts[0] + 5]
    assert np.isfinite(group.computeStateEnergies([{}])).all()


def test_one_call_at_a_time(canonical, ethanol):
    """Another thread, or a callback, is told so; it neither waits for ever nor disturbs the call under way."""
    errors, inner = [], []

    def refused(call):
        with pytest.raises(openmm.OpenMMException, match="wait for its end"):
            call()
        errors.append(call)

    def meddle(state):
        inner.append(len(inner))
        if len(inner) == 5:
            for call in (lambda: group.step(1), lambda: group.computeStateEnergies([{}])):
                thread = threading.Thread(target=refused, args=(call,))
                thread.start()
                thread.join()
            with pytest.raises(openmm.OpenMMException, match="are being advanced or evaluated"):
                group.step(1)
        return 0.0, np.zeros_like(ethanol[1])

    systems = [bound_system(canonical, ethanol), bound_system(canonical, ethanol, openmm.PythonForce(meddle, {}))]
    for mode in MODES:
        inner.clear()
        errors.clear()
        group = make_group(systems, [langevin(1), langevin(2)], ethanol[1])
        group.setMode(mode)
        in_time(lambda group=group: group.step(20))
        assert len(errors) == 2
        assert [context.getStepCount() for context in group] == [20, 20]
