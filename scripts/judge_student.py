#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Judge a student on held-out molecules: errors, and whether they hold in dynamics by the plugin.

Each judgement is written to the output folder as JSON when it is done; the long runs are kept every minute, and a
second call goes on with what is missing. Needs the whole package, installed.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import sys
import time
from typing import Any

import numpy as np

TASKS = ("errors", "stability", "drift", "step-law")


def arguments() -> argparse.Namespace:
    """Of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="the student's file")
    parser.add_argument("--recipe", required=True, help="name of the recipe that the labels are of")
    parser.add_argument("--labels", required=True, help="folder of labels")
    parser.add_argument("--output", required=True, help="folder for what is found")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--molecules", type=int, default=20, help="how many move, evenly from the smallest to largest")
    parser.add_argument("--copies", type=int, default=1, help="of each in the stability runs")
    parser.add_argument("--kelvin", type=float, nargs="+", default=[300.0, 500.0])
    parser.add_argument("--picoseconds", type=float, nargs="+", default=[1000.0, 100.0], help="at each temperature")
    parser.add_argument("--femtoseconds", type=float, default=1.0, help="a step of the stability runs")
    parser.add_argument("--drift-picoseconds", type=float, default=100.0, help="of each of 8 runs without heat bath")
    parser.add_argument("--law-picoseconds", type=float, default=20.0, help="of the runs with three steps")
    parser.add_argument("--seconds", type=float, help="stop a long run after so much time, to be gone on with")
    parser.add_argument("--platform", default="CPU")
    parser.add_argument("--precision", choices=("single", "mixed", "double"), default="mixed", help="of CUDA")
    options = parser.parse_args()
    if len(options.picoseconds) != len(options.kelvin):
        parser.error(f"--picoseconds has {len(options.picoseconds)} values, but --kelvin has {len(options.kelvin)}")
    return options


def choose(held_out: dict[str, Any], count: int) -> list[Any]:
    """Frames of molecules, evenly by size; of those alike by name."""
    order = sorted(held_out.values(), key=lambda each: (len(each.molecule.numbers), each.molecule.name))
    order = [each for each in order if (each.temperatures > 0).any()]
    return [order[k] for k in np.unique(np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(int))]


def write(path: pathlib.Path, result: dict[str, Any]) -> None:
    """Whole or not at all."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(result, indent=1) + "\n")
    os.replace(part, path)
    print(f"{path}", flush=True)


def main() -> int:
    """Run from the command line."""
    options = arguments()
    from openmmpainn import PaiNNStudentModel
    from openmmpainn.distil import recipe
    from openmmpainn.distil.constant_energy import judge_drift, judge_step_law
    from openmmpainn.distil.dataset import load, split_molecules
    from openmmpainn.distil.molecule_system import MoleculeSystem
    from openmmpainn.distil.stability import run_stability

    folder = pathlib.Path(options.output)
    folder.mkdir(parents=True, exist_ok=True)
    _, held_out = split_molecules(load(recipe.named(options.recipe), options.labels))
    if "errors" in options.tasks:
        from openmmpainn.distil.evaluation import evaluate
        from openmmpainn.distil.kinds import kinds_of
        from openmmpainn.torch_network import PaiNNNetwork

        network = PaiNNNetwork.from_model_file(options.model)
        kinds = kinds_of(each.molecule for each in held_out.values())
        write(folder / "errors.json", evaluate(network, network, held_out, kinds))
    chosen = choose(held_out, options.molecules)
    molecules = [each.molecule for each in chosen]
    starts = [each.positions[int(np.flatnonzero(each.temperatures > 0)[0])] for each in chosen]
    model = PaiNNStudentModel(options.model)
    where = {"platform": options.platform, "precision": options.precision}
    begin = time.monotonic()
    if "stability" in options.tasks:
        system = MoleculeSystem(model, molecules * options.copies, starts * options.copies)
        for kelvin, picoseconds in zip(options.kelvin, options.picoseconds, strict=True):
            left = None if options.seconds is None else max(1.0, options.seconds - (time.monotonic() - begin))
            run = folder / f"stability-{kelvin:.0f}K.run"
            result = run_stability(system, kelvin, picoseconds, options.femtoseconds, **where, file=run, seconds=left)
            write(folder / f"stability-{kelvin:.0f}K.json", result)
            print(f"{kelvin:.0f} K, {result['picoseconds']} ps: {result['broken']} broke", flush=True)
    system = MoleculeSystem(model, molecules, starts)
    if "drift" in options.tasks:
        bar = 1e-5 if options.platform == "CUDA" and options.precision == "mixed" else 1e-4
        result = judge_drift(system, options.drift_picoseconds, bar=bar, **where)
        write(folder / "drift.json", result)
        print(f"drift: {result['all']}", flush=True)
    if "step-law" in options.tasks:
        result = judge_step_law(system, options.law_picoseconds, **where)
        write(folder / "step-law.json", result)
        print(f"law of the step: deviation {result['deviation']:.3f} (at most 0.10)", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
