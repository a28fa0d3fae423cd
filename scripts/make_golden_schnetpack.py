# SPDX-License-Identifier: MIT
"""Make tests/data/schnetpack: what SchNetPack 2 itself gives in double precision for random models with biases.

    python scripts/make_golden_schnetpack.py [directory]

Made with schnetpack 2.1.1 and torch 2.13.0. schnetpack's own requirements pull gigabytes; a throw-away environment with
torch, ase, safetensors, and ``pip install --no-deps schnetpack`` with the few small packages that it then misses is
enough. Structures and neighbour lists go through SchNetPack and ASE; the models through openmmpainn's converter.
"""

from __future__ import annotations

import sys
import tempfile
import typing
from pathlib import Path

import numpy as np
import torch
import torch.utils.data.dataloader as dataloader
from ase import Atoms

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "python"), str(ROOT / "scripts")]

# schnetpack 2.1.1 imports this name of a type variable, which newer versions of torch no longer have.
if not hasattr(dataloader, "T_co"):
    dataloader.T_co = typing.TypeVar("T_co", covariant=True)

import schnetpack  # noqa: E402
import schnetpack.atomistic  # noqa: E402
import schnetpack.interfaces  # noqa: E402
import schnetpack.representation  # noqa: E402
import schnetpack.transform  # noqa: E402
from golden import BOXES, random_structure, write_frames  # noqa: E402

from openmmpainn.convert import convert  # noqa: E402
from openmmpainn.torch_network import ENERGY_UNITS, LENGTH_UNITS  # noqa: E402

ELEMENTS = (1, 6, 7, 8)
LENGTH, ENERGY = LENGTH_UNITS["angstrom"], ENERGY_UNITS["eV"]


def make_model(
    basis: torch.nn.Module,
    cutoff: float,
    blocks: int,
    shared: bool = False,
    layers: int = 2,
    postprocessors: list[torch.nn.Module] | None = None,
) -> torch.nn.Module:
    """A SchNetPack potential with 8 channels and random weights in single precision."""
    painn = schnetpack.representation.PaiNN(
        n_atom_basis=8,
        n_interactions=blocks,
        radial_basis=basis,
        cutoff_fn=schnetpack.nn.CosineCutoff(cutoff),
        shared_interactions=shared,
        shared_filters=shared,
    )
    model = schnetpack.model.NeuralNetworkPotential(
        representation=painn,
        input_modules=[schnetpack.atomistic.PairwiseDistances()],
        output_modules=[
            schnetpack.atomistic.Atomwise(n_in=8, n_layers=layers, output_key="energy"),
            schnetpack.atomistic.Forces(energy_key="energy", force_key="forces"),
        ],
        postprocessors=postprocessors,
    )
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.uniform_(-0.4, 0.4)
        # Energies of many eV, so that E - E0 keeps its digits beside the offsets E0.
        model.output_modules[0].outnet[-1].weight *= 30
    return model


def make_models() -> dict[str, torch.nn.Module]:
    """Both bases; with and without shared weights; with and without energy offsets. 3.3 is not exact in float32."""
    references = torch.zeros(100)
    references[list(ELEMENTS)] = torch.tensor([-13.6, -1029.8, -1484.9, -2042.7])
    offsets = schnetpack.transform.AddOffsets("energy", add_mean=True, add_atomrefs=True)
    offsets.atomref, offsets.mean = references, torch.tensor([-4.3])
    return {
        "bessel": make_model(
            schnetpack.nn.BesselRBF(6, 3.3), 3.3, 2, postprocessors=[schnetpack.transform.CastTo64(), offsets]
        ),
        "gaussian_shared": make_model(schnetpack.nn.GaussianRBF(7, 3.2), 3.2, 3, shared=True, layers=3),
    }


def evaluate(model: torch.nn.Module, frame: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Energy and forces in kJ/mol and nm from SchNetPack's own neighbour list and network."""
    cutoff = float(model.representation.cutoff)
    converter = schnetpack.interfaces.AtomsConverter(
        neighbor_list=schnetpack.transform.ASENeighborList(cutoff=cutoff), dtype=torch.float64
    )
    box = frame.get("box")
    atoms = Atoms(
        numbers=np.array(ELEMENTS)[frame["elements"]],
        positions=frame["positions"] / LENGTH,
        cell=None if box is None else box / LENGTH,
        pbc=box is not None,
    )
    results = model(converter(atoms))
    references = np.zeros(1)
    for module in model.postprocessors:
        if isinstance(module, schnetpack.transform.AddOffsets):
            references = (module.atomref[atoms.numbers] + module.mean).sum(dim=0, keepdim=True).numpy()
    return {
        **frame,
        "energy": results["energy"].detach().numpy() * ENERGY,
        "references": references * ENERGY,
        "forces": results["forces"].detach().numpy() * ENERGY / LENGTH,
    }


def main() -> None:
    """Write all files."""
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "tests" / "data" / "schnetpack"
    directory.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    torch.set_num_threads(1)
    for seed, (name, model) in enumerate(make_models().items()):
        output = directory / f"{name}.safetensors"
        with tempfile.TemporaryDirectory() as temporary:
            saved = Path(temporary) / f"{name}.pt"
            torch.save(model, saved)
            for message in convert(saved, output, elements=ELEMENTS, name=f"SchNetPack {name}", licence="MIT"):
                print(f"{name}: {message}")
        model.double()
        rng = np.random.default_rng(seed)
        structures = {title: random_structure(rng, 14, len(ELEMENTS), box) for title, box in BOXES.items()}
        results = {title: evaluate(model, frame) for title, frame in structures.items()}
        comment = f"{name}: schnetpack {schnetpack.__version__}, made by scripts/make_golden_schnetpack.py; nm, kJ/mol"
        write_frames(directory / f"{name}.txt", comment, results)


if __name__ == "__main__":
    main()
