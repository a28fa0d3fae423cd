# SPDX-License-Identifier: MIT
"""Many frames through a network at once, in PyTorch: of one molecule, or of a whole set."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..torch_network import PaiNNNetwork
from .batched_network import energies_and_forces
from .batches import BatchShape, assemble, in_order
from .frame_set import FrameSet

__all__ = ["Topology", "predict", "predict_set"]


def predict_set(network: PaiNNNetwork, frames: FrameSet, count: int = 128) -> tuple[Tensor, Tensor]:
    """Energies and forces of all frames of a set, without atom references and repulsion, as the set's labels are.

    Parameters
    ----------
    network : PaiNNNetwork
        Of the canonical family; its precision is used.
    frames : FrameSet
        On the network's device.
    count : int
        About how many frames at once.

    Returns
    -------
    energies : tensor [F]
    forces : tensor [A, 3]
        In the order of the set.
    """
    shape = BatchShape.holding(frames, count)
    energies, forces = [], []
    for chosen in in_order(frames, shape):
        batch = assemble(frames, chosen, shape)
        e, f = energies_and_forces(network, batch)
        some = int((chosen < len(frames)).sum())
        energies.append(e[:some])
        forces.append(f[: int(batch.atoms.sum())])
    return torch.cat(energies), torch.cat(forces)


class Topology:
    """The edges of a batch that always holds the same molecules in the same order.

    Every ordered pair of atoms within a molecule is an edge: those beyond the cutoff add exactly nothing, and the list
    never changes, so it is made once and stays on the device.

    Parameters
    ----------
    molecules : sequence of tuples of int
        The atomic numbers of each molecule.
    elements : sequence of int
        The atomic numbers that the network knows, ascending.
    device : torch.device
        Where the tensors go.
    """

    def __init__(
        self, molecules: Sequence[tuple[int, ...]], elements: Sequence[int], device: torch.device | str = "cpu"
    ) -> None:
        index = {number: k for k, number in enumerate(elements)}
        sizes = np.array([len(numbers) for numbers in molecules])
        first = np.cumsum(sizes) - sizes
        pairs = {size: np.nonzero(~np.eye(size, dtype=bool)) for size in set(sizes.tolist())}

        def put(values: np.ndarray | list[int]) -> Tensor:
            return torch.as_tensor(np.asarray(values, dtype=np.int64), device=device)

        self.elements = put([index[number] for numbers in molecules for number in numbers])
        self.molecules = put(np.repeat(np.arange(len(molecules)), sizes))
        self.receivers = put(np.concatenate([pairs[n][0] + o for n, o in zip(sizes.tolist(), first, strict=True)]))
        self.neighbours = put(np.concatenate([pairs[n][1] + o for n, o in zip(sizes.tolist(), first, strict=True)]))
        self.sizes = put(sizes)


def predict(
    network: PaiNNNetwork, numbers: tuple[int, ...], positions: np.ndarray, batch: int = 128
) -> tuple[np.ndarray, np.ndarray]:
    """Energies and forces of frames of one molecule, with atom references and repulsion.

    Parameters
    ----------
    network : PaiNNNetwork
        Its precision and device are used.
    numbers : tuple of int [N]
        Atomic numbers.
    positions : array [F, N, 3]
        In the model's length unit.
    batch : int
        How many frames at once.

    Returns
    -------
    energies : float64 array [F]
    forces : float64 array [F, N, 3]
        In the model's units.
    """
    weight = network.embedding.weight
    shift = torch.zeros(3, dtype=weight.dtype, device=weight.device)
    energies, forces = [np.zeros(0)], [np.zeros((0, len(numbers), 3))]
    topology = None
    for start in range(0, len(positions), batch):
        part = positions[start : start + batch]
        if topology is None or len(topology.sizes) != len(part):
            topology = Topology([numbers] * len(part), network.metadata["elements"], weight.device)
        x = torch.as_tensor(np.asarray(part).reshape(-1, 3), dtype=weight.dtype, device=weight.device)
        edges = (topology.receivers, topology.neighbours, shift)
        e, f = network.energies_and_forces(topology.elements, x, topology.molecules, *edges)
        energies.append(e.double().cpu().numpy())
        forces.append(f.detach().double().cpu().numpy().reshape(part.shape))
    return np.concatenate(energies), np.concatenate(forces)
