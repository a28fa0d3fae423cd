# SPDX-License-Identifier: MIT
"""``openmmpainn convert``: models of other programs into model files."""

from __future__ import annotations

import argparse
import os
import re
from typing import Any

from ..modelfile import replacement
from ..structures import SYMBOLS
from ..summary import model_summary
from .common import add_json, load_model, print_json

__all__ = ["add", "parse_elements", "run"]


def add(subparsers: Any) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser(
        "convert",
        help="convert a PyTorch checkpoint, an ONNX file or a SchNetPack model",
        description="Convert a PyTorch checkpoint of the published student, an ONNX file (weights by name, never the "
        "graph) or a SchNetPack 2 model into a model file.",
    )
    parser.add_argument("input", metavar="IN", help="the checkpoint, ONNX file or SchNetPack model")
    parser.add_argument("output", metavar="OUT.safetensors", help="the model file to write")
    parser.add_argument(
        "--elements", metavar="LIST", help="the elements the model may be used for: H,C,N,O or 1,6,7,8 (default: all)"
    )
    parser.add_argument("--name", help="the model's name")
    parser.add_argument("--licence", "--license", help="the model's licence")
    parser.add_argument(
        "--length-unit",
        default="angstrom",
        choices=("angstrom", "nm", "bohr"),
        help="what a SchNetPack model was trained in (default: angstrom)",
    )
    parser.add_argument(
        "--energy-unit",
        default="eV",
        choices=("eV", "kJ/mol", "kcal/mol", "hartree"),
        help="what a SchNetPack model was trained in (default: eV)",
    )
    add_json(parser)
    parser.set_defaults(run=run)


def parse_elements(text: str) -> list[int]:
    """Atomic numbers, ascending, of a list of symbols or numbers like ``H,C,8``.

    Raises
    ------
    ValueError
        Naming the first part that is no element.
    """
    numbers = set()
    for part in re.split(r"[\s,;]+", text.strip()):
        if part.capitalize() in SYMBOLS[1:]:
            numbers.add(SYMBOLS.index(part.capitalize()))
        elif part.isascii() and part.isdigit() and 1 <= int(part) < len(SYMBOLS):
            numbers.add(int(part))
        else:
            raise ValueError(f"--elements holds '{part}'; allowed are symbols like C and atomic numbers from 1 to 118")
    return sorted(numbers)


def run(arguments: argparse.Namespace) -> int:
    """Convert, load the result as a check, and say what it is; the exit code."""
    from ..convert import convert

    if not os.path.exists(arguments.input):
        raise ValueError(f"IN: there is no file '{arguments.input}'")
    if not arguments.output.endswith(".safetensors"):
        raise ValueError(f"OUT is '{arguments.output}'; the name of a model file ends in .safetensors")
    folder = os.path.dirname(os.path.abspath(arguments.output))
    if not os.path.isdir(folder):
        raise ValueError(f"OUT: there is no folder '{folder}'")
    elements = parse_elements(arguments.elements) if arguments.elements is not None else None
    # What the strict reader refuses never becomes the output.
    with replacement(arguments.output) as temporary:
        messages = convert(
            arguments.input,
            temporary,
            elements=elements,
            name=arguments.name,
            licence=arguments.licence,
            length_unit=arguments.length_unit,
            energy_unit=arguments.energy_unit,
        )
        summary = model_summary(load_model(temporary))
    if arguments.json:
        print_json({"output": arguments.output, "messages": messages, **summary})
        return 0
    print(f"{arguments.output}: {summary['architecture']}, {summary['parameters']:,} weights")
    for message in messages:
        print(message)
    for warning in summary["warnings"]:
        print(f"Warning: {warning}")
    return 0
