# SPDX-License-Identifier: MIT
"""The network in PyTorch: against SchNetPack's and its own stored results, finite differences, and the file format."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from models import random_metadata, random_tensors

torch = pytest.importorskip("torch", reason="PyTorch is not installed: the network in PyTorch is not tested")

from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

from openmmpainn.modelfile import read_model, write_model  # noqa: E402
from openmmpainn.torch_network import ENERGY_UNITS, LENGTH_UNITS, PaiNNNetwork, find_edges  # noqa: E402

TESTS = Path(__file__).resolve().parents[1]
sys.path.append(str(TESTS.parent / "scripts"))

from golden import read_frames  # noqa: E402

GOLDEN = sorted((TESTS / "data" / "golden").glob("*.safetensors"))
SCHNETPACK = sorted((TESTS / "data" / "schnetpack").glob("*.safetensors"))


def evaluate(network: PaiNNNetwork, frame: dict[str, np.ndarray]) -> tuple[float, np.ndarray]:
    """Energy without atom references (kJ/mol) and forces (kJ/mol/nm) of a golden structure (nm)."""
    length = LENGTH_UNITS[network.metadata["length_unit"]]
    energy_unit = ENERGY_UNITS[network.metadata["energy_unit"]]
    positions = frame["positions"] / length
    edges = find_edges(positions, network.cutoff, frame["box"] / length if "box" in frame else None)
    elements = torch.tensor(frame["elements"].astype(int))
    x = torch.tensor(positions, requires_grad=True)
    energy = network.interaction_energies(elements, x, *map(torch.tensor, edges)).sum()
    (gradient,) = torch.autograd.grad(energy, x, materialize_grads=True)
    return energy.item() * energy_unit, -gradient.numpy() * energy_unit / length


def agree(expected: np.ndarray, found: np.ndarray, tolerance: float) -> bool:
    """Whether the largest difference is within tolerance x RMS(expected); NaN is not."""
    scale = np.sqrt(np.mean(expected**2)) or 1.0
    return bool(np.abs(expected - found).max() <= tolerance * scale)


def test_golden_data_are_there():
    assert len(GOLDEN) == 4 and len(SCHNETPACK) == 2


@pytest.mark.parametrize("path", SCHNETPACK, ids=lambda path: path.stem)
def test_schnetpack(path):
    """Converted SchNetPack models give SchNetPack's own energies and forces."""
    network = PaiNNNetwork.from_model_file(path)
    for title, frame in read_frames(path.with_suffix(".txt")).items():
        energy, forces = evaluate(network, frame)
        expected = (frame["energy"] - frame["references"])[0]
        references = network.atom_references(torch.tensor(frame["elements"].astype(int))).sum().item()
        references *= ENERGY_UNITS[network.metadata["energy_unit"]]
        assert abs(energy - expected) <= 1e-9 * abs(expected), title
        assert abs(references - frame["references"][0]) <= 1e-14 * abs(references), title
        assert agree(frame["forces"], forces, 1e-8), title


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_golden(path):
    """The stored results are those of this network, which the C++ tests rely on."""
    network = PaiNNNetwork.from_model_file(path)
    for title, frame in read_frames(path.with_suffix(".txt")).items():
        energy, forces = evaluate(network, frame)
        expected = frame["interaction"].sum()
        assert abs(energy - expected) <= 1e-12 * abs(expected), title
        assert agree(frame["forces"], forces, 1e-12), title


@pytest.mark.parametrize("family", ["student", "canonical"])
def test_batch_and_finite_differences(family):
    """A batch of two molecules gives each its own energy, and forces that are the energy's gradient."""
    metadata = random_metadata(
        family,
        repulsion={"type": "zbl", "p": 6},
        envelope={"type": "polynomial", "p": 3},
        atom_references=[-1.0, -2.0, -3.0, -4.0],
    )
    network = PaiNNNetwork(metadata, random_tensors(metadata)).double()
    rng = np.random.default_rng(1)
    parts = [rng.uniform(0, 0.4, (6, 3)), rng.uniform(0, 0.4, (4, 3))]
    elements = torch.tensor(rng.integers(0, 4, 10))
    edges = [find_edges(part, metadata["cutoff"]) for part in parts]
    i = torch.tensor(np.concatenate([edges[0][0], edges[1][0] + 6]))
    j = torch.tensor(np.concatenate([edges[0][1], edges[1][1] + 6]))
    shifts = torch.zeros(len(i), 3, dtype=torch.float64)
    x, molecules = torch.tensor(np.concatenate(parts)), torch.tensor([0] * 6 + [1] * 4)
    energies, forces = network.energies_and_forces(elements, x, molecules, i, j, shifts)
    alone, _ = network.energies_and_forces(elements[6:], x[6:], molecules[6:] - 1, *map(torch.tensor, edges[1]))
    assert alone[0].item() == pytest.approx(energies[1].item(), rel=1e-13)
    for atom in (0, 7):
        step = torch.zeros_like(x)
        step[atom, 1] = 1e-6
        plus, minus = (network(elements, x + h * step, molecules, i, j, shifts).sum() for h in (1, -1))
        assert -((plus - minus) / 2e-6).item() == pytest.approx(forces[atom, 1].item(), rel=1e-6)


