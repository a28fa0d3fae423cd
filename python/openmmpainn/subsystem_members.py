# SPDX-License-Identifier: MIT
"""Which particle of a System is of which subsystem, and whether each subsystem can have a temperature of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import openmm

from .arrays import read_integers

__all__ = ["check_members", "members_of", "read_members"]


def members_of(system: openmm.System) -> np.ndarray:
    """The subsystem of each particle as the PaiNNStudentForces say, -1 for none."""
    from .painn import PaiNNStudentForce

    networks = [PaiNNStudentForce.cast(force) for force in system.getForces() if PaiNNStudentForce.isinstance(force)]
    if not networks:
        raise ValueError(
            "the system has no PaiNNStudentForce, which would say which particle is of which subsystem; say it with "
            "the argument subsystems"
        )
    members = np.full(system.getNumParticles(), -1)
    for network in networks:
        for i in range(network.getNumParticles()):
            particle, _, subsystem = network.getParticleParameters(i)
            if not 0 <= particle < len(members):
                raise ValueError(
                    f"a PaiNNStudentForce describes particle {particle}; the system has {len(members)} particles"
                )
            if members[particle] not in (-1, subsystem):
                raise ValueError(
                    f"particle {particle} is of the subsystems {members[particle]} and {subsystem} of two "
                    "PaiNNStudentForces; say which counts with the argument subsystems"
                )
            members[particle] = subsystem
    return members


def read_members(system: openmm.System, subsystems: Any) -> np.ndarray:
    """The same as a user says it."""
    members = read_integers(subsystems, "subsystems")
    if len(members) != system.getNumParticles():
        raise ValueError(f"subsystems lists {len(members)}; the system has {system.getNumParticles()} particles")
    if members.min(initial=0) < -1:
        raise ValueError(f"subsystems holds {members.min()}; subsystems are counted from 0, and -1 stands for none")
    return members.copy()


def check_members(system: openmm.System, members: np.ndarray, count: int) -> None:
    """Raise ValueError if something in the System does not go with a temperature for each subsystem."""
    for particle, subsystem in enumerate(members.tolist()):
        if subsystem < 0 and system.getParticleMass(particle)._value > 0:
            raise ValueError(
                f"particle {particle} has a mass but is of no subsystem, so it has no temperature; say its subsystem "
                "with the argument subsystems"
            )
    for i in range(system.getNumConstraints()):
        first, second, _ = system.getConstraintParameters(i)
        if members[first] != members[second]:
            raise ValueError(
                f"constraint {i} joins the particles {first} and {second} of the subsystems {members[first]} and "
                f"{members[second]}; constrained particles must have one temperature"
            )
    for i, force in enumerate(system.getForces()):
        kind = type(force).__name__
        if count > 1 and (kind in ("CMMotionRemover", "AndersenThermostat") or kind.endswith("Barostat")):
            raise ValueError(
                f"force {i} of the system, {kind}, acts on all subsystems at once, which have different temperatures; "
                "take it out" + (" (removeCMMotion=False)" if kind == "CMMotionRemover" else "")
            )
