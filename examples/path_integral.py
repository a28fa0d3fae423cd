# SPDX-License-Identifier: MIT
"""Path integrals: a water molecule as a ring of 16 beads, as subsystems and by RPMDIntegrator: python path_integral.py

A ring polymer at the temperature T is P copies of the molecule at P T, each atom tied to the same atom of the next copy
by a spring of m (P kT / hbar)^2. As subsystems of one PaiNNStudentForce all beads are one batch a step; OpenMM's
RPMDIntegrator evaluates one after the other. Argument: picoseconds of each (10: some 4 minutes).
"""

import sys
import time
from pathlib import Path

import numpy as np
import openmm
from openmm import Platform, app, unit

from openmmpainn import PaiNNStudentModel, SubsystemLangevinIntegrator, createSystem, replicate
from openmmpainn.progress import Progress

R, HBAR = 0.00831446261815324, 0.06350779923  # kJ/mol/K, kJ/mol ps
KELVIN, BEADS, STEP, STEPS_PER_SAMPLE = 300.0, 16, 0.00025, 20  # K, -, ps, -
# 1/ps: RPMDIntegrator adds to it what damps the modes of the ring best, the integrator of subsystems does not.
FRICTION, BEAD_FRICTION = 5.0, 100.0
SPRINGS = 1  # their force group


def ring_polymer(topology, system, positions, beads, kelvin):
    """Topology, System and positions of the beads with their springs (to be moved at beads * kelvin)."""
    topology, ring, positions = replicate(topology, system, positions, beads)
    springs = openmm.HarmonicBondForce()
    springs.setForceGroup(SPRINGS)
    frequency, atoms = beads * R * kelvin / HBAR, system.getNumParticles()  # 1/ps
    for i in range(ring.getNumParticles() if beads > 1 else 0):
        mass = ring.getParticleMass(i).value_in_unit(unit.dalton)
        springs.addBond(i, (i + atoms) % ring.getNumParticles(), 0.0, mass * frequency**2)
    ring.addForce(springs)
    return topology, ring, positions


def primitive(spring_energy, atoms, beads, kelvin):
    """Kinetic energy (kJ/mol) of one configuration by the primitive estimator: 3 N P kT / 2 - springs / P."""
    return 1.5 * atoms * beads * R * kelvin - spring_energy / beads


def centroid_virial(x, forces, kelvin):
    """The same by the centroid virial estimator; x and forces of the potential [P, N, 3] in nm and kJ/mol/nm."""
    return 1.5 * x.shape[1] * R * kelvin - 0.5 * np.sum((x - x.mean(axis=0)) * forces) / len(x)


def harmonic(frequencies, beads, kelvin):
    """Kinetic energy (kJ/mol) of harmonic modes (1/ps) with so many beads, exactly."""
    ring = 2 * beads * R * kelvin / HBAR * np.sin(np.pi * np.arange(beads) / beads)
    square = np.asarray(frequencies)[:, None] ** 2
    return 0.5 * R * kelvin * np.sum(square / (ring**2 + square))


def mean(values, blocks=10):
    """Mean and its error from block averages."""
    parts = [np.mean(part) for part in np.array_split(np.asarray(values), blocks)]
    return np.mean(values), np.std(parts, ddof=1) / np.sqrt(blocks)


def normal_modes(system, positions):
    """Vibrations (1/ps) at the minimum, from central differences of the forces in double precision."""
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), Platform.getPlatform("Reference"))
    context.setPositions(positions)
    openmm.LocalEnergyMinimizer.minimize(context, 1e-4)
    x = context.getState(positions=True).getPositions(asNumpy=True)._value
    hessian, h = np.empty((x.size, x.size)), 1e-4
    for i in range(x.size):
        moved = [x.copy(), x.copy()]
        for sign, each in zip((h, -h), moved, strict=True):
            each.flat[i] += sign
        forces = []
        for each in moved:
            context.setPositions(each)
            forces.append(context.getState(forces=True).getForces(asNumpy=True)._value.ravel())
        hessian[i] = (forces[1] - forces[0]) / (2 * h)
    mass = np.repeat([system.getParticleMass(i)._value for i in range(len(x))], 3)
    values = np.linalg.eigvalsh((hessian + hessian.T) / 2 / np.sqrt(np.outer(mass, mass)))
    return np.sqrt(values[6:])  # without translations and rotations


