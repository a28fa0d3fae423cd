# SPDX-License-Identifier: MIT
"""``openmmpainn evaluate``: energies and forces of structures."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..progress import Progress
from ..structures import Structure, read_structures, require_elements, symbol
from ..summary import model_summary
from .common import add_json, add_model, load_model, print_json

if TYPE_CHECKING:
    from .. import PaiNNStudentModel

__all__ = ["add", "evaluate_structures", "run"]

UNITS = {
    "kJ-nm": (("kJ/mol", "kJ/mol/nm"), 1.0, 1.0),
    "eV-A": (("eV", "eV/angstrom"), 1 / 96.4853321233, 1 / 964.853321233),
}
"""By the value of --units: the names of the units, and what kJ/mol and kJ/mol/nm are in them."""


def add(subparsers: Any) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser(
        "evaluate",
        help="energies and forces of structures",
        description="Energies and forces of every frame of a file that ASE reads (extended XYZ, XYZ, PDB, ...).",
    )
    add_model(parser)
    parser.add_argument("structures", metavar="STRUCTURES", help="a file of one or more frames")
    parser.add_argument(
        "--platform", default="Reference", help="the OpenMM platform (default: Reference, double precision)"
    )
    parser.add_argument("--periodic", action="store_true", help="use each frame's cell, with the nearest image")
    parser.add_argument(
        "--units", choices=list(UNITS), default="kJ-nm", help="kJ/mol and kJ/mol/nm (default), or eV and eV/angstrom"
    )
    add_json(parser)
    parser.set_defaults(run=run)


def evaluate_structures(
    model: PaiNNStudentModel,
    structures: list[Structure],
    platform: str = "Reference",
    periodic: bool = False,
    show_progress: bool = False,
) -> Iterator[tuple[float, np.ndarray]]:
    """Energy (kJ/mol) and forces [N, 3] (kJ/mol/nm, in the frame of the file) of each structure in turn.

    Structures of the same elements in the same order share one Context.

    Raises
    ------
    ValueError, openmm.OpenMMException
        Before anything runs: an element the model does not know, or a cell that does not do. While it runs: a structure
        whose energy or forces are not finite.
    """
    from ..evaluator import Evaluator

    summary = model_summary(model)
    require_elements(structures, summary["elements"])
    invariant = summary["metadata"]["family"] != "student"
    boxes: list[Any] = [None] * len(structures)
    if periodic:
        boxes = [structure.box(summary["cutoff"], rotate=invariant) for structure in structures]
    evaluator = Evaluator(model, platform)
    with Progress("evaluate", len(structures), show_progress) as progress:
        for structure, placed in zip(structures, boxes, strict=True):
            box, rotation = (None, np.eye(3)) if placed is None else placed
            [energy], [forces] = evaluator.compute([(structure.numbers, structure.positions @ rotation.T, box)])
            if not (np.isfinite(energy) and np.isfinite(forces).all()):
                raise ValueError(f"{structure.name}: the energy or a force is not a finite number")
            progress.advance()
            yield float(energy), forces @ rotation


def run(arguments: argparse.Namespace) -> int:
    """Evaluate and print; the exit code."""
    names, per_energy, per_force = UNITS[arguments.units]
    model = load_model(arguments.model)
    structures = read_structures(arguments.structures)
    results = evaluate_structures(model, structures, arguments.platform, arguments.periodic, show_progress=True)
    if arguments.json:
        frames = [
            {"energy": energy * per_energy, "forces": (forces * per_force).tolist(), "units": list(names)}
            for energy, forces in results
        ]
        print_json(frames)
        return 0
    for index, (structure, (energy, forces)) in enumerate(zip(structures, results, strict=True)):
        print(f"frame {index}: {len(structure.numbers)} atoms, energy {json.dumps(energy * per_energy)} {names[0]}")
        print(f"{'atom':>6}  {'':2}  {'force (' + names[1] + ')':>15}")
        for atom, (number, force) in enumerate(zip(structure.numbers, forces * per_force, strict=True)):
            print(f"{atom:>6}  {symbol(number):2}  " + " ".join(f"{component:>17.9g}" for component in force))
    for warning in model.getWarnings():
        print(f"Warning: {warning}")
    return 0
