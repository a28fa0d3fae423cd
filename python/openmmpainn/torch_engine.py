# SPDX-License-Identifier: MIT
"""The LibTorch engine as Python sees it: where PyTorch is, and whether the engine can be used."""

from __future__ import annotations

import importlib.util

__all__ = ["find_torch_folder", "why_no_torch"]


def find_torch_folder() -> str:
    """The folder of the PyTorch that ``import torch`` would take, without importing it; "" if there is none."""
    try:
        found = importlib.util.find_spec("torch")
    except (ImportError, ValueError):  # a package that is only half there, or one that was forbidden
        return ""
    folders = found.submodule_search_locations if found is not None else None
    return str(folders[0]) if folders else ""


def why_no_torch() -> str:
    """Why PaiNNStudentForce.LibTorch cannot be used, in one sentence; "" if it can. Loads PyTorch.

    Returns
    -------
    str
        The message that making a Context would raise.
    """
    import openmm

    from . import painn

    try:
        painn._loadTorchEngine()
    except openmm.OpenMMException as error:
        return str(error)
    return ""