def beads_as_subsystems(pdb_topology, system, positions, count):
    """Samples of both estimators, and seconds for a step."""
    topology, ring, start = ring_polymer(pdb_topology, system, positions, BEADS, KELVIN)
    integrator = SubsystemLangevinIntegrator(BEADS * KELVIN, BEAD_FRICTION, STEP, ring)
    context = openmm.Context(ring, integrator, Platform.getPlatform("CPU"))
    context.setPositions(start)
    integrator.setVelocitiesToTemperatures(context, 1)
    integrator.step(STEPS_PER_SAMPLE * count // 10)
    atoms, samples, spent = system.getNumParticles(), [], 0.0
    with Progress("beads as subsystems", count) as progress:
        for _ in range(count):
            before = time.perf_counter()
            integrator.step(STEPS_PER_SAMPLE)
            spent += time.perf_counter() - before
            springs = context.getState(energy=True, groups={SPRINGS}).getPotentialEnergy()._value
            state = context.getState(positions=True, forces=True, groups={0})
            x, forces = (
                array._value.reshape(BEADS, atoms, 3)
                for array in (state.getPositions(asNumpy=True), state.getForces(asNumpy=True))
            )
            samples.append((primitive(springs, atoms, BEADS, KELVIN), centroid_virial(x, forces, KELVIN)))
            progress.advance()
    return np.array(samples).T, spent / (count * STEPS_PER_SAMPLE)


def with_rpmd_integrator(system, positions, count):
    """Samples of the centroid virial estimator, and seconds for a step."""
    integrator = openmm.RPMDIntegrator(BEADS, KELVIN, FRICTION, STEP)
    integrator.setRandomNumberSeed(1)
    context = openmm.Context(system, integrator, Platform.getPlatform("CPU"))
    context.setPositions(positions)
    for bead in range(BEADS):
        integrator.setPositions(bead, positions)
    integrator.step(STEPS_PER_SAMPLE * count // 10)
    samples, spent = [], 0.0
    with Progress("RPMDIntegrator", count) as progress:
        for _ in range(count):
            before = time.perf_counter()
            integrator.step(STEPS_PER_SAMPLE)
            spent += time.perf_counter() - before
            states = [integrator.getState(bead, getPositions=True, getForces=True) for bead in range(BEADS)]
            x = np.array([state.getPositions(asNumpy=True)._value for state in states])
            forces = np.array([state.getForces(asNumpy=True)._value for state in states])
            samples.append(centroid_virial(x, forces, KELVIN))
            progress.advance()
    return np.array(samples), spent / (count * STEPS_PER_SAMPLE)


def main():
    """Run from the command line."""
    picoseconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    count = max(20, round(picoseconds / STEP / STEPS_PER_SAMPLE))
    pdb = app.PDBFile(str(Path(__file__).parent / "data" / "water.pdb"))
    positions = np.array(pdb.positions.value_in_unit(unit.nanometer))
    system = createSystem(pdb.topology, PaiNNStudentModel.bundled("alanine-dipeptide"), removeCMMotion=False)
    (prim, virial), fast = beads_as_subsystems(pdb.topology, system, positions, count)
    rpmd, slow = with_rpmd_integrator(system, positions, count)
    modes = normal_modes(system, positions)
    print("quantum kinetic energy of a water molecule at 300 K, 16 beads (kJ/mol)")
    for name, values in (
        ("beads as subsystems, primitive", prim),
        ("beads as subsystems, centroid virial", virial),
        ("RPMDIntegrator, centroid virial", rpmd),
    ):
        value, error = mean(values)
        print(f"{name:38} {value:8.3f} +- {error:.3f}")
    print(f"{'harmonic, 16 beads':38} {3 * R * KELVIN + harmonic(modes, BEADS, KELVIN):8.3f}")
    print(f"{'classical':38} {4.5 * R * KELVIN:8.3f}")
    print(f"a step of all beads: {1e6 * fast:.0f} us as subsystems, {1e6 * slow:.0f} us with RPMDIntegrator")


if __name__ == "__main__":
    main()
