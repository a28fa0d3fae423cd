# SPDX-License-Identifier: MIT
"""From a Topology to a PaiNNStudentForce, and to a System that holds one."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import openmm
from openmm import app

if TYPE_CHECKING:
    from .painn import PaiNNStudentForce, PaiNNStudentModel

__all__ = ["createSystem", "forceFromTopology"]


def _describe(atom: Any) -> str:
    return f"atom {atom.index} ({atom.name} of residue {atom.residue.name} {atom.residue.id})"


def _selected(everything: list[Any], atoms: Iterable[Any] | None) -> list[Any]:
    """The atoms that `atoms` names, checked, in the order given."""
    if atoms is None:
        return everything
    if not isinstance(atoms, Iterable):
        raise ValueError(f"atoms is {atoms!r}; it must list indices or atoms of the Topology")
    selected, seen = [], set()
    for value in atoms:
        if isinstance(value, bool) or type(value).__name__ in ("bool", "bool_"):
            raise ValueError(
                "atoms holds True or False; it must list indices (numpy.flatnonzero() makes them of a mask)"
            )
        try:
            if hasattr(value, "index") and not hasattr(value, "element"):  # a Residue or a Chain
                raise TypeError
            index = operator.index(getattr(value, "index", value))
        except TypeError:
            raise ValueError(f"atoms holds {value!r}; it must list indices or atoms of the Topology") from None
        if not 0 <= index < len(everything):
            raise ValueError(f"atoms holds the index {index}; the Topology has atoms 0 to {len(everything) - 1}")
        if hasattr(value, "index") and everything[index] is not value:
            raise ValueError(f"atoms holds {_describe(value)}, which is of another Topology")
        if index in seen:
            raise ValueError(f"atoms lists {_describe(everything[index])} twice")
        seen.add(index)
        selected.append(everything[index])
    return selected


def forceFromTopology(
    cls: type[PaiNNStudentForce],
    model: PaiNNStudentModel,
    topology: app.Topology,
    atoms: Iterable[Any] | None = None,
    subsystem: int = 0,
    periodic: bool | None = None,
) -> PaiNNStudentForce:
    """What PaiNNStudentForce.fromTopology() does.

    Parameters
    ----------
    cls : type
        PaiNNStudentForce or a subclass whose constructor takes the model alone.
    model : PaiNNStudentModel
        The network to evaluate.
    topology : openmm.app.Topology
        Gives the elements, the bonds, and whether there is a periodic box. The index of an atom is the index of its
        particle in the System.
    atoms : iterable of int or openmm.app.topology.Atom, optional
        The atoms that the network describes, in the order of the entries to add; all by default.
    subsystem : int
        The subsystem that they form, counted from 0.
    periodic : bool, optional
        Whether distances are to the nearest periodic image; by default whether the Topology has box vectors. If
        they are, the Topology's bonds between the atoms are added: barostats and wrapping then keep molecules whole.

    Returns
    -------
    PaiNNStudentForce

    Raises
    ------
    ValueError
        If an atom is out of range, listed twice, an extra particle without an element, or of an element that the model
        does not know; if there are no atoms; if the subsystem is negative or no integer.
    TypeError
        If model or topology is of another type.
    """
    if not isinstance(topology, app.Topology):
        raise TypeError(f"topology is of the type {type(topology).__name__}; it must be an openmm.app.Topology")
    try:
        subsystem = operator.index(subsystem)
    except TypeError:
        raise ValueError(f"subsystem is {subsystem!r}; it must be an integer") from None
    if subsystem < 0:
        raise ValueError(f"subsystem is {subsystem}; subsystems are counted from 0")
    force = cls(model)
    selected = _selected(list(topology.atoms()), atoms)
    if not selected:
        raise ValueError("atoms is empty; the network needs at least one atom to describe")
    known = model.getElements()
    for atom in selected:
        if atom.element is None:
            raise ValueError(
                f"{_describe(atom)} is an extra particle without an element, which a network cannot describe; "
                "leave it out with the argument atoms"
            )
        if atom.element.atomic_number not in known:
            symbols = ", ".join(app.Element.getByAtomicNumber(number).symbol for number in known)
            raise ValueError(f"{_describe(atom)} is of the element {atom.element.symbol}; the model knows {symbols}")
        force.addParticle(atom.index, atom.element.atomic_number, subsystem)
    if periodic is None:
        periodic = topology.getPeriodicBoxVectors() is not None
    force.setUsesPeriodicBoundaryConditions(bool(periodic))
    if periodic:
        indices = {atom.index for atom in selected}
        for first, second in topology.bonds():
            if first.index in indices and second.index in indices:
                force.addBond(first.index, second.index)
    return force


def createSystem(
    topology: app.Topology,
    model: PaiNNStudentModel,
    periodic: bool | None = None,
    removeCMMotion: bool = True,
) -> openmm.System:
    """Make a System in which the network alone acts on all atoms.

    Parameters
    ----------
    topology : openmm.app.Topology
        Gives the particles with their masses, the bonds and the box.
    model : PaiNNStudentModel
        The network to evaluate.
    periodic : bool, optional
        As in PaiNNStudentForce.fromTopology().
    removeCMMotion : bool
        Whether to add a CMMotionRemover, as OpenMM's ForceField does.

    Returns
    -------
    openmm.System
        Without constraints; masses are those of the elements.

    Raises
    ------
    ValueError
        As for PaiNNStudentForce.fromTopology().

    Notes
    -----
    For a System in which the network describes only some atoms, make the System with a ForceField and add the result of
    PaiNNStudentForce.fromTopology() with the argument atoms. The terms of the ForceField between those atoms must be
    taken out: zero their bonds, angles and torsions, and add exceptions between them to the NonbondedForce.
    """
    from .painn import PaiNNStudentForce

    force = PaiNNStudentForce.fromTopology(model, topology, periodic=periodic)
    system = openmm.System()
    if topology.getPeriodicBoxVectors() is not None:
        system.setDefaultPeriodicBoxVectors(*topology.getPeriodicBoxVectors())
    for atom in topology.atoms():
        system.addParticle(atom.element.mass)
    system.addForce(force)
    if removeCMMotion:
        system.addForce(openmm.CMMotionRemover())
    return system
