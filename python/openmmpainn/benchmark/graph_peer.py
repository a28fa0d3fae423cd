# SPDX-License-Identifier: MIT
"""The same work in PyTorch as a CUDA graph: all kernels of energies and forces recorded once, then launched as one."""

from __future__ import annotations

from types import TracebackType

import numpy as np

from .peers import TorchPeer

__all__ = ["GraphPeer"]

WARM_UP = 3  # calls before the recording, in which libraries make what they need


class GraphPeer:
    """Evaluates what a TorchPeer was prepared for, by replaying a CUDA graph. A context manager that frees its memory.

    Edges are frozen in the graph, only positions change, so this is what PyTorch can do at best without compiling.

    Parameters
    ----------
    peer : TorchPeer
        On the GPU, after prepare(); not to be prepared anew while the graph is used, which reads its tensors.

    Raises
    ------
    ValueError
        If the peer is not on a GPU.
    RuntimeError
        From PyTorch: if the graph cannot be recorded, or there is not enough memory.
    """

    def __init__(self, peer: TorchPeer) -> None:
        if peer.device != "cuda":
            raise ValueError(f"a CUDA graph needs PyTorch on a GPU, and it runs on the {peer.device} here")
        import torch

        self._peer = peer
        # The graph keeps memory of its own, and can have none of what the eager calls before it left to PyTorch.
        torch.cuda.empty_cache()
        self._positions = peer.frames[0].clone()
        # As PyTorch's documentation asks: warm up on another stream, then record.
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                peer.compute(self._positions)
        torch.cuda.current_stream().wait_stream(stream)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._results = peer.compute(self._positions)

    def __enter__(self) -> GraphPeer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        import torch

        del self._results
        self._graph.reset()
        torch.cuda.empty_cache()

    def evaluate(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Energies [M] (kJ/mol) and forces [N, 3] (kJ/mol/nm) of a frame, which lies on the GPU as for TorchPeer."""
        self._positions.copy_(self._peer.frames[index % len(self._peer.frames)])
        self._graph.replay()
        return self._peer.to_arrays(*self._results)
