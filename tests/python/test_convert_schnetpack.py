# SPDX-License-Identifier: MIT
"""Conversion of SchNetPack models: state dictionaries always, saved models where schnetpack is installed.

That converted models give SchNetPack's energies and forces is tested with the stored data (test_torch_network.py).
"""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: SchNetPack conversion is not tested")

from openmmpainn.convert import convert  # noqa: E402
from openmmpainn.modelfile import read_model  # noqa: E402


def random_state(shared: bool = False, bessel: bool = True) -> dict[str, torch.Tensor]:
    """Random weights with the names and shapes of a SchNetPack potential: 4 channels, 2 blocks, 5 basis functions."""
    torch.manual_seed(0)
    H, L, K = 4, 2, 5
    shapes = {
        "representation.embedding.weight": (100, H),
        "representation.filter_net.bias": (3 * H * (1 if shared else L),),
    }
    shapes["representation.filter_net.weight"] = (*shapes["representation.filter_net.bias"], K)
    for block in range(L):
        for name, width in ((f"interactions.{block}.interatomic", H), (f"mixing.{block}.intraatomic", 2 * H)):
            name = f"representation.{name}_context_net"
            shapes |= {f"{name}.0.weight": (H, width), f"{name}.0.bias": (H,)}
            shapes |= {f"{name}.1.weight": (3 * H, H), f"{name}.1.bias": (3 * H,)}
        shapes[f"representation.mixing.{block}.mu_channel_mix.weight"] = (2 * H, H)
    shapes |= {"output_modules.0.outnet.0.weight": (2, H), "output_modules.0.outnet.0.bias": (2,)}
    shapes |= {"output_modules.0.outnet.1.weight": (1, 2), "output_modules.0.outnet.1.bias": (1,)}
    state = {name: torch.randn(shape) for name, shape in shapes.items()}
    state["representation.cutoff_fn.cutoff"] = state["representation.cutoff"] = torch.tensor([5.2])
    if bessel:
        state["representation.radial_basis.freqs"] = torch.arange(1, K + 1) * torch.pi / 5.2
    else:
        state["representation.radial_basis.offsets"] = torch.linspace(0, 5.2, K)
        state["representation.radial_basis.widths"] = torch.full((K,), -1.3)
    return state


@pytest.mark.parametrize("shared", [False, True])
def test_state_dictionary(tmp_path, shared):
    """A bare state dictionary and a training checkpoint of it give the same model; what is assumed is said."""
    state = random_state(shared)
    state["postprocessors.0.atomref"] = torch.arange(100.0)
    state["postprocessors.0.mean"] = torch.tensor([0.5])
    torch.save(state, tmp_path / "bare.pt")
    torch.save({"state_dict": {f"model.{k}": v for k, v in state.items()}, "epoch": 3}, tmp_path / "training.ckpt")
    for name in ("bare.pt", "training.ckpt"):
        messages = convert(tmp_path / name, tmp_path / "out.safetensors", elements=[1, 8], energy_unit="kcal/mol")
        assert any("SiLU" in message for message in messages) and any("kcal/mol" in message for message in messages)
        metadata, tensors = read_model(tmp_path / "out.safetensors")
        assert metadata["atom_references"] == [1.5, 8.5] and metadata["norm_epsilon"] == 1e-8
        assert metadata["cutoff"] == float(np.float32(5.2)) and metadata["energy_unit"] == "kcal/mol"
        filters = state["representation.filter_net.weight"].numpy()
        assert np.array_equal(tensors["blocks.1.filter.0.weight"], filters if shared else filters[12:])
        assert np.array_equal(tensors["basis.frequencies"], state["representation.radial_basis.freqs"].numpy())
        for ours, theirs in (
            ("context.1.weight", "interactions.1.interatomic_context_net.1.weight"),
            ("update.0.weight", "mixing.1.intraatomic_context_net.0.weight"),
            ("vector_mix.weight", "mixing.1.mu_channel_mix.weight"),
        ):
            assert np.array_equal(tensors[f"blocks.1.{ours}"], state[f"representation.{theirs}"].numpy())
        assert metadata["readout"] == [4, 2, 1]


