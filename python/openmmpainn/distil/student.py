# SPDX-License-Identifier: MIT
"""One student of many molecules: train, judge on molecules held out, write the model, its checkpoint, log and plot."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from ..modelfile import write_model
from ..torch_network import PaiNNNetwork
from .card import versions
from .dataset import Frames, atom_references
from .evaluation import residuals, summarise
from .plots import plot_training
from .recipe import Recipe
from .student_card import accuracy_metadata, provenance_metadata, write_student_card
from .train import make_metadata, train

__all__ = ["make_student"]


def make_student(
    recipe: Recipe,
    learnt: dict[str, Frames],
    held_out: dict[str, Frames],
    output: str | os.PathLike[str],
    device: str = "cpu",
    seconds: float | None = None,
    steps: int | None = None,
    session_seconds: float | None = None,
    graph: bool = False,
    kinds: Mapping[str, Sequence[str]] | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Train a student, or go on with it, and write what there is to know about it.

    Parameters
    ----------
    recipe : Recipe
        Its name is that of the files.
    learnt, held_out : dict
        Frames by molecule, for training and for judging.
    output : path
        A folder for ``NAME.safetensors``, ``NAME.md`` (card), ``NAME.checkpoint``, ``NAME.json`` (log) and
        ``NAME.png`` (plot). A checkpoint that is there is taken up.
    device, seconds, steps, session_seconds, graph
        Of train().
    kinds : dict, optional
        The kinds of each molecule by name, for the table of errors.
    provenance : dict, optional
        More for the metadata of the file, for example of domain.domain_metadata().

    Returns
    -------
    dict
        The log: ``recipe``, ``device``, ``versions``, ``parameters``, ``data``, ``history``, ``held_out``.
    """
    output = pathlib.Path(output)
    output.mkdir(parents=True, exist_ok=True)
    elements = sorted({number for each in learnt.values() for number in each.molecule.numbers})
    unknown = {number for each in held_out.values() for number in each.molecule.numbers} - set(elements)
    if unknown:
        raise ValueError(f"molecules held out hold the elements {sorted(unknown)}, which none to learn from holds")
    data = _describe(learnt, held_out, elements)
    print(f"{recipe.name}: {data['molecules']} molecules and {data['frames']} frames to learn and held out", flush=True)
    metadata = make_metadata(recipe, elements, atom_references(learnt, elements))
    plain = {name: each.pick(each.temperatures > 0) for name, each in held_out.items()}
    network, history = train(
        recipe,
        metadata,
        learnt,
        plain,
        device,
        seconds,
        steps,
        graph,
        checkpoint=output / f"{recipe.name}.checkpoint",
        session_seconds=session_seconds,
    )
    metadata["name"], metadata["licence"] = recipe.name, "MIT"
    # Already now: whatever goes wrong below, the training is not lost.
    write_model(output / f"{recipe.name}.safetensors", metadata, network.to_model_tensors())
    fixed = PaiNNNetwork(metadata, {"repulsion.radii": network.repulsion.radii.cpu().numpy()}).double().to(device)
    fixed.load_state_dict(network.double().state_dict())
    errors = residuals(fixed, fixed, held_out)
    table = summarise(errors, kinds)
    log = {
        "recipe": dataclasses.asdict(recipe),
        "device": torch.cuda.get_device_name() if device == "cuda" else "CPU",
        "versions": versions(),
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "data": data,
        "history": history,
        "held_out": table,
    }
    metadata["provenance"] = {**provenance_metadata(log), **(provenance or {})}
    metadata["accuracy"] = accuracy_metadata(log)
    write_model(output / f"{recipe.name}.safetensors", metadata, network.to_model_tensors())
    write_student_card(output / f"{recipe.name}.md", log)
    (output / f"{recipe.name}.json").write_text(json.dumps(log, indent=1) + "\n")
    plot_training(output / f"{recipe.name}.png", history, errors)
    energy = table["energy"]["within_molecule_mae_kcal_per_mol"]
    print(
        f"{recipe.name}: held-out molecules: force MAE {table['overall']['force_mae']:.1f} meV/A (median molecule "
        f"{np.median(table['percentiles']['force_mae_of_molecules'][2]):.1f}), energy within a molecule "
        + ("unknown" if energy is None else f"{energy:.3f} kcal/mol"),
        flush=True,
    )
    return log


def _describe(learnt: dict[str, Frames], held_out: dict[str, Frames], elements: list[int]) -> dict[str, Any]:
    """What the card says of the data; pairs are of what is learnt and what is held out."""
    both = (learnt, held_out)
    sizes = [len(each.molecule.numbers) for each in learnt.values()]
    temperatures = np.concatenate([each.temperatures for each in learnt.values()])
    digest = hashlib.sha256()
    for part in both:
        for name, each in sorted(part.items()):
            digest.update(f"{name} {each.molecule.smiles}".encode())
            for array in (each.positions, each.energies, each.forces):
                digest.update(np.ascontiguousarray(array).tobytes())
    return {
        "molecules": [len(part) for part in both],
        "frames": [sum(map(len, part.values())) for part in both],
        "elements": elements,
        "atoms": [min(sizes), float(np.mean(sizes)), max(sizes)],
        "temperatures": [float(t) for t in np.unique(np.abs(temperatures))],
        "distorted": float((temperatures < 0).mean()),
        "hash": digest.hexdigest()[:16],
    }
