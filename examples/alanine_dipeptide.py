# SPDX-License-Identifier: MIT
"""Molecular dynamics of alanine dipeptide in vacuum with a PaiNN student, as ``make demo`` runs it.

Leaves a trajectory, a CSV and a picture in the output folder, and prints what was found.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from pathlib import Path

import numpy as np
import openmm
from openmm import app, unit

from openmmpainn import Evaluator, PaiNNStudentModel, bundledModels, createSystem
from openmmpainn.check.derivatives import STEPS, finite_difference_scan
from openmmpainn.check.dynamics import drift_of_one_run
from openmmpainn.progress import format_seconds

HERE = Path(__file__).resolve().parent
PHI = ("ACE C", "ALA N", "ALA CA", "ALA C")
PSI = ("ALA N", "ALA CA", "ALA C", "NME N")
GAS_CONSTANT = unit.MOLAR_GAS_CONSTANT_R.value_in_unit(unit.kilojoule_per_mole / unit.kelvin)
TIME_STEP = 0.001  # ps, with the thermostat
NVE_TIME_STEP = 0.0005  # ps, without: hydrogen is free to move
RECORD_EVERY = 20  # steps
FRAME_EVERY = 5  # records
EQUILIBRATION = 1000  # steps


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("demo"), help="folder for the results (default: demo)")
    parser.add_argument("--model", help="a .safetensors file or a bundled model (default: the first bundled one)")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--seconds", type=float, default=60.0, help="wall time of the run at 300 K (default: 60)")
    length.add_argument("--steps", type=int, help="steps of 1 fs instead of a wall time")
    parser.add_argument(
        "--nve-steps", type=int, default=4000, help="steps of 0.5 fs without thermostat (default: 4000)"
    )
    parser.add_argument("--temperature", type=float, default=300.0, help="K (default: 300)")
    parser.add_argument("--platform", help="the OpenMM platform (default: CPU)")
    parser.add_argument("--seed", type=int, default=1, help="of the thermostat and the velocities (default: 1)")
    arguments = parser.parse_args()
    if arguments.seconds <= 0 or (arguments.steps is not None and arguments.steps < 10 * RECORD_EVERY):
        parser.error(f"--seconds must be positive and --steps at least {10 * RECORD_EVERY}")
    if arguments.nve_steps < 100:
        parser.error(f"--nve-steps is {arguments.nve_steps}; it must be at least 100")
    return arguments


def load_model(name: str | None) -> PaiNNStudentModel:
    """The model of this file or name, or the first bundled one."""
    bundled = bundledModels()
    if name is None and not bundled:
        sys.exit("no model is bundled with this build; name a file with --model")
    if name is None or (name in bundled and not Path(name).exists()):
        return PaiNNStudentModel.bundled(name or bundled[0])
    return PaiNNStudentModel(name)


def make_simulation(topology: app.Topology, system: openmm.System, arguments: argparse.Namespace) -> app.Simulation:
    """A Simulation with a Langevin middle thermostat, on the platform asked for, else CPU, else Reference."""
    names = [arguments.platform]
    if arguments.platform is None:  # CPU by default; name CUDA for a GPU
        names = ["CPU", "Reference"]
    for name in names:
        integrator = openmm.LangevinMiddleIntegrator(arguments.temperature, 1.0, TIME_STEP)
        integrator.setRandomNumberSeed(arguments.seed)
        try:
            return app.Simulation(topology, system, integrator, openmm.Platform.getPlatform(name))
        except openmm.OpenMMException as error:
            if name == names[-1]:
                sys.exit(f"platform {name}: {error}")
    raise AssertionError("the last platform either works or ends the program")


def find_atoms(topology: app.Topology, names: tuple[str, ...]) -> list[int]:
    """Indices of atoms given as 'RESIDUE NAME'."""
    indices = {f"{atom.residue.name} {atom.name}": atom.index for atom in topology.atoms()}
    return [indices[name] for name in names]


def dihedral(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> float:
    """The dihedral angle of four points, degrees from -180 to 180."""
    axis = (c - b) / np.linalg.norm(c - b)
    left, right = np.cross(a - b, axis), np.cross(d - c, axis)
    return float(np.degrees(np.arctan2(np.dot(np.cross(left, right), axis), np.dot(left, right))))


def energies_of(state: openmm.State, atoms: int) -> tuple[float, float, float]:
    """Potential energy, kinetic energy (kJ/mol) and temperature (K) of a State."""
    potential = state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole)
    kinetic = state.getKineticEnergy().value_in_unit(unit.kilojoule_per_mole)
    return potential, kinetic, 2 * kinetic / (3 * atoms * GAS_CONSTANT)


def say(line: str, last: bool = False) -> None:
    """Show a progress line: over the last one on a terminal, below it elsewhere."""
    if sys.stdout.isatty():
        print(f"\r\033[K{line}", end="\n" if last else "", flush=True)
    else:
        print(line, flush=True)


def equilibrate(simulation: app.Simulation, arguments: argparse.Namespace) -> None:
    """Bring the minimised molecule to the temperature with strong friction, unrecorded, and count from there.

    Half of the kinetic energy that it starts with goes into its bonds.
    """
    steps = EQUILIBRATION if arguments.steps is None else min(EQUILIBRATION, arguments.steps)
    print(f"Heating up: {steps} steps with strong friction ...", flush=True)
    friction = simulation.integrator.getFriction()
    simulation.integrator.setFriction(20.0)
    simulation.step(steps)
    simulation.integrator.setFriction(friction)
    simulation.context.setStepCount(0)
    simulation.context.setTime(0.0)
    simulation.currentStep = 0


def run_dynamics(simulation: app.Simulation, arguments: argparse.Namespace) -> tuple[np.ndarray, float]:
    """Run with the thermostat, writing the trajectory and the CSV.

    Returns
    -------
    records : array [R, 7]
        step, time (ps), potential, kinetic energy (kJ/mol), temperature (K), phi, psi (degrees).
    speed : float
        Steps a second of wall time, writing included.
    """
    atoms = simulation.topology.getNumAtoms()
    phi, psi = find_atoms(simulation.topology, PHI), find_atoms(simulation.topology, PSI)
    records: list[tuple[float, ...]] = []
    total = arguments.steps // RECORD_EVERY if arguments.steps is not None else None
    start, shown = time.monotonic(), 0.0
    with (
        open(arguments.output / "trajectory.dcd", "wb") as trajectory,
        open(arguments.output / "md.csv", "w", newline="") as table,
    ):
        dcd = app.DCDFile(trajectory, simulation.topology, TIME_STEP, interval=RECORD_EVERY * FRAME_EVERY)
        writer = csv.writer(table)
        writer.writerow(
            ["step", "time_ps", "potential_kj_mol", "kinetic_kj_mol", "temperature_k", "phi_degrees", "psi_degrees"]
        )
        while True:
            simulation.step(RECORD_EVERY)
            state = simulation.context.getState(energy=True, positions=True)
            x = state.getPositions(asNumpy=True).value_in_unit(unit.nanometer)
            potential, kinetic, temperature = energies_of(state, atoms)
            if not np.isfinite(potential):
                sys.exit(
                    f"the energy is not finite at step {simulation.currentStep}: this model cannot hold the molecule"
                )
            angles = dihedral(*x[phi]), dihedral(*x[psi])
            step = len(records) * RECORD_EVERY + RECORD_EVERY
            records.append((step, step * TIME_STEP, potential, kinetic, temperature, *angles))
            writer.writerow(
                [step, *(f"{value:.6g}" for value in records[-1][1:2]), *(f"{v:.4f}" for v in records[-1][2:])]
            )
            if len(records) % FRAME_EVERY == 0:
                dcd.writeModel(state.getPositions())
            elapsed = time.monotonic() - start
            done = len(records) / total if total is not None else elapsed / arguments.seconds
            if done >= 1 or elapsed - shown > (0.5 if sys.stdout.isatty() else 10.0):
                shown = elapsed
                speed = step / elapsed
                say(
                    f"step {step:>8,}  {temperature:4.0f} K  {potential:12.2f} kJ/mol  "
                    f"{speed * TIME_STEP * 86.4:6.2f} ns/day  {format_seconds(elapsed * (1 / done - 1))} left",
                    last=done >= 1,
                )
            if done >= 1:
                return np.array(records), step / (time.monotonic() - start)


def run_free(simulation: app.Simulation, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Run on from the present state without a thermostat: times [T] (ps) and total energies [T] (kJ/mol)."""
    state = simulation.context.getState(positions=True, velocities=True)
    integrator = openmm.VerletIntegrator(NVE_TIME_STEP)
    context = openmm.Context(simulation.system, integrator, simulation.context.getPlatform())
    context.setPositions(state.getPositions())
    context.setVelocities(state.getVelocities())
    every = max(1, steps // 800)
    energies = []
    for _ in range(steps // every):
        integrator.step(every)
        energies.append(sum(energies_of(context.getState(energy=True), 1)[:2]))
    return every * NVE_TIME_STEP * np.arange(1, len(energies) + 1), np.array(energies)


def check_forces(model: PaiNNStudentModel, simulation: app.Simulation, seed: int) -> tuple[float, str]:
    """The largest error of 12 force components of the last frame against finite differences, in units of the RMS."""
    numbers = [atom.element.atomic_number for atom in simulation.topology.atoms()]
    x = simulation.context.getState(positions=True).getPositions(asNumpy=True).value_in_unit(unit.nanometer)
    chosen = np.random.default_rng(seed).permutation(3 * len(numbers))[:12]
    errors = finite_difference_scan(Evaluator(model, "Reference"), numbers, np.array(x), chosen)
    best = int(np.nanargmin(errors))
    return float(errors[best]), f"{STEPS[best]:.0e} nm"


def main() -> None:
    """Run all of it."""
    arguments = parse_arguments()
    model = load_model(arguments.model)
    arguments.output.mkdir(parents=True, exist_ok=True)
    pdb = app.PDBFile(str(HERE / "data" / "alanine_dipeptide.pdb"))
    system = createSystem(pdb.topology, model, removeCMMotion=False)
    simulation = make_simulation(pdb.topology, system, arguments)
    platform = simulation.context.getPlatform().getName()
    print(f"Alanine dipeptide, {pdb.topology.getNumAtoms()} atoms, {model.getName() or 'model'} on {platform}")

    simulation.context.setPositions(pdb.positions)
    before = simulation.context.getState(energy=True).getPotentialEnergy()
    simulation.minimizeEnergy(maxIterations=300)
    after = simulation.context.getState(energy=True, positions=True)
    drop = (before - after.getPotentialEnergy()).value_in_unit(unit.kilojoule_per_mole)
    print(f"Minimised: {drop:.1f} kJ/mol lower")
    with open(arguments.output / "topology.pdb", "w") as file:
        app.PDBFile.writeFile(pdb.topology, after.getPositions(), file)
    simulation.context.setVelocitiesToTemperature(arguments.temperature, arguments.seed)
    equilibrate(simulation, arguments)

    records, speed = run_dynamics(simulation, arguments)
    print(f"Without thermostat: {arguments.nve_steps} steps of {1000 * NVE_TIME_STEP:g} fs ...", flush=True)
    times, energies = run_free(simulation, arguments.nve_steps)
    error, step = check_forces(model, simulation, arguments.seed)

    from alanine_dipeptide_plot import plot_run

    title = f"Alanine dipeptide in vacuum, {records[-1, 1]:.4g} ps at {arguments.temperature:g} K"
    title += f" (model: {model.getName()})"
    plot_run(records, times, energies, arguments.temperature, title, arguments.output / "md.png")
    print("\n".join(summarise(arguments, model, platform, records, speed, times, energies, error, step)))


def summarise(
    arguments: argparse.Namespace,
    model: PaiNNStudentModel,
    platform: str,
    records: np.ndarray,
    speed: float,
    times: np.ndarray,
    energies: np.ndarray,
    force_error: float,
    step: str,
) -> list[str]:
    """The lines that end the demo."""
    drift = drift_of_one_run(times, energies, 3 * 22, arguments.temperature)
    change = float(np.polyfit(times, energies, 1)[0]) * times[-1]
    judgement = "beyond" if abs(change) > 3 * drift.fluctuation else "unresolved within"
    lines = [
        "",
        f"Platform      {platform}",
        f"Speed         {speed * TIME_STEP * 86.4:.2f} ns/day at {1000 * TIME_STEP:g} fs, {1000 / speed:.2f} ms a step",
        f"Run           {records[-1, 1]:.4g} ps, mean temperature {records[:, 4].mean():.0f} K",
        f"Energy drift  {drift.slope:+.2g} kT/ns per degree of freedom, from {times[-1]:.3g} ps without thermostat:",
        f"              {change:+.2g} kJ/mol in all, {judgement} "
        f"the total energy's fluctuation of {drift.fluctuation:.2g}",
        f"Forces        {force_error:.1e} of their RMS at most from finite differences (Reference, step {step})",
    ]
    warnings = model.getWarnings()
    lines.append("Warnings" if warnings else "Warnings      none")
    lines += [f"  - {warning}" for warning in warnings]
    lines.append(
        "Files         "
        + ", ".join(str(arguments.output / name) for name in ("trajectory.dcd", "topology.pdb", "md.csv", "md.png"))
    )
    return lines


if __name__ == "__main__":
    main()
