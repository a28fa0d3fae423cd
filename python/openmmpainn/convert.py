# SPDX-License-Identifier: MIT
"""Conversion of trained networks of other programs to model files (docs/model-format.md).

Weights are read by name; nothing stored in an input is run: neither the graph of an ONNX file nor code in a pickle.
ONNX input needs numpy, safetensors and onnx; PyTorch input needs torch, and SchNetPack modules need schnetpack.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from . import __version__
from .modelfile import tensor_shapes, write_model

__all__ = ["convert"]

ONNX_WARNING = (
    "Only the weights of the ONNX file were used: its graph is known to be wrong (messages to one atom overwrite each "
    "other instead of being added), so running the ONNX file gives other energies than this model."
)


def convert(
    input_path: str | os.PathLike[str],
    output_path: str | os.PathLike[str],
    *,
    elements: Iterable[int] | None = None,
    name: str | None = None,
    licence: str | None = None,
    length_unit: str = "angstrom",
    energy_unit: str = "eV",
) -> list[str]:
    """Convert a trained network to a model file.

    Parameters
    ----------
    input_path : path
        The published student network (MLFF-Distiller) as PyTorch checkpoint or ONNX file, or a SchNetPack 2 PaiNN
        potential as saved model or state dictionary.
    output_path : path
        The .safetensors file to write; an existing one is replaced.
    elements : iterable of int, optional
        Atomic numbers that the model shall accept; without it, every row of the embedding but the padding row 0.
    name, licence : str, optional
        Texts to store in the model.
    length_unit, energy_unit : str
        What a SchNetPack model was trained in, which it does not say itself. The published network is always in
        angstrom and eV.

    Returns
    -------
    list of str
        What the user should know about this conversion, one sentence each.

    Raises
    ------
    ValueError
        If the input is broken, of an unknown kind, or holds something that a model file cannot represent.
    """
    path = Path(input_path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ValueError(f"input '{path}' cannot be read: {error.strerror}") from None
    if path.suffix.lower() == ".onnx":
        source, messages = "ONNX", [ONNX_WARNING]
        metadata, tensors = student_model(read_onnx(path), {}, path)
    elif data[:2] == b"PK" or data[:1] == b"\x80":
        source, metadata, tensors, messages = read_pytorch(path, length_unit, energy_unit)
    else:
        raise ValueError(f"input '{path}' is neither an ONNX file (name ending in .onnx) nor a PyTorch file")
    restrict_elements(metadata, tensors, elements, messages)
    for key, value in (("name", name), ("licence", licence)):
        if value is not None:
            metadata[key] = value
    metadata["provenance"] = {
        "source_file": path.name,
        "source_format": source,
        "source_sha256": hashlib.sha256(data).hexdigest(),
        "converter": f"openmmpainn {__version__}",
    }
    try:
        write_model(output_path, metadata, to_single(tensors, messages))
    except ValueError as error:
        raise ValueError(f"input '{path}' gives no valid model: {error}") from None
    return messages


def to_single(tensors: Mapping[str, np.ndarray], messages: list[str]) -> dict[str, np.ndarray]:
    """float32 copies, with a message when that changed a value."""
    with np.errstate(over="ignore"):
        single = {name: np.asarray(array).astype(np.float32) for name, array in tensors.items()}
    if any((single[name] != tensors[name]).any() for name in tensors):
        messages.append("The weights were rounded to single precision, as model files store them.")
    return single


def restrict_elements(
    metadata: dict[str, Any], tensors: dict[str, np.ndarray], elements: Iterable[int] | None, messages: list[str]
) -> None:
    """Keep the rows of the given elements; row z of the embedding is element z, row 0 is padding."""
    rows = len(tensors["embedding.weight"])
    available = range(1, min(rows, 119))
    chosen = list(available) if elements is None else sorted(set(elements))
    wrong = [z for z in chosen if z not in available]
    if wrong or not chosen:
        raise ValueError(f"elements holds {wrong or 'nothing'}; the network has the elements 1 to {available[-1]}")
    if elements is None:
        messages.append(
            f"The model accepts all elements 1 to {available[-1]} of the embedding; the input does not say which of "
            "them were trained."
        )
    metadata["elements"] = chosen
    tensors["embedding.weight"] = tensors["embedding.weight"][chosen]
    if "atom_references" in metadata:
        references = metadata["atom_references"]
        beyond = [z for z in chosen if z >= len(references)]
        if beyond:
            raise ValueError(f"elements holds {beyond}, for which the network has no atom reference")
        metadata["atom_references"] = [float(references[z]) for z in chosen]


def read_onnx(path: Path) -> dict[str, np.ndarray]:
    """The named weights of an ONNX file."""
    try:
        import onnx
        from onnx import numpy_helper
    except ImportError:
        raise ValueError(f"input '{path}' is an ONNX file, which needs the package onnx (pip install onnx)") from None
    try:
        # External data would be another file that this one names; such paths are never followed.
        graph = onnx.load(str(path), load_external_data=False).graph
        return {
            tensor.name: numpy_helper.to_array(tensor)
            for tensor in graph.initializer
            if tensor.data_type in (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE)
        }
    except Exception as error:  # protobuf and numpy_helper raise many kinds
        raise ValueError(f"input '{path}' is not a readable ONNX file: {str(error).splitlines()[0]}") from None


def read_pytorch(
    path: Path, length_unit: str, energy_unit: str
) -> tuple[str, dict[str, Any], dict[str, np.ndarray], list[str]]:
    """Tell the kinds of PyTorch files apart; returns the kind, metadata, tensors and messages."""
    try:
        import torch
    except ImportError:
        raise ValueError(f"input '{path}' is a PyTorch file, which needs the package torch") from None
    from . import convert_schnetpack

    content = convert_schnetpack.load_safely(path)
    if isinstance(content, torch.nn.Module):
        metadata, tensors, messages = convert_schnetpack.from_module(content, path)
    else:
        if not isinstance(content, Mapping):
            raise ValueError(f"input '{path}' holds a {type(content).__name__}, not a network's weights")
        state = next((content[key] for key in ("model_state_dict", "state_dict") if key in content), content)
        if not isinstance(state, Mapping) or not all(isinstance(value, torch.Tensor) for value in state.values()):
            raise ValueError(f"input '{path}' holds no state dictionary; its entries are {sorted(map(str, content))}")
        weights = {str(key): value.detach().cpu().double().numpy() for key, value in state.items()}
        if not any("filter_net" in key for key in weights):
            config = content.get("config")
            config = config if isinstance(config, Mapping) else {}
            return "PyTorch checkpoint", *student_model(weights, config, path), []
        metadata, tensors, messages = convert_schnetpack.from_state(strip_prefix(weights, "representation."), path)
    metadata["length_unit"], metadata["energy_unit"] = length_unit, energy_unit
    messages.append(f"A SchNetPack model does not state its units; {length_unit} and {energy_unit} were assumed.")
    return "SchNetPack model", metadata, tensors, messages


def strip_prefix(weights: Mapping[str, np.ndarray], first: str) -> dict[str, np.ndarray]:
    """Drop what wrapping modules put before all names, for example "model.", so that one name starts with `first`."""
    start = min((key.find(first) for key in weights if first in key), default=0)
    prefix = next((key[:start] for key in weights if key.find(first) == start), "")
    return {key.removeprefix(prefix): value for key, value in weights.items()}


def student_model(
    weights: Mapping[str, np.ndarray], config: Mapping[str, Any], path: Path
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Metadata and tensors of the published student network, whose sizes follow from the shapes of its weights."""
    weights = strip_prefix(weights, "embedding.weight")
    filter_name = "interactions.{}.message.rbf_to_scalar.{}.{}"
    blocks = sum(filter_name.format(block, 0, "weight") in weights for block in range(len(weights)))
    layers = [k for k in range(0, 16, 2) if f"energy_head.{k}.weight" in weights]
    names = {"embedding.weight": "embedding.weight", "basis.centers": "rbf.centers", "basis.widths": "rbf.widths"}
    for kind in ("weight", "bias"):
        for block in range(blocks):
            for k in (0, 1):
                names[f"blocks.{block}.filter.{k}.{kind}"] = filter_name.format(block, 2 * k, kind)
                names[f"blocks.{block}.update.{k}.{kind}"] = f"interactions.{block}.update.update_mlp.{2 * k}.{kind}"
        for k, layer in enumerate(layers):
            names[f"readout.{k}.{kind}"] = f"energy_head.{layer}.{kind}"
    for block in range(blocks - 1):
        names[f"blocks.{block}.mixing"] = f"interactions.{block}.update.mixing_matrix"
    absent = [name for name in names.values() if name not in weights]
    if absent or not blocks or not layers:
        raise ValueError(
            f"input '{path}' is neither the published student network nor a SchNetPack 2 PaiNN: it lacks the weights "
            f"{', '.join(absent[:3] or ['interactions.*', 'energy_head.*'])}"
        )
    # The last mixing matrix reaches no energy; integer shapes and folded constants of ONNX graphs have no module name.
    known = {*names.values(), f"interactions.{blocks - 1}.update.mixing_matrix"}
    unknown = sorted(
        key for key in weights.keys() - known if key.startswith(("embedding.", "rbf.", "interactions.", "energy_head."))
    )
    if unknown:
        raise ValueError(f"input '{path}' holds weights that the student network does not have: {', '.join(unknown)}")
    tensors = {ours: weights[theirs] for ours, theirs in names.items()}
    if tensors["embedding.weight"].ndim != 2 or tensors["basis.centers"].ndim != 1:
        raise ValueError(f"input '{path}' has an embedding or radial basis of the wrong rank")
    H, K = tensors["embedding.weight"].shape[1], len(tensors["basis.centers"])
    metadata: dict[str, Any] = {
        "family": "student",
        "hidden": H,
        "blocks": blocks,
        "basis": {"type": "gaussian", "size": K, "exponent": 1.0},
        "cutoff": student_cutoff(config, tensors["basis.centers"], path),
        "cutoff_function": {"type": "cosine"},
        "norm_epsilon": 0.0,
        "length_unit": "angstrom",
        "energy_unit": "eV",
        "elements": list(range(len(tensors["embedding.weight"]))),
        "readout": [H, *(len(tensors[f"readout.{k}.bias"]) for k in range(len(layers)))],
    }
    for key, value in (("hidden_dim", H), ("num_interactions", blocks), ("num_rbf", K)):
        if config.get(key, value) != value:
            raise ValueError(f"input '{path}' has {key} = {config[key]} in its config, but its weights say {value}")
    for name, shape in tensor_shapes(metadata).items():
        if tensors[name].shape != shape:
            raise ValueError(f"input '{path}': '{names[name]}' has the shape {tensors[name].shape}, expected {shape}")
    return metadata, tensors


def student_cutoff(config: Mapping[str, Any], centers: np.ndarray, path: Path) -> float:
    """The cutoff of the config, else the last centre, in angstrom."""
    # The shortest decimal of the float32 number: the network itself computes with the decimal that the user once wrote.
    last = float(str(np.float32(centers[-1])))
    cutoff = config.get("cutoff", last)
    if not isinstance(cutoff, int | float) or abs(cutoff - last) > 1e-6 * last:
        raise ValueError(f"input '{path}' has cutoff = {cutoff} in its config, but the last centre is {last}")
    return float(cutoff)
