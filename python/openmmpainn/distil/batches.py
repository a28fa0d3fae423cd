# SPDX-License-Identifier: MIT
"""Batches of molecules of any size whose tensors all have the same shapes, so that a step can be one CUDA graph."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .frame_set import FrameSet
from .messages import Graph

__all__ = ["Batch", "BatchShape", "assemble", "draw_epoch", "in_order"]


@dataclass(frozen=True)
class BatchShape:
    """How much fits: M frames, N atoms, P edges."""

    frames: int
    atoms: int
    edges: int

    @classmethod
    def holding(cls, frames: FrameSet, count: int) -> BatchShape:
        """Room for about ``count`` average frames, and at least for the largest one."""
        atoms, edges = frames.atoms[:-1].double(), frames.edges[:-1].double()

        def room(sizes: Tensor) -> int:
            return -(-max(int(count * float(sizes.mean())), int(sizes.max())) // 32) * 32

        return cls(int(1.4 * count) + 1, room(atoms), room(1.02 * edges))


@dataclass
class Batch:
    """Frames of a batch; N atoms and P edges including padding.

    Attributes
    ----------
    positions, forces : tensors [N, 3]
    elements, molecules : int64 tensors [N]
        Padding atoms belong to the molecule M.
    graph : Graph
    shifts : tensor [P, 1]
        0, and for padding edges a distance beyond the cutoff.
    energies, weights, atoms : tensors [M]
        Missing frames have the weight 0 and no atom.
    atom_weights : tensor [N]
        The weight of the atom's frame; 0 for padding.
    """

    positions: Tensor
    forces: Tensor
    elements: Tensor
    molecules: Tensor
    graph: Graph
    shifts: Tensor
    energies: Tensor
    weights: Tensor
    atoms: Tensor
    atom_weights: Tensor


def assemble(frames: FrameSet, chosen: Tensor, shape: BatchShape) -> Batch:
    """Gather the chosen frames, int64 tensor [M]; ``len(frames)`` stands for none. No shape depends on the choice."""
    atoms, edges = frames.atoms[chosen], frames.edges[chosen]
    atom_end, edge_end = atoms.cumsum(0), edges.cumsum(0)
    # The last entries stand for padding.
    ends = len(chosen)
    first_atom = torch.cat([frames.first_atom[chosen] - atom_end + atoms, atoms.new_zeros(1)])
    first_edge = torch.cat([frames.first_edge[chosen] - edge_end + edges, edges.new_zeros(1)])

    place = torch.arange(shape.atoms, device=chosen.device)
    molecules = torch.searchsorted(atom_end, place, right=True)
    source = torch.where(molecules < ends, first_atom[molecules] + place, len(frames.elements) - 1)

    edge = torch.arange(shape.edges, device=chosen.device)
    owner = torch.searchsorted(edge_end, edge, right=True)
    real = owner < ends
    edge_source = torch.where(real, first_edge[owner] + edge, len(frames.receivers) - 1)
    start = torch.cat([atom_end - atoms, atoms.new_full((1,), shape.atoms - 1)])[owner]
    edge_start = torch.cat([edge_end - edges, edges.new_zeros(1)])[owner]
    degrees = frames.degrees[source]
    rows = torch.cat([degrees.new_zeros(1), degrees.cumsum(0, dtype=torch.int32)])
    graph = Graph(
        start + frames.receivers[edge_source],
        start + frames.neighbours[edge_source],
        rows,
        torch.where(real, edge_start + frames.reverse[edge_source], edge).int(),
    )
    weights = frames.weights[chosen]
    return Batch(
        frames.positions[source],
        frames.forces[source],
        frames.elements[source],
        molecules,
        graph,
        2 * frames.cutoff * (~real)[:, None].float(),
        frames.energies[chosen],
        weights,
        atoms,
        torch.cat([weights, weights.new_zeros(1)])[molecules],
    )


def _fill(order: np.ndarray, atoms: np.ndarray, edges: np.ndarray, shape: BatchShape, none: int) -> np.ndarray:
    """Cut an order of frames into batches that fit, [B, M]."""
    atom_sum, edge_sum = (np.concatenate([[0], np.cumsum(sizes[order])]) for sizes in (atoms, edges))
    rows, begin = [], 0
    while begin < len(order):
        end = min(
            int(np.searchsorted(atom_sum, atom_sum[begin] + shape.atoms, side="right")) - 1,
            int(np.searchsorted(edge_sum, edge_sum[begin] + shape.edges, side="right")) - 1,
            begin + shape.frames,
        )
        row = np.full(shape.frames, none)
        row[: end - begin] = order[begin:end]
        rows.append(row)
        begin = end
    return np.array(rows)


def draw_epoch(frames: FrameSet, shape: BatchShape, rng: np.random.Generator) -> Tensor:
    """Each frame once, in a random order; int64 tensor [B, M] on the device, filled up with ``len(frames)``.

    The last batch, which may be nearly empty, is left out unless it is the only one.
    """
    rows = in_order(frames, shape, rng.permutation(len(frames)))
    return rows[:-1] if len(rows) > 1 else rows


def in_order(frames: FrameSet, shape: BatchShape, order: np.ndarray | None = None) -> Tensor:
    """Frames in the given order (all of them, unless given) as batches, like draw_epoch()."""
    atoms, edges = frames.atoms.cpu().numpy(), frames.edges.cpu().numpy()
    order = np.arange(len(frames)) if order is None else order
    return torch.as_tensor(_fill(order, atoms, edges, shape, len(frames)), device=frames.device)
