# SPDX-License-Identifier: MIT
"""Tells a Python user what PaiNNStudentModel.getWarnings() says, once a model."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .painn import PaiNNStudentModel

__all__ = ["ModelWarning", "warn_once"]


class ModelWarning(UserWarning):
    """A model has a flaw that its user must know; given when a Force is first made of it.

    Silence it with ``warnings.simplefilter("ignore", openmmpainn.ModelWarning)``.
    """


_told: set[str] = set()


def warn_once(model: PaiNNStudentModel) -> None:
    """Give each warning of a model that was not met before in this process, in the name of the caller's caller."""
    if model.getHash() in _told:
        return
    _told.add(model.getHash())
    for text in model.getWarnings():
        warnings.warn(f"{model.getName() or 'model'}: {text}", ModelWarning, stacklevel=3)
