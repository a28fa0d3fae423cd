# SPDX-License-Identifier: MIT
"""Training: Adam with a cosine schedule, an exponential moving average of the weights, on energies and forces."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..progress import Progress
from ..torch_network import PaiNNNetwork
from .dataset import Frames
from .predict import Topology, predict
from .recipe import Recipe, Training

__all__ = ["Learner", "make_metadata", "train"]

_WATCH_FRAMES = 256


def make_metadata(recipe: Recipe, elements: list[int], references: np.ndarray) -> dict[str, Any]:
    """The metadata of the student's file, as far as it is known before training."""
    form = recipe.network
    return {
        "family": "canonical",
        "hidden": form.hidden,
        "blocks": form.blocks,
        "basis": {"type": "bessel", "size": form.basis},
        "cutoff": form.cutoff,
        "cutoff_function": {"type": "polynomial", "p": form.envelope_exponent},
        "norm_epsilon": form.norm_epsilon,
        "length_unit": "angstrom",
        "energy_unit": "eV",
        "elements": elements,
        "trained_elements": elements,
        "atom_references": [float(value) for value in references],
        "repulsion": {"type": "zbl", "p": form.repulsion_exponent},
        "readout": [form.hidden, form.hidden // 2, 1],
    }


class _Group:
    """The frames of one molecule on the device; labels without atom references and repulsion, which are fixed."""

    def __init__(self, frames: Frames, fixed: PaiNNNetwork, device: torch.device) -> None:
        numbers = frames.molecule.numbers
        energies, forces = _fixed_part(fixed, numbers, frames.positions)
        self.numbers = numbers
        self.positions = torch.as_tensor(frames.positions, dtype=torch.float32, device=device)
        self.energies = torch.as_tensor(frames.energies - energies, dtype=torch.float32, device=device)
        self.forces = torch.as_tensor(frames.forces - forces, dtype=torch.float32, device=device)


def _fixed_part(
    network: PaiNNNetwork, numbers: tuple[int, ...], positions: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Atom references and repulsion: energies [F] and forces [F, N, 3]."""
    step = 2000  # frames at once
    if len(positions) > step:
        parts = [_fixed_part(network, numbers, positions[k : k + step]) for k in range(0, len(positions), step)]
        energies, forces = zip(*parts, strict=True)
        return np.concatenate(energies), np.concatenate(forces)
    elements = torch.tensor([network.metadata["elements"].index(number) for number in numbers])
    i, j = torch.as_tensor(np.array(np.nonzero(~np.eye(len(numbers), dtype=bool))))
    x = torch.as_tensor(positions, dtype=torch.float64).requires_grad_(True)
    d = (x[:, j] - x[:, i]).norm(dim=-1)
    pairs = network.repulsion(elements[i].expand_as(d), elements[j].expand_as(d), d)
    (gradient,) = torch.autograd.grad(pairs.sum(), x)
    energies = pairs.detach().sum(dim=1) + network.atom_references(elements).sum()
    return energies.numpy(), -gradient.numpy()


class Learner:
    """One step of training, always with as many frames of each molecule, so that it can be one CUDA graph.

    Parameters
    ----------
    network : PaiNNNetwork
        Without repulsion, in single precision.
    groups : list of _Group
        The first is the main molecule.
    settings : Training
        How to learn.
    device : torch.device
        Where.
    """

    def __init__(self, network: PaiNNNetwork, groups: list[_Group], settings: Training, device: torch.device) -> None:
        self.network, self.groups, self.settings = network, groups, settings
        self.counts = [settings.frames_main] + [settings.frames_small] * (len(groups) - 1)
        molecules = [g.numbers for g, count in zip(groups, self.counts, strict=True) for _ in range(count)]
        self.topology = Topology(molecules, network.metadata["elements"], device)
        available = [float(len(g.energies)) for g, count in zip(groups, self.counts, strict=True) for _ in range(count)]
        self.available = torch.tensor(available, device=device)
        self.index = torch.zeros(len(available), dtype=torch.int64, device=device)
        self.shift = torch.zeros(3, device=device)
        self.last_loss = torch.zeros((), device=device)
        self.generator = torch.Generator(device=device).manual_seed(settings.seed)
        self.parameters = list(network.parameters())
        self.average = [parameter.detach().clone() for parameter in self.parameters]
        on_gpu = device.type == "cuda"
        self.rate = torch.tensor(0.0, device=device)
        self.optimizer = torch.optim.Adam(self.parameters, lr=self.rate, capturable=on_gpu, foreach=on_gpu)

    def draw(self) -> None:
        """Choose the frames of the next step."""
        random = torch.rand(len(self.index), generator=self.generator, device=self.index.device)
        self.index.copy_(torch.minimum((random * self.available).floor(), self.available - 1))

    def loss(self) -> Tensor:
        """The loss of the chosen frames: smooth absolute errors of forces (by atom) and energies (by molecule)."""
        settings, topology = self.settings, self.topology
        parts = self.index.split(self.counts)
        chosen = list(zip(self.groups, parts, strict=True))
        x = torch.cat([g.positions[k].flatten(0, 1) for g, k in chosen]).requires_grad_(True)
        forces = torch.cat([g.forces[k].flatten(0, 1) for g, k in chosen])
        energies = torch.cat([g.energies[k] for g, k in chosen])
        atoms = self.network.interaction_energies(
            topology.elements, x, topology.receivers, topology.neighbours, self.shift
        )
        (gradient,) = torch.autograd.grad(atoms.sum(), x, create_graph=True)
        predicted = torch.zeros_like(energies).index_add(0, topology.molecules, atoms)
        force_error = _smooth((-gradient - forces).square().sum(dim=1), settings.force_scale)
        # Where atoms are pushed into each other the force is huge and need not be known as exactly.
        force_error = force_error / (1 + forces.square().sum(dim=1).sqrt() / settings.large_force)
        energy_error = _smooth((predicted - energies).square() / topology.sizes, settings.energy_scale)
        return force_error.mean() + settings.energy_weight * energy_error.mean()

    def step(self) -> None:
        """Learn from the chosen frames."""
        self.optimizer.zero_grad(set_to_none=True)
        self._step()

    def _step(self) -> None:
        loss = self.loss()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, self.settings.clip, foreach=self.rate.is_cuda or None)
        self.optimizer.step()
        with torch.no_grad():
            self.last_loss.copy_(loss.detach())
            for average, parameter in zip(self.average, self.parameters, strict=True):
                average.lerp_(parameter, 1 - self.settings.average)

    def capture(self) -> torch.cuda.CUDAGraph:
        """Record step() as a CUDA graph and check that it does what step() does.

        Raises
        ------
        RuntimeError
            If it cannot be recorded, or gives another loss.
        """
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(5):
                self.draw()
                self.step()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        self.optimizer.zero_grad(set_to_none=True)
        with torch.cuda.graph(graph):
            self._step()
        self.draw()
        expected = float(self.loss().detach())
        graph.replay()
        found = float(self.last_loss)
        if not abs(found - expected) <= 1e-3 * abs(expected):
            raise RuntimeError(f"the CUDA graph gives the loss {found}, not {expected}")
        return graph

    def averaged(self, full: PaiNNNetwork) -> PaiNNNetwork:
        """Put the averaged weights into the network that goes to the file."""
        with torch.no_grad():
            own = dict(full.named_parameters())
            for (name, _), average in zip(self.network.named_parameters(), self.average, strict=True):
                own[name].copy_(average)
        return full


def _smooth(square: Tensor, scale: float) -> Tensor:
    """sqrt(square + scale^2) - scale: quadratic below the scale, absolute above."""
    return torch.sqrt(square + scale**2) - scale


def train(
    recipe: Recipe,
    metadata: dict[str, Any],
    frames: dict[str, Frames],
    watched: Frames,
    device: str = "cpu",
    seconds: float | None = None,
    steps: int | None = None,
    graph: bool = False,
) -> tuple[PaiNNNetwork, list[dict[str, float]]]:
    """Train a student.

    Parameters
    ----------
    recipe : Recipe
        How.
    metadata : dict
        Of make_metadata().
    frames : dict
        What to learn from.
    watched : Frames
        Frames that are only looked at, for the history; nothing is chosen by them.
    device : str
        "cpu" or "cuda".
    seconds, steps : number
        Stop after either; at least one must be given. Steps alone make a CPU run reproducible.
    graph : bool
        Run each step as one CUDA graph, some times faster.

    Returns
    -------
    network : PaiNNNetwork
        With the averaged weights, in single precision on the device.
    history : list of dict
        step, seconds, loss, force error of the watched frames (meV/angstrom) now and then.
    """
    if seconds is None and steps is None:
        raise ValueError("train() needs seconds or steps")
    begin = time.monotonic()
    settings, where = recipe.training, torch.device(device)
    torch.manual_seed(settings.seed)
    bare = {key: value for key, value in metadata.items() if key not in ("repulsion", "atom_references")}
    network = PaiNNNetwork(bare)
    radii = np.array(recipe.radii(metadata["elements"]), dtype=np.float32)
    full = PaiNNNetwork(metadata, {"repulsion.radii": radii})
    groups = [_Group(each, full, where) for each in frames.values()]
    network, full = network.to(where), full.to(where)
    learner = Learner(network, groups, settings, where)
    watched = watched.pick(np.linspace(0, len(watched) - 1, min(_WATCH_FRAMES, len(watched))).astype(int))
    replay = learner.capture().replay if graph else None
    history: list[dict[str, float]] = []

    def look(step: int) -> None:
        # In double precision: the error of the weights, not of the arithmetic.
        _, forces = predict(learner.averaged(full).double(), watched.molecule.numbers, watched.positions)
        full.float()
        error = 1000 * float(np.abs(forces - watched.forces).mean())
        history.append(
            {
                "step": step,
                "seconds": round(time.monotonic() - begin, 1),
                "loss": float(learner.last_loss),
                "force_mae_meV_A": round(error, 2),
            }
        )
        entry = history[-1]
        print(
            f"step {step}, {entry['seconds']} s: loss {entry['loss']:.4f}, watched force MAE {error:.1f} meV/A",
            flush=True,
        )

    step, done, start = 0, 0.0, time.monotonic()
    with Progress("training", 1.0) as progress:
        while done < 1:
            warm = min(1.0, (step + 1) / settings.warmup_steps)
            learner.rate.fill_(settings.learning_rate * warm * (0.5 * (1 + math.cos(math.pi * done)) + 1e-3))
            learner.draw()
            if replay is None:
                learner.step()
            else:
                replay()
            step += 1
            if step % 25 == 0 and where.type == "cuda":
                torch.cuda.synchronize()  # the clock below must not run ahead of the device
            by_steps = 0.0 if steps is None else step / steps
            by_time = 0.0 if seconds is None else (time.monotonic() - start) / seconds
            now = min(1.0, max(by_steps, by_time))
            progress.advance(now - done, f"step {step}")
            if int(10 * now) > int(10 * done):
                look(step)
            done = now
    if not math.isfinite(history[-1]["loss"]):
        raise RuntimeError("training diverged: the loss is not a finite number")
    return learner.averaged(full), history
