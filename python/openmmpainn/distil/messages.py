# SPDX-License-Identifier: MIT
"""The messages of a canonical block as one operation that can be differentiated as often as one likes.

With i the receiver and j the neighbour of edge e, x = 1, 2, 3 and all H channels alike,

    S = sum_e  w_e0 f_e0 g_j0 q_i0  +  sum_x (w_ex f_e1 g_j1 + w_e0 f_e2 g_j(1+x)) q_ix

is linear in each of w [P, 4] (1 and the direction of the edge), f [P, 3, H] (filters), g [N, 5, H] (what the neighbour
sends) and q [N, 4, H]. The messages are dS/dq. The derivative of one of the four partial derivatives of S is made of
the other three, so four kernels are all that forces and the gradient of a loss of forces need. No kernel adds with
atomics: the graph holds every edge in both directions, sorted by receiver.

In the first block all vectors are 0; f [P, 2, H] and g [N, 2, H] then lack their last parts.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

try:  # kernels for a GPU; without them PyTorch's own operations do the same
    from . import messages_triton
except ImportError:
    messages_triton = None

__all__ = ["Graph", "contract", "partial"]

_NAMES = "wfgq"


class Graph(NamedTuple):
    """Directed edges, sorted by receiver; those past the last row are padding.

    Attributes
    ----------
    receivers, neighbours : int64 tensors [P]
        Atoms.
    rows : int32 tensor [N + 1]
        The edges of receiver i are ``rows[i]`` to ``rows[i + 1]`` - 1.
    reverse : int32 tensor [P]
        The same edge in the other direction.
    """

    receivers: Tensor
    neighbours: Tensor
    rows: Tensor
    reverse: Tensor


def contract(missing: str, graph: Graph, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """dS/d(missing) from the other three in the order w, f, g, q, by PyTorch's own operations.

    Padding edges must have f = 0 where f is given.
    """
    given = dict(zip(_NAMES.replace(missing, ""), (a, b, c), strict=True))
    i, j = graph.receivers, graph.neighbours
    if "g" in given:
        g = given["g"].index_select(0, j)
        g0, g1, gv = g[:, 0], g[:, 1], g[:, 2:]
    if "q" in given:
        q = given["q"].index_select(0, i)
        q0, qv = q[:, 0], q[:, 1:]
    if "f" in given:
        f0, f1, f2 = given["f"][:, 0], given["f"][:, 1], given["f"][:, 2:]  # f2: [P, 0 or 1, H]
    if "w" in given:
        w0, u = given["w"][:, :1], given["w"][:, 1:, None]
    vectors = (given["g"].shape[1] == 5) if "g" in given else (given["f"].shape[1] == 3)
    if missing == "q":
        vector = u * (f1 * g1)[:, None]
        if vectors:
            vector = vector + w0[:, :, None] * f2 * gv
        edges = torch.cat([(w0 * f0 * g0)[:, None], vector], dim=1)
        return edges.new_zeros(len(given["g"]), *edges.shape[1:]).index_add(0, i, edges)
    if missing == "g":
        parts = [(w0 * f0 * q0)[:, None], (f1 * (u * qv).sum(dim=1))[:, None]]
        edges = torch.cat([*parts, w0[:, :, None] * f2 * qv] if vectors else parts, dim=1)
        return edges.new_zeros(len(given["q"]), *edges.shape[1:]).index_add(0, j, edges)
    if missing == "f":
        parts = [w0 * g0 * q0, g1 * (u * qv).sum(dim=1)]
        return torch.stack([*parts, w0 * (gv * qv).sum(dim=1)] if vectors else parts, dim=1)
    first = f0 * g0 * q0
    if vectors:
        first = first + f2[:, 0] * (gv * qv).sum(dim=1)
    return torch.cat([first.sum(dim=1, keepdim=True), ((f1 * g1)[:, None] * qv).sum(dim=2)], dim=1)


def _needed(ctx: Any) -> list[bool]:
    """Which of the three derivatives lead to what is asked for; a loss's gradient, for one, needs none by w."""
    leads = getattr(torch._C, "_will_engine_execute_node", lambda _: True)
    nodes = [node for node, _ in ctx.next_functions]
    if len(nodes) != 3:  # PyTorch lists the tensors alone
        return list(ctx.needs_input_grad[2:])
    return [
        wanted and (node is None or leads(node)) for wanted, node in zip(ctx.needs_input_grad[2:], nodes, strict=True)
    ]


class _Partial(torch.autograd.Function):
    """partial() with its derivative."""

    @staticmethod
    def forward(ctx: Any, missing: str, graph: Graph, *given: Tensor) -> Tensor:
        ctx.missing, ctx.graph = missing, graph
        ctx.save_for_backward(*given)
        if messages_triton is not None and messages_triton.usable(given):
            return messages_triton.contract(missing, graph, *given)
        return contract(missing, graph, *given)

    @staticmethod
    def backward(ctx: Any, adjoint: Tensor) -> tuple[Tensor | None, ...]:
        names = _NAMES.replace(ctx.missing, "")
        values = dict(zip(names, ctx.saved_tensors, strict=True))
        values[ctx.missing] = adjoint.contiguous()
        gradients = [
            _Partial.apply(name, ctx.graph, *(values[n] for n in _NAMES if n != name)) if needed else None
            for name, needed in zip(names, _needed(ctx), strict=True)
        ]
        return (None, None, *gradients)


def partial(missing: str, graph: Graph, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """dS/d(missing) from the other three in the order w, f, g, q; can be differentiated again and again.

    Parameters
    ----------
    missing : str
        "q" gives the messages that each atom receives.
    graph : Graph
        The edges; what a padding edge holds in f must be 0, and what it gets is of no meaning.
    a, b, c : tensors
        As in the text above.
    """
    return _Partial.apply(missing, graph, a.contiguous(), b.contiguous(), c.contiguous())
