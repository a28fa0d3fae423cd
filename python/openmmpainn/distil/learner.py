# SPDX-License-Identifier: MIT
"""One step of training, from drawing the batch to the moving average, with no shape that depends on values."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..torch_network import PaiNNNetwork
from . import messages
from .batched_network import energies_and_forces
from .batches import Batch, BatchShape, assemble, draw_epoch
from .frame_set import FrameSet
from .recipe import Training

__all__ = ["Learner"]


class Learner:
    """A network, its optimizer and the frames it learns from.

    Parameters
    ----------
    network : PaiNNNetwork
        Without references and repulsion, on the device of the frames.
    frames : FrameSet
        What to learn.
    settings : Training
        How.

    Attributes
    ----------
    rate, last_loss : tensors []
        The learning rate, to be set before each step; the loss of the last one.
    average : list of tensors
        The moving average of the parameters.
    """

    def __init__(self, network: PaiNNNetwork, frames: FrameSet, settings: Training) -> None:
        self.network, self.frames, self.settings = network, frames, settings
        self.shape = BatchShape.holding(frames, settings.frames)
        self.parameters = list(network.parameters())
        self.average = [parameter.detach().clone() for parameter in self.parameters]
        device = frames.device
        self._on_gpu = device.type == "cuda"
        self.rate = torch.tensor(0.0, device=device)
        self.last_loss = torch.zeros((), device=device)
        self.optimizer = torch.optim.AdamW(
            self.parameters,
            lr=self.rate,
            weight_decay=settings.weight_decay,
            capturable=self._on_gpu,
            fused=self._on_gpu,
        )
        self._chosen = torch.full((self.shape.frames,), len(frames), device=device)
        self._rng = np.random.default_rng(settings.seed)
        self._new_epoch()

    def _new_epoch(self) -> None:
        self._rng_state = self._rng.bit_generator.state
        self._epoch, self._place = draw_epoch(self.frames, self.shape, self._rng), 0

    def draw(self) -> None:
        """Choose the frames of the next step: all frames in a random order, then in another."""
        if self._place == len(self._epoch):
            self._new_epoch()
        self._chosen.copy_(self._epoch[self._place])
        self._place += 1

    def loss(self) -> Tensor:
        """The loss of the chosen frames: smooth absolute errors of forces (by atom) and energies (by molecule)."""
        settings, batch = self.settings, assemble(self.frames, self._chosen, self.shape)
        energies, forces = energies_and_forces(self.network, batch, create_graph=True)
        return _force_loss(forces, batch, settings) + settings.energy_weight * _energy_loss(energies, batch, settings)

    def step(self) -> None:
        """Learn from the chosen frames."""
        loss = self.loss()
        gradients = torch.autograd.grad(loss, self.parameters)
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = gradient.contiguous()  # as the fused optimizer needs it
        torch.nn.utils.clip_grad_norm_(self.parameters, self.settings.clip, foreach=self._on_gpu or None)
        self.optimizer.step()
        with torch.no_grad():
            self.last_loss.copy_(loss)
            torch._foreach_lerp_(self.average, self.parameters, 1 - self.settings.average)

    def capture(self) -> torch.cuda.CUDAGraph:
        """Record step() as a CUDA graph and check that it does what step() does; the state stays what it was.

        Raises
        ------
        RuntimeError
            If it cannot be recorded, or gives another loss.
        """
        fresh = not self.optimizer.state
        before = [] if fresh else [value.clone() for value in self._state_tensors()]
        weights = [value.detach().clone() for value in (*self.parameters, *self.average)]
        self._chosen.copy_(self._epoch[0])
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                self.step()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.step()
        expected = float(self.loss().detach())
        graph.replay()
        found = float(self.last_loss)
        if not abs(found - expected) <= 1e-3 * abs(expected):
            raise RuntimeError(f"the CUDA graph gives the loss {found}, not {expected}")
        with torch.no_grad():
            for value, old in zip((*self.parameters, *self.average), weights, strict=True):
                value.copy_(old)
            for k, value in enumerate(self._state_tensors()):
                value.zero_() if fresh else value.copy_(before[k])
        return graph

    def choose_kernels(self) -> bool:
        """On a GPU, use our kernels if they work here and give what PyTorch's own operations give; says so if not.

        Returns
        -------
        bool
            Whether our kernels are used.
        """
        kernels = messages.messages_triton
        if kernels is None or not self._on_gpu or not kernels.enabled:
            return False
        self._chosen.copy_(self._epoch[0])
        kernels.enabled = False
        expected = self._loss_and_gradient()
        kernels.enabled = True
        try:
            found = self._loss_and_gradient()
            good = torch.allclose(found, expected, rtol=1e-3)
            reason = f"they give {found.tolist()}, not {expected.tolist()}"
        except Exception as error:  # whatever a compiler on this machine may say: training must go on
            good, reason = False, " ".join(str(error).split())[:200]
        if not good:
            kernels.enabled = False
            print(f"training without our kernels, some times slower: {reason}", flush=True)
        return good

    def _loss_and_gradient(self) -> Tensor:
        """The loss and the norm of its gradient, [2]."""
        loss = self.loss()
        gradients = torch.autograd.grad(loss, self.parameters)
        return torch.stack([loss.detach(), torch.linalg.vector_norm(torch.cat([g.flatten() for g in gradients]))])

    def _state_tensors(self) -> list[Tensor]:
        """What the optimizer remembers, in a fixed order."""
        return [value for p in self.parameters for _, value in sorted(self.optimizer.state[p].items())]

    def state(self) -> dict[str, Any]:
        """Everything that the next steps depend on, for a checkpoint."""
        return {
            "parameters": [parameter.detach() for parameter in self.parameters],
            "average": self.average,
            "optimizer": self.optimizer.state_dict()["state"],
            "rng": self._rng_state,
            "place": self._place,
            "frames": self.frames.checksum(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from state() of a network of the same form. With other frames than then, a new epoch begins."""
        with torch.no_grad():
            for own, value in zip(
                (*self.parameters, *self.average), (*state["parameters"], *state["average"]), strict=True
            ):
                own.copy_(value)
        whole = self.optimizer.state_dict()
        self.optimizer.load_state_dict({"state": state["optimizer"], "param_groups": whole["param_groups"]})
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate  # loading has put a copy there
        self._rng.bit_generator.state = state["rng"]
        self._new_epoch()
        if state["frames"] == self.frames.checksum():
            self._place = state["place"]

    def averaged(self, network: PaiNNNetwork) -> PaiNNNetwork:
        """Put the averaged weights into another network, for example the one that goes to the file."""
        with torch.no_grad():
            own = dict(network.named_parameters())
            for (name, _), average in zip(self.network.named_parameters(), self.average, strict=True):
                own[name].copy_(average)
        return network


def _smooth(square: Tensor, scale: float) -> Tensor:
    """sqrt(square + scale^2) - scale: quadratic below the scale, absolute above."""
    return torch.sqrt(square + scale**2) - scale


def _force_loss(forces: Tensor, batch: Batch, settings: Training) -> Tensor:
    error = _smooth((forces - batch.forces).square().sum(dim=1), settings.force_scale)
    # Where atoms are pushed into each other the force is huge and need not be known as exactly.
    weights = batch.atom_weights / (1 + batch.forces.square().sum(dim=1).sqrt() / settings.large_force)
    return (weights * error).sum() / batch.atom_weights.sum()


def _energy_loss(energies: Tensor, batch: Batch, settings: Training) -> Tensor:
    square = (energies - batch.energies).square() / batch.atoms.clamp(min=1)
    return (batch.weights * _smooth(square, settings.energy_scale)).sum() / batch.weights.sum()
