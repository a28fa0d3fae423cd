#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Make the tiny student of examples/multiple_time_steps.py: learn alanine dipeptide from the bundled student.

The teacher moves copies of the molecule by itself, hot and cold, and labels them; some 15 minutes on one core.
"""

from __future__ import annotations

import argparse
import dataclasses
import pathlib

import numpy as np
import openmm
import torch
from openmm import app

from openmmpainn import Evaluator, PaiNNStudentModel, SubsystemLangevinIntegrator, createSystem, replicate
from openmmpainn.distil.dataset import Frames, atom_references
from openmmpainn.distil.molecules import Molecule
from openmmpainn.distil.predict import predict
from openmmpainn.distil.recipe import FIRST_STUDENT, Network, Recipe, Training
from openmmpainn.distil.train import make_metadata, train
from openmmpainn.modelfile import write_model
from openmmpainn.progress import Progress

ROOT = pathlib.Path(__file__).resolve().parent.parent
EV = 96.48533212  # kJ/mol
COPIES, COLDEST, HOTTEST = 32, 250.0, 700.0  # K
STRIDE, WARM_UP = 20, 400  # steps of 0.5 fs
HELD_OUT = 4  # of the copies, whole

RECIPE = Recipe(
    "alanine-dipeptide-tiny",
    FIRST_STUDENT.main,
    {},
    network=Network(hidden=16, blocks=2, basis=10, cutoff=5.0),
    training=Training(frames=8, learning_rate=4e-3, warmup_steps=200, average=0.998),
)


def sample(teacher: PaiNNStudentModel, frames: int) -> Frames:
    """Frames of free dynamics with the teacher, and as many with their atoms shaken; angstrom, eV, eV/angstrom."""
    pdb = app.PDBFile(str(ROOT / "examples" / "data" / "alanine_dipeptide.pdb"))
    single = createSystem(pdb.topology, teacher, removeCMMotion=False)
    _, system, positions = replicate(pdb.topology, single, pdb.positions, COPIES)
    kelvin = np.geomspace(COLDEST, HOTTEST, COPIES)
    integrator = SubsystemLangevinIntegrator(kelvin, 5.0, 0.0005, system)
    context = openmm.Context(system, integrator, openmm.Platform.getPlatform("CPU"))
    context.setPositions(positions)
    integrator.setVelocitiesToTemperatures(context, 1)
    integrator.step(WARM_UP)
    found = []
    with Progress("sampling", frames) as progress:
        for _ in range(frames):
            integrator.step(STRIDE)
            found.append(context.getState(positions=True).getPositions(asNumpy=True)._value.reshape(COPIES, -1, 3))
            progress.advance()
    x = np.concatenate(found)
    shaken = x + np.random.default_rng(2).normal(0, 0.004, x.shape) * np.linspace(0, 2, len(x))[:, None, None]
    x = np.concatenate([x, shaken])
    numbers = tuple(atom.element.atomic_number for atom in pdb.topology.atoms())
    evaluator = Evaluator(teacher)
    parts = [evaluator.compute([(np.array(numbers), frame) for frame in x[k : k + 256]]) for k in range(0, len(x), 256)]
    energies = np.concatenate([energies for energies, _ in parts])
    forces = np.concatenate([np.array(part) for _, part in parts])
    masses = tuple(atom.element.mass._value for atom in pdb.topology.atoms())
    molecule = Molecule(RECIPE.main[0], RECIPE.main[1], numbers, (), masses)
    copies = np.tile(np.arange(COPIES), 2 * frames)
    return Frames(molecule, 10 * x, energies / EV, forces / (10 * EV), kelvin[copies], copies)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", default=str(ROOT / "examples" / "data" / "alanine_dipeptide_tiny.safetensors"))
    parser.add_argument("--frames", type=int, default=250, help="of each of the 32 copies")
    parser.add_argument("--steps", type=int, default=16000, help="of training")
    options = parser.parse_args()
    torch.set_num_threads(1)
    frames = sample(PaiNNStudentModel.bundled("alanine-dipeptide"), options.frames)
    held = frames.trajectories % (COPIES // HELD_OUT) == COPIES // HELD_OUT // 2
    learnt, watched = {RECIPE.main[0]: frames.pick(~held)}, frames.pick(held)
    elements = sorted(set(frames.molecule.numbers))
    metadata = make_metadata(RECIPE, elements, atom_references(learnt, elements))
    network, history = train(RECIPE, metadata, learnt, {RECIPE.main[0]: watched}, steps=options.steps)
    _, forces = predict(network.double(), watched.molecule.numbers, watched.positions)
    error = 1000 * np.abs(forces - watched.forces).mean()
    metadata["name"], metadata["licence"] = RECIPE.name, "MIT"
    metadata["provenance"] = {
        "teacher": "alanine-dipeptide (bundled with openmmpainn)",
        "frames": int((~held).sum()),
        "steps": history[-1]["step"],
        "training": ", ".join(f"{key} {value}" for key, value in dataclasses.asdict(RECIPE.training).items()),
        "held_out_force_mae_meV_per_angstrom": round(float(error), 1),
    }
    write_model(options.output, metadata, network.float().to_model_tensors())
    print(f"{options.output}: force MAE on copies held out {error:.1f} meV/angstrom")


if __name__ == "__main__":
    main()
