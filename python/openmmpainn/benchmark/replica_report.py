# SPDX-License-Identifier: MIT
"""What benchmark_replicas() found, as a table and one line of advice."""

from __future__ import annotations

from typing import Any

from .replicas import LEVELS
from .report import format_number, format_table

__all__ = ["advice", "replicas_to_text"]

_COLUMNS = ["where", "replicas", "us/replica-step", "ns/day in all", "ns/day each", "memory MB"]


def _bytes(value: float) -> str:
    return f"{value / 1e6:.2g} MB" if value >= 1e5 else f"{value / 1e3:.2g} kB"


def advice(results: dict[str, Any]) -> str:
    """One line: the best number of replicas, where they are, how fast, and what a replica takes."""
    best = results["best"]
    if best is None:
        return "best: unknown, nothing could be measured"
    count, growth = best["replicas"], results["bytes_per_replica"][best["level"]]
    memory = "memory a replica unknown" if growth is None else f"{_bytes(growth)} a replica"
    return (
        f"best: {count} replica{'s' if count > 1 else ''} {LEVELS[best['level']]}, "
        f"{format_number(best['us_per_replica_step'])} us a replica-step, {format_number(best['ns_per_day'])} ns/day "
        f"in all, {memory}"
    )


def replicas_to_text(results: dict[str, Any]) -> str:
    """The results of benchmark_replicas() as text: a table, what was left out and why, and the advice."""
    machine, settings, model = results["machine"], results["settings"], results["model"]
    lines, notes = [], []
    for row in results["rows"]:
        where, count = LEVELS[row["level"]], row["replicas"]
        if "skipped" in row:
            notes.append(f"Not measured: {count:,} replicas {where}: {row['skipped']}.")
            continue
        speed, memory = row["ns_per_day"], row["memory"]
        figures = (row["us_per_replica_step"], speed, speed / count)
        total = "unknown" if memory is None else format_number(memory / 1e6)
        lines.append([where, f"{count:,}", *map(format_number, figures), total])
    gpu = machine["platform"] not in ("Reference", "CPU")
    notes.append(
        "Memory: what all GPUs of the machine gained, by nvidia-smi (what else runs on them is in it)."
        if gpu
        else "Memory: the peak of the process, resident, with Python and all libraries; a replica's: its growth."
    )
    load = machine["load_before"]
    if load is not None and load > 0.5:
        notes.append(
            f"Other work was under way: a load of {load:.1f} on {machine['cores']} cores before, "
            "which changes times and may change what is best."
        )
    heading = [
        f"{results['structure']['name']}, {results['structure']['atoms']} atoms, by "
        f"{model['name'] or 'model'}: {model['architecture']}, {model['parameters']:,} weights",
        f"{machine['platform']} on {machine['device']}, {settings['threads']} of {machine['cores']} threads; steps of "
        f"{settings['time_step_fs']:g} fs at {settings['temperature']:g} K",
    ]
    return "\n".join([*heading, "", format_table(_COLUMNS, lines), "", *notes, advice(results)])
