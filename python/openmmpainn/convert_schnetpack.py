# SPDX-License-Identifier: MIT
"""The part of the conversion that knows SchNetPack 2. Imports torch; convert.py imports it only for PyTorch input."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch

__all__ = ["from_module", "from_state", "load_safely"]

ALLOWED = {
    "torch.nn.modules.activation": ("SiLU",),
    "torch.nn.modules.container": ("ModuleList", "Sequential"),
    "torch.nn.modules.linear": ("Identity", "Linear"),
    "torch.nn.modules.sparse": ("Embedding",),
    "torch.nn.functional": ("silu",),
    "torch.nn.init": ("xavier_uniform_", "zeros_"),
    "schnetpack.model.base": ("NeuralNetworkPotential",),
    "schnetpack.representation.painn": ("PaiNN", "PaiNNInteraction", "PaiNNMixing"),
    "schnetpack.nn.base": ("Dense",),
    "schnetpack.nn.cutoff": ("CosineCutoff",),
    "schnetpack.nn.radial": ("BesselRBF", "GaussianRBF", "GaussianRBFCentered"),
    "schnetpack.atomistic.atomwise": ("Atomwise",),
    "schnetpack.atomistic.distances": ("PairwiseDistances",),
    "schnetpack.atomistic.response": ("Forces", "Strain"),
    "schnetpack.transform.atomistic": ("AddOffsets",),
    "schnetpack.transform.casting": ("CastMap", "CastTo32", "CastTo64"),
    "builtins": ("set",),
}
"""All that a saved model may name: what a model file can represent, and what does not change the energy."""


def load_safely(path: Path) -> Any:
    """Load a PyTorch file without running code from it: tensors, plain containers, and the classes of ALLOWED."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        pass
    except Exception as error:  # a broken archive shows itself in many ways
        raise broken(path, error) from None
    try:
        needed = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except Exception as error:
        raise broken(path, error) from None
    allowed = {f"{module}.{name}" for module, names in ALLOWED.items() for name in names}
    refused = sorted(set(needed) - allowed)
    if refused or not needed:
        raise ValueError(
            f"input '{path}' holds {', '.join(refused) or 'something'}, which a model file cannot represent; a "
            "SchNetPack model may be made of NeuralNetworkPotential, PaiNN with CosineCutoff, GaussianRBF, "
            "GaussianRBFCentered or BesselRBF and SiLU, Atomwise, Forces and AddOffsets"
        )
    try:
        objects = [getattr(import_module(module), name) for module, _, name in (n.rpartition(".") for n in needed)]
    except (ImportError, AttributeError) as error:
        raise ValueError(
            f"input '{path}' is a saved SchNetPack model, which needs a working schnetpack 2 installed: {error}"
        ) from None
    try:
        with torch.serialization.safe_globals(objects):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise broken(path, error) from None


def broken(path: Path, error: Exception) -> ValueError:
    """The error for a file that torch cannot read."""
    reason = (str(error) or type(error).__name__).splitlines()[0]
    return ValueError(f"input '{path}' is not a readable PyTorch file: {reason}")


