# SPDX-License-Identifier: MIT
"""Made-up molecules for the tests of training."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from openmmpainn.distil.dataset import Frames
from openmmpainn.distil.molecules import Molecule

ELEMENTS = [1, 6, 7, 8, 9, 16, 17]


def random_frames(
    seed: int = 0, sizes: tuple[int, ...] = (1, 3, 7, 12, 12, 25), count: int = 4, nearest: float = 0.8
) -> dict[str, Frames]:
    """Frames of atoms at random, at least ``nearest`` angstrom apart, some beyond the cutoff; labels at random."""
    rng = np.random.default_rng(seed)
    frames = {}
    for k, size in enumerate(sizes):
        x = np.zeros((count, size, 3))
        for frame in x:
            for atom in range(1, size):
                while True:
                    frame[atom] = frame[rng.integers(atom)] + rng.normal(scale=1.5 * nearest, size=3)
                    if np.linalg.norm(frame[:atom] - frame[atom], axis=1).min() > nearest:
                        break
        numbers = tuple(int(z) for z in rng.choice(ELEMENTS, size))
        molecule = Molecule(f"m{k}", "", numbers, (), (12.0,) * size)
        temperatures = np.array([300.0, 500.0, -300.0, 800.0] * count)[:count]
        labels = rng.normal(size=count), rng.normal(size=x.shape).astype(np.float32)
        frames[f"m{k}"] = Frames(molecule, x.astype(np.float32), *labels, temperatures, np.arange(count))
    return frames


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Tensors are small in these tests, and other work may hold the other cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
