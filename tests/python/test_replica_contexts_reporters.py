# SPDX-License-Identifier: MIT
"""PaiNNReplicaContexts.getSimulation(): reporters are called as in a Simulation alone."""

import gc

import numpy as np
import openmm
from openmm import app

from replica_cases import bound_system, langevin, make_group, start


def add_reporters(simulation, folder, intervals):
    """Reporters of numbers and of positions; the files they write."""
    text, frames, wrapped = (str(folder / name) for name in ("log.csv", "frames.dcd", "frames.xtc"))
    log = app.StateDataReporter(
        text, intervals[0], step=True, time=True, potentialEnergy=True, kineticEnergy=True, temperature=True
    )
    simulation.reporters += [log, app.DCDReporter(frames, intervals[1]), app.XTCReporter(wrapped, intervals[2])]
    return text, frames, wrapped


def test_reporters_write_what_a_simulation_alone_writes(canonical, ethanol, tmp_path):
    topology, positions = ethanol
    systems = [bound_system(canonical, ethanol, edge=edge) for edge in (1.5, 1.6, None, 1.7)]
    intervals = [(7, 10, 15), (5, 3, 40), (4, 20, 9)]
    files, expected = [], []
    unused = openmm.Context(systems[3], langevin(), openmm.Platform.getPlatform("Reference"))
    group = make_group(systems, [langevin(i + 1) for i in range(4)], positions)
    simulations = [group.getSimulation(i, topology) for i in range(3)]
    assert simulations[1] is group.getSimulation(1, topology) and isinstance(simulations[0], app.Simulation)
    for i in range(3):
        (tmp_path / f"group{i}").mkdir()
        (tmp_path / f"alone{i}").mkdir()
        files.append(add_reporters(simulations[i], tmp_path / f"group{i}", intervals[i]))
        platform = openmm.Platform.getPlatform("CPU")
        alone = app.Simulation(topology, systems[i], langevin(i + 1), platform, {"Threads": "1"})
        expected.append(add_reporters(alone, tmp_path / f"alone{i}", intervals[i]))
        start([unused] * i + [alone.context], positions)
        alone.step(33)
        alone.step(20)
        alone.reporters.clear()
    group.step(33)
    group.step(20)
    for simulation in simulations:
        assert simulation.currentStep == 53
        simulation.reporters.clear()  # closes the files
    gc.collect()
    for mine, theirs in zip(files, expected, strict=True):
        for one, other in zip(mine, theirs, strict=True):
            with open(one, "rb") as file, open(other, "rb") as reference:
                # The header of a DCD file holds the time at which it was written.
                skipped = 276 if one.endswith("dcd") else 0
                got, wanted = file.read(), reference.read()
            assert len(wanted) > 150 and got[skipped:] == wanted[skipped:], one
    group.step(1)


class Counter:
    """A reporter that notes the steps at which it is called; with dicts, or with tuples as before OpenMM 8."""

    def __init__(self, interval, is_tuple=False):
        self.interval, self.is_tuple, self.steps = interval, is_tuple, []

    def describeNextReport(self, simulation):
        steps = self.interval - simulation.currentStep % self.interval if self.interval else 0
        return (steps, True, False, False, True) if self.is_tuple else {"steps": steps, "include": ["positions"]}

    def report(self, simulation, state):
        assert state.getStepCount() == simulation.currentStep
        assert not self.is_tuple or np.isfinite(state.getPotentialEnergy()._value)
        self.steps.append(simulation.currentStep)


def test_when_reporters_are_called(canonical, ethanol):
    group = make_group([bound_system(canonical, ethanol)] * 3, [langevin() for _ in range(3)], ethanol[1])
    simulations = [group.getSimulation(i, ethanol[0]) for i in (2, 0)]
    twice, old, never, dropped = Counter(4), Counter(3, True), Counter(0), Counter(2)
    simulations[0].reporters += [twice, twice, never]
    simulations[1].reporters += [old]
    group.getSimulation(1, ethanol[0]).reporters.append(dropped)  # nobody keeps this Simulation
    gc.collect()
    group.step(10)
    assert twice.steps == [4, 4, 8, 8] and old.steps == [3, 6, 9] and never.steps == dropped.steps == []
    simulations[1].step(2)  # this replica alone
    assert old.steps[3:] == [12] and [context.getStepCount() for context in group] == [12, 10, 10]
    del simulations[0]
    group.step(4)
    assert len(twice.steps) == 4 and old.steps[4:] == [15]
