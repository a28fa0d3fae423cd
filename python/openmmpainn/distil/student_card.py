# SPDX-License-Identifier: MIT
"""The model card of a student of many molecules, and its figures in the file's metadata, from the log alone."""

from __future__ import annotations

import os
from typing import Any

from .markdown import markdown_table, wrapped
from .plots import SYMBOLS

__all__ = ["accuracy_metadata", "provenance_metadata", "write_student_card"]

_CARD = """\
# {name}

A canonical PaiNN student for molecules of {elements}, distilled from {method}. {parameters} parameters:
H = {n[hidden]}, L = {n[blocks]}, {n[basis]} Bessel functions, cutoff {n[cutoff]} angstrom with a polynomial envelope
(p = {n[envelope_exponent]}: two continuous derivatives), ZBL repulsion inside {n[radius_scale]} times the sum of
covalent radii. Licence: {licence}.

## What it is for

Molecular dynamics of one molecule like those of the tables below, of {smallest} to {largest} atoms, in vacuum, at
temperatures up to about {hottest:.0f} K; benchmarks, and a start for students of your own.

## What it must not be used for

- Charges and spins that the teacher was not asked for (ions, radicals, excited states); bonds that break or form.
- Several molecules that see each other (liquids, complexes, crystals, explicit solvent): no contact between molecules
  was in the data. Several molecules as subsystems that do not see each other are fine.
- Results that should compare with experiment: it reproduces {method}, an approximate method, in vacuum. Comparing the
  energies of different molecules is less exact than comparing conformations of one: see the table.
- Other elements than {elements}, which the file refuses; kinds of molecules that do not occur below.

## Data

Teacher: {method}. {molecules[0]} molecules with {frames[0]} frames to learn, and {molecules[1]} other molecules with
{frames[1]} frames held out: no frame of these was learnt. Atoms a molecule: {smallest} to {largest}, {mean:.1f} on
average. Undistorted frames come from dynamics at {kelvins} K; {distorted:.0f} % of the frames are distorted: atoms
shaken, bonds stretched or pressed, atoms pushed together. Hash of the labels: {hash}.

## Training

{steps} steps ({minutes:.1f} minutes on {device}), each on about {t[frames]} frames, all of them in turn in a random
order; AdamW, learning rate {t[learning_rate]:g}, warm-up of {t[warmup_steps]} steps, cosine decay; gradients clipped at
{t[clip]:g}; moving average of the weights ({t[average]}); smooth absolute errors of forces (weight 1) and of energies
(weight {t[energy_weight]:g}, a molecule, over the root of its atoms); distorted frames weigh {t[distorted_weight]:g}.
Seed: {t[seed]}. Software: {software}. A GPU rounds products of the training to TF32; the errors below are those in
double precision. A second run gives a student as good, not the same bits.

## Errors on held-out molecules

Against {method}. Force errors are by component in meV/angstrom; "mean size" is that of the teacher's force on an atom.

{overall}

Energies: the error is {energy_mae:.1f} meV a molecule on average, and {within} when the mean error of each molecule is
taken off, which is what dynamics feels.

{percentiles}

By element:

{elements_table}
"""

_KINDS = """
By kind of molecule (a molecule may be of several kinds):

{kinds}
"""

_WORST = """
## Where it fails

The held-out molecules with the largest force errors:

{worst}
"""


def provenance_metadata(log: dict[str, Any]) -> dict[str, Any]:
    """Where the student comes from, for the file, from the log of make_student()."""
    data = log["data"]
    return {
        "teacher": log["recipe"]["labelling"]["method"],
        "data": f"{data['frames'][0]} frames of {data['molecules'][0]} molecules",
        "labels_hash": data["hash"],
        "seeds": [log["recipe"]["labelling"]["seed"], log["recipe"]["training"]["seed"]],
        "training_steps": log["history"][-1]["step"],
        "trained_on": log["device"],
        "software": [f"{name} {number}" for name, number in log["versions"].items()],
    }


def accuracy_metadata(log: dict[str, Any]) -> dict[str, Any]:
    """Errors on held-out molecules for the file."""
    table = log["held_out"]
    return {
        "unit": "force MAE in meV/angstrom, on molecules held out; energies in meV a molecule",
        **{kind: round(row["force_mae"], 1) for kind, row in table["by_temperature"].items()},
        "all": round(table["overall"]["force_mae"], 1),
        "energy": round(table["energy"]["mae"], 1),
        "energy within a molecule": round(table["energy"]["within_molecule_mae"] or 0.0, 1),
    }


def _errors(rows: dict[str, dict[str, float]]) -> str:
    head = ["", "atoms", "force MAE", "force RMSE", "mean size"]
    keys = ("atoms", "force_mae", "force_rmse", "force_mean_size")
    return markdown_table(head, [[name, *(row[key] for key in keys)] for name, row in rows.items()])


def write_student_card(path: str | os.PathLike[str], log: dict[str, Any], licence: str = "MIT") -> None:
    """Write the card as Markdown.

    Parameters
    ----------
    path : path
        The .md file.
    log : dict
        Of make_student(); ``held_out`` may be replaced by a table with kinds of molecules.
    licence : str
        Of the model.
    """
    table, data, form = log["held_out"], log["data"], log["recipe"]["network"]
    within = table["energy"]["within_molecule_mae"]
    at = table["percentiles"]["at"]
    rows = {**{"all, undistorted": table["overall"]}, **table["by_temperature"]}
    if "distorted" in table:
        rows["distorted"] = table["distorted"]
    text = _CARD.format(
        name=log["recipe"]["name"],
        licence=licence,
        method=log["recipe"]["labelling"]["method"],
        elements=", ".join(SYMBOLS.get(z, str(z)) for z in data["elements"]),
        parameters=log["parameters"],
        n=form,
        t=log["recipe"]["training"],
        smallest=data["atoms"][0],
        mean=data["atoms"][1],
        largest=data["atoms"][2],
        hottest=max(data["temperatures"]),
        kelvins=", ".join(f"{t:.0f}" for t in data["temperatures"]),
        distorted=100 * data["distorted"],
        molecules=data["molecules"],
        frames=data["frames"],
        hash=data["hash"],
        steps=log["history"][-1]["step"],
        minutes=log["history"][-1]["seconds"] / 60,
        device=log["device"],
        software=", ".join(f"{name} {number}" for name, number in log["versions"].items()),
        overall=_errors(rows),
        energy_mae=table["energy"]["mae"],
        within="unknown" if within is None else f"{within:.1f} meV ({within / 43.3641:.2f} kcal/mol)",
        percentiles=markdown_table(
            ["percentile", *(f"{p} %" for p in at)],
            [
                ["force error of an atom (vector)", *table["percentiles"]["force_error_of_atoms"]],
                ["force MAE of a molecule", *table["percentiles"]["force_mae_of_molecules"]],
            ],
        ),
        elements_table=_errors({SYMBOLS.get(int(z), str(z)): row for z, row in table["by_element"].items()}),
    )
    if table.get("by_kind"):
        head = ["", "molecules", "force MAE", "mean size"]
        keys = ("molecules", "force_mae", "force_mean_size")
        kinds = [[kind, *(row[key] for key in keys)] for kind, row in table["by_kind"].items()]
        text += _KINDS.format(kinds=markdown_table(head, kinds))
    worst = [[row["name"], f"`{row['smiles']}`", row["force_mae"]] for row in table["worst"]]
    text += _WORST.format(worst=markdown_table(["molecule", "SMILES", "force MAE"], worst))
    with open(path, "w", encoding="utf-8") as file:
        file.write(wrapped(text))
