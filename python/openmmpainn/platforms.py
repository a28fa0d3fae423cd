# SPDX-License-Identifier: MIT
"""OpenMM's platforms by name."""

from __future__ import annotations

import openmm

__all__ = ["get_platform", "platform_names", "why_no_cuda"]


def platform_names() -> list[str]:
    """The names of OpenMM's platforms, slowest first."""
    platforms = [openmm.Platform.getPlatform(i) for i in range(openmm.Platform.getNumPlatforms())]
    return [platform.getName() for platform in sorted(platforms, key=lambda platform: platform.getSpeed())]


def why_no_cuda() -> str:
    """One sentence that says why OpenMM has no CUDA platform here; "" if it has one."""
    if "CUDA" in platform_names():
        return ""
    for failure in openmm.Platform.getPluginLoadFailures():
        _, found, reason = failure.partition("libOpenMMCUDA.so: ")
        if found and "PaiNN" not in failure:
            driver = " (no NVIDIA driver was found)" if reason.startswith("libcuda.so") else ""
            return f"OpenMM's plugin for CUDA cannot be loaded: {reason.strip()}{driver}"
    return "OpenMM's plugin for CUDA is not installed: pip install 'openmm[cuda13]' (older drivers: cuda12)"


def get_platform(name: str) -> openmm.Platform:
    """The platform of this name.

    Raises
    ------
    ValueError
        If there is none; the message lists those there are, and for CUDA says why it is not among them.
    """
    if name not in platform_names():
        reason = f". {why_no_cuda()}" if name == "CUDA" else ""
        raise ValueError(f"platform '{name}' is not here; OpenMM has {', '.join(platform_names())}{reason}")
    return openmm.Platform.getPlatform(name)
