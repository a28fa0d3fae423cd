#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Time steps of training on made-up molecules of 5 to 60 atoms: with and without our kernels, and where time goes."""

from __future__ import annotations

import argparse
import dataclasses
import json
import pathlib
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
try:
    import openmmpainn.distil  # noqa: F401 (installed)
except ImportError:
    sys.path.insert(0, str(ROOT / "python"))

import numpy as np  # noqa: E402
import torch  # noqa: E402

from openmmpainn.distil.dataset import Frames  # noqa: E402
from openmmpainn.distil.frame_set import FrameSet  # noqa: E402
from openmmpainn.distil.learner import Learner  # noqa: E402
from openmmpainn.distil.molecules import Molecule  # noqa: E402
from openmmpainn.distil.recipe import FIRST_STUDENT, Network, Training  # noqa: E402
from openmmpainn.distil.train import bare_network, make_metadata  # noqa: E402
from openmmpainn.torch_network import PaiNNNetwork  # noqa: E402

ELEMENTS = [1, 6, 7, 8, 9, 16, 17]


def make_frames(molecules: int, seed: int = 0) -> list[Frames]:
    """Ten frames a molecule: lumps as dense as organic matter, 20 atoms on average."""
    rng = np.random.default_rng(seed)
    points = 2.1 * np.stack(np.meshgrid(*[np.arange(-3, 4)] * 3), axis=-1).reshape(-1, 3)  # angstrom
    points = points[np.argsort(np.linalg.norm(points, axis=1))]
    frames = []
    for k in range(molecules):
        size = int(np.clip(rng.gamma(4, 5), 5, 60))
        x = (points[:size] + rng.normal(scale=0.2, size=(10, size, 3))).astype(np.float32)
        numbers = tuple(int(z) for z in rng.choice(ELEMENTS, size, p=[0.5, 0.3, 0.06, 0.06, 0.03, 0.03, 0.02]))
        labels = rng.normal(size=10), rng.normal(size=x.shape).astype(np.float32)
        molecule = Molecule(str(k), "", numbers, (), (12.0,) * size)
        frames.append(Frames(molecule, x, *labels, np.full(10, 300.0), np.arange(10)))
    return frames


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--molecules", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument("--sizes", default="64:3:64,64:3:128,128:3:64,128:3:128,128:3:256", help="H:L:frames a step")
    parser.add_argument("--profile", help="write PyTorch's table of kernels of the last size to this file")
    options = parser.parse_args()
    where = torch.device(options.device)
    begin = time.monotonic()
    metadata = make_metadata(FIRST_STUDENT, ELEMENTS, np.zeros(len(ELEMENTS)))
    radii = np.array(FIRST_STUDENT.radii(ELEMENTS), dtype=np.float32)
    fixed = PaiNNNetwork(metadata, {"repulsion.radii": radii}).double().to(where)
    frames = FrameSet(make_frames(options.molecules), fixed, where)
    print(
        f"{len(frames)} frames, {int(frames.atoms.sum())} atoms, {int(frames.edges.sum())} edges in "
        f"{time.monotonic() - begin:.1f} s",
        flush=True,
    )
    torch.backends.cuda.matmul.allow_tf32 = True
    for text in options.sizes.split(","):
        hidden, blocks, count = map(int, text.split(":"))
        recipe = dataclasses.replace(FIRST_STUDENT, network=Network(hidden=hidden, blocks=blocks))
        network = bare_network(make_metadata(recipe, ELEMENTS, np.zeros(len(ELEMENTS)))).to(where)
        learner = Learner(network, frames, Training(frames=count))
        learner.rate.fill_(1e-4)
        begin = time.monotonic()
        kernels = learner.choose_kernels()
        step = learner.capture().replay if where.type == "cuda" else learner.step
        ready, steps = time.monotonic() - begin, 0
        begin = time.monotonic()
        while time.monotonic() - begin < options.seconds:
            learner.draw()
            step()
            steps += 1
            if where.type == "cuda" and steps % 25 == 0:
                torch.cuda.synchronize()
        speed = steps / (time.monotonic() - begin)
        memory = torch.cuda.max_memory_allocated() / 2**30 if where.type == "cuda" else 0.0
        print(
            json.dumps(
                {
                    "hidden": hidden,
                    "blocks": blocks,
                    "frames": count,
                    "shape": dataclasses.asdict(learner.shape),
                    "our_kernels": kernels,
                    "ready_seconds": round(ready, 1),
                    "steps_per_second": round(speed, 1),
                    "frames_per_second": round(speed * count),
                    "peak_GiB": round(memory, 2),
                }
            ),
            flush=True,
        )
    if options.profile:
        from torch.profiler import ProfilerActivity, profile

        activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if where.type == "cuda" else [])
        with profile(activities=activities) as profiler:
            for _ in range(5):
                learner.draw()
                step()
        key = "self_cuda_time_total" if where.type == "cuda" else "self_cpu_time_total"
        pathlib.Path(options.profile).write_text(profiler.key_averages().table(sort_by=key, row_limit=40))


if __name__ == "__main__":
    main()
