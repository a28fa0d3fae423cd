# SPDX-License-Identifier: MIT
"""Training on energies and forces: the schedule, the clock, the history, and taking up an unfinished training."""

from __future__ import annotations

import math
import os
import pathlib
import time
from typing import Any

import numpy as np
import torch

from ..progress import Progress
from ..torch_network import PaiNNNetwork
from .dataset import Frames
from .frame_set import FrameSet
from .learner import Learner
from .predict import predict_set
from .recipe import Recipe

__all__ = ["make_metadata", "train"]

_WATCH_FRAMES = 1024
_LOOKS = 20  # entries of the history


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


def bare_network(metadata: dict[str, Any]) -> PaiNNNetwork:
    """The part that learns: without atom references and repulsion."""
    return PaiNNNetwork({key: value for key, value in metadata.items() if key not in ("repulsion", "atom_references")})


_FORM = ("hidden", "blocks", "basis", "cutoff", "cutoff_function", "elements", "repulsion")


def _take_over(metadata: dict[str, Any], saved: dict[str, Any], path: pathlib.Path | None) -> None:
    """Go on with the atom references of a checkpoint, if it is of a network of the same form."""
    for key in _FORM:
        if metadata[key] != saved[key]:
            raise ValueError(
                f"checkpoint '{path}' is of a network of another form: its {key} is {saved[key]}, not {metadata[key]}"
            )
    metadata["atom_references"] = saved["atom_references"]


class _Clock:
    """Which part of the training is done, by steps or by time, whichever is further; earlier sessions count."""

    def __init__(self, seconds: float | None, steps: int | None, step: int, before: float) -> None:
        self.seconds, self.steps, self.before = seconds, steps, before
        self.start_step, self.start = step, time.monotonic()

    def elapsed(self) -> float:
        """Seconds of training, of all sessions."""
        return self.before + time.monotonic() - self.start

    def done(self, step: int) -> float:
        """From 0 to 1."""
        by_steps = 0.0 if self.steps is None else step / self.steps
        by_time = 0.0 if self.seconds is None else self.elapsed() / self.seconds
        return min(1.0, max(by_steps, by_time))


def _rate(settings: Any, step: int, done: float) -> float:
    """Warm-up, then a cosine down to a thousandth of the half."""
    warm = min(1.0, (step + 1) / settings.warmup_steps)
    return settings.learning_rate * warm * (0.5 * (1 + math.cos(math.pi * done)) + 1e-3)


def _save(path: pathlib.Path, **values: Any) -> None:
    """Write a checkpoint so that a kill leaves the old one or the new one."""
    part = path.with_suffix(f".{os.getpid()}.part")
    torch.save(values, part)
    os.replace(part, path)


