# SPDX-License-Identifier: MIT
"""What the figures were measured on."""

from __future__ import annotations

import os
import pathlib
import platform as python_platform
import subprocess
from typing import Any

import openmm

__all__ = ["available_memory", "describe_machine", "load_average", "usable_cores"]


def usable_cores() -> int:
    """How many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def available_memory() -> float:
    """Memory (bytes) that is free for a new array; infinite where the system does not say."""
    try:
        lines = pathlib.Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return float("inf")
    return 1024.0 * next((int(line.split()[1]) for line in lines if line.startswith("MemAvailable")), 0)


def load_average() -> float | None:
    """How many processes wanted a core in the last minute; None where the system does not say."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def _processor() -> str:
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return python_platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def _features() -> list[str]:
    """Those instruction sets of the processor that a kernel may choose among."""
    try:
        text = pathlib.Path("/proc/cpuinfo").read_text()
    except OSError:
        return []
    words = set(text.split())
    return [name for name in ("sse4_1", "avx", "avx2", "fma", "avx512f", "avx512vl", "asimd") if name in words]


def _commit() -> str | None:
    """$PAINN_COMMIT; else that of the source the package is run from or the process stands in, "+" if changed."""
    if given := os.environ.get("PAINN_COMMIT"):
        return given if given != "unknown" else None
    for folder in (pathlib.Path(__file__).resolve().parent, pathlib.Path.cwd()):
        try:
            top = _git(folder, "rev-parse", "--show-toplevel")
            if not (pathlib.Path(top) / "python" / "openmmpainn" / "benchmark").is_dir():
                continue
            changed = _git(pathlib.Path(top), "status", "--porcelain", "--untracked-files=no")
            return _git(folder, "rev-parse", "HEAD") + ("+" if changed else "")
        except (OSError, subprocess.SubprocessError):
            continue
    return None


def _git(folder: pathlib.Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()


def describe_machine(context: openmm.Context) -> dict[str, Any]:
    """Device, versions and commit, as plain values.

    Parameters
    ----------
    context : openmm.Context
        On the platform that is measured.
    """
    from .. import __version__

    platform = context.getPlatform()
    properties = {name: platform.getPropertyValue(context, name) for name in platform.getPropertyNames()}
    versions = {
        "openmmpainn": __version__,
        "OpenMM": openmm.Platform.getOpenMMVersion(),
        "Python": python_platform.python_version(),
    }
    return {
        "platform": platform.getName(),
        "device": properties.get("DeviceName") or _processor(),
        "properties": properties,
        "processor": _processor(),
        "features": _features(),
        "cores": usable_cores(),
        "system": f"{python_platform.system()} {python_platform.machine()}",
        "versions": versions,
        "commit": _commit(),
    }
