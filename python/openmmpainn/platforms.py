# SPDX-License-Identifier: MIT
"""OpenMM's platforms by name."""

from __future__ import annotations

import openmm

__all__ = ["get_platform", "platform_names"]


def platform_names() -> list[str]:
    """The names of OpenMM's platforms, slowest first."""
    platforms = [openmm.Platform.getPlatform(i) for i in range(openmm.Platform.getNumPlatforms())]
    return [platform.getName() for platform in sorted(platforms, key=lambda platform: platform.getSpeed())]


def get_platform(name: str) -> openmm.Platform:
    """The platform of this name.

    Raises
    ------
    ValueError
        If there is none; the message lists those there are.
    """
    if name not in platform_names():
        raise ValueError(f"platform '{name}' is not here; OpenMM has {', '.join(platform_names())}")
    return openmm.Platform.getPlatform(name)
