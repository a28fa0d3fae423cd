# SPDX-License-Identifier: MIT
"""One trajectory with longer steps: what a tiny student inside the steps of a larger one is worth.

python multiple_time_steps.py [picoseconds for each way (10: some 5 minutes on one core)] [file of the picture]

Compared are the larger network alone with steps of 0.5 to 2.5 fs; the same with hydrogens of 3 dalton; MTSIntegrator
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
BROKEN = 50.0  # kJ/mol: fluctuations beyond are of a molecule that broke
ALONE, HEAVY, TINY, BONDED = "network alone", "alone, H of 3 dalton", "tiny student inside", "bonds and angles inside"
# Outer step (fs) and how many inner ones; 0: no inner steps.
WAYS = {
    ALONE: [(0.5, 0), (1.0, 0), (1.5, 0), (2.0, 0), (2.5, 0)],
    HEAVY: [(1.0, 0), (2.0, 0), (2.5, 0), (3.0, 0), (3.5, 0), (4.0, 0)],
    TINY: [(1.0, 2), (2.0, 2), (2.0, 4), (3.0, 3), (4.0, 4), (4.0, 8), (5.0, 5)],
    BONDED: [(1.0, 2), (2.0, 2), (2.0, 4), (2.5, 5), (3.0, 6)],
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
    """Positions and velocities at 300 K."""
    system = make_system(pdb, HEAVY if way == HEAVY else ALONE)
    integrator = openmm.LangevinMiddleIntegrator(300 * unit.kelvin, 5 / unit.picosecond, 0.0005)
    integrator.setRandomNumberSeed(1)
    context = openmm.Context(system, integrator, Platform.getPlatform("CPU"), {"Threads": "1"})
    context.setPositions(pdb.positions)
    context.setVelocitiesToTemperature(300 * unit.kelvin, 1)
    integrator.step(round(picoseconds / 0.0005))
    return context.getState(positions=True, velocities=True)


def measure(pdb, way, outer, inner, start, picoseconds):
    """Fluctuation of the total energy (kJ/mol), its drift (kJ/mol/ps) and ns a day; NaN where the molecule broke."""
    integrator = openmm.VerletIntegrator(0.001 * outer)
    if inner:
        integrator = openmm.MTSIntegrator(0.001 * outer, [(0, 1), (FAST, inner)])
    system = make_system(pdb, way)
    context = openmm.Context(system, integrator, Platform.getPlatform("CPU"), {"Threads": "1"})
    context.setState(start)
    stride = max(1, round(10 / outer))
    count = max(8, round(1000 * picoseconds / outer / stride))
    energies, spent = [], []
    for _ in range(count):
        before = time.perf_counter()
        try:
            integrator.step(stride)
        except openmm.OpenMMException:  # a position or force that is no number
            return np.nan, np.nan, np.nan
        spent.append((time.perf_counter() - before) / stride)
        state = context.getState(energy=True)
        energies.append((state.getPotentialEnergy() + state.getKineticEnergy()).value_in_unit(unit.kilojoule_per_mole))
    if not np.std(energies) < BROKEN:
        return np.nan, np.nan, np.nan
    drift = np.polyfit(np.arange(count) * stride * outer * 0.001, energies, 1)[0]
    return np.std(energies), drift, 86400 * outer * 1e-6 / np.median(spent)


def draw(rows, picture):
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.3), layout="constrained", sharey=True)
    for way, (colour, marker) in STYLE.items():
        mine = [row for row in rows if row[0] == way]
        for axes, column in ((left, 1), (right, 5)):
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
    picoseconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    picture = sys.argv[2] if len(sys.argv) > 2 else "multiple_time_steps.png"
    pdb = app.PDBFile(str(DATA / "alanine_dipeptide.pdb"))
    starts = {way: equilibrate(pdb, way, min(2, 2 * picoseconds)) for way in (ALONE, HEAVY)}
    rows = []
    print(f"{'way':26}outer fs  inner steps  fluctuation kJ/mol  drift kJ/mol/ps   ns/day")
    with Progress("molecular dynamics", sum(len(steps) for steps in WAYS.values())) as progress:
        for way, steps in WAYS.items():
            for outer, inner in steps:
                start = starts.get(way, starts[ALONE])
                found = measure(pdb, way, outer, inner, start, picoseconds)
                rows.append((way, outer, inner, *found))
                print(f"{way:26}{outer:8.1f}{inner:13d}{found[0]:20.3f}{found[1]:17.3f}{found[2]:9.0f}", flush=True)
                progress.advance(1, way)
    draw(rows, picture)
    print(f"picture: {picture}")


if __name__ == "__main__":
    main()
