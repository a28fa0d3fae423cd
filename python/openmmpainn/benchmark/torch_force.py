# SPDX-License-Identifier: MIT
"""The network as a TorchForce of the package openmm-torch: traced PyTorch, with or without CUDA graphs."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import openmm

from .peers import TorchPeer
from .systems import BenchmarkSystem

if TYPE_CHECKING:
    import torch

__all__ = ["torch_force", "trace_energy", "why_no_torch_force"]


def why_no_torch_force() -> str | None:
    """Why TorchForce cannot be had here, in a few words; None if it can."""
    # PyTorch first: TorchForce takes its libraries from the process.
    try:
        import openmmtorch  # noqa: F401, I001
        import torch  # noqa: F401
    except ImportError as error:
        if error.name == "openmmtorch":
            return "it needs the package openmmtorch (pip install openmmtorch)"
        return f"the package openmmtorch does not load: {str(error).splitlines()[0].rstrip('.')}"
    return None


def trace_energy(peer: TorchPeer, system: BenchmarkSystem, scale: float) -> torch.jit.ScriptModule:
    """The energy (kJ/mol) as traced PyTorch, a function of positions [N, 3] (nm).

    Its pairs are all pairs of atoms, since a trace cannot choose among them; those beyond the cutoff add exactly 0.

    Parameters
    ----------
    peer : TorchPeer
        The network; prepared for the system here.
    system : BenchmarkSystem
        The atoms, in vacuum.
    scale : float
        The energy is multiplied by it.

    Raises
    ------
    ValueError
        If the system is periodic.
    """
    import torch

    if system.box is not None:
        raise ValueError("TorchForce is measured in vacuum; this system is periodic")
    peer.prepare([system], [[system.positions]], cutoff=np.inf)

    class Energy(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = peer.network

        def forward(self, positions: torch.Tensor) -> torch.Tensor:
            return scale * peer.energy(positions)

    positions = torch.as_tensor(system.positions, dtype=torch.float32, device=peer.device)
    with warnings.catch_warnings():  # TorchScript is deprecated, and all that TorchForce takes
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.trace(Energy(), (positions,), check_trace=False)


def torch_force(peer: TorchPeer, system: BenchmarkSystem, cuda_graphs: bool, scale: float = 1.0) -> openmm.Force:
    """A TorchForce with the network's energy of all particles of a System.

    Parameters
    ----------
    peer : TorchPeer
        The network; prepared for the system here.
    system : BenchmarkSystem
        The atoms, in vacuum.
    cuda_graphs : bool
        Whether TorchForce captures its evaluation as a CUDA graph.
    scale : float
        The energy is multiplied by it.

    Raises
    ------
    ImportError
        If TorchForce cannot be had here.
    ValueError
        If the system is periodic.
    """
    reason = why_no_torch_force()
    if reason is not None:
        raise ImportError(f"TorchForce is left out: {reason}")
    import openmmtorch

    force = openmmtorch.TorchForce(trace_energy(peer, system, scale))
    force.setProperty("useCUDAGraphs", "true" if cuda_graphs else "false")
    return force
