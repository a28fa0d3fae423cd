# SPDX-License-Identifier: MIT
"""Make tests/data/golden: small random models, and what PyTorch in double precision (torch_network.py) gives for them.

    python scripts/make_golden.py [directory]

Needs torch and safetensors. The C++ tests compare every stage of the exact network with these arrays.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "python"), str(ROOT / "scripts")]

from golden import BOXES, random_structure, write_frames  # noqa: E402

from openmmpainn.modelfile import write_model  # noqa: E402
from openmmpainn.torch_network import ENERGY_UNITS, LENGTH_UNITS, PaiNNNetwork, find_edges  # noqa: E402

GAUSSIAN = {"type": "gaussian", "size": 6, "exponent": 1.0}
COSINE = {"type": "cosine"}
MODELS: dict[str, dict[str, Any]] = {
    "student": dict(family="student", basis=GAUSSIAN, cutoff_function=COSINE),
    "student_smooth": dict(
        family="student",
        basis=GAUSSIAN,
        cutoff_function=COSINE,
        envelope={"type": "polynomial", "p": 4},
        repulsion={"type": "zbl", "p": 6},
        length_unit="nm",
        energy_unit="kJ/mol",
    ),
    "canonical_smooth": dict(
        family="canonical",
        basis={"type": "bessel", "size": 5},
        cutoff_function={"type": "polynomial", "p": 5},
        repulsion={"type": "zbl", "p": 3},
        atom_references=[-0.5021, -37.7983, -54.5281, -75.0103],
        length_unit="bohr",
        energy_unit="hartree",
    ),
    "canonical": dict(
        family="canonical",
        basis={"type": "gaussian", "size": 7, "exponent": 0.5},
        cutoff_function=COSINE,
        blocks=3,
        energy_unit="kcal/mol",
    ),
}
"""What differs between the models."""


def make_model(changes: dict[str, Any], seed: int) -> PaiNNNetwork:
    """A network of random float32 weights, biases included, in double precision."""
    torch.manual_seed(seed)
    metadata = dict(
        hidden=8,
        blocks=2,
        length_unit="angstrom",
        energy_unit="eV",
        elements=[1, 6, 7, 8],
        readout=[8, 5, 1],
        norm_epsilon=1e-8 if changes["family"] == "canonical" else 0.0,
    )
    metadata.update(changes)
    # 0.33 nm is no round number in bohr, and not exact in single precision: the double of the JSON text counts.
    metadata["cutoff"] = 0.33 / LENGTH_UNITS[metadata["length_unit"]]
    radii = np.array([0.05, 0.1, 0.11, 0.12]) / LENGTH_UNITS[metadata["length_unit"]]
    network = PaiNNNetwork(metadata, {"repulsion.radii": radii.astype(np.float32)})
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("bias"):
                parameter.uniform_(-0.4, 0.4)
            elif name.endswith("mixing"):
                parameter.uniform_(-1, 1)
    return network.double()


def evaluate(network: PaiNNNetwork, frame: dict[str, np.ndarray], with_stages: bool) -> dict[str, np.ndarray]:
    """Everything that the tests compare, in nm and kJ/mol; the arrays between the stages have no unit of length."""
    length = LENGTH_UNITS[network.metadata["length_unit"]]
    energy = ENERGY_UNITS[network.metadata["energy_unit"]]
    positions = frame["positions"] / length
    box = frame["box"] / length if "box" in frame else None
    edges = find_edges(positions, network.cutoff, box)
    x = torch.tensor(positions, requires_grad=True)
    elements = torch.tensor(frame["elements"])
    stages: dict[str, torch.Tensor] = {}
    interaction = network.interaction_energies(elements, x, *map(torch.tensor, edges), stages=stages)
    forces = -torch.autograd.grad(interaction.sum(), x, materialize_grads=True)[0]
    result = dict(frame)
    result["interaction"] = interaction.detach().numpy() * energy
    result["references"] = network.atom_references(elements).numpy() * energy
    result["forces"] = forces.numpy() * energy / length
    if with_stages:
        stages["readout"] = stages["readout"] * energy
        result.update(edges=np.stack(edges[:2], axis=1), **{k: v.detach().numpy() for k, v in stages.items()})
    return result


def make_frames(rng: np.random.Generator) -> dict[str, dict[str, np.ndarray]]:
    """The structures: random ones in every box, and those at which a gradient is easily wrong."""
    # The outer atoms do not see each other. If they did, sums of three numbers would differ in their last bits, and the
    # student's |v| has no derivative at v = 0: what is exactly 0 must stay so.
    line = np.array([[0.0, 0.0, -0.18], [0.0, 0.0, 0.0], [0.0, 0.0, 0.18]])
    frames = {"stages": random_structure(rng, 5, 4, None)}
    for title, box in BOXES.items():
        frames[title] = random_structure(rng, 16, 4, box)
    frames["symmetric"] = {"elements": np.array([3, 1, 3]), "positions": line}
    frames["isolated"] = {"elements": np.array([0, 2]), "positions": np.array([[0.0, 0.0, 0.0], [5.0, 1.0, 2.0]])}
    return frames


def main() -> None:
    """Write all files."""
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "tests" / "data" / "golden"
    directory.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    for seed, (name, changes) in enumerate(MODELS.items()):
        network = make_model(changes, seed)
        metadata = {**network.metadata, "name": f"golden {name}", "licence": "MIT"}
        write_model(directory / f"{name}.safetensors", metadata, network.to_model_tensors())
        frames = make_frames(np.random.default_rng(seed))
        results = {title: evaluate(network, frame, title == "stages") for title, frame in frames.items()}
        write_frames(directory / f"{name}.txt", f"{name}: made by scripts/make_golden.py; nm, kJ/mol", results)


if __name__ == "__main__":
    main()
