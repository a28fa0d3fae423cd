# SPDX-License-Identifier: MIT
"""The picture of the alanine dipeptide demo."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402 (after the backend is chosen)
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.patheffects import withStroke  # noqa: E402

ENOUGH = 1000  # points, below which a density would promise statistics that are not there
INK, GRID = "#2b2f36", "#e3e6ea"
BLUE, RED, GREEN = "#2a6f97", "#c8553d", "#3a7d44"


def _style(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set_title(title, loc="left", fontsize=11, fontweight="bold", color=INK, pad=8)
    axes.set_xlabel(x, color=INK)
    axes.set_ylabel(y, color=INK)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, labelsize=9)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color("#9aa1ab")


def _running_mean(values: np.ndarray, width: int) -> np.ndarray:
    """The mean of the last ``width`` values, of fewer at the start."""
    sums = np.cumsum(np.insert(values, 0, 0.0))
    last = np.arange(1, len(values) + 1)
    first = np.maximum(0, last - width)
    return (sums[last] - sums[first]) / (last - first)


def _series(axes: Axes, time: np.ndarray, values: np.ndarray, colour: str) -> None:
    """Every value, pale, under the mean of the last twentieth of the run."""
    axes.plot(time, values, color=colour, alpha=0.28, linewidth=0.6)
    axes.plot(time, _running_mean(values, max(2, len(values) // 20)), color=colour, linewidth=1.8)
    axes.set_xlim(0, time[-1])


def _density(axes: Axes, phi: np.ndarray, psi: np.ndarray) -> None:
    """A smooth density that knows that angles are periodic."""
    edges = np.linspace(-180, 180, 73)
    counts = np.histogram2d(phi, psi, bins=(edges, edges))[0]
    distance = np.minimum(np.arange(72), 72 - np.arange(72)) * 5.0
    kernel = np.exp(-0.5 * (distance / 9.0) ** 2)
    spectrum = np.fft.fft2(counts) * np.fft.fft2(np.outer(kernel, kernel))
    density = np.fft.ifft2(spectrum).real.T
    centres = np.linspace(-182.5, 182.5, 74)  # one more on each side, from the other end
    density = np.pad(density, 1, mode="wrap")
    levels = density.max() * np.array([0.02, 0.08, 0.2, 0.4, 0.65, 1.0])
    axes.contourf(centres, centres, density, levels=levels, cmap="Blues", alpha=0.75, extend="neither")


def _torsion_map(axes: Axes, phi: np.ndarray, psi: np.ndarray, time: np.ndarray) -> None:
    """Where the molecule was: points coloured by time, over their density where there are enough of them."""
    if len(phi) >= ENOUGH:
        _density(axes, phi, psi)
    points = axes.scatter(phi, psi, c=time, s=5, cmap="plasma", alpha=0.55, linewidths=0)
    bar = axes.figure.colorbar(points, ax=axes, fraction=0.046, pad=0.03)
    bar.set_label("time (ps)", color=INK)
    bar.solids.set_alpha(1)
    bar.outline.set_visible(False)
    bar.ax.tick_params(colors=INK, labelsize=9)
    axes.plot(phi[0], psi[0], marker="o", markersize=8, color="white", markeredgecolor=INK, markeredgewidth=1.4)
    axes.annotate(
        "start",
        (phi[0], psi[0]),
        xytext=(9, 7),
        textcoords="offset points",
        fontsize=9.5,
        fontweight="bold",
        color=INK,
        path_effects=[withStroke(linewidth=3, foreground="white")],
    )
    axes.set(xlim=(-180, 180), ylim=(-180, 180), aspect="equal")
    axes.set_xticks(range(-180, 181, 60))
    axes.set_yticks(range(-180, 181, 60))


def plot_run(
    records: np.ndarray, times: np.ndarray, energies: np.ndarray, temperature: float, title: str, path: Path
) -> None:
    """Draw the run.

    Parameters
    ----------
    records : array [R, 7]
        step, time (ps), potential, kinetic energy (kJ/mol), temperature (K), phi, psi (degrees).
    times, energies : array [T]
        The run without thermostat: ps, total energy in kJ/mol.
    temperature : float
        That of the thermostat, K.
    title : str
        Above all.
    path : Path
        The PNG to write.
    """
    time = records[:, 1]
    figure = plt.figure(figsize=(13.5, 7.2), dpi=150, layout="constrained")
    grid = figure.add_gridspec(3, 2, width_ratios=(1.05, 1))
    potential, thermal, total = (figure.add_subplot(grid[row, 0]) for row in range(3))
    torsions = figure.add_subplot(grid[:, 1])

    relative = records[:, 2] - records[:, 2].min()
    _series(potential, time, relative, BLUE)
    _style(potential, "Potential energy above its lowest", "time (ps)", "kJ/mol")
    _series(thermal, time, records[:, 4], RED)
    thermal.axhline(temperature, color=INK, linewidth=1, linestyle=(0, (4, 3)))
    _style(thermal, f"Temperature (dashed: {temperature:g} K asked for)", "time (ps)", "K")
    total.plot(times, energies - energies.mean(), color=GREEN, linewidth=0.9)
    total.set_xlim(0, times[-1])
    _style(total, "Total energy without thermostat, about its mean", "time (ps)", "kJ/mol")
    _torsion_map(torsions, records[:, 5], records[:, 6], time)
    _style(torsions, "Backbone torsions", "φ (degrees)", "ψ (degrees)")
    for spine in torsions.spines.values():
        spine.set(visible=True, color="#9aa1ab")
    for line in (torsions.axhline, torsions.axvline):
        line(0, color="#b9bfc7", linewidth=1)

    figure.suptitle(title, x=0.01, ha="left", fontsize=13.5, fontweight="bold", color=INK)
    figure.savefig(path)
    plt.close(figure)
