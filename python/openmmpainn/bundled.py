# SPDX-License-Identifier: MIT
"""The models that come with the package."""

from __future__ import annotations

import pathlib

MODEL_FOLDER = pathlib.Path(__file__).resolve().parent / "models"
"""Where the .safetensors files lie; the model card of NAME.safetensors is NAME.md beside it."""


def bundledModels() -> list[str]:
    """List the models that come with the package.

    Returns
    -------
    list of str
        Names for PaiNNStudentModel.bundled(), sorted. Empty if the package was built without any.
    """
    return sorted(path.stem for path in MODEL_FOLDER.glob("*.safetensors"))


def bundledModelPath(name: str) -> str:
    """Find the file of a model that comes with the package.

    Parameters
    ----------
    name : str
        One of bundledModels().

    Returns
    -------
    str
        The path of its .safetensors file.

    Raises
    ------
    ValueError
        If there is no model of that name.
    """
    names = bundledModels()
    if name not in names:
        raise ValueError(
            f"name is {name!r}, but the models that come with openmmpainn are: {', '.join(names) or 'none'}"
        )
    return str(MODEL_FOLDER / f"{name}.safetensors")
