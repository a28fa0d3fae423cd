# SPDX-License-Identifier: MIT
"""Conversion of the published student network: its own file where it is there, and made-up files in its formats."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from openmmpainn.convert import convert
from openmmpainn.modelfile import read_model

ROOT = Path(__file__).resolve().parents[2]
PUBLISHED = Path(os.environ.get("PAINN_PUBLISHED") or ROOT.parent / "shared" / "published")

needs_published = pytest.mark.skipif(
    not (PUBLISHED / "student_model.onnx").is_file(),
    reason=f"the published network is not tested: there is no student_model.onnx in {PUBLISHED} (PAINN_PUBLISHED)",
)


def published_weights(hidden: int = 8, blocks: int = 2, size: int = 6, cutoff: float = 5.0) -> dict[str, np.ndarray]:
    """Random weights with the names and shapes of the published checkpoints."""
    rng = np.random.default_rng(0)
    shapes = {"embedding.weight": (11, hidden)}
    for block in range(blocks):
        filters, update = f"interactions.{block}.message.rbf_to_scalar", f"interactions.{block}.update.update_mlp"
        for name, width in ((filters, size), (update, 2 * hidden)):
            shapes |= {f"{name}.0.weight": (hidden, width), f"{name}.0.bias": (hidden,)}
            shapes |= {f"{name}.2.weight": (3 * hidden, hidden), f"{name}.2.bias": (3 * hidden,)}
        shapes[f"interactions.{block}.update.mixing_matrix"] = (3, 3)
    for layer, (width, out) in zip((0, 2, 4), ((hidden, 4), (4, 2), (2, 1)), strict=True):
        shapes |= {f"energy_head.{layer}.weight": (out, width), f"energy_head.{layer}.bias": (out,)}
    weights = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    weights["rbf.centers"] = np.linspace(0, cutoff, size, dtype=np.float32)
    weights["rbf.widths"] = np.full(size, cutoff / size, dtype=np.float32)
    return weights


def save_onnx(path: Path, weights: dict[str, np.ndarray], prefix: str = "model.") -> Path:
    """An ONNX file with these initializers, a folded constant, and no graph to speak of."""
    onnx = pytest.importorskip("onnx", reason="onnx is not installed: ONNX conversion is not tested")
    initializers = [onnx.numpy_helper.from_array(array, prefix + name) for name, array in weights.items()]
    initializers.append(onnx.numpy_helper.from_array(np.array([3]), "onnx::Reshape_7"))
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph([], "student", [], [], initializers)), path)
    return path


def save_checkpoint(path: Path, weights: dict[str, np.ndarray], **others) -> Path:
    """A PyTorch checkpoint of the published form."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: checkpoint conversion is not tested")
    state = {name: torch.tensor(array) for name, array in weights.items()}
    torch.save({"model_state_dict": state, "num_parameters": 1, **others}, path)
    return path


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    """The published ONNX file as a model file, for the elements of its reference structures."""
    path = tmp_path_factory.mktemp("published") / "student.safetensors"
    messages = convert(PUBLISHED / "student_model.onnx", path, elements=[1, 6, 7, 8, 16], licence="MIT")
    assert any("ONNX" in message and "wrong" in message for message in messages)
    return path


def reference_frames() -> list[dict]:
    """Energies (eV) and forces (eV/angstrom) of the published network in double precision."""
    return json.loads((PUBLISHED / "student_model_reference.json").read_text())


@needs_published
def test_published_in_pytorch(published):
    """The converted network gives the published network's results in double precision."""
    torch = pytest.importorskip("torch")
    from openmmpainn.torch_network import PaiNNNetwork, find_edges

    network = PaiNNNetwork.from_model_file(published)
    elements = network.metadata["elements"]
    for frame in reference_frames():
        x = np.array(frame["positions"])
        index = torch.tensor([elements.index(z) for z in frame["numbers"]])
        edges = [torch.tensor(array) for array in find_edges(x, network.cutoff)]
        energy, forces = network.energies_and_forces(index, torch.tensor(x), torch.zeros_like(index), *edges)
        assert energy.item() == pytest.approx(frame["energy"], rel=1e-9), frame["name"]
        assert np.abs(forces.numpy() - frame["forces"]).max() <= 1e-8, frame["name"]


