# SPDX-License-Identifier: MIT
"""What the subcommands share: loading a model, printing JSON."""

from __future__ import annotations

import argparse
import json
import math
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .. import PaiNNStudentModel

__all__ = ["add_json", "add_model", "finite", "load_model", "print_json"]


def add_model(parser: argparse.ArgumentParser) -> None:
    """Declare the positional argument MODEL."""
    parser.add_argument("model", metavar="MODEL", help="a .safetensors model file, or the name of a bundled model")


def add_json(parser: argparse.ArgumentParser) -> None:
    """Declare --json."""
    parser.add_argument("--json", action="store_true", help="print one JSON value and nothing else on stdout")


def load_model(name: str) -> PaiNNStudentModel:
    """The model of a file or, where there is no such file, the bundled one of this name.

    Raises
    ------
    ValueError
        If there is neither.
    openmm.OpenMMException
        If the file is not a valid model.
    """
    from .. import PaiNNStudentModel, bundledModels

    if os.path.exists(name):
        return PaiNNStudentModel(name)
    bundled = list(bundledModels())
    if name in bundled:
        return PaiNNStudentModel.bundled(name)
    known = f"the bundled models are {', '.join(bundled)}" if bundled else "no models are bundled"
    raise ValueError(f"MODEL '{name}' is neither a file nor a bundled model; {known}")


def print_json(value: Any) -> None:
    """Print one JSON value on stdout; numbers that are not finite become null."""
    print(json.dumps(finite(value), allow_nan=False))


def finite(value: Any) -> Any:
    """The same value with null for numbers that are not finite, which JSON does not know."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