def from_module(model: torch.nn.Module, path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray], list[str]]:
    """Metadata, tensors and messages of a SchNetPack potential; everything it cannot represent is refused."""

    def require(condition: bool, problem: str) -> None:
        if not condition:
            raise ValueError(f"input '{path}' {problem}, which a model file cannot represent")

    def kind(module: Any) -> str:
        return type(module).__name__

    require(kind(model) == "NeuralNetworkPotential", f"holds a {kind(model)} instead of a NeuralNetworkPotential")
    painn = model.representation
    require(kind(painn) == "PaiNN", f"has the representation {kind(painn)} instead of PaiNN")
    require(len(painn.electronic_embeddings) == 0, "embeds the total charge or spin (electronic_embeddings)")
    require(kind(painn.embedding) == "Embedding", f"has the nuclear embedding {kind(painn.embedding)}")
    cutoff_fn = painn.cutoff_fn
    require(kind(cutoff_fn) == "CosineCutoff", f"has the cutoff function {kind(cutoff_fn)}")
    require(not isinstance(cutoff_fn.cutoff, torch.nn.Parameter), "has a trainable cutoff")
    bases = ("GaussianRBF", "GaussianRBFCentered", "BesselRBF")
    require(kind(painn.radial_basis) in bases, f"has the radial basis {kind(painn.radial_basis)}")
    epsilons = {float(mixing.epsilon) for mixing in painn.mixing}
    require(len(epsilons) == 1, f"has blocks of different epsilon {sorted(epsilons)}")

    for module in model.input_modules:
        require(kind(module) in ("PairwiseDistances", "Strain"), f"has the input module {kind(module)}")
    outputs = [module for module in model.output_modules if kind(module) not in ("Forces", "Strain")]
    found = [kind(module) for module in model.output_modules]
    require(
        len(outputs) == 1 and kind(outputs[0]) == "Atomwise",
        f"has the output modules {found} instead of one Atomwise (and Forces)",
    )
    atomwise = outputs[0]
    require(atomwise.n_out == 1, f"has an Atomwise module of n_out = {atomwise.n_out} instead of 1")
    require(atomwise.aggregation_mode == "sum", f"has the aggregation mode {atomwise.aggregation_mode} instead of sum")
    check_layers(painn, atomwise, require)

    state = {key: value.detach().cpu().double().numpy() for key, value in model.state_dict().items()}
    position = list(model.output_modules).index(atomwise)
    references = np.zeros(1)
    for index, module in enumerate(model.postprocessors):
        if kind(module) in ("CastTo32", "CastTo64"):
            continue
        require(kind(module) == "AddOffsets", f"has the postprocessor {kind(module)}")
        require(
            module._property == atomwise.output_key and module.is_extensive and model.do_postprocessing,
            f"has an AddOffsets for '{module._property}' that is not extensive, switched off or not for the energy "
            f"'{atomwise.output_key}'",
        )
        added = offsets(state, index, module.add_atomrefs, module.add_mean)
        references = broadcast_sum(references, added)
    metadata, tensors = representation(state, f"output_modules.{position}.outnet.", epsilons.pop(), path)
    if references.any():
        metadata["atom_references"] = references
    return metadata, tensors, []


def check_layers(painn: Any, atomwise: Any, require: Any) -> None:
    """Each MLP must be Dense layers with SiLU after all but the last."""
    networks = [block.interatomic_context_net for block in painn.interactions]
    networks += [block.intraatomic_context_net for block in painn.mixing] + [atomwise.outnet, [painn.filter_net]]
    networks += [[block.mu_channel_mix] for block in painn.mixing]
    for network in networks:
        for k, layer in enumerate(network):
            require(type(layer).__name__ == "Dense", f"has a layer {type(layer).__name__} instead of Dense")
            is_silu = layer.activation is torch.nn.functional.silu or isinstance(layer.activation, torch.nn.SiLU)
            is_none = isinstance(layer.activation, torch.nn.Identity)
            found = getattr(layer.activation, "__name__", type(layer.activation).__name__)
            require(is_none if k == len(network) - 1 else is_silu, f"has a layer with the activation {found}")


def from_state(state: Mapping[str, np.ndarray], path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray], list[str]]:
    """The same for a state dictionary, which does not say which activation and epsilon belong to it."""
    if any("eps" in key or "switch" in key for key in state if key.startswith("representation.cutoff_fn.")):
        raise ValueError(
            f"input '{path}' has a cutoff function other than CosineCutoff, which a model file cannot hold"
        )
    heads = sorted({key.split(".outnet.")[0] for key in state if ".outnet." in key})
    if len(heads) != 1:
        raise ValueError(f"input '{path}' has {len(heads)} output networks; a model file holds exactly one energy")
    references = np.zeros(1)
    for index in range(8):
        if f"postprocessors.{index}.atomref" in state:
            references = broadcast_sum(references, offsets(state, index, True, True))
    metadata, tensors = representation(state, f"{heads[0]}.outnet.", 1e-8, path)
    if references.any():
        metadata["atom_references"] = references
    message = (
        "A state dictionary does not hold the activation, the epsilon of the vector norm and the kind of cutoff: "
        "SiLU, 1e-8 and the cosine were assumed; convert the saved model to be sure."
    )
    return metadata, tensors, [message]