@pytest.mark.parametrize("family", ["student", "canonical"])
def test_can_be_captured(family):
    """After a first call no value goes to the host or comes from it, which a CUDA graph refuses when it is captured."""
    metadata = random_metadata(family, repulsion={"type": "zbl", "p": 6}, atom_references=[-1.0, -2.0, -3.0, -4.0])
    network = PaiNNNetwork(metadata, random_tensors(metadata))
    x = np.random.default_rng(4).uniform(0, 0.4, (6, 3))
    edges = [torch.tensor(array) for array in find_edges(x, network.cutoff)]
    edges[2] = edges[2].float()
    elements, molecules = torch.arange(6) % 4, torch.zeros(6, dtype=torch.long)
    arguments = (elements, torch.tensor(x).float(), molecules, *edges)
    seen: set[str] = set()

    class Operations(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            seen.add(function.name())
            return function(*args, **(kwargs or {}))

    network.energies_and_forces(*arguments, num_molecules=1)
    with Operations():
        network.energies_and_forces(*arguments, num_molecules=1)
    assert {"aten::index_add", "aten::silu_backward"} <= seen
    assert not seen & {"aten::_local_scalar_dense", "aten::lift_fresh", "aten::nonzero"}


def test_training_step():
    """Energies and forces in single precision can be trained on, and forces reach every weight but the last bias."""
    metadata = random_metadata("canonical")
    network = PaiNNNetwork(metadata)
    x = np.random.default_rng(2).uniform(0, 0.4, (8, 3))
    edges = [torch.tensor(array) for array in find_edges(x, network.cutoff)]
    edges[2] = edges[2].float()
    elements, molecules = torch.arange(8) % 4, torch.zeros(8, dtype=torch.long)
    _, forces = network.energies_and_forces(elements, torch.tensor(x).float(), molecules, *edges, create_graph=True)
    (forces**2).sum().backward()
    reached = {name for name, p in network.named_parameters() if p.grad is not None and bool(p.grad.any())}
    assert {name for name, _ in network.named_parameters()} - reached == {"readout.1.bias"}


def test_round_trip(tmp_path):
    """File to network to file keeps every bit."""
    for path in GOLDEN:
        network = PaiNNNetwork.from_model_file(path)
        write_model(tmp_path / "copy.safetensors", network.metadata, network.to_model_tensors())
        assert (tmp_path / "copy.safetensors").read_bytes() == path.read_bytes()


def test_edges_in_a_box():
    """Shifted images of an atom have the same edges; a box that is too small is refused."""
    box = np.array([[0.75, 0.0, 0.0], [0.2, 0.76, 0.0], [-0.3, 0.25, 0.78]])
    x = np.random.default_rng(3).uniform(0, 1, (12, 3)) @ box
    i, j, shifts = find_edges(x, 0.33, box)
    assert len(i) and np.array_equal(np.unique(i * 12 + j), i * 12 + j)
    moved = x.copy()
    moved[3] += 2 * box[0] - box[2]
    i2, j2, shifts2 = find_edges(moved, 0.33, box)
    assert np.array_equal(i, i2) and np.array_equal(j, j2)
    assert np.allclose(x[j] + shifts - x[i], moved[j] + shifts2 - moved[i], atol=1e-14)
    with pytest.raises(ValueError, match="box width"):
        find_edges(x, 0.5, box)


def test_faults_of_model_files(tmp_path):
    """Wrong tensors are refused before a file appears."""
    metadata = random_metadata()
    good = random_tensors(metadata)
    path = tmp_path / "model.safetensors"
    for change, message in (
        ({"embedding.weight": good["embedding.weight"][:2]}, "shape"),
        ({"readout.0.bias": np.full(4, np.nan)}, "finite"),
        ({"readout.0.bias": np.full(4, 1e60)}, "finite"),
        ({"surplus": np.zeros(1)}, "surplus"),
    ):
        with pytest.raises(ValueError, match=message), np.errstate(over="ignore"):
            write_model(path, metadata, {**good, **change})
    with pytest.raises(ValueError, match="family"):
        write_model(path, {**metadata, "family": "other"}, good)
    assert not list(tmp_path.iterdir())
    path.write_bytes(b"\x10")
    with pytest.raises(ValueError, match="not a safetensors file"):
        read_model(path)
    with pytest.raises(ValueError, match="repulsion.radii"):
        PaiNNNetwork({**metadata, "repulsion": {"type": "zbl", "p": 6}})
