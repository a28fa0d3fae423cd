# SPDX-License-Identifier: MIT
"""PaiNNReplicaContexts: bits, Contexts, checkpoints, energies of states."""

import copy
import gc
import weakref

import numpy as np
import openmm
import pytest
from openmm import unit

from conftest import PLATFORMS
from models import FAMILIES, random_model
from openmmpainn import PaiNNReplicaContexts, PaiNNStudentModel, replica_contexts, replicate
from replica_cases import (
    STEP,
    all_moved,
    bound_system,
    contexts_alone,
    energy_and_forces,
    langevin,
    make_group,
    moved,
    network_of,
    start,
)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_bits_of_contexts_alone_and_of_subsystems(model, ethanol, platform):
    """Row 9: the network's energy and forces of a replica at all levels."""
    topology, positions = ethanol
    system, count = bound_system(model, ethanol), 5
    group = make_group([system] * count, [langevin() for _ in range(count)], positions, platform)
    alone = contexts_alone([system] * count, [langevin() for _ in range(count)], positions, platform)
    _, together, _ = replicate(topology, system, positions, count)
    one = openmm.Context(together, langevin(), openmm.Platform.getPlatform(platform))

    def compare():
        energies = np.array(network_of(together).getSubsystemEnergies(one)._value)
        _, forces = energy_and_forces(one, {0})
        for i in range(count):
            for other in (energy_and_forces(group.getContext(i), {0}), energy_and_forces(alone[i], {0})):
                assert other[0] == energies[i]
                assert np.array_equal(other[1], forces.reshape(count, -1, 3)[i])
        assert np.array_equal(group.computeStateEnergies([{}], {0})[:, 0], energies)
        assert len(set(energies)) == count

    one.setPositions(np.concatenate([moved(context)[:9] for context in group]))
    compare()
    group.step(25)
    assert group.getNumBatches() >= 25
    assert group.getNumBatchedEvaluations() == count * group.getNumBatches()
    for i in range(count):
        alone[i].setPositions(moved(group.getContext(i))[:9])
    one.setPositions(np.concatenate([moved(context)[:9] for context in group]))
    compare()


def test_contexts(canonical, ethanol):
    systems = [bound_system(canonical, ethanol) for _ in range(3)]
    integrators = [langevin(i + 1) for i in range(3)]
    group = make_group(systems, integrators, ethanol[1])
    assert len(group) == 3
    contexts = list(group)
    assert all(contexts[i] is group.getContext(i) is group.getContext(np.int64(i)) for i in range(3))
    for context, system, integrator in zip(contexts, systems, integrators, strict=True):
        assert context.getIntegrator() is integrator and int(context.getSystem().this) == int(system.this)
        assert context.getPlatform().getName() == "CPU"
    for index in (-1, 3):
        with pytest.raises(openmm.OpenMMException, match=f"there is no replica {index}; there are 3, counted from 0"):
            group.getContext(index)
    group.step(3)
    assert [context.getStepCount() for context in contexts] == [3] * 3
    contexts[0].setTime(7)
    contexts[1].setState(contexts[0].getState(positions=True, velocities=True))
    assert np.array_equal(moved(contexts[0]), moved(contexts[1])) and contexts[1].getTime()._value == 7
    openmm.LocalEnergyMinimizer.minimize(contexts[2], maxIterations=5)
    group.step(1)
    contexts[0].reinitialize(preserveState=True)
    group.step(2)
    assert [context.getStepCount() for context in contexts][0::2] == [6] * 2
    for steps, error in ((1.5, TypeError), (-1, ValueError)):
        with pytest.raises(error, match="steps is"):
            group.step(steps)
    group.step(np.int64(1))


