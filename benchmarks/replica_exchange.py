# SPDX-License-Identifier: MIT
"""Time of a cycle of replica exchange: OpenMM's own sampler with our Force against each level of ours.

python benchmarks/replica_exchange.py [--platform CUDA] [--replicas 16] [--steps 50] [--peer] [--json FILE]; see --help
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import openmm
from openmm import app, unit

from openmmpainn import PaiNNStudentForce, PaiNNStudentModel, ReplicaExchangeSampler, bundledModels, createSystem
from openmmpainn.benchmark.machine import describe_machine, load_average
from openmmpainn.benchmark.peers import TorchPeer, failure
from openmmpainn.benchmark.python_force import python_force
from openmmpainn.benchmark.systems import BenchmarkSystem
from openmmpainn.benchmark.torch_force import torch_force
from openmmpainn.progress import Progress

OPENMM = "OpenMM's sampler, our Force"
PEERS = {  # names, and what makes the Force
    "OpenMM's sampler, PythonForce and PyTorch": python_force,
    "OpenMM's sampler, TorchForce": lambda peer, system: torch_force(peer, system, cuda_graphs=False),
    "OpenMM's sampler, TorchForce, CUDA graphs": lambda peer, system: torch_force(peer, system, cuda_graphs=True),
}
PDB = Path(__file__).resolve().parents[1] / "examples" / "data" / "alanine_dipeptide.pdb"


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time of a cycle of replica exchange of alanine dipeptide.")
    parser.add_argument("--platform", default="CPU")
    parser.add_argument("--threads", default="1", help="of the platform CPU")
    parser.add_argument("--precision", default="mixed", help="of platforms that have a choice")
    parser.add_argument("--replicas", type=int, default=16)
    parser.add_argument("--steps", type=int, default=50, help="of each replica in a cycle")
    parser.add_argument("--rounds", type=int, default=9, help="cycles that are timed")
    parser.add_argument("--states", choices=("temperatures", "scales"), default="temperatures")
    parser.add_argument("--model", help="a model file (default: the bundled student)")
    parser.add_argument("--peer", action="store_true", help="also OpenMM's sampler with PythonForce and TorchForce")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    return parser.parse_args()


def main() -> None:
    options = read_arguments()
    platform = openmm.Platform.getPlatform(options.platform)
    choices = {"Threads": options.threads, "Precision": options.precision}
    properties = {name: choices[name] for name in choices if name in platform.getPropertyNames()}
    pdb = app.PDBFile(str(PDB))
    model = PaiNNStudentModel(options.model) if options.model else PaiNNStudentModel.bundled(bundledModels()[0])
    molecule = createSystem(pdb.topology, model, removeCMMotion=False)
    force = PaiNNStudentForce.cast(molecule.getForce(0))
    force.addGlobalParameter("lambda", 1.0)
    force.setSubsystemScale(0, "lambda")
    if options.states == "temperatures":
        states: list[dict[str, Any]] = [{"temperature": t} for t in np.geomspace(300, 450, options.replicas)]
    else:
        states = [{"lambda": x} for x in np.linspace(1, 0.9, options.replicas)]

    def simulation(system: openmm.System) -> app.Simulation:
        integrator = openmm.LangevinMiddleIntegrator(300, 10, 0.001)
        made = app.Simulation(pdb.topology, system, integrator, platform, properties)
        made.context.setPositions(pdb.positions)
        made.context.setVelocitiesToTemperature(300, 1)
        return made

    samplers: dict[str, app.ReplicaExchangeSampler] = {}
    skipped: dict[str, str] = {}
    samplers[OPENMM] = app.ReplicaExchangeSampler(states, simulation(copy.deepcopy(molecule)), options.steps)
    for level in ("serial", "contexts", "subsystems"):
        try:
            samplers[level] = ReplicaExchangeSampler(
                states, simulation(copy.deepcopy(molecule)), options.steps, level=level, progress=False
            )
        except ValueError as error:
            skipped[level] = str(error)
    for name, make in PEERS.items() if options.peer else ():
        if options.states == "scales":
            skipped[name] = "it is measured with temperatures only"
            continue
        try:
            import torch

            torch.set_num_threads(int(options.threads))
            numbers = np.array([atom.element.atomic_number for atom in pdb.topology.atoms()])
            places = np.array(pdb.getPositions(asNumpy=True).value_in_unit(unit.nanometer))
            device = "cuda" if options.platform == "CUDA" else "cpu"
            peer = TorchPeer(model, model.getCutoff().value_in_unit(unit.nanometer), device)
            system = copy.deepcopy(molecule)
            system.removeForce(0)
            system.addForce(make(peer, BenchmarkSystem(numbers, places, None)))
            samplers[name] = app.ReplicaExchangeSampler(states, simulation(system), options.steps)
        except (ImportError, RuntimeError, openmm.OpenMMException) as error:
            skipped[name] = failure(error) if isinstance(error, RuntimeError) else str(error)

    times: dict[str, list[float]] = {name: [] for name in samplers}
    load = load_average()
    with Progress("Replica exchange", (options.rounds + 1) * len(samplers)) as progress:
        for turn in range(options.rounds + 1):  # the cases take turns, so what else the machine does meets all of them
            for name, sampler in samplers.items():
                start = time.perf_counter()
                sampler.simulate(1)
                if turn:  # the first cycle warms up
                    times[name].append(time.perf_counter() - start)
                progress.advance(1, name)

    work = options.replicas * options.steps
    print(
        f"{options.replicas} replicas of {molecule.getNumParticles()} atoms, states: {options.states}, {options.steps} "
        f"steps a cycle, {options.platform} {properties}\nms a cycle: median, fastest, slowest; us a step of a replica"
    )
    results = {}
    for name, values in times.items():
        median = float(np.median(values))
        ratio = float(np.median(times[OPENMM])) / median
        results[name] = {"median": median, "low": min(values), "high": max(values), "times_as_fast": ratio}
        print(
            f"{name:44}{1e3 * median:9.1f}{1e3 * min(values):9.1f}{1e3 * max(values):9.1f}{1e6 * median / work:9.1f}"
            f"{ratio:8.2f} times as fast"
        )
    for name, reason in skipped.items():
        print(f"{name:44} left out: {reason}")
    if options.json:
        context = samplers[OPENMM].simulation.context
        written = {
            "machine": {**describe_machine(context), "load_before": load},
            "model": model.getName(),
            **{name: getattr(options, name) for name in ("replicas", "steps", "rounds", "states")},
            "seconds_per_cycle": results,
            "skipped": skipped,
        }
        options.json.write_text(json.dumps(written, indent=1) + "\n")


if __name__ == "__main__":
    main()
