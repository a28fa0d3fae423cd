# SPDX-License-Identifier: MIT
"""The same work in eager PyTorch: float32, hand-written network, forces by autograd, edges given."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

import numpy as np

from ..modelfile import parse_model
from .systems import BenchmarkSystem

if TYPE_CHECKING:
    import torch

    from .. import PaiNNStudentModel

__all__ = ["TorchPeer", "failure", "find_pairs"]

# float32 arrays [edges, hidden] that autograd keeps alive in each block, about: to skip what would fill the memory.
ARRAYS_PER_BLOCK = 20


def find_pairs(positions: np.ndarray, cutoff: float, box: np.ndarray | None) -> tuple[np.ndarray, ...]:
    """Receivers [P], neighbours [P] and shifts [P, 3] of all ordered pairs closer than the cutoff, sorted by receiver.

    Parameters
    ----------
    positions : array [N, 3]
        nm.
    cutoff : float
        nm; infinite for all pairs, in vacuum.
    box : array [3, 3] or None
        A box with right angles, at least twice the cutoff wide, nm.
    """
    edges = None if box is None else np.diag(box)
    try:
        from scipy.spatial import cKDTree
    except ImportError:
        i, j = _pairs_by_rows(positions, cutoff, edges)
    else:
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


def _pairs_by_rows(positions: np.ndarray, cutoff: float, edges: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Receivers [P] and neighbours [P] as of find_pairs(), by trying every pair; edges [3] are those of the box, nm."""
    found, rows = [], max(1, 2**22 // len(positions))
    for start in range(0, len(positions), rows):
        difference = positions[None] - positions[start : start + rows, None]
        if edges is not None:
            difference -= np.round(difference / edges) * edges
        i, j = np.nonzero((difference**2).sum(axis=2) < cutoff**2)
        found.append(np.array([i + start, j])[:, i + start != j])
    i, j = np.concatenate(found, axis=1)
    return i, j


def failure(error: Exception) -> str:
    """What an error in PyTorch says, in one line; memory that PyTorch holds for nothing goes back to the GPU."""
    import torch

    traceback.clear_frames(error.__traceback__)  # whose variables would keep their tensors
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:200].rstrip(".")


class TorchPeer:
    """Evaluates systems in eager PyTorch, alone or many in one batch.

    Parameters
    ----------
    model : PaiNNStudentModel
        The network.
    cutoff : float
        nm.
    device : str
        "cpu" or "cuda".
    """

    def __init__(self, model: PaiNNStudentModel, cutoff: float, device: str = "cpu") -> None:
        import torch

        from ..torch_network import LENGTH_UNITS, PaiNNNetwork

        self.network = PaiNNNetwork(*parse_model(model.getBytes())).to(device, torch.float32)
        self.device, self.cutoff = device, cutoff
        self._unit = LENGTH_UNITS[self.network.metadata["length_unit"]]  # nm
        self._elements = {z: k for k, z in enumerate(self.network.metadata["elements"])}
        for parameter in self.network.parameters():
            parameter.requires_grad_(False)

    def bytes_needed(self, edges: int) -> float:
        """About what an evaluation keeps in memory, bytes."""
        metadata = self.network.metadata
        return 4.0 * ARRAYS_PER_BLOCK * metadata["hidden"] * metadata["blocks"] * edges

    def prepare(
        self, systems: list[BenchmarkSystem], frames: list[list[np.ndarray]], cutoff: float | None = None
    ) -> int:
        """Set what evaluate() computes, and find the edges of the systems as they stand.

        Parameters
        ----------
        systems : list of BenchmarkSystem
            M of them, N atoms together.
        frames : list of list of array [n, 3]
            frames[k] holds the positions (nm) of every system.
        cutoff : float, optional
            Of the edges, nm, if it is not the network's: longer ones are for compute_within_cutoff().

        Returns
        -------
        int
            The number of edges.
        """
        import torch

        counts = [len(system.numbers) for system in systems]
        starts = np.concatenate([[0], np.cumsum(counts)])
        pairs = [find_pairs(system.positions, cutoff or self.cutoff, system.box) for system in systems]

        def tensor(array: np.ndarray, dtype: torch.dtype) -> torch.Tensor:
            return torch.as_tensor(array, dtype=dtype, device=self.device)

        numbers = np.concatenate([system.numbers for system in systems])
        self._molecules = len(systems)
        self._elements_of = tensor(np.array([self._elements[int(z)] for z in numbers]), torch.int64)
        self._molecule_of = tensor(np.repeat(np.arange(len(systems)), counts), torch.int64)
        shifted = list(zip(pairs, starts[:-1], strict=True))
        self._receivers = tensor(np.concatenate([p[0] + start for p, start in shifted]), torch.int64)
        self._neighbours = tensor(np.concatenate([p[1] + start for p, start in shifted]), torch.int64)
        self._shifts = tensor(np.concatenate([p[2] for p in pairs]) / self._unit, torch.float32)
        self.frames = [self.to_tensor(np.concatenate(frame)) for frame in frames]
        return len(self._receivers)

    def to_tensor(self, positions: np.ndarray) -> torch.Tensor:
        """Positions [N, 3] (nm) on the device, float32 [N, 3] in the model's unit."""
        import torch

        return torch.as_tensor(positions / self._unit, dtype=torch.float32, device=self.device)

    def compute_within_cutoff(self, positions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """As compute(), with those of the edges that are shorter than the cutoff at these positions."""
        every = self._receivers, self._neighbours, self._shifts
        vectors = positions[self._neighbours] - positions[self._receivers] + self._shifts
        within = vectors.norm(dim=1) < self.cutoff / self._unit
        self._receivers, self._neighbours, self._shifts = (part[within] for part in every)
        try:
            return self.compute(positions)
        finally:
            self._receivers, self._neighbours, self._shifts = every

    def compute(self, positions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Energies, float64 [M], and forces, float32 [N, 3], at positions [N, 3], all on the device in model units."""
        return self.network.energies_and_forces(
            self._elements_of,
            positions,
            self._molecule_of,
            self._receivers,
            self._neighbours,
            self._shifts,
            num_molecules=self._molecules,
        )

    def energy(self, positions: torch.Tensor) -> torch.Tensor:
        """The energy of all molecules, float64 (kJ/mol), at positions [N, 3] (nm) on the device; differentiable."""
        import torch

        from ..torch_network import ENERGY_UNITS

        energies = self.network(
            self._elements_of,
            positions.to(torch.float32) / self._unit,
            self._molecule_of,
            self._receivers,
            self._neighbours,
            self._shifts,
            num_molecules=self._molecules,
        )
        return energies.sum() * ENERGY_UNITS[self.network.metadata["energy_unit"]]

    def to_arrays(self, energies: torch.Tensor, forces: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
        """What compute() gives, as arrays: energies [M] (kJ/mol) and forces [N, 3] (kJ/mol/nm)."""
        from ..torch_network import ENERGY_UNITS

        energy_unit = ENERGY_UNITS[self.network.metadata["energy_unit"]]
        return energies.cpu().numpy() * energy_unit, forces.cpu().numpy() * (energy_unit / self._unit)

    def evaluate(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Energies [M] (kJ/mol) and forces [N, 3] (kJ/mol/nm) of a frame."""
        return self.to_arrays(*self.compute(self.frames[index % len(self.frames)]))