def offsets(state: Mapping[str, np.ndarray], index: int, add_atomrefs: bool, add_mean: bool) -> np.ndarray:
    """What one AddOffsets adds per atom, by atomic number."""
    atomref = state[f"postprocessors.{index}.atomref"].reshape(-1)
    mean = float(state[f"postprocessors.{index}.mean"].reshape(-1)[0])
    return atomref * float(add_atomrefs) + mean * float(add_mean)


def broadcast_sum(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The sum of references of several modules; a single number counts for all elements."""
    size = max(len(a), len(b)) if 1 in (len(a), len(b)) else min(len(a), len(b))
    return np.broadcast_to(a, size) + np.broadcast_to(b, size) if 1 in (len(a), len(b)) else a[:size] + b[:size]


def representation(
    state: Mapping[str, np.ndarray], head: str, epsilon: float, path: Path
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Metadata (without units) and tensors from the weights of representation and readout."""
    used = set()

    def take(name: str) -> np.ndarray:
        if name not in state:
            raise ValueError(f"input '{path}' is not a SchNetPack 2 PaiNN: it lacks the weights '{name}'")
        used.add(name)
        return state[name]

    tensors = {"embedding.weight": take("representation.embedding.weight")}
    H = tensors["embedding.weight"].shape[-1]
    L = sum(f"representation.mixing.{k}.mu_channel_mix.weight" in state for k in range(len(state)))
    filter_weight, filter_bias = (take(f"representation.filter_net.{kind}") for kind in ("weight", "bias"))
    shared = len(filter_bias) == 3 * H
    if not shared and len(filter_bias) != 3 * H * L:
        raise ValueError(f"input '{path}' has {len(filter_bias)} filters; {3 * H} (shared) or {3 * H * L} are possible")
    for block in range(L):
        rows = slice(0, 3 * H) if shared else slice(3 * H * block, 3 * H * (block + 1))
        tensors[f"blocks.{block}.filter.0.weight"] = filter_weight[rows]
        tensors[f"blocks.{block}.filter.0.bias"] = filter_bias[rows]
        mixing = f"representation.mixing.{block}"
        for k in (0, 1):
            for kind in ("weight", "bias"):
                context = f"representation.interactions.{block}.interatomic_context_net.{k}.{kind}"
                tensors[f"blocks.{block}.context.{k}.{kind}"] = take(context)
                tensors[f"blocks.{block}.update.{k}.{kind}"] = take(f"{mixing}.intraatomic_context_net.{k}.{kind}")
        tensors[f"blocks.{block}.vector_mix.weight"] = take(f"{mixing}.mu_channel_mix.weight")
    readout = [H]
    while f"{head}{len(readout) - 1}.weight" in state:
        k = len(readout) - 1
        tensors[f"readout.{k}.weight"] = take(f"{head}{k}.weight")
        tensors[f"readout.{k}.bias"] = take(f"{head}{k}.bias")
        readout.append(len(tensors[f"readout.{k}.bias"]))
    if "representation.radial_basis.freqs" in state:
        tensors["basis.frequencies"] = take("representation.radial_basis.freqs")
        basis = {"type": "bessel", "size": len(tensors["basis.frequencies"])}
    else:
        tensors["basis.centers"] = take("representation.radial_basis.offsets")
        # A Gaussian depends on the square of its width, whose sign training may have turned.
        tensors["basis.widths"] = np.abs(take("representation.radial_basis.widths"))
        basis = {"type": "gaussian", "size": len(tensors["basis.centers"]), "exponent": 0.5}
    # The float32 number of the buffer, because that is the one SchNetPack computes with.
    cutoff = float(take("representation.cutoff_fn.cutoff").reshape(-1)[0])
    unknown = sorted(key for key in state.keys() - used if key.startswith("representation.") and key[-7:] != ".cutoff")
    if unknown:
        raise ValueError(f"input '{path}' holds '{unknown[0]}', which a model file cannot represent")
    metadata = {
        "family": "canonical",
        "hidden": H,
        "blocks": L,
        "basis": basis,
        "cutoff": cutoff,
        "cutoff_function": {"type": "cosine"},
        "norm_epsilon": epsilon,
        "elements": list(range(len(tensors["embedding.weight"]))),
        "readout": readout,
    }
    return metadata, tensors
