# SPDX-License-Identifier: MIT
"""The results as a table for people."""

from __future__ import annotations

from typing import Any

__all__ = ["format_number", "format_table", "table_rows", "to_text"]

_KINDS = {"single": "energy + forces", "batch": "batch", "md": "dynamics"}
_COLUMNS = (
    *("work", "atoms", "molecules", "ms", "us/atom", "ms/molecule", "steps/s", "ns/day"),
    *("PyTorch ms", "ratio", "graph ms", "graph ratio", "TorchForce ms", "TorchForce ratio"),
    *("LibTorch ms", "LibTorch ratio"),
)
# What PyTorch did for a row, with names for the notes. PythonForce shares the columns of eager PyTorch, which it runs,
# and TorchForce with CUDA graphs those of PyTorch's CUDA graph.
_PEERS = {
    "peer": "PyTorch",
    "graph": "PyTorch's CUDA graph",
    "python_force": "PythonForce",
    "torch_force": "TorchForce",
    "torch_force_graph": "TorchForce with CUDA graphs",
    "libtorch": "the LibTorch engine",
}


def format_number(value: float | None, digits: int = 3) -> str:
    """A figure with so many digits, no exponent for usual sizes."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 10**digits else f"{value:.{digits}g}"


def _against(row: dict[str, Any], peer: str) -> list[str]:
    """Time (ms) and ratio of one of PyTorch's entries; empty where it was not measured."""
    found = row.get(peer, {})
    if "median" not in found:
        return ["", ""]
    ratio = "ratio" if peer == "peer" else f"{peer}_ratio"
    return [format_number(1e3 * found["median"]), f"{row[ratio]:.1f}x" if row[ratio] >= 1 else f"{row[ratio]:.2g}x"]


def table_rows(results: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """The columns that hold anything, and the cells of every row that was measured."""
    lines = []
    for row in results["rows"]:
        if "skipped" in row:
            continue
        batch = row["kind"] == "batch"
        eager, graph = ("python_force", "torch_force_graph") if row["kind"] == "md" else ("peer", "graph")
        ms = 1e3 * row["median"]
        lines.append(
            [
                _KINDS[row["kind"]] + (", periodic" if row["periodic"] else ""),
                f"{row['atoms']:,}",
                str(row["molecules"]) if batch else "",
                format_number(ms),
                format_number(row.get("us_per_atom")),
                format_number(1e3 * row["per_molecule"]) if batch else "",
                format_number(row.get("steps_per_second")),
                format_number(row.get("ns_per_day")),
                *_against(row, eager),
                *_against(row, graph),
                *_against(row, "torch_force"),
                *_against(row, "libtorch"),
            ]
        )
    used = [k for k in range(len(_COLUMNS)) if any(line[k] for line in lines)]
    return [_COLUMNS[k] for k in used], [[line[k] for k in used] for line in lines]


def _notes(results: dict[str, Any]) -> list[str]:
    """What the table cannot say."""
    notes = []
    for row in results["rows"]:
        what = f"{_KINDS[row['kind']]}, {row['atoms']:,} atoms"
        if row["kind"] == "batch":
            what += f" x {row['molecules']}"
        if "skipped" in row:
            notes.append(f"Skipped: {what}: {row['skipped']}.")
        for peer, name in _PEERS.items():
            if "skipped" in row.get(peer, {}):
                notes.append(f"Skipped in {name}: {what}: {row[peer]['skipped']}.")
    entries = [row[peer] for row in results["rows"] for peer in _PEERS if "median" in row.get(peer, {})]
    if any("median" in row.get("python_force", {}) for row in results["rows"]):
        notes.append("PyTorch ms of dynamics: a step through openmm.PythonForce, which calls eager PyTorch.")
    if any("median" in row.get("graph", {}) for row in results["rows"]):
        notes.append("graph ms: PyTorch's CUDA graph, positions copied in, edges frozen.")
    if any("median" in row.get("torch_force", {}) for row in results["rows"]):
        notes.append("TorchForce ms: a step through openmm-torch's TorchForce, traced PyTorch, all pairs.")
    if any("median" in row.get("torch_force_graph", {}) for row in results["rows"]):
        notes.append("graph ms of dynamics: TorchForce with CUDA graphs.")
    if "graph_skipped" in results["summary"]:
        notes.append(f"PyTorch's CUDA graph: not measured, {results['summary']['graph_skipped']}.")
    if "torch_force_skipped" in results["summary"]:
        notes.append(f"openmm-torch's TorchForce: not measured, {results['summary']['torch_force_skipped']}.")
    if "libtorch_skipped" in results["summary"]:
        notes.append(f"The LibTorch engine: not measured, {results['summary']['libtorch_skipped']}.")
    found = [entry["force_difference"] for entry in entries]
    if found:
        notes.append(f"Forces differ from PyTorch's (float32) by {max(found):.1e} of their RMS at most.")
    load = results["machine"]["load_before"]
    if load is not None and load > 0.5:
        notes.append(f"Other work was under way: a load of {load:.1f} on {results['machine']['cores']} cores before.")
    summary = results["summary"]
    if "spread_of_cost_per_atom" in summary:
        notes.append(
            f"Cost of an atom, 1,000 atoms and more: the dearest {100 * summary['spread_of_cost_per_atom']:.0f} % "
            "above the cheapest."
        )
    if "bytes_per_atom" in summary:
        few, many = summary["bytes_per_atom_sizes"]
        notes.append(f"Memory: {summary['bytes_per_atom'] / 1e3:.1f} kB an atom ({few:,} to {many:,} atoms).")
    elif "memory_skipped" in summary:
        notes.append(f"Memory: not measured, {summary['memory_skipped']}.")
    return notes


def _heading(results: dict[str, Any]) -> list[str]:
    machine, settings, model = results["machine"], results["settings"], results["model"]
    versions = ", ".join(f"{name} {value}" for name, value in machine["versions"].items())
    return [
        f"{model['name'] or 'model'}: {model['architecture']}, {model['parameters']:,} weights",
        f"{machine['platform']} on {machine['device']}, {settings['threads']} of {machine['cores']} threads"
        + (f", {' '.join(machine['features'])}" if machine["features"] else ""),
        f"{versions}, commit {machine['commit'] or 'unknown'}",
    ]


def to_text(results: dict[str, Any]) -> str:
    """The results of run_benchmark() as text: a table (of the package rich where that is installed) and notes."""
    columns, lines = table_rows(results)
    return "\n".join([*_heading(results), "", format_table(columns, lines), "", *_notes(results)])


def format_table(columns: list[str], lines: list[list[str]]) -> str:
    """A table by the package rich, or a plain one where that is not installed; the first column is of text."""
    try:
        from rich.console import Console
        from rich.table import Table
    except ImportError:
        widths = [max(len(cell) for cell in cells) for cells in zip(columns, *lines, strict=True)]
        return "\n".join(
            "  ".join(c.ljust(w) if k == 0 else c.rjust(w) for k, (c, w) in enumerate(zip(line, widths, strict=True)))
            for line in [columns, *lines]
        )
    table = Table()
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right", no_wrap=True)
    for line in lines:
        table.add_row(*line)
    console = Console(width=160, no_color=True)
    with console.capture() as capture:
        console.print(table)
    return capture.get().rstrip("\n")
