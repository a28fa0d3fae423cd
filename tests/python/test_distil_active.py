# SPDX-License-Identifier: MIT
"""Active learning in miniature: a committee disagrees, a teacher labels, and a killed round goes on."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="distilling needs torch")

from distil_cases import ELEMENTS, one_thread  # noqa: E402, F401
from openmmpainn.distil.active import load_rounds, round_folder, run_round  # noqa: E402
from openmmpainn.distil.committee import Ensemble, Exploration, explore  # noqa: E402
from openmmpainn.distil.dataset import Frames  # noqa: E402
from openmmpainn.distil.molecules import Molecule  # noqa: E402
from openmmpainn.distil.predict import predict  # noqa: E402
from openmmpainn.distil.recipe import FIRST_STUDENT, Network  # noqa: E402
from openmmpainn.distil.teacher import TeacherError  # noqa: E402
from openmmpainn.distil.train import make_metadata, train  # noqa: E402

WATER = Molecule("water", "O", (8, 1, 1), ((0, 1), (0, 2)), (16.0, 1.0, 1.0))
CHAIN = Molecule("chain", "CC", (6, 6, 1), ((0, 1), (1, 2)), (12.0, 12.0, 1.0))


class Springs:
    """A teacher of bonds of 1.5 angstrom that refuses those beyond 2 angstrom."""

    def __call__(self, molecule):
        i, j = np.array(molecule.bonds).T

        def potential(x):
            r = x[j] - x[i]
            d = np.linalg.norm(r, axis=1)
            if d.max() > 2.0:
                raise TeacherError("too long")
            forces = np.zeros_like(x)
            pull = (20.0 * (d - 1.5) / d)[:, None] * r
            np.add.at(forces, i, pull)
            np.add.at(forces, j, -pull)
            return float(10.0 * ((d - 1.5) ** 2).sum()), forces

        return potential


def spring_frames(count: int = 6) -> dict[str, Frames]:
    rng = np.random.default_rng(0)
    frames = {}
    for molecule in (WATER, CHAIN):
        x = np.array([[0.0, 0, 0], [1.5, 0, 0], [0.0, 1.5, 0]]) if molecule is WATER else None
        x = np.array([[0.0, 0, 0], [1.5, 0, 0], [2.2, 1.3, 0]]) if x is None else x
        x = x + rng.normal(scale=0.05, size=(count, 3, 3))
        labels = [Springs()(molecule)(frame) for frame in x]
        energies, forces = (np.array(column) for column in zip(*labels, strict=True))
        kelvin = np.full(count, 300.0)
        frames[molecule.name] = Frames(
            molecule, x.astype(np.float32), energies, forces.astype(np.float32), kelvin, np.arange(count)
        )
    return frames


def committee(frames: dict[str, Frames], steps: int = 60):
    members = []
    for seed in (1, 2):
        recipe = dataclasses.replace(
            FIRST_STUDENT,
            network=Network(hidden=16, blocks=1, basis=8),
            training=dataclasses.replace(
                FIRST_STUDENT.training, frames=8, warmup_steps=5, average=0.9, learning_rate=5e-3, seed=seed
            ),
        )
        metadata = make_metadata(recipe, ELEMENTS, np.zeros(len(ELEMENTS)))
        members.append(train(recipe, metadata, frames, {"water": frames["water"]}, steps=steps)[0])
    return members


@pytest.fixture(scope="module")
def members():
    return committee(spring_frames())


def test_deviation_is_half_the_distance_of_two_forces(members):
    """And does not depend on what else is in the batch."""
    frames = spring_frames()
    x = [frames["water"].positions[0], frames["chain"].positions[1], frames["water"].positions[2]]
    found = Ensemble(members, [WATER, CHAIN, WATER]).deviations(np.concatenate(x))
    expected = []
    for molecule, one in zip((WATER, CHAIN, WATER), x, strict=True):
        forces = [predict(member, molecule.numbers, one[None])[1][0] for member in members]
        expected.append(0.5 * np.linalg.norm(forces[0] - forces[1], axis=1))
    np.testing.assert_allclose(found, np.concatenate(expected), rtol=1e-3, atol=1e-5)
    assert found.max() > 1e-3


def test_frames_are_picked_where_the_committee_disagrees(members):
    frames = spring_frames()
    settings = Exploration(steps=60, stride=5, deviation=0.0, broken=1e3, longest=3.0, per_copy=2, apart=3)
    starts = [frames["water"].positions[0], frames["chain"].positions[0]]
    found = explore(members, [WATER, CHAIN], starts, settings, progress=False)
    assert len(found) == 4
    for each in found:
        molecule = (WATER, CHAIN)[each.index]
        deviation = Ensemble(members, [molecule]).deviations(each.positions).max()
        assert each.deviation == pytest.approx(deviation, rel=1e-3)
        assert not each.broke
    # A bar above all: nothing; a bar for "broken" below all: the frame before it, which is the start.
    calm = dataclasses.replace(settings, deviation=1e3)
    assert explore(members, [WATER, CHAIN], starts, calm, progress=False) == []
    fragile = dataclasses.replace(settings, broken=1e-9)
    found = explore(members, [WATER, CHAIN], starts, fragile, progress=False)
    assert [each.broke for each in found] == [True, True]
    np.testing.assert_array_equal(found[0].positions, starts[0])


def test_a_committee_is_at_least_two_and_knows_the_elements(members):
    with pytest.raises(ValueError, match="at least 2 networks, not 1"):
        Ensemble(members[:1], [WATER])
    with pytest.raises(ValueError, match=r"'iron' holds \[26\]"):
        Ensemble(members, [Molecule("iron", "[Fe]", (26,), (), (55.8,))])


def test_a_killed_round_goes_on(tmp_path, members, monkeypatch):
    """Nothing is explored or labelled twice; a second round is another one; training takes the frames up."""
    from openmmpainn.distil import active

    monkeypatch.setattr(active, "_PER_FILE", 2)
    frames = spring_frames()
    settings = Exploration(steps=40, stride=5, deviation=0.0, broken=1e3, longest=1.25, apart=2)
    options = {"settings": settings, "copies": 4, "at_once": 3, "teacher": Springs(), "processes": 0}
    labelled = []
    keep = active._label

    def dies(task):
        if len(labelled) == 2:
            raise KeyboardInterrupt
        labelled.append(task[0].name)
        return keep(task)

    monkeypatch.setattr(active, "_label", dies)
    with pytest.raises(KeyboardInterrupt):
        run_round(tmp_path, 0, frames, members, **options)
    here = round_folder(tmp_path, 0)
    assert not (here / "done.json").exists()
    assert len(list(here.glob("labels-*.npz"))) == 2
    partial = load_rounds(tmp_path, frames)
    times = {path: path.stat().st_mtime_ns for path in here.glob("*.npz")}
    monkeypatch.setattr(active, "_label", keep)
    result = run_round(tmp_path, 0, frames, members, **options)
    assert times == {path: path.stat().st_mtime_ns for path in times}
    assert run_round(tmp_path, 0, frames, [], **options) == result
    assert 2 <= result["labelled"] <= result["candidates"] <= 4 * 3
    more = load_rounds(tmp_path, frames)
    added = sum(map(len, more.values())) - sum(map(len, frames.values()))
    assert added == result["labelled"]
    assert sum(map(len, partial.values())) < sum(map(len, more.values()))
    for name, each in more.items():
        new = each.trajectories < 0
        assert new.sum() == len(each) - len(frames[name])
        for k in np.flatnonzero(new):
            energy, forces = Springs()(each.molecule)(each.positions[k].astype(np.float64))
            assert energy == pytest.approx(each.energies[k], rel=1e-6)
            np.testing.assert_allclose(each.forces[k], forces, atol=1e-5)
    other = run_round(tmp_path, 1, frames, members, **options)
    assert other["labelled"] >= 2
    first, second = (np.load(round_folder(tmp_path, k) / "candidates.npz")["positions"] for k in (0, 1))
    assert not np.array_equal(first, second)
    trained = committee(load_rounds(tmp_path, frames), steps=5)
    assert len(trained) == 2
