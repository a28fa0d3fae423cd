# SPDX-License-Identifier: MIT
"""Draw the results of `openmmpainn benchmark --json FILE`.

    python benchmarks/plot_results.py benchmarks/results/cpu.json [more.json ...] [--output FILE.png]

Makes a PNG next to the first file unless told otherwise. Left the time of energy and forces for each atom, in the
middle that of a molecule in batches, right the speed of molecular dynamics; PyTorch is dashed, as a CUDA graph dotted.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402 (after the choice of the backend)


def label_of(results: dict[str, Any]) -> str:
    """What tells a file from the others: model, platform, threads of a host that does the work."""
    settings, machine = results["settings"], results["machine"]
    words = [machine["platform"]]
    if machine["platform"] != "CUDA":
        words.append(f"{settings['threads']} thread{'s' if settings['threads'] > 1 else ''}")
    return ", ".join([*words, f"{results['model']['parameters'] // 1000}k weights"])


def series(results: dict[str, Any], kind: str, x: str, value) -> tuple[list[float], list[float]]:
    """The points of one kind of row; those for which there is no value are left out."""
    points = [(row[x], value(row)) for row in results["rows"] if row["kind"] == kind and "skipped" not in row]
    points = [point for point in points if point[1] is not None]
    return [point[0] for point in points], [point[1] for point in points]


# PyTorch's entries of a row, with line styles and labels.
PEERS = {
    "peer": ("--", "eager PyTorch"),
    "graph": (":", "PyTorch, CUDA graph"),
    "python_force": ("--", "PythonForce, eager PyTorch"),
    "torch_force_graph": (":", "TorchForce, CUDA graphs"),
}


def peer_time(row: dict[str, Any], peer: str) -> float | None:
    """The time of one of PyTorch's entries of a row, s."""
    return row.get(peer, {}).get("median")


def draw_peer(axes, index: int, peer: str, results: dict[str, Any], kind: str, x: str, value) -> None:
    """A thin line of value(time, row) for one of PyTorch's entries, where there are any."""
    points = series(results, kind, x, lambda row: peer_time(row, peer) and value(peer_time(row, peer), row))
    if points[0]:
        linestyle, label = PEERS[peer]
        axes.plot(*points, color=f"C{index}", linestyle=linestyle, marker="o", markersize=3, label=label)


def draw(files: list[dict[str, Any]], output: Path) -> None:
    """Draw the results of one or more runs into a PNG file."""
    figure, (single, batch, dynamics) = plt.subplots(1, 3, figsize=(15, 4.6), layout="constrained")
    for index, results in enumerate(files):
        style = {"color": f"C{index}", "label": label_of(results)}
        for axes, kind, x, scale in (
            (single, "single", "atoms", lambda row: 1e6 / row["atoms"]),
            (batch, "batch", "molecules", lambda row: 1e3 / row["molecules"]),
        ):
            axes.plot(*series(results, kind, x, lambda row, s=scale: row["median"] * s(row)), marker="o", **style)
            for peer in ("peer", "graph"):
                draw_peer(axes, index, peer, results, kind, x, lambda time, row, s=scale: time * s(row))
        dynamics.plot(*series(results, "md", "atoms", lambda row: row["steps_per_second"]), marker="o", **style)
        for peer in ("python_force", "torch_force_graph"):
            draw_peer(dynamics, index, peer, results, "md", "atoms", lambda time, row: 1 / time)
    for axes, x, y in (
        (single, "atoms", "energy + forces, us/atom"),
        (batch, "molecules of 22 atoms in a batch", "energy + forces, ms/molecule"),
        (dynamics, "atoms", "molecular dynamics, steps/s"),
    ):
        axes.set(xlabel=x, ylabel=y)
        if any(len(line.get_xdata()) > 0 for line in axes.lines):
            axes.set(xscale="log", yscale="log")
        axes.grid(True, which="both", alpha=0.25)
        if axes.lines:
            axes.legend(fontsize=8)
    machine, versions = files[0]["machine"], files[0]["machine"]["versions"]
    commit = (machine["commit"] or "unknown commit")[:12]
    text = f"{machine['device']}, " + ", ".join(f"{name} {value}" for name, value in versions.items())
    figure.suptitle(f"{text}, {commit}, {files[0]['date'][:10]}", fontsize=9)
    figure.savefig(output, dpi=120)
    plt.close(figure)


def main(arguments: list[str] | None = None) -> Path:
    """Read the files, draw, say where the picture is."""
    parser = argparse.ArgumentParser(description="Draw the results of openmmpainn benchmark.")
    parser.add_argument("files", metavar="FILE.json", nargs="+", type=Path)
    parser.add_argument("--output", metavar="FILE.png", type=Path, help="default: next to the first file")
    parsed = parser.parse_args(arguments)
    output = parsed.output or parsed.files[0].with_suffix(".png")
    draw([json.loads(path.read_text(encoding="utf-8")) for path in parsed.files], output)
    print(output)
    return output


if __name__ == "__main__":
    main()
