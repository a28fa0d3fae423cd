# SPDX-License-Identifier: MIT
"""The picture of a replica exchange."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402 (after the backend is chosen)
from matplotlib.colors import ListedColormap  # noqa: E402

INK = "#2b2f36"


def plot_exchange(
    kelvin: np.ndarray,
    acceptance: np.ndarray,
    replica_states: np.ndarray,
    energies: np.ndarray,
    time: np.ndarray,
    path: Path,
) -> None:
    """Draw how often temperatures are exchanged, where replicas go, and how energies overlap.

    Parameters
    ----------
    kelvin : array [n]
        The temperatures, ascending.
    acceptance : array [n, n]
        Swaps for each attempt; NaN where there was none.
    replica_states : int array [iterations, n]
        The temperature of each replica, counted from 0.
    energies : array [iterations, n]
        The potential energy at each temperature, kJ/mol.
    time : array [iterations]
        ps, of one replica.
    path : Path
        The PNG to write.
    """
    figure = plt.figure(figsize=(15, 5.2), dpi=150, layout="constrained")
    grid = figure.add_gridspec(2, 3, width_ratios=(1, 1.5, 1), height_ratios=(2, 1))
    swaps, overlap = figure.add_subplot(grid[:, 0]), figure.add_subplot(grid[:, 2])
    paths, one = figure.add_subplot(grid[0, 1]), figure.add_subplot(grid[1, 1])
    n = len(kelvin)
    ticks = np.unique(np.linspace(0, n - 1, min(n, 6)).round().astype(int))
    labels = [f"{t:.0f}" for t in kelvin[ticks]]
    colours = ListedColormap(plt.get_cmap("plasma")(np.linspace(0, 0.95, n)))

    image = swaps.imshow(acceptance, origin="lower", cmap="viridis", vmin=0, vmax=1)
    figure.colorbar(image, ax=swaps, location="bottom", pad=0.03, label="swaps for each attempt")
    swaps.set_xticks(ticks, labels)
    swaps.set_yticks(ticks, labels)
    swaps.set(title="Acceptance", xlabel="temperature (K)", ylabel="temperature (K)")

    few = np.unique(
        np.linspace(0, len(time) - 1, min(len(time), 150)).round().astype(int)
    )  # what an eye can tell apart
    extent = (0, time[-1], -0.5, n - 0.5)
    image = paths.imshow(
        replica_states[few].T,
        origin="lower",
        aspect="auto",
        extent=extent,
        cmap=colours,
        vmin=-0.5,
        vmax=n - 0.5,
        interpolation="nearest",
    )
    bar = figure.colorbar(image, ax=paths, pad=0.01, label="temperature (K)")
    bar.set_ticks(ticks, labels=labels)
    paths.set(title="Temperatures of the replicas", ylabel="replica")
    paths.set_yticks(ticks)
    paths.tick_params(labelbottom=False)
    one.plot(time, kelvin[replica_states[:, 0]], color=INK, linewidth=0.7)
    one.set(title="Replica 0", xlabel="time of a replica (ps)", ylabel="temperature (K)", xlim=(0, time[-1]))

    later = energies[len(energies) // 5 :] - energies.min()
    bins = np.linspace(later.min(), later.max() + 1e-9, 25)
    for i in ticks:
        kind = {"bins": bins, "density": True, "color": colours(i)}
        overlap.hist(later[:, i], histtype="stepfilled", alpha=0.15, **kind)
        overlap.hist(later[:, i], histtype="step", linewidth=1.8, label=f"{kelvin[i]:.0f} K", **kind)
    overlap.set(title="Potential energies", xlabel="above the lowest (kJ/mol)", ylabel="density")
    overlap.set_yticks([])
    overlap.legend(frameon=False)

    for axes in (swaps, paths, one, overlap):
        title = axes.get_title()
        axes.set_title("")
        axes.set_title(title, loc="left", fontsize=11, fontweight="bold", color=INK)
    figure.savefig(path)
    plt.close(figure)
