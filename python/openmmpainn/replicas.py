# SPDX-License-Identifier: MIT
"""Many copies of a molecule in one System, each a subsystem of one PaiNNStudentForce."""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import openmm
from openmm import app, unit

from .arrays import read_lengths

__all__ = ["replicate"]

# Forces that are sums of terms of a few particles each: the getters of the number and of the parameters of the terms,
# what adds one, and which of the parameters are particles (or a list of them).
_TERMS: dict[str, tuple[str, str, str, slice]] = {
    "HarmonicBondForce": ("getNumBonds", "getBondParameters", "addBond", slice(2)),
    "HarmonicAngleForce": ("getNumAngles", "getAngleParameters", "addAngle", slice(3)),
    "PeriodicTorsionForce": ("getNumTorsions", "getTorsionParameters", "addTorsion", slice(4)),
    "RBTorsionForce": ("getNumTorsions", "getTorsionParameters", "addTorsion", slice(4)),
    "CMAPTorsionForce": ("getNumTorsions", "getTorsionParameters", "addTorsion", slice(1, 9)),
    "CustomBondForce": ("getNumBonds", "getBondParameters", "addBond", slice(2)),
    "CustomAngleForce": ("getNumAngles", "getAngleParameters", "addAngle", slice(3)),
    "CustomTorsionForce": ("getNumTorsions", "getTorsionParameters", "addTorsion", slice(4)),
    "CustomCompoundBondForce": ("getNumBonds", "getBondParameters", "addBond", slice(1)),
    "CustomExternalForce": ("getNumParticles", "getParticleParameters", "addParticle", slice(1)),
}

_BONDED = "a HarmonicBondForce or a CustomBondForce between its pairs of atoms can take its place"
_ALONE = "take it out of the System, or keep each copy in a Context of its own"
# Why a force cannot be copied, and the way out, by the name of its class or the beginning of it.
_REFUSED: dict[str, tuple[str, str]] = {
    "CMMotionRemover": (
        "removes the motion of all copies together, which ties them to each other",
        "make the System without it (createSystem() has removeCMMotion=False)",
    ),
    "MonteCarlo": (
        "scales one box, which all copies share",
        "keep the volume constant, or keep each copy in a Context of its own",
    ),
    "AndersenThermostat": (
        "gives all particles one temperature",
        "take it out and use a SubsystemLangevinIntegrator",
    ),
    "CustomVolumeForce": ("is one term for the whole System, not one for each copy", _ALONE),
    "CustomCentroidBondForce": ("acts on whole groups of particles, which are not copied", _ALONE),
    "CustomCVForce": ("is a function of the whole System's energies, not a sum over the copies", _ALONE),
    "RMSDForce": ("is one term for the whole System, not one for each copy", _ALONE),
    "RGForce": ("is one term for the whole System, not one for each copy", _ALONE),
    "OrientationRestraintForce": ("is one term for the whole System, not one for each copy", _ALONE),
    "ATMForce": ("is a function of the whole System's energies, not a sum over the copies", _ALONE),
    "NonbondedForce": ("acts between all particles, so the copies would see each other", _BONDED),
    "CustomNonbondedForce": ("acts between all particles, so the copies would see each other", _BONDED),
    "GBSAOBCForce": ("acts between all particles, so the copies would see each other", _ALONE),
    "CustomGBForce": ("acts between all particles, so the copies would see each other", _ALONE),
    "CustomHbondForce": ("acts between all particles, so the copies would see each other", _ALONE),
    "CustomManyParticleForce": ("acts between all particles, so the copies would see each other", _ALONE),
    "GayBerneForce": ("acts between all particles, so the copies would see each other", _ALONE),
    "LCPOForce": ("acts between all particles, so the copies would see each other", _ALONE),
}


