# SPDX-License-Identifier: MIT
"""The model card, its figures in the file's metadata, and a plot."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from .dataset import Frames
from .markdown import markdown_table, wrapped
from .recipe import Recipe

__all__ = ["accuracy_metadata", "provenance_metadata", "versions", "write_card", "write_plot"]

Errors = dict[str, dict[str, dict[str, float]]]

_CARD = """\
# {name}

A canonical PaiNN student for {main} and {small} small molecules of H, C, N and O, distilled from {l.method}.
{parameters} parameters: H = {n.hidden}, L = {n.blocks}, {n.basis} Bessel functions, cutoff {n.cutoff} angstrom with a
polynomial envelope (p = {n.envelope_exponent}: two continuous derivatives), ZBL repulsion inside {n.radius_scale}
times the sum of covalent radii. Licence: {licence}.

## What it is for

Molecular dynamics of {main} in vacuum at about 300 K; demonstrations, tests and benchmarks.

## What it must not be used for

- Molecules that are not in the table below, however similar: it has seen nothing else.
- More than one molecule that see each other (liquids, complexes, crystals, a solute in explicit solvent): no contact
  between molecules was in the data. Several molecules as subsystems that do not see each other are fine.
- Ions, radicals, excited states, bond breaking and making, proton transfer.
- Results that should compare with experiment: it reproduces {l.method}, an approximate method, in vacuum.
- Temperatures much above 500 K: the hotter frames are there to make it safe, not to make it exact there.
- Starts with atoms closer than about 0.05 nm: the network saw nothing there, and behind walls of thousands of
  kJ/mol (a bare H-H pair: 550) its energy has meaningless deep holes.
- Other elements than H, C, N and O, which the file refuses.

## Data

Teacher: {o[teacher]}. {o[data]}; {distorted} of the frames are distorted ones. Trajectories are {l.steps} steps of
{l.timestep} fs of Langevin dynamics with the teacher at {kelvins} K from MMFF94-relaxed structures, of which one
frame in {l.stride} after the first {l.warmup} steps is kept. Those of {main} start on a {l.grid} x {l.grid} grid of
phi and psi ({l.passes} to a cell), and each peptide bond is cis in {cis} % of them. For {share} % of the frames a
distorted one is labelled too: all atoms shaken, a bond made 0.68 to 1.6 times as long, or two atoms pushed together.
Frames with a force above {l.largest_force} eV/angstrom are dropped.

One trajectory in {holdout} of each molecule is held out whole, and nothing was chosen by the held-out frames. They
start near others of the same grid, so the errors below are those of interpolation within these molecules.

## Training

{o[training_steps]} steps of Adam, each on about {t.frames} frames, all of them in turn in a random order; learning
rate {t.learning_rate:g}, warm-up of {t.warmup_steps} steps, cosine decay; gradients clipped at {t.clip:g}; moving
average of the weights ({t.average}); smooth absolute errors of forces (weight 1) and of energies (weight
{t.energy_weight:g}, a molecule, over the root of its atoms). Atom references are a least-squares fit to the
molecules' mean energies; references and repulsion are taken off the labels beforehand. Seeds: {seeds}. Trained on:
{o[trained_on]}. Software: {software}. A GPU adds numbers in no fixed order, so a second run gives a student as good,
not the same bits.

`make student` makes it anew.

## Errors on held-out frames

Force errors are by component in meV/angstrom, energy errors in meV a molecule (43.4 meV = 1 kcal/mol).

{held_out}

Force MAE of {main} (all temperatures, not distorted) by phi (rows) and psi (columns), in cells of {degrees} degrees:

{cells}
"""

_VISITS = """
## Frames that the student visits by itself

Copies of {main} moved by the student alone (Langevin, 0.5 fs steps) from held-out frames of all phi and psi; then the
teacher labelled frames of the later half of the way.

