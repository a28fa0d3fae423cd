# SPDX-License-Identifier: MIT
"""Training on mixed batches: it learns, and an interrupted training is the one that was not interrupted."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="distilling needs torch")

from distil_cases import ELEMENTS, one_thread, random_frames  # noqa: E402, F401
from openmmpainn.distil.dataset import Frames  # noqa: E402
from openmmpainn.distil.predict import predict, predict_set  # noqa: E402
from openmmpainn.distil.recipe import FIRST_STUDENT  # noqa: E402
from openmmpainn.distil.train import make_metadata, train  # noqa: E402
from openmmpainn.torch_network import PaiNNNetwork  # noqa: E402

RECIPE = dataclasses.replace(
    FIRST_STUDENT,
    network=dataclasses.replace(FIRST_STUDENT.network, hidden=16, blocks=2, basis=8),
    training=dataclasses.replace(
        FIRST_STUDENT.training, frames=6, warmup_steps=5, average=0.9, learning_rate=3e-3, distorted_weight=0.5
    ),
)


def labelled(seed: int = 0, count: int = 8) -> dict[str, Frames]:
    """Random frames with labels of a smooth pair potential."""
    frames = random_frames(seed, sizes=(3, 5, 8, 8), count=count, nearest=1.7)
    for each in frames.values():
        x = torch.as_tensor(each.positions).double().requires_grad_(True)
        d = (x[:, None] - x[:, :, None] + 10 * torch.eye(x.shape[1])[None, :, :, None]).norm(dim=-1)
        energy = (torch.exp(-((d - 1.5) ** 2)) * (d < 9)).sum(dim=(1, 2)) * -0.5
        each.forces = -torch.autograd.grad(energy.sum(), x)[0].float().numpy()
        each.energies = energy.detach().numpy() + 2.0 * x.shape[1]
    return frames


def run(frames, **options):
    metadata = make_metadata(RECIPE, ELEMENTS, np.full(len(ELEMENTS), 2.0))
    watched = {"m2": frames["m2"]}
    return train(RECIPE, metadata, frames, watched, **options)


def test_learns_and_the_history_tells():
    frames = labelled()
    network, history = run(frames, steps=120)
    assert history[-1]["step"] == 120
    assert history[-1]["force_mae_meV_A"] < 0.6 * history[0]["force_mae_meV_A"]
    assert history[-1]["loss"] < 0.6 * history[0]["loss"]
    each = frames["m2"]
    _, forces = predict(network.double(), each.molecule.numbers, each.positions)
    error = 1000 * np.abs(forces - each.forces).mean()
    assert history[-1]["force_mae_meV_A"] == pytest.approx(error, rel=0.01)


def test_an_interrupted_training_is_the_same_to_the_bit(tmp_path):
    """Stopped in the middle of an epoch, from a file, twice."""
    frames = labelled(seed=1)
    whole, _ = run(frames, steps=30)
    path = tmp_path / "student.checkpoint"
    for _ in range(2):
        _, history = run(frames, steps=30, checkpoint=path, session_steps=11)
    assert history[-1]["step"] == 22
    pieces, history = run(frames, steps=30, checkpoint=path)
    assert history[-1]["step"] == 30
    for a, b in zip(whole.parameters(), pieces.parameters(), strict=True):
        assert torch.equal(a, b)
    again, history = run(frames, steps=30, checkpoint=path)
    assert history[-1]["step"] == 30  # nothing is left to do
    for a, b in zip(whole.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)


def test_training_goes_on_with_more_frames(tmp_path):
    """The references of the first training stay; a checkpoint of another form is refused."""
    path = tmp_path / "student.checkpoint"
    run(labelled(seed=1), steps=40, checkpoint=path, session_steps=10)
    metadata = make_metadata(RECIPE, ELEMENTS, np.zeros(len(ELEMENTS)))
    network, history = train(RECIPE, metadata, labelled(2), {"m2": labelled(2)["m2"]}, steps=40, checkpoint=path)
    assert history[-1]["step"] == 40
    assert network.metadata["atom_references"] == [2.0] * len(ELEMENTS)
    other = dataclasses.replace(RECIPE, network=dataclasses.replace(RECIPE.network, hidden=8))
    with pytest.raises(ValueError, match="another form"):
        train(other, make_metadata(other, ELEMENTS, np.zeros(7)), labelled(), labelled(), steps=1, checkpoint=path)


def test_a_length_must_be_given():
    with pytest.raises(ValueError, match="seconds or steps"):
        run(labelled())


def test_a_set_is_predicted_as_its_molecules_are():
    frames = labelled(seed=3)
    network, _ = run(frames, steps=3)
    network = network.double()
    from openmmpainn.distil.frame_set import FrameSet

    held = FrameSet(frames.values(), network)
    energies, forces = predict_set(network, held, count=5)
    for k, each in enumerate(frames.values()):
        e, f = predict(network, each.molecule.numbers, each.positions)
        mine = np.flatnonzero(held.molecules == k)
        fixed = each.energies - held.energies[mine].numpy()
        np.testing.assert_allclose(energies[mine].numpy() + fixed, e, atol=1e-5)
        first = int(held.first_atom[mine[0]])
        part = slice(first, first + f.size // 3)
        fixed = each.forces.reshape(-1, 3) - held.forces[part].numpy()
        np.testing.assert_allclose(forces[part].numpy() + fixed, f.reshape(-1, 3), atol=1e-5)


def test_make_network_is_canonical_only():
    from openmmpainn.distil.batched_network import energies_and_forces

    metadata = make_metadata(RECIPE, ELEMENTS, np.zeros(7)) | {"family": "student"}
    metadata["basis"] = {"type": "gaussian", "size": 8, "exponent": 0.5}
    with pytest.raises(ValueError, match="canonical"):
        energies_and_forces(PaiNNNetwork(metadata, {"repulsion.radii": np.ones(7)}), None)


def test_a_student_of_many_molecules(tmp_path):
    """Model, checkpoint, log and plot; errors on molecules held out, all tables of one set of numbers."""
    import json

    from openmmpainn.distil.dataset import split_molecules
    from openmmpainn.distil.student import make_student

    frames = {f"{seed}{name}": each for seed in range(3) for name, each in labelled(seed, count=6).items()}
    learnt, held_out = split_molecules(frames, lambda molecule: molecule.name == "m3")
    assert len(held_out) == 3
    with pytest.raises(ValueError, match="both parts"):
        split_molecules(frames, lambda molecule: False)
    recipe = dataclasses.replace(RECIPE, name="many")
    make_student(recipe, learnt, held_out, tmp_path, steps=20, kinds={"0m3": ["odd", "first"], "1m3": ["odd"]})
    assert (tmp_path / "many.checkpoint").exists()
    assert (tmp_path / "many.png").stat().st_size > 10000
    log = json.loads((tmp_path / "many.json").read_text())
    table = log["held_out"]
    assert log["data"]["molecules"] == [9, 3]
    network = PaiNNNetwork.from_model_file(tmp_path / "many.safetensors")
    errors, energies = [], []
    for each in held_out.values():
        e, f = predict(network, each.molecule.numbers, each.positions)
        plain = each.temperatures > 0
        errors.append(1000 * np.abs(f - each.forces)[plain].reshape(-1))
        delta = 1000 * (e - each.energies)[plain]
        energies.append(np.abs(delta - delta.mean()))
    assert table["overall"]["force_mae"] == pytest.approx(np.concatenate(errors).mean(), rel=1e-4)
    assert table["energy"]["within_molecule_mae"] == pytest.approx(np.concatenate(energies).mean(), rel=1e-3)
    assert max(e.mean() for e in errors) == pytest.approx(table["worst"][0]["force_mae"], rel=1e-4)
    atoms = sum(row["atoms"] for row in table["by_element"].values())
    assert atoms == table["overall"]["atoms"] == sum(row["atoms"] for row in table["by_temperature"].values())
    assert {kind: row["molecules"] for kind, row in table["by_kind"].items()} == {"first": 1, "odd": 2}
    card = (tmp_path / "many.md").read_text()
    for part in ("must not be used for", "held-out", "By element", "odd", "m3", "Seed: 1", log["data"]["hash"]):
        assert part in card
    assert "nan" not in card
    metadata = network.metadata
    assert metadata["accuracy"]["all"] == pytest.approx(table["overall"]["force_mae"], abs=0.06)
    assert metadata["provenance"]["training_steps"] == 20
