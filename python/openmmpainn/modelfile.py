# SPDX-License-Identifier: MIT
"""Writing and reading model files (docs/model-format.md) with numpy arrays, without the compiled plugin."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

__all__ = ["FORMAT_VERSION", "METADATA_KEY", "parse_model", "read_model", "replacement", "tensor_shapes", "write_model"]

FORMAT_VERSION = 1
METADATA_KEY = "openmmpainn"


def tensor_shapes(metadata: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """The tensors that a model with this metadata must hold, no more and no fewer.

    Parameters
    ----------
    metadata : mapping
        The metadata of docs/model-format.md.

    Returns
    -------
    dict
        Shape by tensor name.

    Raises
    ------
    ValueError
        If a value that decides shapes is absent or unknown.
    """
    absent = [key for key in ("family", "hidden", "blocks", "basis", "elements", "readout") if key not in metadata]
    if absent:
        raise ValueError(f"metadata lacks {', '.join(absent)}")
    family = metadata["family"]
    if family not in ("student", "canonical"):
        raise ValueError(f"metadata 'family' is {family!r}; allowed are 'student' and 'canonical'")
    basis = metadata["basis"]["type"]
    if basis not in ("gaussian", "bessel"):
        raise ValueError(f"metadata 'basis' has the type {basis!r}; allowed are 'gaussian' and 'bessel'")
    H, L, K, E = metadata["hidden"], metadata["blocks"], metadata["basis"]["size"], len(metadata["elements"])

    shapes: dict[str, tuple[int, ...]] = {"embedding.weight": (E, H)}
    for name in ("centers", "widths") if basis == "gaussian" else ("frequencies",):
        shapes[f"basis.{name}"] = (K,)
    if metadata.get("repulsion") is not None:
        shapes["repulsion.radii"] = (E,)

    def mlp(prefix: str, *widths: int) -> None:
        for k, (inputs, outputs) in enumerate(zip(widths, widths[1:], strict=False)):
            shapes[f"{prefix}.{k}.weight"] = (outputs, inputs)
            shapes[f"{prefix}.{k}.bias"] = (outputs,)

    for block in range(L):
        prefix = f"blocks.{block}"
        if family == "student":
            mlp(f"{prefix}.filter", K, H, 3 * H)
            if block < L - 1:
                shapes[f"{prefix}.mixing"] = (3, 3)
        else:
            mlp(f"{prefix}.filter", K, 3 * H)
            mlp(f"{prefix}.context", H, H, 3 * H)
            shapes[f"{prefix}.vector_mix.weight"] = (2 * H, H)
        mlp(f"{prefix}.update", 2 * H, H, 3 * H)
    mlp("readout", *metadata["readout"])
    return shapes


def write_model(
    path: str | os.PathLike[str], metadata: Mapping[str, Any], tensors: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """Write a model file.

    Parameters
    ----------
    path : path
        The .safetensors file to write; an existing one is replaced.
    metadata : mapping
        The metadata of docs/model-format.md; ``format_version`` may be left out.
    tensors : mapping
        Arrays by name, in the units that the metadata states; stored as float32.

    Returns
    -------
    dict
        The metadata as written.

    Raises
    ------
    ValueError
        If tensors are absent, unknown, of the wrong shape or not finite.
    """
    from safetensors.numpy import save

    metadata = {"format_version": FORMAT_VERSION, **metadata}
    shapes = tensor_shapes(metadata)
    absent, unknown = sorted(shapes.keys() - tensors.keys()), sorted(tensors.keys() - shapes.keys())
    if absent or unknown:
        raise ValueError(f"tensors lack {absent or 'nothing'} and hold the unknown {unknown or 'nothing'}")
    arrays = {}
    for name, shape in shapes.items():
        array = np.ascontiguousarray(tensors[name], dtype="<f4")
        if array.shape != shape:
            raise ValueError(f"tensor '{name}' has the shape {list(array.shape)}; it must be {list(shape)}")
        if not np.isfinite(array).all():
            raise ValueError(f"tensor '{name}' holds values that are not finite numbers in single precision")
        arrays[name] = array
    text = json.dumps(metadata, allow_nan=False, ensure_ascii=False)
    data = save(arrays, metadata={METADATA_KEY: text})
    # Written beside the target and moved, so that a full disk leaves no half of a model behind.
    with replacement(path) as temporary, open(temporary, "wb") as file:
        file.write(data)
    return metadata


@contextlib.contextmanager
def replacement(path: str | os.PathLike[str]) -> Iterator[str]:
    """The path of an empty file beside ``path``, which takes its place at the end of the block unless that fails."""
    target = os.path.abspath(os.fspath(path))
    if not os.path.isdir(os.path.dirname(target)):
        raise FileNotFoundError(f"there is no folder '{os.path.dirname(target)}' to write '{target}' to")
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(target), suffix=".safetensors")
    os.close(handle)
    try:
        yield temporary
        os.chmod(temporary, 0o644)  # mkstemp's files are for their owner alone
        os.replace(temporary, target)
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)


def read_model(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Read a model file. The strict checks are PaiNNStudentModel's; this one looks at names and shapes only.

    Parameters
    ----------
    path : path
        A .safetensors file.

    Returns
    -------
    metadata : dict
        The metadata of docs/model-format.md.
    tensors : dict
        float32 arrays by name, in the units that the metadata states.

    Raises
    ------
    ValueError
        If the file is not a safetensors file, or not one of this format and version.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(os.fspath(path), framework="numpy") as file:
            text = (file.metadata() or {}).get(METADATA_KEY)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except SafetensorError as error:
        raise ValueError(f"'{os.fspath(path)}' is not a safetensors file: {error}") from None
    if text is None:
        raise ValueError(f"'{os.fspath(path)}' is not a model file: its header has no '{METADATA_KEY}' metadata")
    metadata = json.loads(text)
    if metadata.get("format_version") != FORMAT_VERSION:
        raise ValueError(
            f"'{os.fspath(path)}' has the format version {metadata.get('format_version')}; this reads {FORMAT_VERSION}"
        )
    for name, shape in tensor_shapes(metadata).items():
        if name not in tensors or tensors[name].shape != shape or tensors[name].dtype != np.float32:
            raise ValueError(f"'{os.fspath(path)}' lacks a float32 tensor '{name}' of shape {list(shape)}")
    return metadata, tensors


def parse_model(data: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Metadata and tensors, as of read_model(), of a file that PaiNNStudentModel has checked; needs no other package.

    Parameters
    ----------
    data : bytes
        Of ``PaiNNStudentModel.getBytes()``.
    """
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    metadata = json.loads(header.pop("__metadata__")[METADATA_KEY])
    tensors = {}
    for name, entry in header.items():
        first, last = entry["data_offsets"]
        values = np.frombuffer(data[start + first : start + last], "<f4")
        tensors[name] = values.astype(np.float32).reshape(entry["shape"])
    return metadata, tensors
