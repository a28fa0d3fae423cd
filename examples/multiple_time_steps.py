# SPDX-License-Identifier: MIT
"""One trajectory with longer steps, by a tiny student inside a larger one: python multiple_time_steps.py

Arguments: picoseconds from each of 4 starts (2.5: some 4 minutes on one core), file of the picture.

Compared are the larger network alone with steps of 0.5 to 2 fs; the same with hydrogens of 3 dalton; MTSIntegrator
with a tiny student of 7,167 weights in the short steps and what the larger one adds in the long ones; and bonds and
angles of a force field in the short steps. Energy is to be constant; a day has so many nanoseconds. Needs matplotlib.
"""

import sys
import time
from pathlib import Path

import matplotlib
import numpy as np
import openmm
from openmm import Platform, app, unit

from openmmpainn import PaiNNStudentForce, PaiNNStudentModel, createSystem
from openmmpainn.progress import Progress

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402 (after the backend is chosen)

DATA = Path(__file__).parent / "data"
FAST = 1  # the force group of the short steps
HYDROGEN = 3.0  # dalton: with 4, the carbon of a methyl group would keep 3
STARTS = 4  # different ones, for each way
BROKEN = 50.0  # kJ/mol: fluctuations beyond are of a molecule that broke
ALONE, HEAVY, TINY, BONDED = "network alone", "alone, H of 3 dalton", "tiny student inside", "bonds and angles inside"
# Outer step (fs) and how many inner ones; 0: no inner steps.
WAYS = {
    ALONE: [(0.5, 0), (1.0, 0), (1.5, 0), (2.0, 0)],
    HEAVY: [(1.0, 0), (2.0, 0), (2.5, 0), (3.0, 0)],
    TINY: [(1.0, 2), (2.0, 2), (2.0, 4), (3.0, 3), (4.0, 4), (4.0, 8)],
    BONDED: [(1.0, 2), (2.0, 2), (2.0, 4), (2.5, 5)],
}
STYLE = {ALONE: ("#2b2f36", "o"), HEAVY: ("#2a6f97", "s"), TINY: ("#c8553d", "^"), BONDED: ("#3a7d44", "v")}


def make_system(pdb, way):
    """The larger network in group 0; for multiple time steps a fast part in group 1, taken off again in group 0."""
    system = createSystem(pdb.topology, PaiNNStudentModel.bundled("alanine-dipeptide"), removeCMMotion=False)
    if way == HEAVY:
        for first, second in pdb.topology.bonds():
            heavy, hydrogen = sorted((first, second), key=lambda atom: atom.element.mass, reverse=True)
            if hydrogen.element.symbol == "H":
                moved = HYDROGEN - system.getParticleMass(hydrogen.index)._value
                system.setParticleMass(hydrogen.index, HYDROGEN)
                system.setParticleMass(heavy.index, system.getParticleMass(heavy.index)._value - moved)
    if way == TINY:
        tiny = PaiNNStudentModel(DATA / "alanine_dipeptide_tiny.safetensors")
        fast, minus = (PaiNNStudentForce.fromTopology(tiny, pdb.topology) for _ in range(2))
        minus.addGlobalParameter("minus one", -1.0)
        minus.setSubsystemScale(0, "minus one")
        fast.setForceGroup(FAST)
        system.addForce(fast)
        system.addForce(minus)
    if way == BONDED:
        classical = app.ForceField("amber14-all.xml").createSystem(pdb.topology)
        for force in classical.getForces():
            add_with_opposite(system, force)
    return system


def add_with_opposite(system, force):
    """Add bonds or angles to the fast group and their opposite to the slow one; pass over other forces."""
    kinds = {openmm.HarmonicBondForce: ("Bond", "Bonds"), openmm.HarmonicAngleForce: ("Angle", "Angles")}
    if type(force) not in kinds:
        return
    one, many = kinds[type(force)]
    for sign, group in ((1, FAST), (-1, 0)):
        part = type(force)()
        for i in range(getattr(force, f"getNum{many}")()):
            *rest, strength = getattr(force, f"get{one}Parameters")(i)
            getattr(part, f"add{one}")(*rest, sign * strength)
        part.setForceGroup(group)
        system.addForce(part)


def equilibrate(pdb, way, picoseconds):
    """States at 300 K to start from, so many picoseconds apart."""
    system = make_system(pdb, HEAVY if way == HEAVY else ALONE)
    integrator = openmm.LangevinMiddleIntegrator(300 * unit.kelvin, 5 / unit.picosecond, 0.0005)
    integrator.setRandomNumberSeed(1)
    context = openmm.Context(system, integrator, Platform.getPlatform("CPU"), {"Threads": "1"})
    context.setPositions(pdb.positions)
    context.setVelocitiesToTemperature(300 * unit.kelvin, 1)
    states = []
    for _ in range(STARTS):
        integrator.step(round(picoseconds / 0.0005))
        states.append(context.getState(positions=True, velocities=True))
    return states


