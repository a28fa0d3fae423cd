# SPDX-License-Identifier: MIT
"""Distillation in miniature: structures, labels, training and model card."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

pytest.importorskip("rdkit", reason="distilling needs rdkit (requirements/distil.txt)")
pytest.importorskip("torch", reason="distilling needs torch")
try:
    from tblite.interface import Calculator  # noqa: F401
except ImportError as error:
    pytest.skip(f"distilling needs tblite (requirements/distil.txt): {error}", allow_module_level=True)

from distil_cases import one_thread  # noqa: F401
from openmmpainn.distil import distortions, molecules
from openmmpainn.distil.dataset import Frames, split
from openmmpainn.distil.distil import distil
from openmmpainn.distil.label import label, plan, trajectory_start
from openmmpainn.distil.predict import predict
from openmmpainn.distil.recipe import FIRST_STUDENT, quick
from openmmpainn.distil.teacher import Teacher
from openmmpainn.modelfile import read_model
from openmmpainn.torch_network import PaiNNNetwork, find_edges


@pytest.fixture(scope="module")
def dipeptide():
    return molecules.make_molecule(*FIRST_STUDENT.main)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """One run of everything: recipe, folder of labels, folder of the model, log."""
    folder = tmp_path_factory.mktemp("distil")
    recipe = quick(FIRST_STUDENT)
    log = distil(recipe, folder / "labels", folder / "model", processes=1, train_steps=60, visit_seconds=0.5)
    return recipe, folder / "labels", folder / "model", log


def test_torsions_follow_the_usual_signs(dipeptide):
    """Gauche plus is +60 degrees, and the backbone's torsions are held where they were set."""
    x = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.5, np.sqrt(3) / 2, 1.0]])
    assert molecules.dihedral(x, (0, 1, 2, 3)) == pytest.approx(60.0)
    wanted = dict(zip(dipeptide.backbone, (-80.0, 70.0), strict=True))
    start = molecules.starting_structure(dipeptide, 3, wanted)
    assert start.shape == (22, 3)
    for torsion, angle in wanted.items():
        assert molecules.dihedral(start, torsion) == pytest.approx(angle, abs=4.0)


def test_starts_cover_the_backbone(dipeptide):
    """Every cell of the grid of phi and psi is the start of as many trajectories as there are passes."""
    recipe = dataclasses.replace(
        FIRST_STUDENT, labelling=dataclasses.replace(FIRST_STUDENT.labelling, grid=3, passes=1)
    )
    cells = set()
    for trajectory in range(9):
        start, _ = trajectory_start(recipe, dipeptide, trajectory, np.random.default_rng(trajectory))
        angles = [molecules.dihedral(start, torsion) for torsion in dipeptide.backbone]
        cells.add(tuple(int((angle + 180) // 120) % 3 for angle in angles))
    assert len(cells) >= 7  # the constraint gives way by a few degrees where atoms collide


@pytest.mark.parametrize("kind", ["shake", "stretch", "bring_together", "distort"])
def test_distortions_move_atoms_by_finite_amounts(dipeptide, kind):
    x = molecules.starting_structure(dipeptide, 5)
    for seed in range(20):
        y = getattr(distortions, kind)(dipeptide, x, np.random.default_rng(seed))
        assert y.shape == x.shape
        assert 1e-3 < np.linalg.norm(y - x, axis=1).max() < 4.0


def test_teacher_forces_are_the_gradient(dipeptide):
    x = molecules.starting_structure(dipeptide, 5)
    teacher = Teacher(dipeptide.numbers)
    _, forces = teacher(x)
    direction = forces / np.linalg.norm(forces)
    step = 1e-3
    slope = (teacher(x + step * direction)[0] - teacher(x - step * direction)[0]) / (2 * step)
    assert -slope == pytest.approx(np.linalg.norm(forces), rel=1e-3)


def test_held_out_trajectories_are_whole_and_of_all_temperatures(dipeptide):
    trajectories = np.repeat(np.arange(72), 2)
    F = len(trajectories)
    temperatures = np.array([300.0, 500.0, 800.0])[trajectories % 3]
    frames = Frames(dipeptide, np.zeros((F, 22, 3)), np.zeros(F), np.zeros((F, 22, 3)), temperatures, trajectories)
    train, held_out = split({"x": frames}, 12)
    assert len(train["x"]) + len(held_out["x"]) == F
    assert not set(train["x"].trajectories) & set(held_out["x"].trajectories)
    assert len(set(held_out["x"].trajectories)) == 6
    assert set(held_out["x"].temperatures) == {300.0, 500.0, 800.0}


def test_the_model_file_is_whole_and_true(made):
    """The file gives the energies that were judged; edges within the cutoff suffice."""
    recipe, _, folder, log = made
    metadata, _ = read_model(folder / f"{recipe.name}.safetensors")
    assert metadata["trained_elements"] == [1, 6, 7, 8] == metadata["elements"]
    assert metadata["licence"] == "MIT"
    assert metadata["name"] == recipe.name
    assert metadata["provenance"]["training_steps"] == 60
    assert metadata["accuracy"]
    network = PaiNNNetwork.from_model_file(folder / f"{recipe.name}.safetensors")
    molecule = molecules.make_molecule(*recipe.main)
    x = molecules.starting_structure(molecule, 2)
    energies, forces = predict(network, molecule.numbers, x[None])
    import torch

    elements = torch.tensor([metadata["elements"].index(number) for number in molecule.numbers])
    edges = [torch.as_tensor(array) for array in find_edges(x, metadata["cutoff"])]
    assert len(edges[0]) < 22 * 21
    same = network.energies_and_forces(elements, torch.as_tensor(x), torch.zeros(22, dtype=torch.int64), *edges)
    assert same[0].numpy() == pytest.approx(energies, rel=1e-12)
    np.testing.assert_allclose(same[1].numpy(), forces[0], atol=1e-9)
    assert np.isfinite(forces).all()
    assert log["history"][-1]["loss"] < 0.6 * log["history"][0]["loss"]


def test_card_and_log_say_what_was_done(made):
    recipe, _, folder, log = made
    card = (folder / f"{recipe.name}.md").read_text()
    for part in ("must not be used for", "held-out", "GFN2-xTB", "alanine dipeptide, 300 K", "Seeds"):
        assert part in card
    assert json.loads((folder / f"{recipe.name}.json").read_text())["history"] == log["history"]
    assert (folder / f"{recipe.name}.png").stat().st_size > 1000


def test_labels_are_taken_up_again(made):
    """Nothing is labelled twice, what is missing comes out the same, and another recipe is refused."""
    recipe, folder, _, _ = made
    chunks = plan(recipe)
    paths = {chunk: folder / chunk.file_name for chunk in chunks}
    assert all(path.exists() for path in paths.values())
    gone = next(chunk for chunk in chunks if chunk.molecule == "water")
    with np.load(paths[gone]) as file:
        before = {key: file[key] for key in file.files}
    times = {chunk: path.stat().st_mtime_ns for chunk, path in paths.items() if chunk != gone}
    paths[gone].unlink()
    assert label(recipe, folder, processes=0) == (len(chunks), len(chunks))
    assert times == {chunk: path.stat().st_mtime_ns for chunk, path in paths.items() if chunk != gone}
    with np.load(paths[gone]) as file:
        np.testing.assert_allclose(file["positions"], before["positions"], atol=1e-5)
        np.testing.assert_array_equal(file["trajectories"], before["trajectories"])
    other = dataclasses.replace(recipe, labelling=dataclasses.replace(recipe.labelling, seed=1))
    with pytest.raises(ValueError, match="another recipe"):
        label(other, folder, processes=0)