def replicate(
    topology: app.Topology, system: openmm.System, positions: Any, n: int
) -> tuple[app.Topology, openmm.System, unit.Quantity]:
    """Put n copies of a molecule into one System, in which no copy sees another.

    Each copy is a subsystem of the PaiNNStudentForce (or as many subsystems as the molecule has), so the network
    evaluates all of them in one batch and each gets what it gets alone, bit for bit. Subsystem s of copy k is
    k * getNumSubsystems() + s, atom i of copy k is k * getNumAtoms() + i. All copies stand at the same place, unless
    the positions say otherwise: that is no problem, because they do not see each other.

    Parameters
    ----------
    topology : openmm.app.Topology
        The molecule. Names and ids of chains, residues and atoms, bonds and the box are repeated.
    system : openmm.System
        One particle for each atom of the topology, in the same order. It is not changed. Masses, constraints, virtual
        sites and forces that are sums of terms are repeated: PaiNNStudentForce (with its scales, parameters,
        derivatives and all else), HarmonicBond-, HarmonicAngle-, PeriodicTorsion-, RBTorsion-, CMAPTorsion-,
        CustomBond-, CustomAngle-, CustomTorsion-, CustomCompoundBond- and CustomExternalForce. A scale parameter of
        the molecule scales all copies; PaiNNStudentForce.setSubsystemScale() gives each its own.
    positions : array [N, 3] or [n, N, 3]
        nm or a Quantity, for all copies or for each.
    n : int
        The number of copies, 1 or more. With 1, everything is copied as it is, whatever its forces are.

    Returns
    -------
    topology : openmm.app.Topology
        n * N atoms.
    system : openmm.System
        n * N particles. Its box is that of the molecule: periodic copies share it and each sees its own images alone.
    positions : openmm.unit.Quantity
        A float64 array [n * N, 3], nm.

    Raises
    ------
    TypeError
        If the topology or the system is of another type.
    ValueError
        If the numbers of atoms, particles and positions differ, n is not a positive integer, or a force acts between
        the copies or on all of them at once; the message names it and says the way out.

    Notes
    -----
    Nothing holds the copies in place: each drifts as a molecule alone does.

    Examples
    --------
    >>> topology, system, positions = replicate(pdb.topology, system, pdb.positions, 16)
    """
    if not isinstance(topology, app.Topology):
        raise TypeError(f"topology is of the type {type(topology).__name__}; it must be an openmm.app.Topology")
    if not isinstance(system, openmm.System):
        raise TypeError(f"system is of the type {type(system).__name__}; it must be an openmm.System")
    try:
        n = operator.index(n if not isinstance(n, bool) else "")
    except TypeError:
        raise ValueError(f"n is {n!r}; it must be an integer, the number of copies") from None
    if n < 1:
        raise ValueError(f"n is {n}; there must be at least 1 copy")
    count = system.getNumParticles()
    if topology.getNumAtoms() != count:
        raise ValueError(f"the topology has {topology.getNumAtoms()} atoms and the system {count} particles")
    places = read_lengths(positions, "positions")
    if places.shape not in ((count, 3), (n, count, 3)):
        raise ValueError(
            f"positions has the shape {list(places.shape)}; allowed are [{count}, 3] for all copies and "
            f"[{n}, {count}, 3] for each"
        )
    repeated = np.broadcast_to(places, (n, count, 3)).reshape(n * count, 3).copy()
    copied = copy.deepcopy(system) if n == 1 else _copied_system(system, n)
    return _copied_topology(topology, n), copied, unit.Quantity(repeated, unit.nanometer)


def _copied_topology(topology: app.Topology, n: int) -> app.Topology:
    copied = app.Topology()
    copied.setPeriodicBoxVectors(topology.getPeriodicBoxVectors())
    for _ in range(n):
        atoms = []
        for chain in topology.chains():
            new_chain = copied.addChain(chain.id)
            for residue in chain.residues():
                new_residue = copied.addResidue(residue.name, new_chain, residue.id, residue.insertionCode)
                for atom in residue.atoms():
                    atoms.append(copied.addAtom(atom.name, atom.element, new_residue, atom.id, atom.formalCharge))
        for bond in topology.bonds():
            copied.addBond(atoms[bond.atom1.index], atoms[bond.atom2.index], bond.type, bond.order)
    return copied


