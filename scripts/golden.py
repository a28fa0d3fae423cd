# SPDX-License-Identifier: MIT
"""Golden data: random structures, and the text file that C++ and Python tests read them from.

One array a line: ``name dimensions... : values...``, numbers as the shortest text that gives the same double again. A
line ``frame title`` starts a structure. Lengths are in nm, energies in kJ/mol, forces in kJ/mol/nm; positions [N, 3],
box [3, 3] (absent in vacuum), elements [N] are indices into the model's elements.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

BOXES = {
    "vacuum": None,
    "cubic": np.diag([0.72, 0.72, 0.72]),
    "triclinic": np.array([[0.75, 0.0, 0.0], [0.2, 0.76, 0.0], [-0.3, 0.25, 0.78]]),
}
"""Box vectors as rows, nm, in OpenMM's reduced form."""


def random_structure(
    rng: np.random.Generator, count: int, num_elements: int, box: np.ndarray | None, closest: float = 0.09
) -> dict[str, np.ndarray]:
    """Elements and positions, no two atoms closer than `closest` nm; in a box, atoms lie in various images of it."""
    edge = 0.25 * (count / 5) ** (1 / 3)
    cells = np.array(np.meshgrid(*[[-1, 0, 1]] * 3), dtype=float).reshape(3, -1).T @ (
        np.zeros((3, 3)) if box is None else box
    )
    positions: list[np.ndarray] = []
    while len(positions) < count:
        x = rng.uniform(0, edge, 3) if box is None else rng.uniform(0, 1, 3) @ box
        if all(np.linalg.norm(x - y + cells, axis=1).min() >= closest for y in positions):
            positions.append(x)
    frame = {"elements": rng.integers(0, num_elements, count), "positions": np.array(positions)}
    if box is not None:
        frame["positions"] = frame["positions"] + rng.integers(-1, 2, (count, 3)) @ box
        frame["box"] = box
    return frame


def write_frames(path: str | os.PathLike[str], comment: str, frames: Mapping[str, Mapping[str, np.ndarray]]) -> None:
    """Write structures and results by title."""
    lines = [f"# {comment}"]
    for title, frame in frames.items():
        lines.append(f"frame {title}")
        for name, array in frame.items():
            array = np.asarray(array)
            values = " ".join(repr(value) for value in array.reshape(-1).tolist())
            lines.append(f"{name} {' '.join(map(str, array.shape))} : {values}")
    Path(path).write_text("\n".join(lines) + "\n")


def read_frames(path: str | os.PathLike[str]) -> dict[str, dict[str, np.ndarray]]:
    """Read what write_frames() wrote; float64 arrays."""
    frames: dict[str, dict[str, np.ndarray]] = {}
    for line in Path(path).read_text().splitlines():
        if line.startswith("#"):
            continue
        if line.startswith("frame "):
            frame = frames[line.removeprefix("frame ")] = {}
            continue
        head, values = line.split(":")
        name, *shape = head.split()
        frame[name] = np.array(values.split(), dtype=np.float64).reshape([int(n) for n in shape])
    return frames
