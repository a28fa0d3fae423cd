# SPDX-License-Identifier: MIT
"""How fast is a model on a platform: energies and forces, batches, molecular dynamics, replicas, against PyTorch."""

from __future__ import annotations

__all__ = ["benchmark_replicas", "run_benchmark"]

from .replicas import benchmark_replicas
from .run import run_benchmark
