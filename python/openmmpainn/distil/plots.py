# SPDX-License-Identifier: MIT
"""Pictures of a training and of a student's errors, as PNG files; nothing is drawn where matplotlib is missing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .evaluation import Residuals

__all__ = ["SYMBOLS", "plot_training"]

SYMBOLS = {1: "H", 6: "C", 7: "N", 8: "O", 9: "F", 16: "S", 17: "Cl"}
"""Of the elements that students have been made for, by atomic number."""


def plot_training(path: str | os.PathLike[str], history: list[dict[str, float]], errors: Residuals) -> bool:
    """Learning curve; force errors by molecule and by element; energy errors within molecules.

    Returns
    -------
    bool
        False where matplotlib is not installed.
    """
    try:
        import matplotlib
    except ImportError:
        return False
    matplotlib.use("Agg")
    from matplotlib import pyplot

    from .evaluation import force_mae_by_molecule

    figure, axes = pyplot.subplots(2, 2, figsize=(10, 7.5), constrained_layout=True)
    curve, molecules, elements, energies = axes.ravel()
    minutes = [h["seconds"] / 60 for h in history]
    curve.semilogy(minutes, [h["force_mae_meV_A"] for h in history], marker=".", label="force MAE, held out (meV/Å)")
    curve.semilogy(minutes, [1000 * h["loss"] for h in history], alpha=0.4, label="1000 × loss of one batch")
    curve.set(xlabel="training (minutes)", title="learning curve")
    curve.legend()
    plain = errors.temperatures[errors.frames] > 0
    mae = force_mae_by_molecule(errors, plain)
    mae = mae[np.isfinite(mae)]
    molecules.hist(mae, bins=np.geomspace(mae.min() * 0.9, mae.max() * 1.1, 40))
    molecules.axvline(np.median(mae), color="black", linewidth=0.8)
    molecules.set(
        xscale="log", xlabel="force MAE of a molecule (meV/Å)", ylabel="molecules", title="held-out molecules"
    )
    size = np.linalg.norm(errors.forces[plain], axis=1)
    kinds = np.unique(errors.elements[plain])
    elements.boxplot([size[errors.elements[plain] == z] for z in kinds], whis=(5, 95), showfliers=False)
    elements.set_xticks(range(1, len(kinds) + 1), [SYMBOLS.get(int(z), str(z)) for z in kinds])
    elements.set(yscale="log", ylabel="force error of an atom (meV/Å)", title="by element (5, 25, 50, 75, 95 %)")
    within = errors.within()
    if len(within):
        edge = np.percentile(np.abs(within), 99)
        energies.hist(np.clip(within, -edge, edge), bins=60)
    energies.set(xlabel="energy error within a molecule (meV)", ylabel="frames", title="energies (ends: all beyond)")
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
    return True
