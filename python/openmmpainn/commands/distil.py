# SPDX-License-Identifier: MIT
"""``openmmpainn distil``: a student of one's own molecules and one's own teacher."""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import os
import pathlib
from typing import Any

__all__ = ["add", "run"]

_DESCRIPTION = """\
Make a student: structures of the molecules, energies and forces of the teacher by many processes, training, model file
with its card, log and plot. Stopped or killed, the same command goes on where it was.
"""
_NEEDED = {"rdkit": "rdkit", "torch": "torch", "ase": "ase", "matplotlib": "matplotlib"}


def add(subparsers: Any) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser("distil", help="make a student from a teacher", description=_DESCRIPTION)
    parser.add_argument(
        "--molecules",
        required=True,
        help="a .smi file, a file of structures that ASE reads, or 'library': those of the recipe",
    )
    parser.add_argument("--out", required=True, metavar="M.safetensors", help="the model file to write")
    parser.add_argument(
        "--teacher",
        help="gfn2, gfn1, or module:function or file.py:function that makes a calculator of ASE; else the recipe's",
    )
    parser.add_argument(
        "--recipe",
        default="organic-standard",
        help="a .toml or .json file, or one that comes with the package: organic-small, organic-standard (default)",
    )
    parser.add_argument("--labels", metavar="FOLDER", help="for the labels, kept and used again; M-labels otherwise")
    parser.add_argument("--processes", type=int, help="for structures and labels; as many as cores unless given")
    parser.add_argument("--label-time", type=float, metavar="S", help="stop labelling after so many seconds")
    parser.add_argument("--train-time", type=float, metavar="S", help="length of the training in seconds (1800)")
    parser.add_argument("--train-steps", type=int, metavar="N", help="length of the training in steps instead")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="for the training")
    parser.set_defaults(run=run)


def _check(arguments: argparse.Namespace) -> None:
    """Say what is wrong before anything is begun."""
    missing = [package for module, package in _NEEDED.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise ValueError(f"distilling needs {', '.join(missing)}: pip install 'openmmpainn[distil]'")
    if not arguments.out.endswith(".safetensors"):
        raise ValueError(f"--out is '{arguments.out}'; a model file ends in .safetensors")
    for name in ("processes", "label_time", "train_time", "train_steps"):
        value = getattr(arguments, name)
        if value is not None and not value > 0:
            raise ValueError(f"--{name.replace('_', '-')} is {value}; it must be positive")
    if arguments.train_time is not None and arguments.train_steps is not None:
        raise ValueError("the length of the training is given twice: --train-time and --train-steps; name one of them")


def run(arguments: argparse.Namespace) -> int:
    """Make the student; the exit code."""
    _check(arguments)
    from ..distil.pipeline import make_student_of
    from ..distil.recipe import named, read_recipe
    from ..distil.teacher import METHODS, make_teacher

    is_file = os.path.exists(arguments.recipe) or arguments.recipe.endswith((".toml", ".json"))
    recipe = read_recipe(arguments.recipe) if is_file else named(arguments.recipe)
    if recipe.main is not None:
        raise ValueError(f"the recipe {recipe.name} is of molecules of its own; scripts/make_first_student.py takes it")
    if arguments.teacher is not None:
        method = METHODS.get(arguments.teacher, arguments.teacher)
        recipe = dataclasses.replace(recipe, labelling=dataclasses.replace(recipe.labelling, method=method))
    make_teacher(recipe.labelling.method, (1, 1))  # a wrong name is told now and not in a process
    import torch

    device = arguments.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    elif device == "cuda" and not torch.cuda.is_available():
        raise ValueError("--device is cuda, but PyTorch finds no GPU that it can use; name cpu")
    output = pathlib.Path(arguments.out)
    seconds = arguments.train_time
    if seconds is None and arguments.train_steps is None:
        seconds = 1800.0
    make_student_of(
        recipe,
        arguments.molecules,
        output,
        arguments.labels or output.with_name(output.stem + "-labels"),
        arguments.processes,
        arguments.label_time,
        seconds,
        arguments.train_steps,
        device,
    )
    print(f"{output}: try it with: openmmpainn check {output}")
    return 0