{visits}
"""


def versions() -> dict[str, str]:
    """Versions of what made the student."""
    found = {"python": platform.python_version()}
    for name in ("numpy", "torch", "tblite", "rdkit"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found


def provenance_metadata(
    recipe: Recipe, frames: dict[str, Frames], labels: str, steps: int, device: str
) -> dict[str, Any]:
    """Where the student comes from, for the file."""
    choices = recipe.labelling
    return {
        "teacher": f"{choices.method} in vacuum, through tblite {versions()['tblite']}",
        "data": f"{sum(map(len, frames.values()))} frames of {len(frames)} molecules, {labels} chunks labelled",
        "molecules": [f"{name} ({smiles})" for name, smiles in recipe.molecules.items()],
        "recipe_hash": recipe.label_hash(),
        "seeds": [choices.seed, recipe.training.seed],
        "training_steps": steps,
        "trained_on": device,
        "software": [f"{name} {number}" for name, number in versions().items()],
    }


def _overall(kinds: dict[str, dict[str, float]], key: str) -> float:
    """The mean of an error over undistorted held-out frames."""
    rows = [row for kind, row in kinds.items() if kind != "distorted"]
    return float(np.average([row[key] for row in rows], weights=[row["frames"] for row in rows]))


def accuracy_metadata(recipe: Recipe, table: Errors) -> dict[str, Any]:
    """Errors on held-out frames for the file: the main molecule by kind of frame, then each molecule."""
    accuracy: dict[str, Any] = {
        "unit": "force MAE in meV/angstrom, energy MAE in meV a molecule, on held-out trajectories"
    }
    for kind, row in table[recipe.main[0]].items():
        accuracy[f"{recipe.main[0]}, {kind}"] = [round(row["force_mae"], 1), round(row["energy_mae"], 1)]
    for name, kinds in table.items():
        if name != recipe.main[0] and any(kind != "distorted" for kind in kinds):
            accuracy[name] = [round(_overall(kinds, key), 1) for key in ("force_mae", "energy_mae")]
    return accuracy


def _held_out_table(table: Errors) -> str:
    keys = ("frames", "force_mae", "force_rmse", "force_mean_size", "energy_mae", "energy_rmse")
    head = ["molecule", "frames", "force MAE", "force RMSE", "mean size of a force", "energy MAE", "energy RMSE"]
    rows = [
        [f"{name}, {kind}", *(row[k] for k in keys)] for name, kinds in table.items() for kind, row in kinds.items()
    ]
    return markdown_table(head, rows)


def _backbone_table(cells: list[list[float | None]]) -> str:
    middles = [f"{-180 + 360 * (k + 0.5) / len(cells):.0f}" for k in range(len(cells))]
    return markdown_table(["phi \\ psi", *middles], [[m, *row] for m, row in zip(middles, cells, strict=True)])


def _visits_table(visits: list[dict[str, Any]]) -> str:
    head = ["temperature", "copies x time", "copies intact", "frames", "force MAE", "energy MAE", "mean energy error"]
    rows = []
    for visit in visits:
        span = f"{visit['copies']} x {visit['picoseconds']:.2f} ps"
        keys = ("frames", "force_mae", "energy_mae", "energy_offset")
        rows.append([f"{visit['kelvin']:.0f} K", span, visit["intact"], *(visit.get(key) for key in keys)])
    return markdown_table(head, rows)


def write_card(
    path: str | os.PathLike[str],
    recipe: Recipe,
    metadata: dict[str, Any],
    frames: dict[str, Frames],
    table: Errors,
    cells: list[list[float | None]],
    visits: list[dict[str, Any]],
    parameters: int,
) -> None:
    """Write the card as Markdown.

    Parameters
    ----------
    path : path
        The .md file.
    recipe : Recipe
        What was done.
    metadata : dict
        Of the model file, with provenance.
    frames : dict
        All frames, by molecule.
    table, cells, visits
        Of held_out_errors(), backbone_map() and wander().
    parameters : int
        How many weights the network has.
    """
    labelling, origin = recipe.labelling, metadata["provenance"]
    text = _CARD.format(
        name=recipe.name,
        main=recipe.main[0],
        small=len(recipe.small),
        parameters=f"{parameters:,}",
        licence=metadata["licence"],
        distorted=sum(int((each.temperatures < 0).sum()) for each in frames.values()),
        kelvins=", ".join(f"{t:.0f}" for t in labelling.temperatures),
        cis=f"{50 * labelling.cis:.0f}",
        share=f"{100 * labelling.distorted:.0f}",
        seeds=" (data) and ".join(str(seed) for seed in origin["seeds"]) + " (training)",
        software=", ".join(origin["software"]),
        held_out=_held_out_table(table),
        degrees=360 // len(cells),
        cells=_backbone_table(cells),
        holdout=recipe.holdout,
        l=labelling,
        n=recipe.network,
        t=recipe.training,
        o=origin,
    )
    if visits:
        text += _VISITS.format(main=recipe.main[0], visits=_visits_table(visits))
    with open(path, "w", encoding="utf-8") as file:
        file.write(wrapped(text))


def write_plot(
    path: str | os.PathLike[str], history: list[dict[str, float]], true: np.ndarray, found: np.ndarray
) -> None:
    """Plot the learning curve and student's against teacher's forces (eV/angstrom) as a PNG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 4), constrained_layout=True)
    left.semilogy([h["step"] for h in history], [h["force_mae_meV_A"] for h in history], marker="o")
    left.set(xlabel="training step", ylabel="force MAE of watched frames (meV/Å)")
    right.plot(true.ravel(), found.ravel(), ".", markersize=1, rasterized=True)
    right.set(xlabel="teacher's force component (eV/Å)", ylabel="student's")
    right.axline((0, 0), slope=1, color="black", linewidth=0.5)
    figure.savefig(path, dpi=130)
    pyplot.close(figure)
