# SPDX-License-Identifier: MIT
"""``openmmpainn info``: what a model is, and what to beware of."""

from __future__ import annotations

import argparse
import json
from typing import Any

from ..structures import symbol
from ..summary import model_summary
from .common import add_json, add_model, load_model, print_json

__all__ = ["add", "run"]


def add(subparsers: Any) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser("info", help="say what a model is", description="Say what a model is.")
    add_model(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the model; the exit code."""
    summary = model_summary(load_model(arguments.model))
    if arguments.json:
        print_json(summary)
        return 0
    metadata = summary["metadata"]
    trained = metadata.get("trained_elements")
    lines = {
        "name": summary["name"] or "(none)",
        "architecture": summary["architecture"],
        "cutoff": f"{summary['cutoff']:.6g} nm",
        "weights": f"{summary['parameters']:,}",
        "elements": " ".join(symbol(number) for number in summary["elements"]),
        "trained on": " ".join(symbol(number) for number in trained) if trained else "(not stated)",
        "units": f"{metadata['length_unit']}, {metadata['energy_unit']} in the file",
        "licence": metadata.get("licence") or "(not stated)",
        "SHA-256": summary["sha256"],
    }
    for key in ("provenance", "accuracy"):
        for name, value in metadata.get(key, {}).items():
            lines[f"{key}: {name}"] = value if isinstance(value, str) else json.dumps(value)
    width = max(len(name) for name in lines)
    for name, value in lines.items():
        print(f"{name:<{width}}  {value}")
    for warning in summary["warnings"]:
        print(f"\nWarning: {warning}", end="")
    if summary["warnings"]:
        print()
    return 0
