# SPDX-License-Identifier: MIT
"""Small random models for the Python tests."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from openmmpainn.modelfile import tensor_shapes, write_model

FAMILIES = ("student", "canonical")


def random_metadata(
    family: str = "canonical",
    hidden: int = 8,
    blocks: int = 2,
    basis: str = "gaussian",
    size: int = 6,
    cutoff: float = 0.5,
    elements: tuple[int, ...] = (1, 6, 7, 8),
    **changes: Any,
) -> dict[str, Any]:
    """Metadata of docs/model-format.md in nm and kJ/mol; `changes` replaces or adds keys, None removes one."""
    metadata: dict[str, Any] = {
        "family": family,
        "hidden": hidden,
        "blocks": blocks,
        "basis": {"type": "gaussian", "size": size, "exponent": 1.0}
        if basis == "gaussian"
        else {"type": basis, "size": size},
        "cutoff": cutoff,
        "cutoff_function": {"type": "cosine"},
        "norm_epsilon": 1e-8 if family == "canonical" else 0.0,
        "length_unit": "nm",
        "energy_unit": "kJ/mol",
        "elements": list(elements),
        "readout": [hidden, hidden // 2, 1],
        "name": f"random {family}",
    }
    metadata.update(changes)
    return {key: value for key, value in metadata.items() if value is not None}


def random_tensors(metadata: dict[str, Any], seed: int = 0, strength: float = 100.0) -> dict[str, np.ndarray]:
    """Tensors that fit the metadata. Biases are not zero; `strength` scales the energy (model's unit)."""
    rng = np.random.default_rng(seed)
    cutoff = metadata["cutoff"]
    tensors = {}
    for name, shape in tensor_shapes(metadata).items():
        if name == "basis.centers":
            values = np.linspace(0, cutoff, shape[0])
        elif name == "basis.widths":
            values = np.full(shape, cutoff / shape[0])
        elif name == "basis.frequencies":
            values = np.arange(1, shape[0] + 1) * np.pi / cutoff
        elif name == "repulsion.radii":
            values = rng.uniform(0.1, 0.3, shape) * cutoff
        elif name.endswith("bias"):
            values = 0.3 * rng.standard_normal(shape)
        else:
            values = rng.standard_normal(shape) / np.sqrt(shape[-1])
        tensors[name] = values.astype(np.float32)
    last = f"readout.{len(metadata['readout']) - 2}"
    tensors[f"{last}.weight"] *= strength
    return tensors


def random_model(path: str | os.PathLike[str], family: str = "canonical", seed: int = 0, **changes: Any) -> str:
    """Write a small random model.

    Parameters
    ----------
    path : path
        The .safetensors file to write.
    family : str
        'student' or 'canonical'.
    seed : int
        The same seed and metadata give the same file.
    changes
        Arguments of random_metadata(), or any key of the metadata; ``strength`` goes to random_tensors().

    Returns
    -------
    str
        The path.
    """
    strength = changes.pop("strength", 100.0)
    metadata = random_metadata(family, **changes)
    write_model(path, metadata, random_tensors(metadata, seed, strength))
    return os.fspath(path)