def make_context(system, outer, inner, start):
    """A Context with outer steps of so many fs, and so many inner ones in each (0: none)."""
    integrator = openmm.VerletIntegrator(0.001 * outer)
    if inner:
        integrator = openmm.MTSIntegrator(0.001 * outer, [(0, 1), (FAST, inner)])
    context = openmm.Context(system, integrator, Platform.getPlatform("CPU"), {"Threads": "1"})
    context.setState(start)
    return context


def measure(context, outer, picoseconds):
    """Times (ps) and total energies (kJ/mol) of a run; None if the molecule broke."""
    stride, energies = max(1, round(10 / outer)), []
    for _ in range(max(8, round(1000 * picoseconds / outer / stride))):
        try:
            context.getIntegrator().step(stride)
        except openmm.OpenMMException:  # a position or force that is no number
            return None
        state = context.getState(energy=True)
        energies.append((state.getPotentialEnergy() + state.getKineticEnergy()).value_in_unit(unit.kilojoule_per_mole))
    if not np.std(energies) < BROKEN:
        return None
    return np.arange(1, len(energies) + 1) * stride * outer * 0.001, np.array(energies)


def summary(runs):
    """Fluctuation of the total energy (kJ/mol), drift and its error (kJ/mol/ps); NaN if a molecule broke."""
    if any(run is None for run in runs):
        return (np.nan,) * 3
    fluctuation = np.sqrt(np.mean([np.var(energies) for _, energies in runs]))
    drifts = [np.polyfit(times, energies, 1)[0] for times, energies in runs]
    return fluctuation, np.mean(drifts), np.std(drifts, ddof=1) / np.sqrt(len(drifts))


def time_steps(systems, start, rounds):
    """Seconds for an outer step by way and number of inner steps: the fastest of rounds in which all take turns."""
    contexts = {
        (way, inner): make_context(systems[way], 0.5, inner, start) for way, steps in WAYS.items() for _, inner in steps
    }
    fastest = dict.fromkeys(contexts, np.inf)
    for _ in range(rounds):
        for key, context in contexts.items():
            before = time.perf_counter()
            context.getIntegrator().step(40)
            fastest[key] = min(fastest[key], (time.perf_counter() - before) / 40)
    return fastest


def draw(rows, picture):
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.3), layout="constrained", sharey=True)
    for way, (colour, marker) in STYLE.items():
        mine = [row for row in rows if row[0] == way]
        for axes, column in ((left, 1), (right, 6)):
            style = {"color": colour, "marker": marker, "linestyle": "", "label": way}
            axes.plot([row[column] for row in mine], [row[3] for row in mine], **style)
        for row in mine if way in (TINY, BONDED) else ():
            left.annotate(
                f"{row[2]}", (row[1], row[3]), xytext=(5, -3), textcoords="offset points", fontsize=8, color=colour
            )
    left.set(yscale="log", xlabel="step, outer step (fs)", ylabel="fluctuation of total energy (kJ/mol)")
    left.set_title("numbers: inner steps in one outer step", loc="left", fontsize=10)
    right.set(xlabel="ns a day, one core")
    right.set_title("right and low is good", loc="left", fontsize=10)
    for axes in (left, right):
        axes.grid(color="#e3e6ea")
        axes.spines[["top", "right"]].set_visible(False)
    right.legend(frameon=False, fontsize=9)
    figure.suptitle("Alanine dipeptide at constant energy", fontweight="bold")
    figure.savefig(picture, dpi=130)


def main():
    """Run from the command line."""
    picoseconds = float(sys.argv[1]) if len(sys.argv) > 1 else 2.5
    picture = sys.argv[2] if len(sys.argv) > 2 else "multiple_time_steps.png"
    pdb = app.PDBFile(str(DATA / "alanine_dipeptide.pdb"))
    starts = {way: equilibrate(pdb, way, min(1, picoseconds)) for way in (ALONE, HEAVY)}
    systems = {way: make_system(pdb, way) for way in WAYS}
    seconds = time_steps(systems, starts[ALONE][0], max(2, min(30, round(10 * picoseconds))))
    rows = []
    print(f"{'way':26}outer fs  inner steps  fluctuation kJ/mol   drift kJ/mol/ps    error   ns/day")
    with Progress("molecular dynamics", STARTS * sum(len(steps) for steps in WAYS.values())) as progress:
        for way, steps in WAYS.items():
            for outer, inner in steps:
                runs = []
                for start in starts.get(way, starts[ALONE]):
                    runs.append(measure(make_context(systems[way], outer, inner, start), outer, picoseconds))
                    progress.advance(1, way)
                found = (*summary(runs), 86400e-6 * outer / seconds[way, inner])
                rows.append((way, outer, inner, *found))
                numbers = f"{found[0]:20.3f}{found[1]:18.3f}{found[2]:9.3f}{found[3]:9.0f}"
                print(f"{way:26}{outer:8.1f}{inner:13d}{numbers}", flush=True)
    draw(rows, picture)
    print(f"picture: {picture}")


if __name__ == "__main__":
    main()