@needs_published
def test_published_in_openmm(published):
    """So does the Force on the Reference platform, and the model warns about its flaws."""
    openmm = pytest.importorskip("openmm")
    from openmmpainn import PaiNNStudentForce, PaiNNStudentModel

    model = PaiNNStudentModel(str(published))
    assert len(model.getWarnings()) >= 2
    ev, angstrom = 96.4853321233, 0.1
    for frame in reference_frames():
        system, force = openmm.System(), PaiNNStudentForce(model)
        for particle, z in enumerate(frame["numbers"]):
            system.addParticle(1.0)
            force.addParticle(particle, z)
        system.addForce(force)
        integrator = openmm.VerletIntegrator(0.001)
        context = openmm.Context(system, integrator, openmm.Platform.getPlatformByName("Reference"))
        context.setPositions(np.array(frame["positions"]) * angstrom)
        state = context.getState(getEnergy=True, getForces=True)
        energy = state.getPotentialEnergy()._value / ev
        forces = state.getForces(asNumpy=True)._value * angstrom / ev
        assert energy == pytest.approx(frame["energy"], rel=1e-9), frame["name"]
        assert np.abs(forces - frame["forces"]).max() <= 1e-8, frame["name"]


@needs_published
def test_published_facts(published):
    """Shapes, cutoff and where it came from."""
    metadata, tensors = read_model(published)
    assert (metadata["hidden"], metadata["blocks"], metadata["basis"]["size"]) == (128, 3, 20)
    assert (metadata["cutoff"], metadata["readout"], metadata["licence"]) == (5.0, [128, 64, 32, 1], "MIT")
    source = (PUBLISHED / "student_model.onnx").read_bytes()
    assert metadata["provenance"]["source_sha256"] == hashlib.sha256(source).hexdigest()
    assert metadata["provenance"]["source_file"] == "student_model.onnx"
    assert "blocks.2.mixing" not in tensors


def test_checkpoint_and_onnx_agree(tmp_path):
    """The same weights give the same tensors from either kind of file, with and without a config or a prefix."""
    weights = published_weights()
    without_last = {name: array for name, array in weights.items() if name != "interactions.1.update.mixing_matrix"}
    config = {"hidden_dim": 8, "num_interactions": 2, "num_rbf": 6, "cutoff": 5.0, "max_z": 10}
    prefixed = {f"module.{name}": array for name, array in weights.items()}
    inputs = [
        save_checkpoint(tmp_path / "new.pt", weights, config=config),
        save_checkpoint(tmp_path / "old.pt", weights),
        save_checkpoint(tmp_path / "parallel.pt", prefixed, config={}),
        save_onnx(tmp_path / "prefixed.onnx", without_last),
        save_onnx(tmp_path / "plain.onnx", weights, prefix=""),
    ]
    for path in inputs:
        convert(path, tmp_path / "out.safetensors", elements=[8, 1, 6], name="a", licence="b")
        metadata, tensors = read_model(tmp_path / "out.safetensors")
        assert metadata["elements"] == [1, 6, 8] and metadata["cutoff"] == 5.0
        assert (metadata["name"], metadata["licence"]) == ("a", "b")
        assert np.array_equal(tensors["embedding.weight"], weights["embedding.weight"][[1, 6, 8]])
        assert np.array_equal(tensors["blocks.1.filter.1.bias"], weights["interactions.1.message.rbf_to_scalar.2.bias"])
        assert np.array_equal(tensors["blocks.0.mixing"], weights["interactions.0.update.mixing_matrix"])
        assert np.array_equal(tensors["readout.2.weight"], weights["energy_head.4.weight"])
        assert "blocks.1.mixing" not in tensors


