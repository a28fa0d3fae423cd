#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Train a student of many molecules from a folder of labels, and judge it on molecules held out.

Stops at --session-seconds and goes on later from the checkpoint in the output folder; the learning rate follows
--train-seconds, the length of all sessions together. Needs numpy and PyTorch, and no compiled part of the package.
"""

from __future__ import annotations

import argparse
import dataclasses
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
try:
    import openmmpainn.distil  # noqa: F401 (installed)
except ImportError:
    sys.path.insert(0, str(ROOT / "python"))

import torch  # noqa: E402

from openmmpainn.distil import messages, recipe  # noqa: E402
from openmmpainn.distil.active import load_rounds  # noqa: E402
from openmmpainn.distil.dataset import load, split_molecules  # noqa: E402
from openmmpainn.distil.kinds import kinds_of  # noqa: E402
from openmmpainn.distil.student import make_student  # noqa: E402


def arguments() -> argparse.Namespace:
    """Of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", required=True, help="name of a recipe: " + ", ".join(recipe.names()))
    parser.add_argument("--labels", required=True, help="folder of labels")
    parser.add_argument("--active", help="folder of the rounds of active learning, whose frames are learnt as well")
    parser.add_argument("--output", required=True, help="folder for model, checkpoint, log and plot")
    parser.add_argument("--name", help="of the student's files; the recipe's unless given")
    parser.add_argument("--train-seconds", type=float, help="length of the training, all sessions together")
    parser.add_argument("--train-steps", type=int, help="the same in steps")
    parser.add_argument("--session-seconds", type=float, help="stop then, to be gone on with")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--no-graph", action="store_true", help="no CUDA graph, some times slower")
    parser.add_argument("--no-triton", action="store_true", help="PyTorch's own operations in place of our kernels")
    choices = parser.add_argument_group("choices of the recipe, to try others")
    for name, kind in (("hidden", int), ("blocks", int), ("basis", int), ("cutoff", float), ("seed", int)):
        choices.add_argument(f"--{name}", type=kind)
    for name in ("frames", "learning_rate", "energy_weight", "force_scale", "distorted_weight", "average", "clip"):
        choices.add_argument("--" + name.replace("_", "-"), type=int if name == "frames" else float)
    return parser.parse_args()


def main() -> int:
    """Run from the command line."""
    options = arguments()
    from openmmpainn.distil.domain import domain_metadata

    chosen = recipe.named(options.recipe)
    for part in ("network", "training"):
        fields = {field.name for field in dataclasses.fields(getattr(chosen, part))}
        changed = {key: value for key, value in vars(options).items() if key in fields and value is not None}
        chosen = dataclasses.replace(chosen, **{part: dataclasses.replace(getattr(chosen, part), **changed)})
    chosen = dataclasses.replace(chosen, name=options.name or chosen.name)
    device = options.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if messages.messages_triton is not None:
        messages.messages_triton.enabled = not options.no_triton
    learnt, held_out = split_molecules(load(chosen, options.labels))
    if options.active:
        learnt = load_rounds(options.active, learnt)
    try:
        kinds = kinds_of(each.molecule for each in held_out.values())
    except ImportError:  # without RDKit, as the library names them
        kinds = {name: [each.molecule.kind] for name, each in held_out.items() if getattr(each.molecule, "kind", "")}
    make_student(
        chosen,
        learnt,
        held_out,
        options.output,
        device,
        options.train_seconds,
        options.train_steps,
        options.session_seconds,
        graph=device == "cuda" and not options.no_graph,
        kinds=kinds,
        provenance=domain_metadata(learnt),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
