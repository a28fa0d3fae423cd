# SPDX-License-Identifier: MIT
"""Path integrals: OpenMM's RPMDIntegrator with a network, and beads as subsystems."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import openmm
import pytest

from conftest import PLATFORMS
from openmmpainn import PaiNNStudentForce, SubsystemLangevinIntegrator, createSystem

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))
import path_integral  # noqa: E402

BEADS, KELVIN = 4, 300.0


def beads_of(positions):
    """Positions [BEADS, N, 3] that differ."""
    return positions + np.random.default_rng(5).normal(0, 0.003, (BEADS, *positions.shape))


@pytest.mark.parametrize("platform", PLATFORMS)
def test_rpmd_integrator(platform, model, ethanol):
    """Each copy has the energy and the forces of the molecule alone, bit for bit; so has each bead as a subsystem."""
    topology, positions = ethanol
    system, x = createSystem(topology, model, removeCMMotion=False), beads_of(positions)
    integrator = openmm.RPMDIntegrator(BEADS, KELVIN, 1.0, 0.0001)
    context = openmm.Context(system, integrator, openmm.Platform.getPlatform(platform))
    assert context.getPlatform().getName() == platform
    alone = openmm.Context(system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatform(platform))
    for bead in range(BEADS):
        integrator.setPositions(bead, x[bead])
    energies, forces = [], []
    for bead in range(BEADS):
        state = integrator.getState(bead, getEnergy=True, getForces=True)
        energies.append(state.getPotentialEnergy()._value)
        forces.append(state.getForces(asNumpy=True)._value)
        alone.setPositions(x[bead])
        state = alone.getState(energy=True, forces=True)
        assert energies[-1] == state.getPotentialEnergy()._value
        assert np.array_equal(forces[-1], state.getForces(asNumpy=True)._value)
    assert len(set(energies)) == BEADS
    _, ring, _ = path_integral.ring_polymer(topology, system, x, BEADS, KELVIN)
    together = openmm.Context(ring, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatform(platform))
    together.setPositions(x.reshape(-1, 3))
    found = together.getState(forces=True, groups={0}).getForces(asNumpy=True)._value
    assert np.array_equal(found.reshape(forces[0].shape[0] * BEADS, 3), np.concatenate(forces))
    network = PaiNNStudentForce.cast(ring.getForce(0))
    assert np.array_equal(network.getSubsystemEnergies(together)._value, energies)
    integrator.step(10)
    assert all(np.isfinite(integrator.getState(k, getEnergy=True).getPotentialEnergy()._value) for k in range(BEADS))


@pytest.mark.parametrize("platform", PLATFORMS)
def test_rpmd_keeps_energy(platform, canonical, ethanol):
    """Without its thermostat, RPMDIntegrator keeps the energy of the ring polymer; less so with a longer step."""
    topology, positions = ethanol
    system, drifts = createSystem(topology, canonical, removeCMMotion=False), []
    for step in (0.0001, 0.0002):
        integrator = openmm.RPMDIntegrator(BEADS, KELVIN, 1.0, step)
        integrator.setApplyThermostat(False)
        context = openmm.Context(system, integrator, openmm.Platform.getPlatform(platform))
        context.setPositions(positions)
        for bead, x in enumerate(beads_of(positions)):
            integrator.setPositions(bead, x)
            integrator.setVelocities(bead, np.zeros_like(x))
        energies = []
        for _ in range(20):
            integrator.step(round(0.002 / step))
            energies.append(integrator.getTotalEnergy()._value)
        drifts.append(np.std(energies))
    print(drifts)
    assert 0 < drifts[0] < 0.5 and drifts[0] < 0.5 * drifts[1]


@pytest.mark.parametrize("beads", [1, 8])
def test_harmonic_ring(beads):
    """Beads as subsystems against the exact energy of a harmonic oscillator with as many beads."""
    atoms, mass, frequency = 12, 1.0, 500.0  # -, dalton, 1/ps: hbar omega is 13 kT
    single = openmm.System()
    well = openmm.CustomExternalForce(f"{0.5 * mass * frequency**2}*(x^2 + y^2 + z^2)")
    for _ in range(atoms):
        single.addParticle(mass)
        well.addParticle(single.getNumParticles() - 1, [])
    single.addForce(well)
    topology = openmm.app.Topology()
    residue = topology.addResidue("X", topology.addChain())
    for _ in range(atoms):
        topology.addAtom("H", openmm.app.element.hydrogen, residue)
    _, ring, start = path_integral.ring_polymer(topology, single, np.zeros((atoms, 3)), beads, KELVIN)
    members = np.repeat(np.arange(beads), atoms)
    integrator = SubsystemLangevinIntegrator(beads * KELVIN, 300.0, 0.0005, ring, members)
    integrator.setRandomNumberSeed(3)
    context = openmm.Context(ring, integrator, openmm.Platform.getPlatform("Reference"))
    context.setPositions(start)
    integrator.setVelocitiesToTemperatures(context, 1)
    integrator.step(400)
    potential, primitive, virial = [], [], []
    for _ in range(1200):
        integrator.step(8)
        state = context.getState(energy=True, positions=True, forces=True, groups={0})
        springs = context.getState(energy=True, groups={path_integral.SPRINGS}).getPotentialEnergy()._value
        x = state.getPositions(asNumpy=True)._value.reshape(beads, atoms, 3)
        forces = state.getForces(asNumpy=True)._value.reshape(x.shape)
        potential.append(state.getPotentialEnergy()._value / beads)
        primitive.append(path_integral.primitive(springs, atoms, beads, KELVIN))
        virial.append(path_integral.centroid_virial(x, forces, KELVIN))
    expected = path_integral.harmonic([frequency] * 3 * atoms, beads, KELVIN)
    classical = 1.5 * atoms * path_integral.R * KELVIN
    assert expected == pytest.approx(classical) if beads == 1 else expected > 3 * classical
    for values in (potential, primitive, virial):
        value, error = path_integral.mean(values)
        print(value, error, expected)
        # The integrator's positions of harmonic modes are exact, whatever the step: no more is allowed for it.
        assert error < 0.03 * expected and abs(value - expected) <= 4 * error + 1e-9 * expected


def test_harmonic_formula():
    """Many beads lead to the quantum oscillator, hbar omega / 4 coth(hbar omega / 2 kT)."""
    frequency = 200.0
    quantum = (
        path_integral.HBAR * frequency / 4 / np.tanh(path_integral.HBAR * frequency / 2 / path_integral.R / KELVIN)
    )
    assert path_integral.harmonic([frequency], 512, KELVIN) == pytest.approx(quantum, rel=1e-3)
