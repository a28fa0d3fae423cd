# SPDX-License-Identifier: MIT
"""``openmmpainn benchmark``: how fast is a model on this machine?"""

from __future__ import annotations

import argparse
import json
import os
from typing import Any

from .common import finite, load_model

__all__ = ["add", "parse_counts", "run"]


def add(subparsers: Any) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser(
        "benchmark",
        help="time energies and forces, batches and dynamics",
        description="Time energies and forces of systems of several sizes, batches of molecules of 22 atoms, and steps "
        "of molecular dynamics, on random atoms at the density of water (periodic from 1,000 atoms on). Times are "
        "medians; what would take too long is left out and said so.",
    )
    parser.add_argument("--platform", default="CPU", help="the OpenMM platform (default: CPU)")
    parser.add_argument(
        "--model", help="a .safetensors model file, or the name of a bundled model (default: the first bundled one)"
    )
    parser.add_argument(
        "--json", metavar="FILE", help="also write the results to FILE, with what they were measured on"
    )
    parser.add_argument(
        "--peers",
        action="store_true",
        help="do the same work in eager PyTorch, which is given the pairs within the cutoff, and dynamics of up to 50 "
        "atoms through openmm.PythonForce, and give the ratios (with --platform CUDA: on the GPU if this PyTorch can, "
        "also as a CUDA graph; else on the processor)",
    )
    parser.add_argument("--sizes", metavar="N,N,...", help="numbers of atoms, 0: none (default: 12 to 20000)")
    parser.add_argument("--batches", metavar="N,N,...", help="molecules in a batch, 0: none (default: 1 to 256)")
    parser.add_argument("--threads", type=int, metavar="N", help="for CPU and PyTorch (default: all cores)")
    parser.add_argument("--seconds", type=float, default=3.0, metavar="S", help="time for each figure (default: 3)")
    parser.add_argument("--no-dynamics", action="store_true", help="leave out molecular dynamics")
    parser.add_argument("--no-memory", action="store_true", help="leave out the memory for each atom")
    parser.add_argument(
        "--replicas",
        nargs="?",
        const="",
        metavar="STRUCTURE",
        help="instead of all that, find the best number of replicas of a molecule on this device: the first structure "
        "of a file that ASE reads, cell ignored (default: alanine dipeptide). They are in one System and in "
        "PaiNNReplicaContexts, 1, 2, 4, ... of them while it pays and memory is enough, or as many as --batches says",
    )
    parser.set_defaults(run=run)


def parse_counts(text: str | None, option: str, default: tuple[int, ...]) -> list[int]:
    """Numbers from 1, of a list like ``12,22``; none of ``0``.

    Raises
    ------
    ValueError
        Naming the option and the part that is no such number.
    """
    if text is None:
        return list(default)
    if text.strip() == "0":
        return []
    for part in text.split(","):
        if not part.strip().isdecimal() or int(part) < 1:
            raise ValueError(f"{option} holds '{part.strip()}'; allowed are numbers from 1, like 12,22")
    return [int(part) for part in text.split(",")]


def run(arguments: argparse.Namespace) -> int:
    """Measure, print the table, write the JSON; the exit code."""
    from ..bundled import bundledModels

    measure = _run_all if arguments.replicas is None else _run_replicas
    if arguments.json is not None:
        folder = os.path.dirname(os.path.abspath(arguments.json))
        if not os.path.isdir(folder):
            raise ValueError(f"--json: there is no folder '{folder}'")
        if os.path.isdir(arguments.json):
            raise ValueError(f"--json: '{arguments.json}' is a folder")
    name = arguments.model
    if name is None:
        names = bundledModels()
        if not names:
            raise ValueError("no models are bundled: say which to measure with --model FILE")
        name = names[0]
    results, text = measure(arguments, name)
    if arguments.json is not None:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(finite(results), file, indent=1, allow_nan=False)
            file.write("\n")
    print(text)
    return 0


def _run_all(arguments: argparse.Namespace, name: str) -> tuple[dict[str, Any], str]:
    """Times of everything: the results, and the text to print."""
    from ..benchmark import run_benchmark
    from ..benchmark.report import to_text
    from ..benchmark.run import BATCHES, SIZES

    sizes = parse_counts(arguments.sizes, "--sizes", SIZES)
    batches = parse_counts(arguments.batches, "--batches", BATCHES)
    results = run_benchmark(
        load_model(name),
        platform=arguments.platform,
        threads=arguments.threads,
        sizes=sizes,
        batches=batches,
        seconds=arguments.seconds,
        peers=arguments.peers,
        dynamics=not arguments.no_dynamics,
        memory=not arguments.no_memory,
        show_progress=True,
    )
    return results, to_text(results)


def _run_replicas(arguments: argparse.Namespace, name: str) -> tuple[dict[str, Any], str]:
    """The best number of replicas: the results, and the text to print."""
    from ..benchmark import benchmark_replicas
    from ..benchmark.replica_report import replicas_to_text
    from ..structures import read_structures

    for option in ("sizes", "peers", "no_dynamics", "no_memory"):
        if getattr(arguments, option):
            raise ValueError(f"--{option.replace('_', '-')} does not go with --replicas; --batches and --seconds do")
    counts = parse_counts(arguments.batches, "--batches", ())
    if arguments.batches is not None and not counts:
        raise ValueError("--batches is 0; with --replicas it holds numbers of replicas from 1")
    results = benchmark_replicas(
        load_model(name),
        read_structures(arguments.replicas)[0] if arguments.replicas else None,
        platform=arguments.platform,
        threads=arguments.threads,
        counts=counts or None,
        seconds=arguments.seconds,
        show_progress=True,
    )
    return results, replicas_to_text(results)
