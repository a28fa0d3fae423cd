# SPDX-License-Identifier: MIT
"""A canonical network on a batch: the same numbers as torch_network.py gives, in fewer and larger operations.

Everything here can be differentiated twice, and nothing depends on values for its shape.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import linear, silu

from ..torch_network import Block, PaiNNNetwork, cutoff_value
from .batches import Batch
from .messages import partial

__all__ = ["atom_energies", "energies_and_forces"]

_WIDTH = 8  # columns of the basis are filled up to a multiple, which matrix units like


def _edge_terms(network: PaiNNNetwork, x: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
    """w [P, 4], 1 and the direction; and the basis [P, K'] times the cutoff function, then the latter, then zeros."""
    i, j = batch.graph.receivers, batch.graph.neighbours
    r = x.index_select(0, j) - x.index_select(0, i) + batch.shifts
    d = r.square().sum(dim=1).sqrt()
    fc = cutoff_value(network.metadata["cutoff_function"], d / network.cutoff)[:, None]
    phi = network.basis(d) * fc
    columns = -(phi.shape[1] + 1) % _WIDTH
    w = torch.cat([torch.ones_like(fc), r / d[:, None]], dim=1)
    return w, torch.cat([phi, fc, fc.new_zeros(len(fc), columns)], dim=1)


def _rows(x: Tensor, count: int) -> Tensor:
    """The first rows; all of them without a slice, whose derivative would be a copy."""
    return x if count == len(x) else x[:count]


def _filters(block: Block, basis: Tensor, parts: int) -> Tensor:
    """f [P, parts, H]; the bias is the weight of the basis' column that holds the cutoff function."""
    layer = block.filter[0]
    H = layer.out_features // 3
    weight, bias = _rows(layer.weight, parts * H), _rows(layer.bias, parts * H)[:, None]
    zeros = weight.new_zeros(len(weight), basis.shape[1] - weight.shape[1] - 1)
    return linear(basis, torch.cat([weight, bias, zeros], dim=1)).reshape(len(basis), parts, H)


def _two_layers(layers: torch.nn.ModuleList, x: Tensor, rows: int) -> Tensor:
    """A network of two layers of which only the first outputs are wanted."""
    first, second = layers
    return linear(silu(first(x)), _rows(second.weight, rows), _rows(second.bias, rows))


def atom_energies(network: PaiNNNetwork, x: Tensor, batch: Batch) -> Tensor:
    """The energy of each atom [N] without atom references and repulsion at positions x [N, 3]."""
    H = network.embedding.weight.shape[1]
    w, basis = _edge_terms(network, x, batch)
    # A product, whose derivative adds in a fixed order.
    kinds = torch.arange(len(network.embedding.weight), device=x.device)
    s = (batch.elements[:, None] == kinds).to(x.dtype) @ network.embedding.weight
    v: Tensor | None = None
    for number, block in enumerate(network.blocks):
        parts = 2 if v is None else 3  # vectors are 0 before the first block
        g = _two_layers(block.context, s, parts * H).reshape(len(s), parts, H)
        if v is not None:
            others, of_vectors = g.split([2, 1], dim=1)
            g = torch.cat([others, v * of_vectors], dim=1)
        ds, dv = partial("q", batch.graph, w, _filters(block, basis, parts), g).split([1, 3], dim=1)
        s = s + ds.squeeze(1)
        v = dv if v is None else v + dv
        last = number == len(network.blocks) - 1
        V, W = linear(v, block.vector_mix.weight).chunk(2, dim=-1)
        norm = (V.square().sum(dim=1) + block.norm_epsilon).sqrt()
        update = _update(block, torch.cat([s, norm], dim=-1), last)
        s = s + update[0] + update[1] * (V * W).sum(dim=1)
        if not last:
            v = v + W * update[2][:, None]
    hidden = s
    for layer in network.readout[:-1]:
        hidden = silu(layer(hidden))
    return network.readout[-1](hidden)[:, 0]


def _update(block: Block, x: Tensor, last: bool) -> tuple[Tensor, ...]:
    """p, h, g of F6; g reaches no energy in the last block."""
    first, second = block.update
    x = silu(first(x))
    if not last:
        p, g, h = second(x).chunk(3, dim=-1)
        return p, h, g
    H = second.out_features // 3
    weight = torch.cat([second.weight[:H], second.weight[2 * H :]])
    return linear(x, weight, torch.cat([second.bias[:H], second.bias[2 * H :]])).chunk(2, dim=-1)


def energies_and_forces(network: PaiNNNetwork, batch: Batch, create_graph: bool = False) -> tuple[Tensor, Tensor]:
    """Energies [M] and forces [N, 3] without references and repulsion, in the units of the model.

    Parameters
    ----------
    network : PaiNNNetwork
        Of the canonical family.
    batch : Batch
        What for.
    create_graph : bool
        Whether the results can be differentiated, for training.

    Raises
    ------
    ValueError
        If the network is of another family or uses what this does not know.
    """
    if network.metadata["family"] != "canonical" or network.metadata.get("envelope") is not None:
        raise ValueError("a batch needs a network of the canonical family without an envelope")
    x = batch.positions.detach().to(network.embedding.weight.dtype).requires_grad_(True)
    atoms = atom_energies(network, x, batch)
    energies = atoms.new_zeros(len(batch.atoms) + 1).index_add(0, batch.molecules, atoms)[:-1]
    (gradient,) = torch.autograd.grad(energies.sum(), x, create_graph=create_graph)
    return (energies, -gradient) if create_graph else (energies.detach(), -gradient)
