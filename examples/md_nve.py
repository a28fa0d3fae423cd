# SPDX-License-Identifier: MIT
"""Dynamics without a thermostat, and what its energy says: python md_nve.py [--help]

Forces that are the gradient of the energy keep the total energy but for the error of the time step. That error follows
the energy of the fast modes, which wanders for picoseconds, so the slope of one run is noise that looks like a drift.
Here it is the mean of several independent runs, with an interval from their scatter, and what they are too short to
see is called unresolved. The runs are replicas that share the network.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from openmm import LangevinMiddleIntegrator, Platform, VerletIntegrator, app, unit

from openmmpainn import PaiNNReplicaContexts, PaiNNStudentModel, bundledModels, createSystem
from openmmpainn.check.dynamics import Drift, estimate_drift
from openmmpainn.progress import Progress

SAMPLES = 200  # of the energy of a run
EQUILIBRATION, BETWEEN = 1.0, 0.25  # ps with the heat bath before the first run, and before each of the others


def judge(drift: Drift, bar: float, picoseconds: float) -> str:
    """One sentence about a slope (kT/ns per degree of freedom) and its intervals."""
    if not np.isfinite([drift.slope, drift.interval, drift.surely]).all():
        return "FAILED: the energy is not finite"
    if abs(drift.slope) + drift.interval <= bar:
        return f"none above {bar:g}: slope and interval are within it"
    if abs(drift.slope) > drift.surely:  # outside the 99.9 % interval
        which = "beyond" if abs(drift.slope) - drift.interval > bar else "though not surely beyond"
        return f"FOUND: the slope is no noise (+- {drift.surely:.2g} would be, 99.9 %), {which} {bar:g}"
    longer = picoseconds * ((abs(drift.slope) + drift.interval) / bar) ** (2 / 3)  # intervals go as length^-1.5
    return f"UNRESOLVED: runs are too short to tell a drift of {bar:g} from noise; {longer:.2g} ps each might do"


def main() -> None:
    """Equilibrate, run free, fit, judge."""
    parser = argparse.ArgumentParser(description="Energy conservation of alanine dipeptide without a thermostat.")
    parser.add_argument("--picoseconds", type=float, default=3.0, help="of each run without thermostat")
    parser.add_argument("--runs", type=int, default=8, help="2 or more")
    parser.add_argument("--femtoseconds", type=float, default=0.5, help="of a step")
    parser.add_argument(
        "--bar", type=float, default=1e-3, help="largest drift that is fine, kT/ns per degree of freedom"
    )
    parser.add_argument("--platform", default="CPU")
    parser.add_argument("--precision", choices=("single", "mixed", "double"), help="of CUDA (single rounds positions)")
    parser.add_argument("--model", help="a model file (default: the bundled student)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    step = options.femtoseconds * 1e-3  # ps
    every = max(1, round(options.picoseconds / step / SAMPLES))
    count = round(options.picoseconds / step) // every
    if count < 20:
        parser.error(f"--picoseconds {options.picoseconds:g} are {count} samples; 20 or more are needed")
    if options.runs < 2:
        parser.error(f"--runs is {options.runs}; the scatter of 2 or more is needed")

    pdb = app.PDBFile(str(Path(__file__).parent / "data" / "alanine_dipeptide.pdb"))
    model = PaiNNStudentModel(options.model) if options.model else PaiNNStudentModel.bundled(bundledModels()[0])
    system = createSystem(pdb.topology, model, removeCMMotion=False)
    platform = Platform.getPlatform(options.platform)
    properties = {"Precision": options.precision} if options.precision else {}
    # A bath first: from a minimum, energy would flow from the kinetic to the potential side for a while.
    bath = LangevinMiddleIntegrator(300 * unit.kelvin, 20 / unit.picosecond, step * unit.picosecond)
    bath.setRandomNumberSeed(options.seed)
    warm = app.Simulation(pdb.topology, system, bath, platform, properties)
    warm.context.setPositions(pdb.positions)
    warm.minimizeEnergy(maxIterations=100)
    warm.context.setVelocitiesToTemperature(300 * unit.kelvin, options.seed)
    verlet = [VerletIntegrator(step * unit.picosecond) for _ in range(options.runs)]
    free = PaiNNReplicaContexts([system] * options.runs, verlet, platform, properties)
    warm.step(round(EQUILIBRATION / step))
    for context in free:
        warm.step(round(BETWEEN / step))
        context.setState(warm.context.getState(positions=True, velocities=True))

    energies, kinetic = np.zeros((2, options.runs, count))  # kJ/mol
    with Progress("NVE", count) as progress:
        for k in range(count):
            free.step(every)
            for run, context in enumerate(free):
                state = context.getState(energy=True)
                kinetic[run, k] = state.getKineticEnergy().value_in_unit(unit.kilojoule_per_mole)
                energies[run, k] = kinetic[run, k] + state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole)
            progress.advance()
    degrees = 3 * system.getNumParticles()
    times = every * step * np.arange(1, count + 1)
    drift = estimate_drift(times, energies, degrees)
    kelvin = (
        2 * kinetic.mean() / degrees / unit.MOLAR_GAS_CONSTANT_R.value_in_unit(unit.kilojoule_per_mole / unit.kelvin)
    )
    print(
        f"{options.runs} runs of {times[-1]:.4g} ps in steps of {options.femtoseconds:g} fs on {options.platform}, "
        f"{kelvin:.0f} K on average"
    )
    print(f"Fluctuation of the total energy: {drift.fluctuation:.3g} kJ/mol")
    print(f"Slope: {drift.slope:+.2g} +- {drift.interval:.2g} kT/ns per degree of freedom (95 %)")
    print(f"Drift {judge(drift, options.bar, times[-1])}")


if __name__ == "__main__":
    main()
