# SPDX-License-Identifier: MIT
"""A molecule by the network in water by a force field, at constant pressure: python md_npt.py [--help]

Needs openmm-ml (pip install openmmml). The network sees the molecule alone, as the bundled student learnt it (which has
never met two molecules, and is no model of a liquid); water, and what acts between the two, are Amber's.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from openmm import LangevinMiddleIntegrator, MonteCarloBarostat, Platform, app, unit
from openmmml import MLPotential

from openmmpainn import PaiNNStudentModel, bundledModels
from openmmpainn.progress import Progress

CUTOFF = 0.8  # nm, of the force field
STEP = 0.001  # ps
BLOCKS, MEMORY = 5, 2.0  # of the average; ps
EVERY = 25  # steps between attempts of the barostat, and between samples of the volume


def mean(values: np.ndarray) -> tuple[float, float]:
    """Mean and its error from blocks, which should be longer than the volume remembers its past."""
    parts = [np.mean(part) for part in np.array_split(values, BLOCKS)]
    return float(np.mean(values)), float(np.std(parts, ddof=1) / np.sqrt(BLOCKS))


def main() -> None:
    """Put the molecule in water, equilibrate, sample the volume."""
    parser = argparse.ArgumentParser(description="Alanine dipeptide in water at 300 K and 1 bar.")
    parser.add_argument("--picoseconds", type=float, default=20.0, help="of which the first fifth is not counted")
    parser.add_argument("--padding", type=float, default=1.2, help="of water around the molecule, nm")
    parser.add_argument("--pressure", type=float, default=1.0, help="bar")
    parser.add_argument("--platform", default="CPU")
    parser.add_argument("--model", help="a model file (default: the bundled student)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    count = round(options.picoseconds / STEP) // EVERY
    if count < 10:
        parser.error(f"--picoseconds {options.picoseconds:g} are {count} samples of the volume; 10 or more are needed")

    pdb = app.PDBFile(str(Path(__file__).parent / "data" / "alanine_dipeptide.pdb"))
    path, name = options.model, bundledModels()[0] if options.model is None else None
    potential = MLPotential("painn-student", modelPath=path) if path else MLPotential(name)
    cutoff = (PaiNNStudentModel(path) if path else PaiNNStudentModel.bundled(name)).getCutoff()
    forcefield = app.ForceField("amber14-all.xml", "amber14/tip3p.xml")
    modeller = app.Modeller(pdb.topology, pdb.positions)
    modeller.addSolvent(forcefield, padding=options.padding * unit.nanometer)
    mm = forcefield.createSystem(
        modeller.topology, nonbondedMethod=app.PME, nonbondedCutoff=CUTOFF * unit.nanometer, constraints=app.HBonds
    )
    # Constraints and classical terms inside the molecule go; rigid water stays.
    system = potential.createMixedSystem(modeller.topology, mm, range(pdb.topology.getNumAtoms()))
    system.addForce(MonteCarloBarostat(options.pressure * unit.bar, 300 * unit.kelvin, EVERY))
    # Molecules are moved as wholes by the barostat; the network's C-H bonds vibrate and want short steps.
    integrator = LangevinMiddleIntegrator(300 * unit.kelvin, 2 / unit.picosecond, STEP * unit.picosecond)
    integrator.setRandomNumberSeed(options.seed)
    simulation = app.Simulation(modeller.topology, system, integrator, Platform.getPlatform(options.platform))
    simulation.context.setPositions(modeller.positions)
    simulation.minimizeEnergy(maxIterations=50)
    simulation.context.setVelocitiesToTemperature(300 * unit.kelvin, options.seed)
    print(f"{system.getNumParticles()} particles, of which the network describes {pdb.topology.getNumAtoms()}")

    mass = sum((system.getParticleMass(i) for i in range(system.getNumParticles())), 0 * unit.dalton)
    grams = mass.value_in_unit(unit.dalton) / 602.214076  # in g/mL after division by nm^3
    volumes, narrowest = np.zeros(count), np.inf  # nm^3, nm
    with Progress("NPT", count) as progress:
        for k in range(count):
            simulation.step(EVERY)
            state = simulation.context.getState()
            volumes[k] = state.getPeriodicBoxVolume().value_in_unit(unit.nanometer**3)
            vectors = state.getPeriodicBoxVectors(asNumpy=True).value_in_unit(unit.nanometer)
            narrowest = min(narrowest, np.diag(vectors).min())
            progress.advance(1, f"{grams / volumes[k]:.3f} g/mL")
    volume, error = mean(volumes[count // 5 :])
    density = grams / volume
    print(f"Density {density:.4f} +- {density * error / volume:.4f} g/mL (TIP3P alone: 0.98 at 300 K)")
    print(
        f"Volume {volume:.3f} +- {error:.3f} nm^3, from {volumes[0]:.3f} at the start to {volumes[-1]:.3f} at the end"
    )
    block = (count - count // 5) / BLOCKS * EVERY * STEP
    if block < MEMORY:
        print(f"Blocks of {block:.2g} ps are shorter than the volume's memory of some ps: the errors are too small")
    early, late = np.array_split(volumes[count // 5 :], 2)
    if abs(late.mean() - early.mean()) > 3 * 2 * error:  # a half has the error of the mean times root 2, each
        print("The volume still changes: the run is too short for a density")
    # OpenMM stops a run whose box becomes too small; how near it came belongs to the result.
    allowed = 2 * max(CUTOFF, cutoff.value_in_unit(unit.nanometer))
    print(f"Narrowest box {narrowest:.2f} nm; the cutoffs need {allowed:.2f}")


if __name__ == "__main__":
    main()