def test_a_context_keeps_its_group(canonical, ethanol):
    context = make_group([bound_system(canonical, ethanol)] * 2, [langevin(), langevin()], ethanol[1]).getContext(1)
    gc.collect()
    context.getIntegrator().step(2)
    assert np.isfinite(energy_and_forces(context)[0])
    group = weakref.ref(context._replicas)
    assert group() is not None
    del context
    gc.collect()
    assert group() is None


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_checkpoint_at_step_333(platform, family, ethanol, tmp_path):
    """Row 21: checkpoints of all replicas, loaded into a new group and into the same, which has gone on."""
    model = PaiNNStudentModel(random_model(tmp_path / "m.safetensors", family, hidden=4, blocks=1))
    system = bound_system(model, ethanol)

    def make():
        return make_group([system] * 3, [langevin(i + 1) for i in range(3)], ethanol[1], platform)

    group = make()
    group.step(333)
    checkpoints = [context.createCheckpoint() for context in group]
    group.step(667)
    expected = all_moved(group)
    for again in (make(), group):
        for context, checkpoint in zip(again, checkpoints, strict=True):
            context.loadCheckpoint(checkpoint)
        assert {context.getStepCount() for context in again} == {333}
        again.step(667)
        assert np.array_equal(all_moved(again), expected)


def test_one_replica_restarts_while_others_go_on(canonical, ethanol):
    """Row 21, with generators of their own: on CPU."""
    system = bound_system(canonical, ethanol)
    group = make_group([system] * 3, [langevin(i + 1) for i in range(3)], ethanol[1])
    alone = contexts_alone([system] * 3, [langevin(i + 1) for i in range(3)], ethanol[1])
    group.step(20)
    checkpoint = group.getContext(1).createCheckpoint()
    group.step(30)
    group.getContext(1).loadCheckpoint(checkpoint)
    group.step(30)
    for context, steps in zip(alone, (80, 50, 80), strict=True):
        context.getIntegrator().step(steps)
    assert np.array_equal(all_moved(group), all_moved(alone))


def test_state_energies(canonical, ethanol):
    system = bound_system(canonical, ethanol, edge=1.5)
    network = network_of(system)
    network.addGlobalParameter("lambda", 1)
    network.setSubsystemScale(0, "lambda")
    pull = openmm.CustomExternalForce("pressure*x + k*temperature*y")
    for name, value in (("pressure", 1), ("k", 2), ("temperature", 3)):
        pull.addGlobalParameter(name, value)
    pull.addParticle(2)
    pull.setForceGroup(31)
    system.addForce(pull)
    group = make_group([system] * 3, [langevin() for _ in range(3)], ethanol[1])
    states = [
        {"lambda": 0.3},
        {},
        {"lambda": 0.3, "pressure": 2 * unit.atmosphere, "k": np.float32(1.5)},
        {"pressure": 50 * unit.bar, "temperature": 300 * unit.kelvin},
        {"k": 2 * unit.kilocalories_per_mole / unit.angstrom},
    ]
    before = [dict(context.getParameters()) for context in group]
    for groups in (-1, {0}, {31}, {0, 31}, [1, 1], 2, 1 << 31, np.int64(3), 0xFFFFFFFF):
        energies = group.computeStateEnergies(states, groups)
        assert energies.shape == (3, 5) and energies.dtype == float
        for i, context in enumerate(group):
            for j, state in enumerate(states):
                for name, value in state.items():
                    context.setParameter(name, value)
                seen = set(groups) if isinstance(groups, list) else groups
                state_energy = context.getState(energy=True, groups=seen).getPotentialEnergy()._value
                assert energies[i, j] == state_energy, (groups, i, j)
                for name in state:
                    context.setParameter(name, before[i][name])
    assert [dict(context.getParameters()) for context in group] == before
    assert group.computeStateEnergies([]).shape == (3, 0)
    assert (group.computeStateEnergies(states, set()) == 0).all()
    assert group.computeStateEnergies(iter(states)).shape == (3, 5)
    with pytest.raises(openmm.OpenMMException, match="replica 0: .*absent"):
        group.computeStateEnergies([{"lambda": 0.1}, {"absent": 1.0}])
    for bad in ({"lambda": 0.1}, [1.0], ["lambda"]):
        with pytest.raises(TypeError, match="it must be a sequence of mappings"):
            group.computeStateEnergies(bad)
    for groups in ({32}, {-1}, 1 << 32):
        with pytest.raises(ValueError, match="groups is"):
            group.computeStateEnergies(states, groups)
    assert [dict(context.getParameters()) for context in group] == before


