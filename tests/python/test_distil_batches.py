# SPDX-License-Identifier: MIT
"""Batches of molecules of any size: the same numbers and gradients as one molecule at a time."""

from __future__ import annotations

import os

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="distilling needs torch")

from distil_cases import ELEMENTS, one_thread, random_frames  # noqa: E402, F401
from openmmpainn.distil import messages  # noqa: E402
from openmmpainn.distil.batched_network import energies_and_forces  # noqa: E402
from openmmpainn.distil.batches import BatchShape, assemble, draw_epoch, in_order  # noqa: E402
from openmmpainn.distil.frame_set import FrameSet  # noqa: E402
from openmmpainn.distil.predict import predict  # noqa: E402
from openmmpainn.distil.recipe import FIRST_STUDENT  # noqa: E402
from openmmpainn.distil.train import make_metadata  # noqa: E402
from openmmpainn.torch_network import PaiNNNetwork  # noqa: E402


def make_network(hidden: int = 16, blocks: int = 3) -> PaiNNNetwork:
    """A network with random weights and references, in double precision."""
    torch.manual_seed(3)
    metadata = make_metadata(FIRST_STUDENT, ELEMENTS, np.linspace(-3, 2, len(ELEMENTS)))
    metadata |= {"hidden": hidden, "blocks": blocks, "readout": [hidden, hidden // 2, 1]}
    radii = np.array(FIRST_STUDENT.radii(ELEMENTS), dtype=np.float32)
    network = PaiNNNetwork(metadata, {"repulsion.radii": radii}).double()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(std=0.3)
    return network


def test_each_molecule_as_if_alone():
    """Energies and forces to 1e-10, whatever shares the batch; labels lack exactly references and repulsion."""
    frames, network = random_frames(), make_network()
    held = FrameSet(frames.values(), network)
    shape = BatchShape.holding(held, 5)
    rng = np.random.default_rng(1)
    seen = 0
    for chosen in draw_epoch(held, shape, rng):
        batch = assemble(held, chosen, shape)
        energies, forces = energies_and_forces(network, batch)
        atom = 0
        for slot, place in enumerate(chosen[chosen < len(held)].tolist()):
            source = int(held.order[place])
            each = list(frames.values())[held.molecules[place]]
            frame = source % 4
            e, f = predict(network, each.molecule.numbers, each.positions[frame : frame + 1])
            fixed = each.energies[frame] - float(held.energies[place])
            assert float(energies[slot]) + fixed == pytest.approx(e[0], abs=2e-6)  # labels are kept in float32
            N = len(each.molecule.numbers)
            label = batch.forces[atom : atom + N].double() - torch.as_tensor(each.forces[frame])
            np.testing.assert_allclose((forces[atom : atom + N] - label).numpy(), f[0], atol=1e-5)
            bare = make_bare(network)
            e, f = predict(bare, each.molecule.numbers, each.positions[frame : frame + 1])
            assert float(energies[slot]) == pytest.approx(e[0], abs=1e-10)
            np.testing.assert_allclose(forces[atom : atom + N].numpy(), f[0], atol=1e-10)
            atom += N
            seen += 1
        assert (batch.molecules[atom:] == shape.frames).all()
        assert not forces[atom:].any()
    assert seen >= 15


def make_bare(network: PaiNNNetwork) -> PaiNNNetwork:
    """The same without references and repulsion."""
    bare = {k: v for k, v in network.metadata.items() if k not in ("repulsion", "atom_references")}
    return _copy(network, bare)


def _copy(network: PaiNNNetwork, metadata: dict) -> PaiNNNetwork:
    copy = PaiNNNetwork(metadata).double()
    own = network.state_dict()
    copy.load_state_dict({name: own[name] for name in copy.state_dict()})
    return copy


def loss_of(energies, forces):
    return energies.square().sum() + forces.square().sum() + (forces[:, 0] * 0.3).sum()


def test_gradients_of_a_loss_of_forces():
    """To 1e-10 the sum of what each molecule alone gives."""
    frames, network = random_frames(seed=4), make_network()
    held = FrameSet(frames.values(), network)
    shape = BatchShape.holding(held, 6)
    chosen = draw_epoch(held, shape, np.random.default_rng(2))[0]
    batch = assemble(held, chosen, shape)
    parameters = list(network.parameters())
    found = torch.autograd.grad(loss_of(*energies_and_forces(network, batch, True)), parameters)
    bare = make_bare(network)
    total = [torch.zeros_like(p) for p in bare.parameters()]
    for place in chosen[chosen < len(held)].tolist():
        first, count = int(held.first_atom[place]), int(held.atoms[place])
        atoms = slice(first, first + count)
        i, j = torch.as_tensor(np.array(np.nonzero(~np.eye(count, dtype=bool))))
        x = held.positions[atoms].double()
        one = torch.zeros(count, dtype=torch.int64)
        arguments = (held.elements[atoms], x, one, i, j, torch.zeros(3, dtype=torch.float64))
        gradients = torch.autograd.grad(
            loss_of(*bare.energies_and_forces(*arguments, create_graph=True)),
            list(bare.parameters()),
            allow_unused=True,
        )
        total = [t if g is None else t + g for t, g in zip(total, gradients, strict=True)]
    for name, a, b in zip(dict(network.named_parameters()), found, total, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=1e-10 * (1 + float(b.abs().max())), err_msg=name)


def random_graph(vectors: bool = True):
    """A batch's graph, and w, f, g, q for it."""
    held = FrameSet(random_frames(seed=5).values(), make_network())
    shape = BatchShape.holding(held, 5)
    batch = assemble(held, draw_epoch(held, shape, np.random.default_rng(0))[0], shape)
    torch.manual_seed(0)
    P, N, H = shape.edges, shape.atoms, 6
    parts, sent = (3, 5) if vectors else (2, 2)
    real = (batch.shifts[:, 0] == 0).double()
    f = torch.randn(P, parts, H, dtype=torch.float64) * real[:, None, None]
    return batch.graph, {"w": torch.randn(P, 4, dtype=torch.float64), "f": f} | {
        "g": torch.randn(N, sent, H, dtype=torch.float64),
        "q": torch.randn(N, 4, H, dtype=torch.float64),
    }


@pytest.mark.parametrize("vectors", [True, False])
def test_partial_derivatives_belong_to_one_sum(vectors):
    """Each of the four, times what is missing, is the same number; and the graph's reverse is an involution."""
    graph, values = random_graph(vectors)
    sums = []
    for missing in "wfgq":
        found = messages.contract(missing, graph, *(values[name] for name in "wfgq" if name != missing))
        assert found.shape == values[missing].shape
        sums.append(float((found * values[missing]).sum()))
    np.testing.assert_allclose(sums, sums[0], rtol=1e-12)
    edges = torch.arange(len(graph.reverse))
    assert (graph.reverse[graph.reverse.long()] == edges).all()
    assert (graph.receivers[graph.reverse.long()] == graph.neighbours).all()
    last = int(graph.rows[-1])
    rows = torch.repeat_interleave(torch.arange(len(graph.rows) - 1), graph.rows.diff())
    assert (graph.receivers[:last] == rows).all()


@pytest.mark.parametrize("vectors", [True, False])
def test_gpu_kernels_agree(vectors):
    """The Triton kernels against PyTorch's operations: on a GPU, or interpreted (TRITON_INTERPRET=1)."""
    kernels = messages.messages_triton
    on_gpu = torch.cuda.is_available()
    if kernels is None or not (on_gpu or os.environ.get("TRITON_INTERPRET") == "1"):
        pytest.skip("needs Triton, and a GPU or TRITON_INTERPRET=1")
    graph, values = random_graph(vectors)
    device = "cuda" if on_gpu else "cpu"
    graph = messages.Graph(*(x.to(device) for x in graph))
    real = torch.arange(len(graph.receivers), device=device) < int(graph.rows[-1])
    for missing in "wfgq":
        given = [values[name].float().to(device) for name in "wfgq" if name != missing]
        found = kernels.contract(missing, graph, *given)
        wanted = messages.contract(missing, graph, *given)
        if missing in "wf":
            found, wanted = found[real], wanted[real]
        np.testing.assert_allclose(found.cpu().numpy(), wanted.cpu().numpy(), atol=2e-5)


def test_batches_hold_every_frame_once():
    held = FrameSet(random_frames(seed=6, count=9).values(), make_network())
    shape = BatchShape.holding(held, 6)
    rows = in_order(held, shape)
    assert rows.shape[1] == shape.frames
    assert sorted(rows[rows < len(held)].tolist()) == list(range(len(held)))
    for row in rows:
        assert int(held.atoms[row].sum()) <= shape.atoms
        assert int(held.edges[row].sum()) <= shape.edges
