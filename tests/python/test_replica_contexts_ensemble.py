# SPDX-License-Identifier: MIT
"""Replicas at two temperatures sample the canonical ensemble, at both levels (row 17). Runs with make test-long."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import numpy as np
import openmm
import physical_validation as pv
import pytest
from openmm import app, unit
from pymbar.timeseries import statistical_inefficiency

from openmmpainn import (
    PaiNNReplicaContexts,
    PaiNNStudentModel,
    SubsystemLangevinIntegrator,
    createSystem,
    replicate,
)
from openmmpainn.progress import Progress
from replica_cases import network_of

R = 0.00831446261815324  # kJ/mol/K
LOW = 300.0  # K
STEP, FRICTION = 0.001, 5.0  # ps, 1/ps
INTERVAL = 50  # steps between samples: 0.05 ps
EQUILIBRATION, SAMPLES = 100, 2000  # samples of each replica: 5 ps, 100 ps
REPLICAS = 6  # at each temperature
UNITS = pv.data.UnitData(
    kb=R,
    energy_conversion=1,
    length_conversion=1,
    volume_conversion=1,
    temperature_conversion=1,
    pressure_conversion=1 / 16.6053906717,  # bar in kJ/mol/nm^3
    time_conversion=1,
    energy_str="kJ/mol",
    length_str="nm",
    volume_str="nm^3",
    temperature_str="K",
    pressure_str="bar",
    time_str="ps",
)

Sampler = Callable[[np.ndarray], Iterator[np.ndarray]]
"""Takes temperatures (K, [replicas]); gives potential and kinetic energies (kJ/mol, [2, replicas]) without end."""


@pytest.fixture(scope="module")
def molecule(ethanol):
    """Topology, System and minimized positions (nm) of ethanol in the shipped student."""
    topology, positions = ethanol
    system = createSystem(topology, PaiNNStudentModel.bundled("alanine-dipeptide"), removeCMMotion=False)
    platform = openmm.Platform.getPlatform("CPU")
    simulation = app.Simulation(topology, system, openmm.VerletIntegrator(0.001), platform)
    simulation.context.setPositions(positions)
    simulation.minimizeEnergy()
    return topology, system, simulation.context.getState(positions=True).getPositions(asNumpy=True)


def level_1(molecule) -> Sampler:
    """Subsystems of one Context."""

    def sample(temperatures):
        topology, system, positions = molecule
        _, together, start = replicate(topology, system, positions, len(temperatures))
        integrator = SubsystemLangevinIntegrator(
            temperatures * unit.kelvin, FRICTION / unit.picosecond, STEP * unit.picosecond, together
        )
        integrator.setRandomNumberSeed(17)
        context = openmm.Context(together, integrator, openmm.Platform.getPlatform("CPU"))
        context.setPositions(start)
        integrator.setVelocitiesToTemperatures(context, 17)
        network = network_of(together)
        while True:
            integrator.step(INTERVAL)
            values = network.getSubsystemEnergies(context), integrator.getSubsystemKineticEnergies(context)
            yield np.array([value.value_in_unit(unit.kilojoule_per_mole) for value in values])

    return sample


def level_2(molecule) -> Sampler:
    """Contexts of their own."""

    def sample(temperatures):
        _, system, positions = molecule
        integrators = []
        for i, temperature in enumerate(temperatures):
            integrators.append(openmm.LangevinMiddleIntegrator(temperature, FRICTION, STEP))
            integrators[i].setRandomNumberSeed(17 + i)
        replicas = PaiNNReplicaContexts([system] * len(temperatures), integrators, openmm.Platform.getPlatform("CPU"))
        for i, context in enumerate(replicas):
            context.setPositions(positions)
            context.setVelocitiesToTemperature(temperatures[i], 170 + i)
        while True:
            replicas.step(INTERVAL)
            states = [context.getState(energy=True) for context in replicas]
            yield np.array(
                [
                    [state.getPotentialEnergy()._value for state in states],
                    [state.getKineticEnergy()._value for state in states],
                ]
            )

    return sample


def take(samples: Iterator[np.ndarray], number: int, label: str) -> np.ndarray:
    """Samples after equilibration: [2, replicas, samples]."""
    values = []
    with Progress(label, EQUILIBRATION + number) as progress:
        for _ in range(EQUILIBRATION + number):
            values.append(next(samples))
            progress.advance()
    return np.moveaxis(np.array(values[EQUILIBRATION:]), 0, -1)


def simulation_data(energies: np.ndarray, temperature: float, masses: np.ndarray) -> pv.data.SimulationData:
    """What physical_validation takes, of energies [2, replicas, samples], one replica after the other.

    Langevin dynamics of a free molecule has all 3 N degrees of freedom.
    """
    potential, kinetic = energies.reshape(2, -1)
    system = pv.data.SystemData(
        natoms=len(masses),
        nconstraints=0,
        ndof_reduction_tra=0,
        ndof_reduction_rot=0,
        mass=masses,
        molecule_idx=np.array([0]),
        nconstraints_per_molecule=np.array([0]),
    )
    return pv.data.SimulationData(
        units=UNITS,
        dt=STEP * INTERVAL,
        system=system,
        ensemble=pv.data.EnsembleData("NVT", natoms=len(masses), volume=1.0, temperature=temperature),
        observables=pv.data.ObservableData(
            kinetic_energy=kinetic, potential_energy=potential, total_energy=potential + kinetic
        ),
    )


def mean_and_error(values: np.ndarray) -> tuple[float, float]:
    """Mean and its standard error, of [replicas, samples]."""
    g = np.mean([statistical_inefficiency(row) for row in values])
    return values.mean(), values.std(ddof=1) * np.sqrt(g / values.size)


@pytest.mark.long
def test_canonical_ensemble_at_both_levels(molecule, capsys):
    """Kinetic energies, the ratio of densities at two temperatures, and mean energies, all within 3 sigma."""
    masses = np.array([molecule[1].getParticleMass(i)._value for i in range(molecule[1].getNumParticles())])
    with capsys.disabled():
        pilot = take(level_2(molecule)(np.full(2 * REPLICAS, LOW)), 200, "pilot")
    spacing = pv.ensemble.estimate_interval(simulation_data(pilot, LOW, masses), verbosity=0)["dT"]
    temperatures = np.repeat([LOW, LOW + spacing], REPLICAS)
    record: dict = {"spacing_K": round(spacing, 1), "ps_at_each": SAMPLES * REPLICAS * INTERVAL * STEP}
    deviations, means = {}, {}
    for name, level in (("level 1", level_1), ("level 2", level_2)):
        with capsys.disabled():
            energies = take(level(molecule)(temperatures), SAMPLES, name)
        assert np.isfinite(energies).all()
        data = []
        for part, temperature in ((slice(0, REPLICAS), LOW), (slice(REPLICAS, None), LOW + spacing)):
            data.append(simulation_data(energies[:, part], temperature, masses))
            means[name, temperature] = mean_and_error(energies[0, part])
            kinetic = pv.kinetic_energy.distribution(data[-1], verbosity=0, bootstrap_seed=1)
            for what, sigma in zip(("mean", "width"), kinetic, strict=True):
                deviations[f"{name}, {temperature:.0f} K, {what} of kinetic energy"] = sigma
        for total in (False, True):
            found = pv.ensemble.check(*data, total_energy=total, verbosity=0)
            deviations[f"{name}, slope of {'total' if total else 'potential'} energy"] = found[0]
    for temperature in (LOW, LOW + spacing):
        (one, error), (other, other_error) = (means[name, temperature] for name in ("level 1", "level 2"))
        record[f"mean_potential_{temperature:.0f}_K"] = [f"{one:.2f}+-{error:.2f}", f"{other:.2f}+-{other_error:.2f}"]
        deviations[f"mean potential energy at {temperature:.0f} K"] = abs(one - other) / np.hypot(error, other_error)
    record["sigma"] = {name: round(float(sigma), 2) for name, sigma in deviations.items()}
    with capsys.disabled():
        print("\n" + json.dumps(record, indent=1))
    assert all(sigma <= 3 for sigma in deviations.values()), deviations
