# SPDX-License-Identifier: MIT
"""Steps of molecular dynamics that keep random atoms where they are."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

import openmm
from openmm import app

from ..platforms import get_platform
from .systems import BenchmarkSystem
from .timing import FEWEST, MOST, Timing

if TYPE_CHECKING:
    from .. import PaiNNStudentForce, PaiNNStudentModel

__all__ = ["SCALE", "TIME_STEP", "make_context", "network_force", "time_dynamics"]

TIME_STEP = 0.001  # ps
TEMPERATURE = 300.0  # K
# Random atoms are no molecules: left to the network's forces they would explode, left to themselves they would fly
# apart. So the energy is scaled down by a global parameter, which saves no work, and friction is so high that the atoms
# diffuse by about 0.05 nm in RESTART steps, as far as bonded atoms swing. Then they are put back.
SCALE = 1e-3
FRICTION = 1000.0  # 1/ps
RESTART = 200  # steps


def make_context(
    system: BenchmarkSystem, force: openmm.Force, platform: str, properties: Mapping[str, str]
) -> openmm.Context:
    """A Context of the atoms with this Force alone, at their positions.

    Parameters
    ----------
    system : BenchmarkSystem
        The atoms.
    force : openmm.Force
        Owned by the System from now on; its energy should be scaled down by SCALE.
    platform : str
        The platform.
    properties : mapping of str to str
        Of the platform.
    """
    made = openmm.System()
    for number in system.numbers.tolist():
        made.addParticle(app.Element.getByAtomicNumber(number).mass)
    if system.box is not None:
        made.setDefaultPeriodicBoxVectors(*(openmm.Vec3(*row) for row in system.box))
    made.addForce(force)
    integrator = openmm.LangevinMiddleIntegrator(TEMPERATURE, FRICTION, TIME_STEP)
    integrator.setRandomNumberSeed(1)
    context = openmm.Context(made, integrator, get_platform(platform), dict(properties))
    context.setPositions(system.positions)
    return context


def network_force(model: PaiNNStudentModel, system: BenchmarkSystem) -> PaiNNStudentForce:
    """The network on all atoms, its energy scaled down by SCALE."""
    from .. import PaiNNStudentForce

    force = PaiNNStudentForce(model)
    for index, number in enumerate(system.numbers.tolist()):
        force.addParticle(index, number)
    force.addGlobalParameter("scale", SCALE)
    force.setSubsystemScale(0, "scale")
    force.setUsesPeriodicBoundaryConditions(system.box is not None)
    return force


def time_dynamics(context: openmm.Context, system: BenchmarkSystem, seconds: float) -> Timing:
    """The time of a step (s) of the Langevin middle integrator.

    Parameters
    ----------
    context : openmm.Context
        Of make_context().
    system : BenchmarkSystem
        Its atoms.
    seconds : float
        How long to measure.
    """
    integrator = context.getIntegrator()

    def restart() -> None:
        context.setPositions(system.positions)
        context.setVelocitiesToTemperature(TEMPERATURE, 1)

    def run(steps: int) -> float:
        start = time.perf_counter()
        integrator.step(steps)
        context.getState(positions=True)  # waits for a GPU
        return (time.perf_counter() - start) / steps

    restart()
    start = time.perf_counter()
    first = run(1)
    if FEWEST * first > 10 * seconds:
        return Timing.of([first])
    # Samples long enough that reading the positions is little, short enough that there are many.
    steps = max(1, min(RESTART, int(seconds / 20 / run(1))))
    done, samples = 2, []
    while len(samples) < MOST and (len(samples) < FEWEST or time.perf_counter() - start < seconds):
        if done + steps > RESTART:
            restart()
            run(1)  # the new forces and the neighbour list
            done = 1
        samples.append(run(steps))
        done += steps
    return Timing.of(samples)
