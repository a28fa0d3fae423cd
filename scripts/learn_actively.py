#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""One round of active learning: students move molecules, the teacher labels where they disagree or break.

Train with ``train_student.py --active FOLDER`` afterwards. May be killed and started again; a round is done once.
"""

from __future__ import annotations

import argparse
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
try:
    import openmmpainn.distil  # noqa: F401 (installed)
except ImportError:
    sys.path.insert(0, str(ROOT / "python"))

from openmmpainn.distil import recipe  # noqa: E402
from openmmpainn.distil.active import TeacherOf, run_round  # noqa: E402
from openmmpainn.distil.dataset import load, split_molecules  # noqa: E402


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", required=True, help="name of a recipe: " + ", ".join(recipe.names()))
    parser.add_argument("--labels", required=True, help="folder of labels, whose molecules are moved")
    parser.add_argument("--models", nargs="+", required=True, help="the committee's files; the first moves the atoms")
    parser.add_argument("--active", required=True, help="folder of the rounds")
    parser.add_argument("--round", type=int, required=True, help="number of this round, from 0")
    parser.add_argument("--copies", type=int, default=2000, help="how many molecules move")
    parser.add_argument("--at-once", type=int, default=200, help="how many of them together")
    parser.add_argument("--steps", type=int, default=1000, help="of 0.5 fs each")
    parser.add_argument("--deviation", type=float, default=0.15, help="eV/angstrom from which on a frame is labelled")
    parser.add_argument("--processes", type=int, help="for labelling: as many as cores unless given")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    options = parser.parse_args()
    import torch

    from openmmpainn.distil.committee import Exploration
    from openmmpainn.torch_network import PaiNNNetwork

    device = options.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    networks = [PaiNNNetwork.from_model_file(path, torch.float32).to(device) for path in options.models]
    chosen = recipe.named(options.recipe)
    learnt, _ = split_molecules(load(chosen, options.labels))
    result = run_round(
        options.active,
        options.round,
        learnt,
        networks,
        Exploration(steps=options.steps, deviation=options.deviation),
        options.copies,
        options.at_once,
        TeacherOf(chosen.labelling.method),
        chosen.labelling.largest_force,
        options.processes,
    )
    print(", ".join(f"{key} {value}" for key, value in result.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
