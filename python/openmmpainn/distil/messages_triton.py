# SPDX-License-Identifier: MIT
"""The four contractions of messages.py as Triton kernels: one pass over the filters each, no atomics.

Importing this fails where Triton is not installed. With ``TRITON_INTERPRET=1`` the kernels run on the CPU, for tests.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import torch
import triton
import triton.language as tl
from torch import Tensor

if TYPE_CHECKING:
    from .messages import Graph

__all__ = ["contract", "enabled", "usable"]

enabled = True
"""False makes messages.py use PyTorch's own operations on a GPU as well."""


def usable(given: tuple[Tensor, ...]) -> bool:
    """Whether these tensors can be given to the kernels."""
    where = given[0].is_cuda or os.environ.get("TRITON_INTERPRET") == "1"
    return enabled and where and all(x.dtype == torch.float32 for x in given)


@triton.jit
def _to_atoms(
    w,
    f,
    other,
    rows,
    neighbours,
    reverse,
    out,
    H: tl.constexpr,
    BLOCK: tl.constexpr,
    V: tl.constexpr,
    BACK: tl.constexpr,
):
    """BACK false: q [N, 4, H] of each receiver, other = g. BACK true: g of each neighbour, other = q.

    The edges towards a neighbour are the reverse of its own, so that both go over the edges of one row.
    """
    atom = tl.program_id(0)
    h = tl.arange(0, BLOCK)
    inside = h < H
    F: tl.constexpr = 3 if V else 2
    G: tl.constexpr = 5 if V else 2
    FAR: tl.constexpr = 4 if BACK else G
    a0 = tl.zeros((BLOCK,), dtype=tl.float32)
    a1 = tl.zeros((BLOCK,), dtype=tl.float32)
    a2 = tl.zeros((BLOCK,), dtype=tl.float32)
    a3 = tl.zeros((BLOCK,), dtype=tl.float32)
    a4 = tl.zeros((BLOCK,), dtype=tl.float32)
    for own in range(tl.load(rows + atom), tl.load(rows + atom + 1)):
        far = tl.load(neighbours + own)
        edge = own
        if BACK:
            edge = tl.load(reverse + own)
        w0 = tl.load(w + edge * 4)
        w1 = tl.load(w + edge * 4 + 1)
        w2 = tl.load(w + edge * 4 + 2)
        w3 = tl.load(w + edge * 4 + 3)
        fe = f + edge * (F * H) + h
        oe = other + far * (FAR * H) + h
        f0 = tl.load(fe, mask=inside, other=0.0)
        f1 = tl.load(fe + H, mask=inside, other=0.0)
        o0 = tl.load(oe, mask=inside, other=0.0)
        o1 = tl.load(oe + H, mask=inside, other=0.0)
        if BACK:
            o2 = tl.load(oe + 2 * H, mask=inside, other=0.0)
            o3 = tl.load(oe + 3 * H, mask=inside, other=0.0)
            a0 += w0 * f0 * o0
            a1 += f1 * (w1 * o1 + w2 * o2 + w3 * o3)
            if V:
                f2 = w0 * tl.load(fe + 2 * H, mask=inside, other=0.0)
                a2 += f2 * o1
                a3 += f2 * o2
                a4 += f2 * o3
        else:
            c = f1 * o1
            a0 += w0 * f0 * o0
            a1 += w1 * c
            a2 += w2 * c
            a3 += w3 * c
            if V:
                f2 = w0 * tl.load(fe + 2 * H, mask=inside, other=0.0)
                a1 += f2 * tl.load(oe + 2 * H, mask=inside, other=0.0)
                a2 += f2 * tl.load(oe + 3 * H, mask=inside, other=0.0)
                a3 += f2 * tl.load(oe + 4 * H, mask=inside, other=0.0)
    D: tl.constexpr = G if BACK else 4
    to = out + atom * (D * H) + h
    tl.store(to, a0, mask=inside)
    tl.store(to + H, a1, mask=inside)
    if D > 2:
        tl.store(to + 2 * H, a2, mask=inside)
        tl.store(to + 3 * H, a3, mask=inside)
    if D > 4:
        tl.store(to + 4 * H, a4, mask=inside)


