# SPDX-License-Identifier: MIT
"""What is known about a model, as plain values."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from openmm import unit

if TYPE_CHECKING:
    from . import PaiNNStudentModel

__all__ = ["model_summary"]


def model_summary(model: PaiNNStudentModel) -> dict[str, Any]:
    """What is known about a model, as plain values: lengths in nm, elements as atomic numbers."""
    return {
        "name": model.getName(),
        "architecture": model.getArchitecture(),
        "cutoff": model.getCutoff().value_in_unit(unit.nanometer),
        "parameters": int(model.getNumParameters()),
        "elements": [int(number) for number in model.getElements()],
        "sha256": model.getHash(),
        "warnings": [str(warning) for warning in model.getWarnings()],
        "metadata": json.loads(model.getMetadata()),
    }
