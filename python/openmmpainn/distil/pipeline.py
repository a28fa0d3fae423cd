# SPDX-License-Identifier: MIT
"""From molecules to the file of a student, each part taken up where an earlier run left it."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from typing import Any

from .recipe import Recipe

__all__ = ["make_student_of"]


def make_student_of(
    recipe: Recipe,
    molecules: str,
    output: str | os.PathLike[str],
    labels: str | os.PathLike[str],
    processes: int | None = None,
    label_seconds: float | None = None,
    train_seconds: float | None = None,
    train_steps: int | None = None,
    device: str = "cpu",
) -> dict[str, Any]:
    """Make a student of many molecules.

    Parameters
    ----------
    recipe : Recipe
        What to ask of the teacher, the network, the training.
    molecules : str
        Of sources.read_molecules().
    output : path
        ``NAME.safetensors``; beside it come ``NAME.md`` (card), ``NAME.png``, ``NAME.json`` and ``NAME.checkpoint``.
    labels : path
        The folder of labels: what it has is not made again.
    processes, label_seconds : optional
        Of sampling.label_set(); the time is that of this call.
    train_seconds, train_steps : optional
        Of train.train(): the length of the whole training; one of them is needed.
    device : str
        "cpu" or "cuda".

    Returns
    -------
    dict
        The log of student.make_student().

    Raises
    ------
    ValueError
        If molecules, recipe or folder do not fit, or there is nothing to learn from.
    """
    from .sampling import label_set, passes_over
    from .sources import FEWEST_MOLECULES, STRUCTURE, read_molecules
    from .store import LabelStore

    output = pathlib.Path(output)
    store = LabelStore(labels)
    # Conformers of thousands of molecules take minutes; those of an earlier run for the same source are taken.
    structures = store.structures_of(molecules, recipe) or read_molecules(molecules, recipe, processes)
    passes = passes_over(recipe.labelling, len(structures))
    if len(structures) < FEWEST_MOLECULES and passes < 2:
        raise ValueError(
            f"there are {len(structures)} molecules with one trajectory each, so none can be held out; give "
            f"{FEWEST_MOLECULES} molecules, or labelling.passes or labelling.trajectories in the recipe"
        )
    store.remember(molecules, recipe, structures)
    done, planned = label_set(recipe, structures, labels, processes, label_seconds)
    print(f"labels: {done} of {planned} trajectories", flush=True)

    # PyTorch only now: the labelling processes do not need it.
    from .dataset import load, split, split_molecules
    from .domain import domain_metadata
    from .kinds import kinds_of
    from .library import HELD_OUT_KIND, is_held_out
    from .student import make_student

    frames = load(recipe, labels)
    if len(structures) < FEWEST_MOLECULES:
        learnt, held_out = split(frames, min(recipe.holdout, passes))
        learnt, held_out = ({name: each for name, each in part.items() if len(each)} for part in (learnt, held_out))
    else:
        learnt, held_out = split_molecules(frames, is_held_out)
    named = dataclasses.replace(recipe, name=output.stem)
    kinds = kinds_of(each.molecule for each in held_out.values() if each.molecule.kind != STRUCTURE)
    for name, each in held_out.items():
        if each.molecule.kind in (STRUCTURE, HELD_OUT_KIND):
            kinds.setdefault(name, []).append(each.molecule.kind)
    return make_student(
        named,
        learnt,
        held_out,
        output.parent,
        device,
        train_seconds,
        train_steps,
        graph=device == "cuda",
        kinds=kinds,
        provenance=domain_metadata(learnt),
    )
