# SPDX-License-Identifier: MIT
"""The same work in eager PyTorch: float32, hand-written network, forces by autograd, edges given."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING

import numpy as np

from .systems import BenchmarkSystem

if TYPE_CHECKING:
    from .. import PaiNNStudentModel

__all__ = ["TorchPeer", "find_pairs"]

# float32 arrays [edges, hidden] that autograd keeps alive in each block, about: to skip what would fill the memory.
ARRAYS_PER_BLOCK = 20


def find_pairs(positions: np.ndarray, cutoff: float, box: np.ndarray | None) -> tuple[np.ndarray, ...]:
    """Receivers [P], neighbours [P] and shifts [P, 3] of all ordered pairs closer than the cutoff, sorted by receiver.

    Parameters
    ----------
    positions : array [N, 3]
        nm.
    cutoff : float
        nm.
    box : array [3, 3] or None
        A box with right angles, at least twice the cutoff wide, nm.
    """
    from scipy.spatial import cKDTree

    edges = None if box is None else np.diag(box)
    home = positions if edges is None else positions - np.floor(positions / edges) * edges
    if edges is not None:
        home = np.where(home >= edges, 0.0, home)
    pairs = cKDTree(home, boxsize=edges).query_pairs(cutoff, output_type="ndarray")
    i, j = np.concatenate([pairs, pairs[:, ::-1]]).T
    order = np.lexsort((j, i))
    i, j = i[order], j[order]
    difference = positions[j] - positions[i]
    shifts = np.zeros_like(difference) if edges is None else -np.round(difference / edges) * edges
    return i, j, shifts


class TorchPeer:
    """Evaluates systems in eager PyTorch, alone or many in one batch.

    Parameters
    ----------
    model : PaiNNStudentModel
        The network; its weights go through a temporary file.
    cutoff : float
        nm.
    device : str
        "cpu" or "cuda".
    """

    def __init__(self, model: PaiNNStudentModel, cutoff: float, device: str = "cpu") -> None:
        import torch

        from ..torch_network import LENGTH_UNITS, PaiNNNetwork

        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "model.safetensors")
            with open(path, "wb") as file:
                file.write(model.getBytes())
            self.network = PaiNNNetwork.from_model_file(path, torch.float32).to(device)
        self.device, self.cutoff = device, cutoff
        self._unit = LENGTH_UNITS[self.network.metadata["length_unit"]]  # nm
        self._elements = {z: k for k, z in enumerate(self.network.metadata["elements"])}
        for parameter in self.network.parameters():
            parameter.requires_grad_(False)

    def bytes_needed(self, edges: int) -> float:
        """About what an evaluation keeps in memory, bytes."""
        metadata = self.network.metadata
        return 4.0 * ARRAYS_PER_BLOCK * metadata["hidden"] * metadata["blocks"] * edges

    def prepare(self, systems: list[BenchmarkSystem], frames: list[list[np.ndarray]]) -> int:
        """Set what evaluate() computes: frames[k] holds the positions [n, 3] (nm) of every system. The edges' number.

        Edges are those of the systems as they stand, found beforehand.
        """
        import torch

        counts = [len(system.numbers) for system in systems]
        starts = np.concatenate([[0], np.cumsum(counts)])
        pairs = [find_pairs(system.positions, self.cutoff, system.box) for system in systems]

        def tensor(array: np.ndarray, dtype: torch.dtype) -> torch.Tensor:
            return torch.as_tensor(array, dtype=dtype, device=self.device)

        numbers = np.concatenate([system.numbers for system in systems])
        self._elements_of = tensor(np.array([self._elements[int(z)] for z in numbers]), torch.int64)
        self._molecules = tensor(np.repeat(np.arange(len(systems)), counts), torch.int64)
        shifted = list(zip(pairs, starts[:-1], strict=True))
        self._receivers = tensor(np.concatenate([p[0] + start for p, start in shifted]), torch.int64)
        self._neighbours = tensor(np.concatenate([p[1] + start for p, start in shifted]), torch.int64)
        self._shifts = tensor(np.concatenate([p[2] for p in pairs]) / self._unit, torch.float32)
        self._frames = [tensor(np.concatenate(frame) / self._unit, torch.float32) for frame in frames]
        return len(self._receivers)

    def evaluate(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Energies [M] (kJ/mol) and forces [N, 3] (kJ/mol/nm) of a frame."""
        from ..torch_network import ENERGY_UNITS

        energies, forces = self.network.energies_and_forces(
            self._elements_of,
            self._frames[index % len(self._frames)],
            self._molecules,
            self._receivers,
            self._neighbours,
            self._shifts,
        )
        energy_unit = ENERGY_UNITS[self.network.metadata["energy_unit"]]
        return energies.cpu().numpy() * energy_unit, forces.cpu().numpy() * (energy_unit / self._unit)
