# SPDX-License-Identifier: MIT
"""What users hand to an Evaluator, as arrays that are known to fit."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from openmm import unit

__all__ = ["molecules_from_list", "read_boxes", "read_integers", "read_lengths"]


def read_lengths(value: Any, name: str) -> np.ndarray:
    """A float64 array in nm of an array, a Quantity, or a sequence of Quantities."""
    if unit.is_quantity(value):
        value = value.value_in_unit(unit.nanometer)
    elif isinstance(value, (list, tuple)) and len(value) > 0 and unit.is_quantity(value[0]):
        value = [row.value_in_unit(unit.nanometer) for row in value]
    try:
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name} is no array of numbers (nm) and no Quantity of a length") from None


def read_integers(value: Any, name: str) -> np.ndarray:
    """An int64 array [N]."""
    found = np.asarray(value)
    if found.size == 0 and found.ndim == 1:
        return found.astype(np.int64)
    if found.ndim != 1 or found.dtype.kind not in "iu":
        raise ValueError(f"{name} must be a sequence of integers, but it is {_what(found)}")
    return found.astype(np.int64, copy=False)


def _what(found: np.ndarray) -> str:
    return f"an array of {found.dtype} with the shape {list(found.shape)}"


def _box(value: Any, name: str) -> np.ndarray | None:
    if value is None:
        return None
    box = read_lengths(value, name)
    if box.shape != (3, 3):
        raise ValueError(f"{name} has the shape {list(box.shape)}; it must be three box vectors as rows, [3, 3]")
    if not np.isfinite(box).all():
        raise ValueError(f"{name} holds a number that is not finite")
    return box


def read_boxes(value: Any, count: int) -> list[np.ndarray | None]:
    if value is None:
        return [None] * count
    boxes = read_lengths(value, "boxes")
    if boxes.ndim == 2:
        return [_box(boxes, "boxes")] * count
    if boxes.shape != (count, 3, 3):
        raise ValueError(f"boxes has the shape {list(boxes.shape)}; allowed are [3, 3] and [{count}, 3, 3]")
    return [_box(box, f"boxes[{index}]") for index, box in enumerate(boxes)]


def molecules_from_list(molecules: Sequence[Sequence[Any]]) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[Any]]:
    """Flat numbers [N], positions [N, 3], offsets [M + 1] and boxes [M]."""
    all_numbers, all_positions, boxes = [], [], []
    for index, molecule in enumerate(molecules):
        try:
            count = operator.length_hint(molecule)
        except TypeError:
            count = 0
        if unit.is_quantity(molecule) or count not in (2, 3):
            raise ValueError(f"molecules[{index}] must be (numbers, positions) or (numbers, positions, box)")
        numbers = read_integers(molecule[0], f"molecules[{index}]: numbers")
        positions = read_lengths(molecule[1], f"molecules[{index}]: positions")
        if positions.shape != (len(numbers), 3):
            raise ValueError(
                f"molecules[{index}]: positions has the shape {list(positions.shape)}; numbers asks for "
                f"[{len(numbers)}, 3]"
            )
        all_numbers.append(numbers)
        all_positions.append(positions)
        boxes.append(_box(molecule[2], f"molecules[{index}]: box") if count == 3 else None)
    if not all_numbers:
        return np.zeros(0, dtype=np.int64), np.zeros((0, 3)), np.zeros(1, dtype=np.int64), []
    offsets = np.concatenate([[0], np.cumsum([len(numbers) for numbers in all_numbers])])
    return np.concatenate(all_numbers), np.concatenate(all_positions), offsets, boxes