@triton.jit
def _to_edges(
    x, g, q, receivers, neighbours, out, H: tl.constexpr, BLOCK: tl.constexpr, V: tl.constexpr, FILTER: tl.constexpr
):
    """FILTER true: f [P, 2 or 3, H], x = w. FILTER false: w [P, 4], x = f."""
    edge = tl.program_id(0)
    h = tl.arange(0, BLOCK)
    inside = h < H
    F: tl.constexpr = 3 if V else 2
    G: tl.constexpr = 5 if V else 2
    ge = g + tl.load(neighbours + edge) * (G * H) + h
    qe = q + tl.load(receivers + edge) * (4 * H) + h
    g0 = tl.load(ge, mask=inside, other=0.0)
    g1 = tl.load(ge + H, mask=inside, other=0.0)
    q0 = tl.load(qe, mask=inside, other=0.0)
    q1 = tl.load(qe + H, mask=inside, other=0.0)
    q2 = tl.load(qe + 2 * H, mask=inside, other=0.0)
    q3 = tl.load(qe + 3 * H, mask=inside, other=0.0)
    gq = tl.zeros((BLOCK,), dtype=tl.float32)
    if V:
        gq += tl.load(ge + 2 * H, mask=inside, other=0.0) * q1
        gq += tl.load(ge + 3 * H, mask=inside, other=0.0) * q2
        gq += tl.load(ge + 4 * H, mask=inside, other=0.0) * q3
    if FILTER:
        w0 = tl.load(x + edge * 4)
        w1 = tl.load(x + edge * 4 + 1)
        w2 = tl.load(x + edge * 4 + 2)
        w3 = tl.load(x + edge * 4 + 3)
        to = out + edge * (F * H) + h
        tl.store(to, w0 * g0 * q0, mask=inside)
        tl.store(to + H, g1 * (w1 * q1 + w2 * q2 + w3 * q3), mask=inside)
        if V:
            tl.store(to + 2 * H, w0 * gq, mask=inside)
    else:
        xe = x + edge * (F * H) + h
        c = tl.load(xe + H, mask=inside, other=0.0) * g1
        first = tl.load(xe, mask=inside, other=0.0) * g0 * q0
        if V:
            first += tl.load(xe + 2 * H, mask=inside, other=0.0) * gq
        tl.store(out + edge * 4, tl.sum(first))
        tl.store(out + edge * 4 + 1, tl.sum(c * q1))
        tl.store(out + edge * 4 + 2, tl.sum(c * q2))
        tl.store(out + edge * 4 + 3, tl.sum(c * q3))


def contract(missing: str, graph: Graph, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """As contract() of messages.py, for contiguous float32 tensors."""
    P, H = len(graph.receivers), b.shape[-1]
    vectors = (a.shape[1] == 3) if missing == "w" else (b.shape[1] == 3) if missing in "gq" else (b.shape[1] == 5)
    parts, sent = (3, 5) if vectors else (2, 2)
    block = triton.next_power_of_2(H)
    form = {"H": H, "BLOCK": block, "V": vectors, "num_warps": max(1, min(4, block // 64))}
    if missing in "gq":
        N, back = len(c), missing == "g"
        out = torch.empty((N, sent if back else 4, H), dtype=torch.float32, device=c.device)
        # Padding edges belong to no row.
        _to_atoms[(N,)](a, b, c, graph.rows, graph.neighbours, graph.reverse, out, BACK=back, **form)
        return out
    wanted = (P, parts, H) if missing == "f" else (P, 4)
    out = torch.empty(wanted, dtype=torch.float32, device=c.device)
    _to_edges[(P,)](a, b, c, graph.receivers, graph.neighbours, out, FILTER=missing == "f", **form)
    return out
