# SPDX-License-Identifier: MIT
"""How fast is a model on a platform: energies and forces, batches, molecular dynamics, against eager PyTorch."""

from __future__ import annotations

__all__ = ["run_benchmark"]

from .run import run_benchmark