def train(
    recipe: Recipe,
    metadata: dict[str, Any],
    frames: dict[str, Frames],
    watched: dict[str, Frames],
    device: str = "cpu",
    seconds: float | None = None,
    steps: int | None = None,
    graph: bool = False,
    checkpoint: str | os.PathLike[str] | None = None,
    session_seconds: float | None = None,
    session_steps: int | None = None,
    checkpoint_every: float = 60.0,
) -> tuple[PaiNNNetwork, list[dict[str, float]]]:
    """Train a student.

    Parameters
    ----------
    recipe : Recipe
        How.
    metadata : dict
        Of make_metadata(); receives the atom references of a checkpoint.
    frames : dict
        What to learn from.
    watched : dict
        Frames that are only looked at, for the history; nothing is chosen by them.
    device : str
        "cpu" or "cuda".
    seconds, steps : number
        The length of the whole training, which the learning rate follows; the end of either ends it, and at least one
        must be given. Steps alone make a CPU run reproducible, bit for bit, whether interrupted or not.
    graph : bool
        Run each step as one CUDA graph, some times faster.
    checkpoint : path, optional
        A file from which training goes on, if it exists, and into which it is saved now and then and at the end.
    session_seconds, session_steps : number, optional
        Stop after either though the whole is not done; a later call with the checkpoint goes on.
    checkpoint_every : float
        Seconds.

    Returns
    -------
    network : PaiNNNetwork
        With the averaged weights, in single precision on the device.
    history : list of dict
        step, seconds, steps_per_second, loss, and force error of the watched frames (meV/angstrom) now and then.

    Raises
    ------
    ValueError
        If neither seconds nor steps are given, or the checkpoint is of another network.
    RuntimeError
        If the loss is not a finite number any more.
    """
    if seconds is None and steps is None:
        raise ValueError("train() needs seconds or steps")
    settings, where = recipe.training, torch.device(device)
    path = None if checkpoint is None else pathlib.Path(checkpoint)
    saved = torch.load(path, map_location=where, weights_only=True) if path is not None and path.exists() else None
    if saved is not None:
        _take_over(metadata, saved["metadata"], path)
    torch.manual_seed(settings.seed)
    radii = np.array(recipe.radii(metadata["elements"]), dtype=np.float32)
    full = PaiNNNetwork(metadata, {"repulsion.radii": radii}).to(where)
    fixed = PaiNNNetwork(metadata, {"repulsion.radii": radii}).double().to(where)  # the part that is not learnt
    network = bare_network(metadata).to(where)
    learner = Learner(network, FrameSet(frames.values(), fixed, where, settings.distorted_weight), settings)
    looked_at = FrameSet(_thin_out(watched).values(), fixed, where)
    step, before, history = 0, 0.0, []
    if saved is not None:
        learner.restore(saved["learner"])
        step, before, history = saved["step"], saved["seconds"], saved["history"]
    learner.choose_kernels()
    torch.backends.cuda.matmul.allow_tf32 = where.type == "cuda"
    replay = learner.capture().replay if graph else learner.step
    clock = _Clock(seconds, steps, step, before)
    done, last_save = clock.done(step), clock.start

    def look() -> None:
        torch.backends.cuda.matmul.allow_tf32 = False
        _, forces = predict_set(learner.averaged(full), looked_at)
        torch.backends.cuda.matmul.allow_tf32 = where.type == "cuda"
        error = 1000 * float((forces - looked_at.forces[:-1]).abs().mean())
        elapsed = clock.elapsed()
        speed = (step - clock.start_step) / max(elapsed - clock.before, 1e-9)
        entry = {
            "step": step,
            "seconds": round(elapsed, 1),
            "steps_per_second": round(speed, 1),
            "loss": float(learner.last_loss),
            "force_mae_meV_A": round(error, 2),
        }
        history.append(entry)
        print(
            f"step {step}, {entry['seconds']} s, {entry['steps_per_second']} steps/s: loss {entry['loss']:.4f}, "
            f"watched force MAE {error:.1f} meV/A",
            flush=True,
        )
        if not math.isfinite(entry["loss"]):
            raise RuntimeError("training diverged: the loss is not a finite number")

    def save() -> None:
        if path is not None:
            values = {"step": step, "seconds": clock.elapsed(), "history": history, "metadata": metadata}
            _save(path, learner=learner.state(), **values)

    with Progress("training", 1.0) as progress:
        progress.advance(done)
        while done < 1:
            learner.rate.fill_(_rate(settings, step, done))
            learner.draw()
            replay()
            step += 1
            if step % 25 == 0 and where.type == "cuda":
                torch.cuda.synchronize()  # the clock must not run ahead of the device
            now = clock.done(step)
            progress.advance(now - done, f"step {step}")
            looking = int(_LOOKS * now) > int(_LOOKS * done)
            done = now
            if looking:
                look()
            if time.monotonic() - last_save > checkpoint_every:
                save()
                last_save = time.monotonic()
            session = time.monotonic() - clock.start
            if session_steps is not None and step - clock.start_step >= session_steps:
                break
            if session_seconds is not None and session >= session_seconds:
                break
    if not history or history[-1]["step"] != step:
        look()
    save()
    return learner.averaged(full), history


def _thin_out(watched: dict[str, Frames]) -> dict[str, Frames]:
    """About _WATCH_FRAMES frames, evenly chosen, of all molecules that have one chosen."""
    total = sum(map(len, watched.values()))
    stride = max(1, -(-total // _WATCH_FRAMES))
    thin, first = {}, 0
    for name, each in watched.items():
        chosen = np.arange((-first) % stride, len(each), stride)
        first += len(each)
        if len(chosen):
            thin[name] = each.pick(chosen)
    return thin