def test_gaussian_basis_and_rounding(tmp_path):
    """Widths of either sign are the same Gaussian; weights in double precision are rounded, and that is said."""
    state = random_state(bessel=False)
    state["output_modules.0.outnet.1.bias"] = torch.tensor([0.1], dtype=torch.float64)
    torch.save(state, tmp_path / "model.pt")
    messages = convert(tmp_path / "model.pt", tmp_path / "out.safetensors")
    metadata, tensors = read_model(tmp_path / "out.safetensors")
    assert metadata["basis"] == {"type": "gaussian", "size": 5, "exponent": 0.5}
    assert metadata["elements"] == list(range(1, 100)) and "atom_references" not in metadata
    assert np.all(tensors["basis.widths"] == np.float32(1.3))
    assert any("rounded" in message for message in messages)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"representation.cutoff_fn.eps": torch.zeros(1)}, "cutoff function"),
        ({"representation.electronic_embeddings.0.linear_q.weight": torch.zeros(4, 4)}, "electronic_embeddings"),
        ({"output_modules.1.outnet.0.weight": torch.zeros(1, 4)}, "2 output networks"),
        ({"representation.filter_net.bias": torch.zeros(17)}, "17 filters"),
        ({"representation.mixing.0.mu_channel_mix.weight": torch.zeros(4, 4)}, "vector_mix.*shape"),
        ({"representation.embedding.weight": None}, "lacks the weights 'representation.embedding.weight'"),
        ({"extra": [1]}, "no state dictionary"),
    ],
)
def test_what_a_state_dictionary_must_not_hold(tmp_path, changes, message):
    state = {key: value for key, value in {**random_state(), **changes}.items() if value is not None}
    torch.save(state, tmp_path / "model.pt")
    with pytest.raises(ValueError, match=message):
        convert(tmp_path / "model.pt", tmp_path / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()


@pytest.mark.parametrize(
    ("module", "name", "message"),
    [
        ("schnetpack.atomistic.electrostatic", "EnergyEwald", "schnetpack.atomistic.electrostatic.EnergyEwald"),
        ("schnetpack.representation.painn", "PaiNN", "needs a working schnetpack 2"),
    ],
)
def test_saved_model_without_schnetpack(tmp_path, monkeypatch, module, name, message):
    """The error names a module that cannot be represented; else it says that schnetpack must be installed."""
    with monkeypatch.context() as patch:
        parts = module.split(".")
        for k in range(1, len(parts) + 1):
            patch.setitem(sys.modules, ".".join(parts[:k]), types.ModuleType(".".join(parts[:k])))
        stand_in = type(name, (torch.nn.Module,), {"__module__": module})
        setattr(sys.modules[module], name, stand_in)
        torch.save(stand_in(), tmp_path / "model.pt")
    monkeypatch.setitem(sys.modules, "schnetpack", None)
    with pytest.raises(ValueError, match=message):
        convert(tmp_path / "model.pt", tmp_path / "out.safetensors")


def make_potential(**changes):
    """A SchNetPack potential of 4 channels; `changes` are arguments of its parts, or whole parts."""
    import torch.utils.data.dataloader as dataloader

    if not hasattr(dataloader, "T_co"):  # schnetpack 2.1.1 imports it, newer versions of torch lack it
        dataloader.T_co = None
    try:
        import schnetpack
        import schnetpack.atomistic
        import schnetpack.representation
        import schnetpack.transform
    except ImportError as error:
        pytest.skip(f"the conversion of saved SchNetPack models is not tested: schnetpack cannot be imported ({error})")
    spk = schnetpack
    cutoff_fn = getattr(spk.nn, changes.get("cutoff_fn", "CosineCutoff"))(3.3)
    painn = spk.representation.PaiNN(
        4, 2, getattr(spk.nn, changes.get("basis", "BesselRBF"))(5, 3.3), cutoff_fn, **changes.get("painn", {})
    )
    if changes.get("trainable_cutoff"):
        del cutoff_fn.cutoff
        cutoff_fn.cutoff = torch.nn.Parameter(torch.tensor([3.3]))
    outputs = [spk.atomistic.Atomwise(4, output_key="energy", **changes.get("atomwise", {}))]
    if changes.get("dipole"):
        outputs.append(spk.atomistic.DipoleMoment(4))
    outputs.append(spk.atomistic.Forces())
    postprocessors = [
        getattr(spk.transform, kind)(*arguments) for kind, *arguments in changes.get("postprocessors", [])
    ]
    return spk.model.NeuralNetworkPotential(
        painn, [spk.atomistic.PairwiseDistances()], outputs, postprocessors, **changes.get("model", {})
    )


def test_saved_model(tmp_path):
    """A saved model converts without its code being run, whatever its basis and postprocessors."""
    for basis in ("BesselRBF", "GaussianRBF", "GaussianRBFCentered"):
        model = make_potential(
            basis=basis, painn={"epsilon": 1e-6}, postprocessors=[("CastTo64",), ("AddOffsets", "energy", True, True)]
        )
        model.postprocessors[1].mean, model.postprocessors[1].atomref = torch.tensor([2.0]), torch.arange(100.0)
        torch.save(model, tmp_path / "model.pt")
        messages = convert(tmp_path / "model.pt", tmp_path / "out.safetensors", elements=[6])
        metadata, tensors = read_model(tmp_path / "out.safetensors")
        assert metadata["norm_epsilon"] == 1e-6 and metadata["atom_references"] == [8.0]
        assert np.array_equal(tensors["embedding.weight"][0], model.representation.embedding.weight[6].detach().numpy())
        assert len(messages) == 1 and "units" in messages[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cutoff_fn": "MollifierCutoff"}, "MollifierCutoff"),
        ({"trainable_cutoff": True}, "trainable cutoff"),
        ({"painn": {"activation": torch.nn.Tanh()}}, "Tanh"),
        ({"painn": {"activation": torch.nn.Identity()}}, "activation Identity"),
        ({"dipole": True}, "DipoleMoment"),
        ({"atomwise": {"aggregation_mode": "avg"}}, "aggregation mode avg"),
        ({"atomwise": {"n_out": 2}}, "n_out = 2"),
        ({"atomwise": {"activation": torch.nn.functional.relu}}, "relu"),
        ({"postprocessors": [("ScaleProperty", "energy")]}, "ScaleProperty"),
        ({"postprocessors": [("AddOffsets", "dipole", True)]}, "AddOffsets for 'dipole'"),
        ({"postprocessors": [("AddOffsets", "energy", True)], "model": {"do_postprocessing": False}}, "switched off"),
    ],
)
def test_saved_models_that_are_refused(tmp_path, changes, message):
    torch.save(make_potential(**changes), tmp_path / "model.pt")
    with pytest.raises(ValueError, match=message):
        convert(tmp_path / "model.pt", tmp_path / "out.safetensors")
