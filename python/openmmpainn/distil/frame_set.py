# SPDX-License-Identifier: MIT
"""Frames of many molecules as flat tensors on a device, with their edges, ready to be drawn from.

F frames, A atoms of all frames, E directed edges within the cutoff; one empty frame and one atom of padding follow.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from ..torch_network import PaiNNNetwork
from .dataset import Frames

__all__ = ["FrameSet"]

_PAIRS = 4_000_000  # pairs of atoms looked at at once


class FrameSet:
    """Positions, labels and edges of frames, sorted by the size of the molecule.

    Parameters
    ----------
    frames : iterable of Frames
        At most 255 atoms each.
    network : PaiNNNetwork
        Its cutoff, elements, atom references and repulsion; the latter two are taken off the labels, since the network
        need not learn them.
    device : torch.device
        Where the tensors go.
    distorted_weight : float
        The weight of distorted frames in a loss; that of others is 1.

    Attributes
    ----------
    positions, forces : float32 tensors [A + 1, 3]
        angstrom, eV/angstrom (without the repulsion).
    elements : int64 tensor [A + 1]
        Index into the network's elements.
    degrees : int32 tensor [A + 1]
        How many neighbours an atom has.
    energies, weights : float32 tensors [F + 1]
        eV (without references and repulsion); the empty frame has the weight 0.
    first_atom, first_edge, atoms, edges : int64 tensors [F + 1]
        Where those of a frame begin, and how many there are.
    receivers, neighbours, reverse : uint8, uint8, int16 tensors [E + 1]
        Counted from the first atom, or edge, of the frame.
    temperatures, molecules : arrays [F]
        K (negative for distorted frames), and which Frames a frame is of.
    order : int64 array [F]
        The frames' places in the given order.
    """

    def __init__(
        self,
        frames: Iterable[Frames],
        network: PaiNNNetwork,
        device: torch.device | str = "cpu",
        distorted_weight: float = 1.0,
    ) -> None:
        given = list(frames)
        sizes = np.array([len(each.molecule.numbers) for each in given])
        if sizes.max() > 255:
            raise ValueError(
                f"molecule {given[int(sizes.argmax())].molecule.name!r} has {sizes.max()} atoms, not <= 255"
            )
        self.cutoff, self.device = network.cutoff, torch.device(device)
        places = np.cumsum([0] + [len(each) for each in given])
        parts: list[tuple[Tensor, ...]] = []
        order, molecules = [], []
        for size in np.unique(sizes):
            chosen = [k for k in np.flatnonzero(sizes == size) if len(given[k])]
            for some in _pieces(chosen, [len(given[k]) for k in chosen], _PAIRS // int(size) ** 2):
                parts.append(self._piece([given[k] for k in some], network))
                order += [np.arange(places[k], places[k + 1]) for k in some]
                molecules += [np.full(len(given[k]), k) for k in some]
        self.order, self.molecules = np.concatenate(order), np.concatenate(molecules)
        joined = [torch.cat([part[k] for part in parts]) for k in range(len(parts[0]))]
        x, f, elements, degrees, energies, atoms, edges, receivers, neighbours, reverse = joined
        self.temperatures = np.concatenate([each.temperatures for each in given])[self.order]
        weights = torch.as_tensor(np.where(self.temperatures < 0, distorted_weight, 1.0), dtype=torch.float32)

        def pad(values: Tensor) -> Tensor:
            return torch.cat([values, values.new_zeros(1, *values.shape[1:])])

        self.positions, self.forces, self.elements, self.degrees = pad(x), pad(f), pad(elements), pad(degrees)
        self.energies, self.weights = pad(energies), pad(weights.to(self.device))
        self.atoms, self.edges = pad(atoms), pad(edges)
        self.first_atom, self.first_edge = (torch.cumsum(n, 0) - n for n in (self.atoms, self.edges))
        self.receivers, self.neighbours, self.reverse = pad(receivers), pad(neighbours), pad(reverse)

    def __len__(self) -> int:
        return len(self.order)

    def checksum(self) -> int:
        """A number that tells sets of other frames apart."""
        return zlib.crc32(self.positions.cpu().numpy().tobytes())

    def _piece(self, given: list[Frames], network: PaiNNNetwork) -> tuple[Tensor, ...]:
        """The tensors of frames of molecules of one size N; G frames."""
        index = {number: k for k, number in enumerate(network.metadata["elements"])}
        x64 = torch.as_tensor(np.concatenate([each.positions for each in given]), device=self.device).double()
        kinds = np.array([[index[number] for number in each.molecule.numbers] for each in given])
        elements = torch.as_tensor(np.repeat(kinds, [len(each) for each in given], axis=0), device=self.device)
        forces = torch.as_tensor(np.concatenate([each.forces for each in given]), device=self.device).double()
        energies = torch.as_tensor(np.concatenate([each.energies for each in given]), device=self.device).double()
        N = x64.shape[1]
        near = ((x64[:, None] - x64[:, :, None]).square().sum(dim=-1) < self.cutoff**2) & ~torch.eye(
            N, dtype=torch.bool, device=self.device
        )
        frame, i, j = near.nonzero(as_tuple=True)
        rank = near.reshape(len(near), -1).cumsum(dim=1).reshape(near.shape) - 1  # of an edge in its frame
        x64.requires_grad_(True)
        fixed = network.atom_references(elements.reshape(-1)).reshape(elements.shape).sum(dim=1)
        if network.repulsion is not None:
            d = (x64[frame, j] - x64[frame, i]).norm(dim=-1)
            pairs = network.repulsion(elements[frame, i], elements[frame, j], d)
            (gradient,) = torch.autograd.grad(pairs.sum(), x64)
            forces = forces + gradient
            fixed = fixed.index_add(0, frame, pairs.detach())
        counts = torch.full((len(near),), N, device=self.device)
        return (
            x64.detach().float().reshape(-1, 3),
            forces.float().reshape(-1, 3),
            elements.reshape(-1),
            near.sum(dim=2).int().reshape(-1),
            (energies - fixed).float(),
            counts,
            near.sum(dim=(1, 2)),
            i.to(torch.uint8),
            j.to(torch.uint8),
            rank[frame, j, i].to(torch.int32),
        )


def _pieces(chosen: list[int], counts: list[int], most: int) -> list[list[int]]:
    """Runs of molecules of together about ``most`` frames."""
    pieces: list[list[int]] = []
    total = most
    for k, count in zip(chosen, counts, strict=True):
        if total + count > most:
            pieces.append([])
            total = 0
        pieces[-1].append(k)
        total += count
    return pieces
