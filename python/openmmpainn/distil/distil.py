# SPDX-License-Identifier: MIT
"""The whole distillation: label, train, judge, write."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
from typing import Any

import numpy as np

from .label import label
from .recipe import Recipe

__all__ = ["distil"]

_COPIES = 64  # of the main molecule, in the free dynamics that judge the student


def distil(
    recipe: Recipe,
    labels: str | os.PathLike[str],
    output: str | os.PathLike[str],
    processes: int | None = None,
    label_seconds: float | None = None,
    train_seconds: float | None = None,
    train_steps: int | None = None,
    visit_seconds: float = 20.0,
    device: str = "cpu",
    graph: bool = False,
) -> dict[str, Any]:
    """Make a student.

    Parameters
    ----------
    recipe : Recipe
        What to make.
    labels : path
        The folder of labels; what it has already is not labelled again.
    output : path
        The folder for ``NAME.safetensors``, its card ``NAME.md``, and ``NAME.json`` and ``NAME.png`` (log and plot).
    processes, label_seconds : optional
        Of label().
    train_seconds, train_steps : optional
        Of train(); one of them is needed.
    visit_seconds : float
        Wall time of each free run that judges the student, at 300 K and at 500 K.
    device : str
        "cpu" or "cuda".
    graph : bool
        Of train().

    Returns
    -------
    dict
        The log: recipe, history, errors.
    """
    done, planned = label(recipe, labels, processes, label_seconds)
    print(f"labels: {done} of {planned} chunks", flush=True)
    # PyTorch only now: the labelling processes do not need it.
    import torch

    from ..modelfile import write_model
    from . import card, judge
    from .dataset import atom_references, load, split
    from .predict import predict
    from .train import make_metadata, train

    frames = load(recipe, labels)
    learnt, held_out = split(frames, recipe.holdout)
    for name in frames:
        print(f"{name}: {len(learnt[name])} frames to learn, {len(held_out[name])} held out", flush=True)
    main = recipe.main[0]
    elements = sorted({number for each in frames.values() for number in each.molecule.numbers})
    metadata = make_metadata(recipe, elements, atom_references(learnt, elements))
    plain = held_out[main].pick(held_out[main].temperatures > 0)
    network, history = train(recipe, metadata, learnt, {main: plain}, device, train_seconds, train_steps, graph)

    name = torch.cuda.get_device_name() if device == "cuda" else "CPU"
    metadata["name"], metadata["licence"] = recipe.name, "MIT"
    metadata["provenance"] = card.provenance_metadata(recipe, frames, f"{done} of {planned}", history[-1]["step"], name)
    output = pathlib.Path(output)
    output.mkdir(parents=True, exist_ok=True)
    # Already now: whatever goes wrong below, the training is not lost.
    write_model(output / f"{recipe.name}.safetensors", metadata, network.to_model_tensors())

    # Errors in double precision, as the reference evaluates it; free dynamics in single, which is faster.
    network = network.double()
    table = judge.held_out_errors(network, held_out)
    cells = judge.backbone_map(network, plain)
    some = np.linspace(0, len(plain) - 1, min(_COPIES, len(plain))).astype(int)
    starts, molecule = plain.positions[some], plain.molecule
    network = network.float()
    visits = [
        judge.wander(network, molecule, starts, kelvin, visit_seconds, recipe.labelling.method)
        for kelvin in ((300.0, 500.0) if visit_seconds > 0 else ())
    ]
    metadata["accuracy"] = card.accuracy_metadata(recipe, table)
    write_model(output / f"{recipe.name}.safetensors", metadata, network.to_model_tensors())
    parameters = sum(parameter.numel() for parameter in network.parameters())
    card.write_card(output / f"{recipe.name}.md", recipe, metadata, frames, table, cells, visits, parameters)
    log = {
        "recipe": dataclasses.asdict(recipe),
        "history": history,
        "held_out": table,
        "backbone_map": cells,
        "visits": visits,
    }
    (output / f"{recipe.name}.json").write_text(json.dumps(log, indent=1) + "\n")
    few = plain.pick(some)
    card.write_plot(
        output / f"{recipe.name}.png", history, few.forces, predict(network, molecule.numbers, few.positions)[1]
    )
    return log
