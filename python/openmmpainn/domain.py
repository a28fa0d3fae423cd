# SPDX-License-Identifier: MIT
"""Whether structures lie within what a model has seen: elements, bonded pairs, shortest distances of elements."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from openmm import unit

from .distil.distortions import COVALENT_RADII
from .structures import SYMBOLS, symbol

if TYPE_CHECKING:
    import openmm

    from .painn import PaiNNStudentForce, PaiNNStudentModel

__all__ = ["Contact", "DomainReport", "ModelDomain", "getDomainReport"]

_NANOMETERS = {"angstrom": 0.1, "nm": 1.0, "bohr": 0.0529177210903}
_BONDED = 0.125  # nm: 1.25 sums of covalent radii, which are in angstrom
_ROWS = 4_000_000  # distances at once, 100 MB

Pair = tuple[int, int]  # atomic numbers, the lower first


def _name(pair: Pair) -> str:
    return "-".join(symbol(number) for number in pair)


@dataclass(frozen=True)
class Contact:
    """The closest two atoms of two elements.

    Attributes
    ----------
    elements : (int, int)
        Atomic numbers, the lower first.
    atoms : (int, int)
        Indices of the particles in the System.
    distance : float
        nm.
    """

    elements: Pair
    atoms: tuple[int, int]
    distance: float


@dataclass(frozen=True)
class DomainReport:
    """What of a structure the model has not seen.

    Attributes
    ----------
    closest : tuple of Contact
        The closest atoms of each two elements that see each other, within the cutoff.
    tooClose : tuple of (Contact, float)
        Those closer than any in training, with the shortest distance there (nm).
    unseenPairs : tuple of Contact
        Within the cutoff, of two elements that never were in one molecule.
    unseenBonds : tuple of Contact
        As close as bonded atoms, of two elements that never were bonded.
    untrainedElements : tuple of int
        Elements that the model knows but has not learnt.
    """

    closest: tuple[Contact, ...] = ()
    tooClose: tuple[tuple[Contact, float], ...] = ()
    unseenPairs: tuple[Contact, ...] = ()
    unseenBonds: tuple[Contact, ...] = ()
    untrainedElements: tuple[int, ...] = ()

    @property
    def isInside(self) -> bool:
        """Whether nothing was found."""
        return not (self.tooClose or self.unseenPairs or self.unseenBonds or self.untrainedElements)

    def messages(self) -> list[str]:
        """A sentence for each finding."""
        found = [f"{symbol(number)} was in no molecule of the training" for number in self.untrainedElements]
        for contact, seen in self.tooClose:
            found.append(f"{_place(contact)}; the shortest {_name(contact.elements)} of the training is {seen:.4f} nm")
        found += [f"{_place(each)}; no molecule of the training had both elements" for each in self.unseenPairs]
        found += [f"{_place(each)}; no molecule of the training had such a bond" for each in self.unseenBonds]
        return found

    def __str__(self) -> str:
        return "\n".join(self.messages()) or "within what the model has seen"


def _place(contact: Contact) -> str:
    first, second = contact.atoms
    return f"{_name(contact.elements)} of the particles {first} and {second} are {contact.distance:.4f} nm apart"


@dataclass(frozen=True)
class ModelDomain:
    """The range of what a model has seen, from its file.

    Attributes
    ----------
    cutoff : float
        nm; atoms farther apart do not see each other.
    trainedElements : frozenset of int or None
        Atomic numbers; None where the file does not say.
    shortestDistances : dict
        (atomic number, atomic number) to nm, the lower number first; empty where the file does not say.
    bondedPairs : frozenset
        Of such pairs.
    """

    cutoff: float
    trainedElements: frozenset[int] | None = None
    shortestDistances: dict[Pair, float] = field(default_factory=dict)
    bondedPairs: frozenset[Pair] = frozenset()

    @staticmethod
    def fromModel(model: PaiNNStudentModel) -> ModelDomain:
        """Read it from a model.

        Raises
        ------
        ValueError
            If the file says nothing of what the model has seen, or what it says makes no sense.
        """
        metadata = json.loads(model.getMetadata())
        trained, origin = metadata.get("trained_elements"), metadata.get("provenance", {})
        keys = ("domain_pairs", "domain_shortest_distances", "domain_bonded_pairs")
        pairs, distances, bonded = (origin.get(key, []) for key in keys)
        if trained is None and not pairs:
            raise ValueError(f"the model {model.getName()!r} does not say what it has seen, so nothing can be reported")
        try:
            scale = _NANOMETERS[metadata["length_unit"]]
            shortest = {_pair(text): scale * float(d) for text, d in zip(pairs, distances, strict=True)}
            bonds = frozenset(map(_pair, bonded))
        except (ValueError, TypeError, AttributeError) as error:
            raise ValueError(
                f"the model {model.getName()!r} says nothing sensible of what it has seen: {error}"
            ) from None
        cutoff = model.getCutoff().value_in_unit(unit.nanometer)
        return ModelDomain(cutoff, None if trained is None else frozenset(trained), shortest, bonds)

    def check(
        self,
        numbers: Sequence[int],
        positions: np.ndarray,
        subsystems: Sequence[int] | None = None,
        box: np.ndarray | None = None,
        particles: Sequence[int] | None = None,
    ) -> DomainReport:
        """Compare a structure with it.

        Parameters
        ----------
        numbers : sequence of int [N]
            Atomic numbers.
        positions : array [N, 3]
            nm.
        subsystems : sequence of int [N], optional
            Atoms of different ones do not see each other; all of one unless given.
        box : array [3, 3], optional
            The periodic box, reduced as OpenMM demands, nm. Each two atoms count once, at their nearest images.
        particles : sequence of int [N], optional
            What the atoms are called in the report; their places in ``numbers`` unless given.
        """
        z, x = np.asarray(numbers), np.asarray(positions, dtype=np.float64)
        members = np.zeros(len(z), dtype=int) if subsystems is None else np.asarray(subsystems)
        labels = np.arange(len(z)) if particles is None else np.asarray(particles)
        closest: dict[Pair, Contact] = {}
        for subsystem in np.unique(members):
            chosen = np.flatnonzero(members == subsystem)
            for contact in _closest(z[chosen], x[chosen], labels[chosen], self.cutoff, box):
                before = closest.get(contact.elements)
                if before is None or contact.distance < before.distance:
                    closest[contact.elements] = contact
        found = tuple(closest[pair] for pair in sorted(closest))
        seen = self.shortestDistances
        trained = self.trainedElements
        return DomainReport(
            found,
            tuple((each, seen[each.elements]) for each in found if each.distance < seen.get(each.elements, 0.0)),
            tuple(each for each in found if seen and each.elements not in seen),
            tuple(each for each in found if seen and each.elements not in self.bondedPairs and _as_bonded(each)),
            () if trained is None else tuple(sorted(set(z.tolist()) - trained)),
        )


def _pair(text: str) -> Pair:
    first, second = (SYMBOLS.index(word) for word in text.split("-"))
    return (min(first, second), max(first, second))


def _as_bonded(contact: Contact) -> bool:
    radii = [COVALENT_RADII.get(number) for number in contact.elements]
    return None not in radii and contact.distance < _BONDED * sum(radii)


def _closest(z: np.ndarray, x: np.ndarray, labels: np.ndarray, cutoff: float, box: np.ndarray | None) -> list[Contact]:
    """The closest two atoms of each two elements; all pairs are looked at, some rows at a time."""
    N = len(z)
    best: dict[Pair, Contact] = {}
    rows = max(1, _ROWS // max(1, N))
    for begin in range(0, N, rows):
        first = np.arange(begin, min(begin + rows, N))
        delta = x[None] - x[first, None]  # [rows, N, 3]
        if box is not None:
            for k in (2, 1, 0):
                delta -= np.round(delta[..., k, None] / box[k, k]) * box[k]
        d = np.sqrt((delta**2).sum(axis=-1))
        d[np.arange(N)[None] <= first[:, None]] = np.inf  # each pair once
        for a in np.unique(z[first]):
            block_rows = np.flatnonzero(z[first] == a)
            for b in np.unique(z):
                columns = np.flatnonzero(z == b)
                block = d[np.ix_(block_rows, columns)]
                i, j = np.unravel_index(np.argmin(block), block.shape)
                pair = (int(min(a, b)), int(max(a, b)))
                if block[i, j] < min(cutoff, best[pair].distance if pair in best else np.inf):
                    atoms = (int(labels[first[block_rows[i]]]), int(labels[columns[j]]))
                    best[pair] = Contact(pair, atoms, float(block[i, j]))
    return list(best.values())


def _only_network(system: openmm.System) -> PaiNNStudentForce:
    from .painn import PaiNNStudentForce

    found = [force for force in system.getForces() if PaiNNStudentForce.isinstance(force)]
    if len(found) != 1:
        raise ValueError(f"the system has {len(found)} PaiNNStudentForces; say which is meant with the argument force")
    return PaiNNStudentForce.cast(found[0])


class NetworkAtoms:
    """The atoms of a PaiNNStudentForce with its model's domain, read once and checked as often as one likes."""

    def __init__(self, system: openmm.System, force: PaiNNStudentForce | None = None) -> None:
        network = _only_network(system) if force is None else force
        entries = [network.getParticleParameters(i) for i in range(network.getNumParticles())]
        self.particles, self.numbers, self.subsystems = np.array(entries, dtype=int).reshape(-1, 3).T
        self.periodic = network.usesPeriodicBoundaryConditions()
        self.domain = ModelDomain.fromModel(network.getModel())

    def check(self, state: openmm.State) -> DomainReport:
        """The report of a State with positions."""
        positions = state.getPositions(asNumpy=True).value_in_unit(unit.nanometer)[self.particles]
        box = state.getPeriodicBoxVectors(asNumpy=True).value_in_unit(unit.nanometer) if self.periodic else None
        return self.domain.check(self.numbers, positions, self.subsystems, box, self.particles)


def getDomainReport(context: openmm.Context, force: PaiNNStudentForce | None = None) -> DomainReport:
    """Say whether a Context is within what its model has seen.

    Distances count over all pairs of atoms of a subsystem, on the host: some 10 ms for 1,000 atoms.

    Parameters
    ----------
    context : openmm.Context
        With a PaiNNStudentForce in its System.
    force : PaiNNStudentForce, optional
        Which, if there are several.

    Returns
    -------
    DomainReport
        ``isInside``, and what is not; ``print()`` gives a sentence for each finding.

    Raises
    ------
    ValueError
        If there is no such Force, or its model does not say what it has seen.
    """
    state: Any = context.getState(positions=True)
    return NetworkAtoms(context.getSystem(), force).check(state)