def _copied_system(system: openmm.System, n: int) -> openmm.System:
    forces = [_copied_force(force, i, system, n) for i, force in enumerate(system.getForces())]
    count = system.getNumParticles()
    copied = openmm.System()
    copied.setDefaultPeriodicBoxVectors(*system.getDefaultPeriodicBoxVectors())
    constraints = [system.getConstraintParameters(i) for i in range(system.getNumConstraints())]
    for start in range(0, n * count, count):
        for particle in range(count):
            copied.addParticle(system.getParticleMass(particle))
        for first, second, distance in constraints:
            copied.addConstraint(start + first, start + second, distance)
        for particle in range(count):
            if system.isVirtualSite(particle):
                copied.setVirtualSite(start + particle, _copied_site(system.getVirtualSite(particle), particle, start))
    for force in forces:
        copied.addForce(force)
    return copied


def _copied_site(site: openmm.VirtualSite, particle: int, start: int) -> openmm.VirtualSite:
    """The same virtual site of a copy whose first particle is start."""
    kind = type(site).__name__
    parents = [start + site.getParticle(i) for i in range(site.getNumParticles())]
    if kind in ("TwoParticleAverageSite", "ThreeParticleAverageSite"):
        return type(site)(*parents, *(site.getWeight(i) for i in range(len(parents))))
    if kind == "OutOfPlaneSite":
        return openmm.OutOfPlaneSite(*parents, site.getWeight12(), site.getWeight13(), site.getWeightCross())
    if kind == "LocalCoordinatesSite":
        weights = (site.getOriginWeights(), site.getXWeights(), site.getYWeights())
        return openmm.LocalCoordinatesSite(parents, *weights, site.getLocalPosition())
    # A SymmetrySite among them: OpenMM 8.6 hands it out as a VirtualSite without what it is made of.
    raise ValueError(f"particle {particle} is a virtual site ({kind}) of a kind that cannot be copied; {_ALONE}")


def _copied_force(force: openmm.Force, index: int, system: openmm.System, n: int) -> openmm.Force:
    """A force with the terms of all copies."""
    from .painn import PaiNNStudentForce

    count = system.getNumParticles()
    if PaiNNStudentForce.isinstance(force):
        return _copied_network(PaiNNStudentForce.cast(force), count, n)
    kind = type(force).__name__
    if kind not in _TERMS:
        raise ValueError(_refusal(force, kind, index))
    number, get, add, particles = _TERMS[kind]
    copied = copy.deepcopy(force)
    terms = [list(getattr(force, get)(i)) for i in range(getattr(force, number)())]
    append: Callable[..., Any] = getattr(copied, add)
    for start in range(count, n * count, count):
        for term in terms:
            shifted = [_shifted(value, start) for value in term[particles]]
            append(*term[: particles.start or 0], *shifted, *term[particles.stop :])
    return copied


def _shifted(particles: Any, start: int) -> Any:
    return start + particles if isinstance(particles, int) else [start + particle for particle in particles]


def _copied_network(force: Any, count: int, n: int) -> Any:
    copied = copy.copy(force)
    entries = [force.getParticleParameters(i) for i in range(force.getNumParticles())]
    bonds = [force.getBondParameters(i) for i in range(force.getNumBonds())]
    subsystems = force.getNumSubsystems()
    for k in range(1, n):
        for particle, number, subsystem in entries:
            copied.addParticle(k * count + particle, number, k * subsystems + subsystem)
        for first, second in bonds:
            copied.addBond(k * count + first, k * count + second)
        for subsystem in range(subsystems):
            if force.getSubsystemScale(subsystem):
                copied.setSubsystemScale(k * subsystems + subsystem, force.getSubsystemScale(subsystem))
    return copied


def _refusal(force: openmm.Force, kind: str, index: int) -> str:
    name = "" if force.getName() in ("", kind) else f" '{force.getName()}'"
    for known, (reason, way_out) in _REFUSED.items():
        if kind == known or (known == "MonteCarlo" and kind.startswith(known)):
            return f"force {index} of the System, {kind}{name}, {reason}; {way_out}"
    return (
        f"force {index} of the System, {kind}{name}, is not one of the forces that can be copied for every replica; "
        f"{_ALONE}"
    )
