# SPDX-License-Identifier: MIT
"""What the tests of the LibTorch engine share: where it runs, how exact it has to be, and Systems to compare on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import openmm
import pytest
from openmm import unit

from models import random_metadata, random_tensors
from openmmpainn import PaiNNStudentForce, PaiNNStudentModel, torch_engine
from openmmpainn.modelfile import write_model
from openmmpainn.platforms import platform_names

METHODS = {"Kernels": PaiNNStudentForce.Kernels, "LibTorch": PaiNNStudentForce.LibTorch}
# Largest and median difference of a force from that of Reference's kernels, in units of their RMS; kJ/mol an atom
# (reliability rows 2 to 4).
DOUBLE, SINGLE = (1e-11, 2e-12, 1e-10), (3e-5, 2e-6, 2e-5)


@dataclass(frozen=True)
class Case:
    """A platform in one precision."""

    platform: str
    precision: str
    bars: tuple[float, float, float]

    def __str__(self) -> str:
        return self.platform + self.precision.capitalize()

    def context(self, system: openmm.System, positions: np.ndarray, integrator: Any = None) -> openmm.Context:
        """A Context at these positions (nm); by default with a VerletIntegrator."""
        integrator = openmm.VerletIntegrator(0.0005) if integrator is None else integrator
        properties = {"Precision": self.precision} if self.precision else {}
        context = openmm.Context(system, integrator, openmm.Platform.getPlatform(self.platform), properties)
        context.setPositions(positions)
        return context


CASES = [
    Case("Reference", "", DOUBLE),
    Case("CPU", "", SINGLE),
    Case("CUDA", "single", SINGLE),
    Case("CUDA", "mixed", SINGLE),
    Case("CUDA", "double", DOUBLE),
]


def require_engine() -> None:
    """Skip the tests of a module where there is no engine; with PAINN_REQUIRE_TORCH they fail instead."""
    reason = torch_engine.why_no_torch()
    if reason and "PAINN_REQUIRE_TORCH" not in os.environ:
        pytest.skip(reason, allow_module_level=True)
    assert not reason, reason


def available(cases: list[Case]) -> Iterator[Any]:
    """The cases as parameters; CUDA is skipped where there is none, unless PAINN_REQUIRE_CUDA is set."""
    names = platform_names()
    for case in cases:
        missing = case.platform not in names and "PAINN_REQUIRE_CUDA" not in os.environ
        marks = pytest.mark.skipif(missing, reason=f"this OpenMM has no platform {case.platform}")
        yield pytest.param(case, id=str(case), marks=marks)


def gentle_model(path: Any, strength: float, **changes: Any) -> PaiNNStudentModel:
    """A random model that is written to a file: weights of the blocks are half those of random_tensors().

    `strength` is to be chosen so that atoms have about 10 kJ/mol, as in trained models, which the bars are for.
    """
    metadata = random_metadata(**changes)
    tensors = random_tensors(metadata, seed=3, strength=strength)
    for name in tensors:
        if name.startswith("blocks.") and name.endswith("weight"):
            tensors[name] *= np.float32(0.5)
    write_model(path, metadata, tensors)
    return PaiNNStudentModel(str(path))


def network_force(model: Any, numbers: Any, method: int, subsystems: Any = None) -> PaiNNStudentForce:
    """A force for particles 0, 1, ... with these atomic numbers."""
    force = PaiNNStudentForce(model)
    force.setEvaluationMethod(method)
    for i, number in enumerate(numbers):
        force.addParticle(i, int(number), 0 if subsystems is None else int(subsystems[i]))
    return force


def system_of(numbers: Any, *forces: openmm.Force) -> openmm.System:
    """Particles of 12 g/mol for atoms with these atomic numbers, and forces."""
    system = openmm.System()
    for _ in numbers:
        system.addParticle(12.0)
    for force in forces:
        system.addForce(force)
    return system


def random_atoms(count: int, seed: int = 0, spacing: float = 0.16) -> tuple[np.ndarray, np.ndarray]:
    """Atomic numbers [N] and positions [N, 3] (nm) of atoms on a jittered grid."""
    rng = np.random.default_rng(seed)
    side = int(np.ceil(count ** (1 / 3)))
    grid = np.stack(np.meshgrid(*[np.arange(side)] * 3), axis=-1).reshape(-1, 3)[:count]
    return np.array([1, 6, 7, 8])[np.arange(count) % 4], spacing * grid + rng.uniform(-0.02, 0.02, (count, 3))


def energy_and_forces(context: openmm.Context) -> tuple[float, np.ndarray]:
    """kJ/mol, and [N, 3] in kJ/mol/nm."""
    state = context.getState(energy=True, forces=True)
    energy = state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole)
    forces = state.getForces(asNumpy=True).value_in_unit(unit.kilojoule_per_mole / unit.nanometer)
    return energy, np.array(forces)


def assert_close(
    case: Case, expected: tuple[float, np.ndarray], found: tuple[float, np.ndarray], binding: float = 0.0
) -> tuple:
    """Energies and forces agree within the bars of the case. Returns the largest differences, in their units.

    The bar of energies is for atoms of about 10 kJ/mol. Where the network gives them more, ``binding`` is their sum
    (kJ/mol), which float32 holds to one in 2^24, and after the sums of the last layers to one in 2^22.
    """
    largest, median, per_atom = case.bars
    count = len(expected[1])
    rms = np.sqrt((expected[1] ** 2).mean())
    difference = np.abs(found[1] - expected[1]) / rms
    # GPU platforms hold forces in steps of 2^-32 kJ/mol/nm.
    step = 5e-10 / rms if case.platform == "CUDA" else 0
    energy = abs(found[0] - expected[0]) / count
    assert difference.max() <= largest + step, f"{case}: force off by {difference.max():.2e} of RMS"
    assert np.median(difference) <= median + step, f"{case}: median {np.median(difference):.2e} of RMS"
    # In double precision the energy itself has no more digits than this.
    rounding = 1e-14 * abs(expected[0]) + (0 if per_atom < 1e-9 else abs(binding) / count / 2**22)
    assert energy <= per_atom + rounding, f"{case}: energy off by {energy:.2e} kJ/mol an atom"
    return energy, difference.max(), np.median(difference)
