# SPDX-License-Identifier: MIT
"""Energies and forces of the Force on the Reference platform against PyTorch's float64 autograd (reliability row 1)."""

from __future__ import annotations

import numpy as np
import pytest

from models import random_model
from openmmpainn import Evaluator, PaiNNStudentModel, bundledModels

torch = pytest.importorskip("torch", reason="PyTorch is the truth here: pip install torch==2.13.0")

FRAMES = 200
POLYNOMIAL = {"cutoff_function": {"type": "polynomial", "p": 3}}
RANDOM_MODELS = {
    "student": {"family": "student", "hidden": 32, "blocks": 3, "size": 20},
    "student-envelope": {"family": "student", "hidden": 16, "envelope": {"type": "polynomial", "p": 4}},
    "canonical-gaussian": {"family": "canonical", "hidden": 32, "blocks": 3, "size": 20},
    "canonical-bessel-zbl": {
        "family": "canonical",
        "hidden": 32,
        "basis": "bessel",
        "size": 12,
        "repulsion": {"type": "zbl", "p": 6},
        "atom_references": [-1.5, -99.25, -143.5, -197.125],
        **POLYNOMIAL,
    },
    # 5.2 is not exact in single precision: the cutoff that counts is the JSON number (pitfall 8).
    "canonical-angstrom": {"family": "canonical", "cutoff": 5.2, "length_unit": "angstrom", "energy_unit": "eV"},
}


@pytest.fixture(params=[*RANDOM_MODELS, *bundledModels()])
def path(request, tmp_path) -> str:
    """The file of a random model, or of one that we ship."""
    if request.param in RANDOM_MODELS:
        return random_model(tmp_path / "m.safetensors", seed=5, **RANDOM_MODELS[request.param])
    target = tmp_path / "bundled.safetensors"
    target.write_bytes(PaiNNStudentModel.bundled(request.param).getBytes())
    return str(target)


def oracle(path: str, numbers: np.ndarray, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """PyTorch's energies without atom references [F] and with them [F], forces [F, N, 3]; nm and kJ/mol."""
    from openmmpainn.torch_network import ENERGY_UNITS, LENGTH_UNITS, PaiNNNetwork, find_edges

    network = PaiNNNetwork.from_model_file(path)
    length = LENGTH_UNITS[network.metadata["length_unit"]]
    energy = ENERGY_UNITS[network.metadata["energy_unit"]]
    elements = torch.tensor([network.metadata["elements"].index(int(z)) for z in numbers])
    references = network.atom_references(elements).sum().item()
    # All frames in one batch, edges numbered through.
    size = len(numbers)
    edges = [find_edges(frame, network.cutoff) for frame in frames / length]
    receivers, neighbours = (
        torch.as_tensor(np.concatenate([e[k] + n * size for n, e in enumerate(edges)])) for k in (0, 1)
    )
    energies, forces = network.energies_and_forces(
        elements.repeat(len(frames)),
        torch.as_tensor(frames.reshape(-1, 3) / length),
        torch.arange(len(frames)).repeat_interleave(size),
        receivers,
        neighbours,
        torch.zeros(len(receivers), 3, dtype=torch.float64),
    )
    energies = energies.numpy()
    return (energies - references) * energy, energies * energy, forces.numpy().reshape(frames.shape) * energy / length


def test_against_autograd(path, ethanol):
    """E to 1e-12 of |E - E0|, F to 1e-11 of its RMS, over 200 distorted frames."""
    _, positions = ethanol
    numbers = np.array([6, 6, 8, 1, 1, 1, 1, 1, 1])
    rng = np.random.default_rng(1)
    frames = positions + 0.008 * rng.standard_normal((FRAMES, *positions.shape))
    evaluator = Evaluator(PaiNNStudentModel(path), "Reference")
    found = [evaluator.compute([(numbers, frame)]) for frame in frames]
    energies, forces = np.array([e for [e], _ in found]), np.array([f for _, [f] in found])
    interaction, expected, expected_forces = oracle(path, numbers, frames)

    energy_error = np.abs(energies - expected) / np.abs(interaction)
    force_error = np.abs(forces - expected_forces) / np.sqrt(np.mean(expected_forces**2))
    print(f"E max {energy_error.max():.1e}, F max {force_error.max():.1e}, median {np.median(force_error):.1e}")
    # The sum with large references can be no better than their own last bit.
    floor = np.finfo(float).eps * np.abs(expected) / np.abs(interaction)
    assert np.all(energy_error <= 1e-12 + 2 * floor)
    assert np.all(force_error <= 1e-11)
