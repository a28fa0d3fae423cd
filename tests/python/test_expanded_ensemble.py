# SPDX-License-Identifier: MIT
"""ExpandedEnsembleSampler: the same as OpenMM's own class, with its guards."""

import math
import random

import numpy as np
import openmm
import pytest
from openmm import app

from openmmpainn import ExpandedEnsembleSampler
from sampler_cases import bonds, molecule

STATES = [{"temperature": t, "lambda": x} for t, x in ((300, 1.0), (310, 0.99), (320, 1.0))]


def run(kind, folder, ethanol, model, steps=60, weights=None, resume=False, reinitialize=False, change=None, **more):
    random.seed(3)
    folder.mkdir(exist_ok=True)
    simulation = molecule(model, ethanol, friction=1.0, scale=1.0, change=change)
    files = {name: str(folder / name) for name in ("logFile", "energyFile", "checkpointFile")}
    sampler = kind(STATES, simulation, 5, reinitialize, weights, 10, **files, resume=resume, **more)
    sampler.step(steps)
    return sampler


def table(folder, name):
    return np.loadtxt(folder / name, delimiter=",", skiprows=1)


@pytest.mark.parametrize("change", [None, bonds(1)])
def test_as_openmm_does_it(change, canonical, ethanol, tmp_path):
    """With the same seeds, the same files as OpenMM's own class; also after resuming."""
    ours = {"progress": False, "level": "serial"}
    kinds = {"theirs": (app.ExpandedEnsembleSampler, {}), "ours": (ExpandedEnsembleSampler, ours)}
    for name, (kind, more) in kinds.items():
        sampler = run(kind, tmp_path / name, ethanol, canonical, change=change, **more)
        assert sampler.currentIteration == 12
        sampler = run(kind, tmp_path / name, ethanol, canonical, resume=True, change=change, **more)
        assert sampler.currentIteration == 24 and sampler.simulation.currentStep == 120
    assert len(set(table(tmp_path / "ours", "logFile")[:, 2])) > 1  # the state changed
    for name in ("logFile", "energyFile"):
        if change is None:
            assert (tmp_path / "ours" / name).read_text() == (tmp_path / "theirs" / name).read_text()
        np.testing.assert_allclose(table(tmp_path / "ours", name), table(tmp_path / "theirs", name), rtol=1e-5)
    made = run(ExpandedEnsembleSampler, tmp_path / "theirs", ethanol, canonical, resume=True, change=change, **ours)
    assert made.currentIteration == 36 and 0 <= made.getAcceptance() <= 1


def test_given_weights_and_checkpoints(canonical, ethanol, tmp_path):
    weights = [0.0, 0.5, 1.0]
    sampler = run(ExpandedEnsembleSampler, tmp_path, ethanol, canonical, weights=weights, progress=False)
    again = run(
        ExpandedEnsembleSampler, tmp_path, ethanol, canonical, weights=weights, resume=True, progress=False, steps=5
    )
    assert again.currentIteration == sampler.currentIteration + 1 == 13 and again.weights == weights
    drawn = run(ExpandedEnsembleSampler, tmp_path, ethanol, canonical, reinitialize=True, progress=False)
    assert drawn.currentIteration == 12


def test_energies_that_are_none(canonical, ethanol):
    def change(system):
        force = openmm.CustomBondForce("0*r + floor(sqrt(limit))")
        force.addGlobalParameter("limit", 1.0)
        force.addBond(0, 1)
        system.addForce(force)

    simulation = molecule(canonical, ethanol, scale=1.0, change=change)
    states = [{"limit": 1.0}, {"limit": -1.0}, {"limit": 2.0}]
    sampler = ExpandedEnsembleSampler(states, simulation, 2, progress=False, weights=[0.0, 0.0, 0.0])
    assert math.isnan(sampler.getAcceptance())
    sampler.step(100)
    assert sampler.currentStateIndex in (0, 2) and 0.2 < sampler.getAcceptance() < 0.8
    state = simulation.context.getState(velocities=True)
    sampler.currentStateIndex = 1
    with pytest.raises(openmm.OpenMMException, match="the energy in the present state 1 is nan kJ/mol"):
        sampler.attemptStateChange(state)


def test_what_is_said(canonical, ethanol, capsys):
    simulation = molecule(canonical, ethanol, scale=1.0, change=bonds(0))
    ExpandedEnsembleSampler([{"lambda": 1.0}, {"lambda": 0.5}], simulation, 5)
    assert "one evaluation for each set of parameters, because HarmonicBondForce is in" in capsys.readouterr().err
    ExpandedEnsembleSampler(STATES, molecule(canonical, ethanol, scale=1.0), 5)
    assert "3 states, their energies from one call of the network for all states" in capsys.readouterr().err
    with pytest.raises(ValueError, match="level is 'contexts'; an expanded ensemble has one replica"):
        ExpandedEnsembleSampler(STATES, simulation, 5, level="contexts")
    with pytest.raises(ValueError, match="states is empty"):
        ExpandedEnsembleSampler([], simulation, 5)
