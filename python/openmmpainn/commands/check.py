# SPDX-License-Identifier: MIT
"""``openmmpainn check``: does a model behave as physics asks, and the same everywhere?"""

from __future__ import annotations

import argparse
from typing import Any

from ..structures import read_structures
from .common import add_json, add_model, load_model, print_json

__all__ = ["add", "run"]


def add(subparsers: Any) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser(
        "check",
        help="test a model: invariances, smoothness, forces, energy drift, platforms",
        description="Test a model: invariances, smoothness at the cutoff, forces against finite differences, energy "
        "drift, bond scans, agreement of all platforms. Exit code 1 if a test fails. Flaws that the student family is "
        "known for are printed and warned about, not judged.",
    )
    add_model(parser)
    parser.add_argument(
        "structures",
        metavar="STRUCTURES",
        nargs="?",
        help="a file that ASE reads, cells are ignored (default: small molecules of the model's elements)",
    )
    parser.add_argument("--platform", default="Reference", help="the OpenMM platform to test on (default: Reference)")
    parser.add_argument("--seed", type=int, default=0, help="for the random rotations, velocities, ... (default: 0)")
    parser.add_argument(
        "--nve-steps",
        type=int,
        default=400,
        metavar="N",
        help="length of each of the 8 NVE runs (default: 400, 0: none)",
    )
    add_json(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run all checks and print the report; 1 if a test fails."""
    from ..check import check_model

    if arguments.nve_steps < 0 or 0 < arguments.nve_steps < 20:
        raise ValueError(f"--nve-steps is {arguments.nve_steps}; allowed are 0 and 20 or more")
    model = load_model(arguments.model)
    structures = read_structures(arguments.structures) if arguments.structures is not None else None
    report = check_model(
        model,
        structures,
        platform=arguments.platform,
        seed=arguments.seed,
        nve_steps=arguments.nve_steps,
        show_progress=True,
    )
    if arguments.json:
        print_json(report.to_dict())
    else:
        print(report.to_text())
    return 1 if report.failed else 0