def test_constructor_refuses(canonical, ethanol):
    """As in OpenMM, an Integrator belongs to its first Context for langevin(), even if that is gone."""
    system = bound_system(canonical, ethanol)
    platform = openmm.Platform.getPlatform("Reference")
    bound, same = langevin(), langevin()
    context = openmm.Context(system, bound, platform)
    broken = copy.copy(system)
    broken.addForce(openmm.MonteCarloBarostat(1, 300))  # and no box
    for systems, integrators, error, text in (
        ([], [], openmm.OpenMMException, "there are no Systems"),
        ([system], [], openmm.OpenMMException, "1 Systems and 0 Integrators"),
        ([system] * 2, [same, same], openmm.OpenMMException, "replicas 0 and 1 have the same Integrator"),
        ([system] * 2, [langevin(), bound], openmm.OpenMMException, "already bound to a context"),
        ([system, None], [langevin(), langevin()], TypeError, "the System of replica 1 is of the type NoneType"),
        ([same, system], [langevin(), langevin()], TypeError, "the System of replica 0 is of the type Langevin"),
        ([system], ["verlet"], TypeError, "the Integrator of replica 0 is of the type str"),
        ([system, broken], [langevin(), langevin()], openmm.OpenMMException, "non-periodic"),
        (None, [langevin()], TypeError, "NoneType"),
    ):
        with pytest.raises(error, match=text):
            PaiNNReplicaContexts(systems, integrators, platform)
    with pytest.raises(ValueError, match="name the platform too"):
        PaiNNReplicaContexts([system], [langevin()], properties={"Threads": "1"})
    with pytest.raises(TypeError):
        PaiNNReplicaContexts([system], [langevin()], "CPU")
    with pytest.raises(openmm.OpenMMException, match="Nonsense"):
        PaiNNReplicaContexts([system], [langevin()], openmm.Platform.getPlatform("CPU"), {"Nonsense": "1"})
    group = make_group([system] * 2, [same, langevin()], ethanol[1])  # it has not been used up
    group.step(2)
    start([context], ethanol[1])
    bound.step(2)
    for mode in ("parallel", "baton"):
        group.setMode(mode)
        assert group.getMode() == mode
    with pytest.raises(ValueError, match="mode is 'fast'; it must be 'parallel' or 'baton'"):
        group.setMode("fast")
    group.setTimeout(20 * unit.millisecond)
    assert group.getTimeout() == 0.02 * unit.second
    with pytest.raises(openmm.OpenMMException, match="at least 0"):
        group.setTimeout(-1)


def test_steps_may_be_cut_anywhere(canonical, ethanol, monkeypatch):
    """With random numbers that all share, drawn at both ends of a step, results hang neither on time nor on calls."""

    def run(platform, seconds, pieces):
        monkeypatch.setattr(replica_contexts, "CHUNK_SECONDS", seconds)
        integrators = []
        for _ in range(3):
            integrators.append(openmm.CustomIntegrator(STEP))
            for name, value in (("v", noise), ("v", kick), ("x", "x+dt*v"), ("v", kick), ("v", noise)):
                integrators[-1].addComputePerDof(name, value)
            integrators[-1].setRandomNumberSeed(4)
        group = make_group([bound_system(canonical, ethanol)] * 3, integrators, ethanol[1], platform)
        assert group.getMode() == "baton"
        for piece in pieces:
            group.step(piece)
        return all_moved(group)

    noise, kick = "0.99*v+0.1*gaussian*sqrt(2.5/m)", "v+0.5*dt*f/m"
    for platform in PLATFORMS:
        expected = run(platform, 0.1, [40])
        for seconds, pieces in ((0.1, [40]), (1e-9, [40]), (1e-3, [40]), (0.1, [7, 1, 32])):
            assert np.array_equal(run(platform, seconds, pieces), expected), (platform, seconds, pieces)
