#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Make the student that comes with the package: label with GFN2-xTB, train, judge, write model and card.

With a GPU some ten minutes, on CPU cores an hour or more; may be stopped and started again while it labels.
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

from openmmpainn.distil.distil import distil  # noqa: E402
from openmmpainn.distil.recipe import FIRST_STUDENT, quick  # noqa: E402


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", default=str(ROOT / "models"), help="folder for the model, its card, log and plot")
    parser.add_argument(
        "--labels", default=str(ROOT / "build" / "labels"), help="folder for the labels; kept, and used again"
    )
    parser.add_argument("--processes", type=int, help="for labelling: as many as cores unless given")
    parser.add_argument("--label-seconds", type=float, help="stop labelling then, and train with what there is")
    parser.add_argument(
        "--train-seconds", type=float, help="stop training then; 360 with a GPU, else 3000, unless given"
    )
    parser.add_argument("--train-steps", type=int, help="stop training after so many steps")
    parser.add_argument("--visit-seconds", type=float, default=20.0, help="for each free run that judges the student")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--graph", action="store_true", help="train with CUDA graphs, some times faster")
    parser.add_argument("--quick", action="store_true", help="in miniature, in seconds; the student is of no use")
    options = parser.parse_args()
    device = options.device
    if device == "auto":
        import torch

        device = "cuda" if torch.cuda.is_available() else "cpu"
    recipe, seconds = FIRST_STUDENT, options.train_seconds
    if options.quick:
        recipe = quick(recipe)
        options.train_steps = options.train_steps or 60
        options.visit_seconds = min(options.visit_seconds, 1.0)
    elif seconds is None and options.train_steps is None:
        seconds = 360.0 if device == "cuda" else 3000.0
    distil(
        recipe,
        options.labels + ("-quick" if options.quick else ""),
        options.output,
        options.processes,
        options.label_seconds,
        seconds,
        options.train_steps,
        options.visit_seconds,
        device,
        options.graph and device == "cuda",
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