def test_elements(tmp_path):
    """Without elements all rows but the padding are kept, and the user is told."""
    path, out = save_onnx(tmp_path / "model.onnx", published_weights()), tmp_path / "out.safetensors"
    messages = convert(path, out)
    metadata, tensors = read_model(out)
    assert metadata["elements"] == list(range(1, 11)) and "trained_elements" not in metadata
    assert any("trained" in message for message in messages)
    assert np.array_equal(tensors["embedding.weight"], published_weights()["embedding.weight"][1:])
    for wrong in ([0], [11], [], [1, -6]):
        with pytest.raises(ValueError, match="elements holds"):
            convert(path, out, elements=wrong)


def test_cutoff_is_the_decimal_the_user_wrote(tmp_path):
    """5.2 is not exact in single precision; the original network computes with the decimal."""
    convert(save_onnx(tmp_path / "a.onnx", published_weights(cutoff=5.2)), tmp_path / "a.safetensors")
    assert read_model(tmp_path / "a.safetensors")[0]["cutoff"] == 5.2


def test_onnx_needs_no_torch(tmp_path, run_python):
    """ONNX conversion works where torch is not installed."""
    path = save_onnx(tmp_path / "model.onnx", published_weights())
    script = (
        "import sys; sys.modules['torch'] = None; sys.path[:] = sys.argv[3].split('|')\n"
        "from openmmpainn.convert import convert; convert(sys.argv[1], sys.argv[2], elements=[1])"
    )
    run_python(script, path, tmp_path / "out.safetensors", "|".join(sys.path))
    assert (tmp_path / "out.safetensors").is_file()


def test_wrong_weights(tmp_path):
    """Weights that are absent, unknown, misshapen or at odds with the config are refused, and nothing is written."""
    good = published_weights()
    cases = [
        (
            {name: a for name, a in good.items() if name != "energy_head.2.bias"},
            {},
            "lacks the weights energy_head.2.bias",
        ),
        ({**good, "interactions.0.update.gate": np.zeros(3, np.float32)}, {}, "interactions.0.update.gate"),
        ({**good, "rbf.widths": np.ones(5, np.float32)}, {}, "rbf.widths.*shape"),
        ({**good, "energy_head.4.bias": np.array([np.nan], np.float32)}, {}, "not finite"),
        ({"weight": np.zeros(3, np.float32)}, {}, "neither the published student"),
        (good, {"config": {"hidden_dim": 9}}, "hidden_dim = 9"),
        (good, {"config": {"cutoff": 6.0}}, "cutoff = 6.0"),
    ]
    for weights, others, message in cases:
        with pytest.raises(ValueError, match=message):
            convert(save_checkpoint(tmp_path / "bad.pt", weights, **others), tmp_path / "out.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["bad.pt"]


def test_broken_files(tmp_path):
    """Files that are no network are refused with one sentence."""
    good = save_checkpoint(tmp_path / "good.pt", published_weights()).read_bytes()
    onnx = save_onnx(tmp_path / "good.onnx", published_weights()).read_bytes()
    cases = {
        "text.pt": (b"hello", "neither an ONNX file"),
        "empty.pt": (b"", "neither an ONNX file"),
        "half.pt": (good[: len(good) // 2], "not a readable PyTorch file"),
        "pickle.pt": (b"\x80\x02garbage", "not a readable PyTorch file|cannot represent"),
        "half.onnx": (onnx[: len(onnx) // 2], "not a readable ONNX file"),
        "empty.onnx": (b"", "lacks the weights"),
    }
    for name, (data, message) in cases.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ValueError, match=message) as caught:
            convert(tmp_path / name, tmp_path / "out.safetensors")
        assert "\n" not in str(caught.value)
    for name in ("absent.pt", "."):
        with pytest.raises(ValueError, match="cannot be read"):
            convert(tmp_path / name, tmp_path / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()


def test_code_in_a_checkpoint_does_not_run(tmp_path):
    """A pickle that would call a function is refused, and the function is not called."""
    torch = pytest.importorskip("torch")
    touched = tmp_path / "touched"

    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(touched),)

    torch.save({"model_state_dict": {}, "trap": Trap()}, tmp_path / "trap.pt")
    with pytest.raises(ValueError, match="posix.mkdir.*cannot represent"):
        convert(tmp_path / "trap.pt", tmp_path / "out.safetensors")
    assert not touched.exists()
