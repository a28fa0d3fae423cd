# SPDX-License-Identifier: MIT
"""Makes sure that the OpenMM that is there fits, and that its platforms know PaiNNStudentForce.

OpenMM loads the plugins by itself when they lie in its own plugin folder, as they do after pip has installed our wheel.
Where they lie elsewhere (another site-packages, or OPENMM_PLUGIN_DIR names another folder), the functions here do it.
"""

from __future__ import annotations

import pathlib
import warnings

OPENMM_SERIES = "8.6"
"""The OpenMM versions that the compiled libraries fit: C++ has no stable binary interface across them."""

KERNEL = "CalcPaiNNStudentForce"
PLUGIN_FOLDER = pathlib.Path(__file__).resolve().parent.parent / "OpenMM.libs" / "lib" / "plugins"
"""Where this package's own plugins are installed."""


def require_openmm() -> None:
    """Import OpenMM, which loads its library and the plugins in its folder.

    Raises
    ------
    ImportError
        If OpenMM is not installed, or is of another version than the compiled libraries were built for.
    """
    import openmm

    version = openmm.Platform.getOpenMMVersion()
    if version.split(".")[:2] != OPENMM_SERIES.split("."):
        from . import __version__

        folder = pathlib.Path(openmm.__file__).parent
        raise ImportError(
            f"openmmpainn {__version__} is built for OpenMM {OPENMM_SERIES}, but OpenMM {version} was found in "
            f"{folder}: install 'openmm=={OPENMM_SERIES}.*'"
        )


def platforms_with_kernel() -> list[str]:
    """The names of OpenMM's platforms that can evaluate a PaiNNStudentForce."""
    from openmm import Platform

    platforms = [Platform.getPlatform(index) for index in range(Platform.getNumPlatforms())]
    return [platform.getName() for platform in platforms if platform.supportsKernels([KERNEL])]


def require_kernel() -> None:
    """Load this package's own plugins if no platform knows the Force yet, with a warning that says so.

    Raises
    ------
    ImportError
        If no platform knows the Force after that.
    """
    if platforms_with_kernel():
        return
    from openmm import OpenMMException, Platform

    failures = []
    # Longest name last: a platform's own plugin goes before the general one, as when OpenMM loads a folder.
    for path in sorted(PLUGIN_FOLDER.glob("libOpenMMPaiNN*"), key=lambda path: (len(path.name), path.name)):
        try:
            Platform.loadPluginLibrary(str(path))
        except OpenMMException as error:
            failures.append(str(error))
    if not platforms_with_kernel():
        failures += [text for text in Platform.getPluginLoadFailures() if "PaiNN" in text]
        # That CUDA is not there does not explain why the other platforms do not know the Force.
        failures = [text for text in failures if "libOpenMMPaiNNCUDA.so: " not in text]
        reason = "; ".join(failures) or f"{PLUGIN_FOLDER} holds no plugin that fits"
        raise ImportError(f"no platform of OpenMM can evaluate a PaiNNStudentForce: {reason}")
    warnings.warn(
        f"OpenMM did not load the plugins of openmmpainn, so they were taken from {PLUGIN_FOLDER}; import openmmpainn "
        "before opening a System that holds a PaiNNStudentForce",
        RuntimeWarning,
        stacklevel=2,
    )
