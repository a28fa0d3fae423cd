#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Label the library of organic molecules, or a share of it, where the package is not installed.

First, where RDKit is: ``--structures molecules.npz`` makes this file with all molecules and their starting
structures. Then, anywhere with numpy and tblite: the same with ``--labels FOLDER``; stopped, killed or out of time, it
goes on where it was. ``--pack FOLDER`` puts the labels into few files of at most 15 MiB.
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

from openmmpainn.distil.recipe import named  # noqa: E402
from openmmpainn.distil.sampling import label_set  # noqa: E402
from openmmpainn.distil.store import LabelStore  # noqa: E402
from openmmpainn.distil.structure_set import StructureSet, embed  # noqa: E402


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="organic-standard", help="its library and labelling are used")
    parser.add_argument("--structures", required=True, help="file of molecules and structures; made where it is absent")
    parser.add_argument("--labels", help="folder for the labels")
    parser.add_argument("--seconds", type=float, help="stop labelling then, at the end of a molecule")
    parser.add_argument("--processes", type=int, help="as many as cores unless given")
    parser.add_argument("--share", default="0/1", help="K/N: every N-th chunk from the K-th, for N machines")
    parser.add_argument("--first-pass", type=int, default=0, help="leave out the passes before this one")
    parser.add_argument("--pack", help="folder for the labels in few files")
    options = parser.parse_args()
    recipe = named(options.recipe)
    if not pathlib.Path(options.structures).exists():
        from openmmpainn.distil.library import make_library

        entries = make_library(recipe.library.size, recipe.library.seed)
        embed(entries, recipe.library.conformers, options.processes).save(options.structures)
    structures = StructureSet.load(options.structures)
    print(f"{len(structures)} molecules, {sum(each.held_out for each in structures.molecules)} held out", flush=True)
    if options.labels:
        share = tuple(int(word) for word in options.share.split("/"))
        work = (options.processes, options.seconds, (share[0], share[1]), options.first_pass)
        done, planned = label_set(recipe, structures, options.labels, *work)
        print(f"{done} of {planned} trajectories of share {options.share}", flush=True)
        if options.pack:
            for path in LabelStore(options.labels).pack(options.pack):
                print(f"{path}: {path.stat().st_size / 2**20:.1f} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
