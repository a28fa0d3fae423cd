# SPDX-License-Identifier: MIT
"""Energies and forces of a model for plain arrays: any mix of molecules in one batch."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import openmm

from .arrays import molecules_from_list, read_boxes, read_integers, read_lengths
from .batch_context import BatchContext
from .model_warnings import warn_once
from .platforms import get_platform
from .structures import symbol

if TYPE_CHECKING:
    from .painn import PaiNNStudentModel

__all__ = ["Evaluator"]

# A batch beyond this is evaluated in parts, each in a Context of its own.
MOST_MOLECULES = 512
MOST_ATOMS = 65536
# Contexts are kept for the next call, those used last, up to this many and this many atoms in all.
KEPT_CONTEXTS = 16
KEPT_ATOMS = 262144


class Evaluator:
    """Evaluates a model for plain arrays of elements and positions.

    Molecules of one call are evaluated together, as subsystems of one PaiNNStudentForce in one Context: that is much
    faster than one by one, and each molecule gets the same result as it gets alone. Contexts are kept and used again
    when the same elements come back in the same numbers, so calls for new positions of known molecules are the fast
    ones. Molecules in different periodic boxes cannot share a Context and take their turns.

    Parameters
    ----------
    model : PaiNNStudentModel
        The network.
    platform : str
        The name of one of OpenMM's platforms.
    properties : mapping of str to str, optional
        Properties of the platform, such as ``{"Threads": "1"}`` for CPU. Platforms with a choice of precision run in
        mixed precision unless told otherwise.
    method : int
        PaiNNStudentForce.Kernels, the default, or PaiNNStudentForce.LibTorch.

    Raises
    ------
    TypeError
        If the model is not a PaiNNStudentModel.
    ValueError
        If there is no such platform, or it has no such property.

    Notes
    -----
    Not to be used by several threads at the same time; make an Evaluator for each.

    Examples
    --------
    >>> evaluator = Evaluator(PaiNNStudentModel.bundled("alanine-dipeptide"), platform="CPU")
    >>> energies, forces = evaluator.compute([([8, 1, 1], water), ([6, 1, 1, 1, 1], methane)])
    """

    def __init__(
        self,
        model: PaiNNStudentModel,
        platform: str = "CPU",
        properties: Mapping[str, str] | None = None,
        method: int = 0,
    ) -> None:
        from .painn import PaiNNStudentModel as Model

        if not isinstance(model, Model):
            raise TypeError(f"model is a {type(model).__name__}; it must be a PaiNNStudentModel")
        known = get_platform(platform).getPropertyNames()
        for name in properties or {}:
            if name not in known:
                raise ValueError(
                    f"properties holds '{name}'; the platform {platform} has {', '.join(sorted(known)) or 'none'}"
                )
        self.model, self.platform, self.properties = model, platform, dict(properties or {})
        self.method = method
        warn_once(model)
        self._elements = model.getElements()
        self._known = np.isin(np.arange(max(self._elements) + 2), self._elements)  # by atomic number; the last is False
        self._contexts: OrderedDict[tuple[bytes, bytes, bool], BatchContext] = OrderedDict()

    def compute(
        self, molecules: Sequence[Sequence[Any]], forces: bool = True
    ) -> tuple[np.ndarray, list[np.ndarray] | None]:
        """Energies and forces of a list of molecules.

        Parameters
        ----------
        molecules : sequence of (numbers, positions) or (numbers, positions, box)
            For each molecule its atomic numbers [n], positions [n, 3] in nm and, if it is periodic, box vectors as rows
            [3, 3] in nm, in OpenMM's reduced form (None if it is not). Quantities of another unit of length are
            converted.
        forces : bool
            If False, only the energies are computed, without the backward pass.

        Returns
        -------
        energies : float64 array [M]
            kJ/mol, atom references included.
        forces : list of M float64 arrays [n, 3], or None if they were not wanted
            kJ/mol/nm.

        Raises
        ------
        ValueError
            Naming the molecule: if shapes do not fit, a position is not finite, the model does not know an element, or
            there are no atoms.
        openmm.OpenMMException
            If a box is too small for the cutoff or not of the reduced form, two atoms are at the same place, or an
            energy or force is not finite.
        """
        numbers, positions, offsets, boxes = molecules_from_list(molecules)
        energies, flat = self._compute(numbers, positions, offsets, boxes, forces)
        return energies, None if flat is None else np.split(flat, offsets[1:-1]) if len(molecules) else []

    def computeFlat(
        self, numbers: Any, positions: Any, offsets: Any, boxes: Any = None, forces: bool = True
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Energies and forces of molecules in flat arrays.

        Parameters
        ----------
        numbers : int array [N]
            Atomic numbers of all molecules, one molecule after another.
        positions : array [N, 3]
            nm, or a Quantity.
        offsets : int array [M + 1]
            Molecule m is the atoms from offsets[m] up to, but not including, offsets[m + 1]: the first offset is 0, the
            last N.
        boxes : array [3, 3] or [M, 3, 3], optional
            Box vectors as rows, for all molecules or for each, nm or a Quantity, in OpenMM's reduced form. Without it
            nothing is periodic.
        forces : bool
            If False, only the energies are computed.

        Returns
        -------
        energies : float64 array [M]
            kJ/mol.
        forces : float64 array [N, 3], or None if they were not wanted
            kJ/mol/nm.

        Raises
        ------
        ValueError, openmm.OpenMMException
            As for compute().
        """
        numbers, positions = read_integers(numbers, "numbers"), read_lengths(positions, "positions")
        if positions.shape != (len(numbers), 3):
            raise ValueError(f"positions has the shape {list(positions.shape)}; numbers asks for [{len(numbers)}, 3]")
        offsets = read_integers(offsets, "offsets")
        if len(offsets) == 0 or offsets[0] != 0 or offsets[-1] != len(numbers) or (np.diff(offsets) < 0).any():
            raise ValueError(f"offsets must ascend from 0 to the number of atoms, {len(numbers)}")
        return self._compute(numbers, positions, offsets, read_boxes(boxes, len(offsets) - 1), forces)

    def computeParticleEnergies(self, molecules: Sequence[Sequence[Any]]) -> list[np.ndarray]:
        """What the network gives to each atom: their sum is the energy of the molecule.

        Parameters
        ----------
        molecules : sequence of (numbers, positions) or (numbers, positions, box)
            As for compute().

        Returns
        -------
        list of M float64 arrays [n]
            kJ/mol, atom references included.

        Raises
        ------
        ValueError, openmm.OpenMMException
            As for compute().
        """
        numbers, positions, offsets, boxes = molecules_from_list(molecules)
        self._check(numbers, positions, offsets)
        energies = np.empty(len(numbers))
        for batch, atoms in self._batches(numbers, offsets, boxes):
            with _Translated(batch, offsets):
                context = self._context(numbers[atoms], _packed(offsets, batch), boxes[batch[0]])
                energies[atoms] = context.particle_energies(positions[atoms], boxes[batch[0]])
        return np.split(energies, offsets[1:-1]) if len(molecules) else []

    def _compute(
        self,
        numbers: np.ndarray,
        positions: np.ndarray,
        offsets: np.ndarray,
        boxes: list[np.ndarray | None],
        with_forces: bool,
    ) -> tuple[np.ndarray, np.ndarray | None]:
        self._check(numbers, positions, offsets)
        energies = np.empty(len(offsets) - 1)
        forces = np.empty(positions.shape) if with_forces else None
        for batch, atoms in self._batches(numbers, offsets, boxes):
            with _Translated(batch, offsets):
                context = self._context(numbers[atoms], _packed(offsets, batch), boxes[batch[0]])
                energies[batch], found = context.evaluate(positions[atoms], boxes[batch[0]], with_forces)
            if forces is not None:
                forces[atoms] = found
        return energies, forces

    def _check(self, numbers: np.ndarray, positions: np.ndarray, offsets: np.ndarray) -> None:
        """Raise ValueError naming the first molecule that cannot be evaluated."""

        def place(atom: int) -> tuple[str, int]:
            molecule = int(np.searchsorted(offsets, atom, side="right")) - 1
            return f"molecule {molecule}: " if len(offsets) > 2 else "", atom - offsets[molecule]

        empty = offsets[1:] == offsets[:-1]
        if empty.any():
            raise ValueError(f"molecule {np.argmax(empty)} has no atoms")
        if not np.isfinite(positions).all():
            where, atom = place(int(np.flatnonzero(~np.isfinite(positions).all(axis=1))[0]))
            raise ValueError(f"{where}the position of atom {atom} is not a finite number")
        known = self._known[np.clip(numbers, -1, len(self._known) - 1)]
        if not known.all():
            unknown = int(np.argmin(known))
            where, atom = place(unknown)
            number = int(numbers[unknown])
            raise ValueError(
                f"{where}atom {atom} is {symbol(number)} ({number}), which the model does not know; it knows "
                f"{', '.join(symbol(int(element)) for element in self._elements)}"
            )

    def _batches(
        self, numbers: np.ndarray, offsets: np.ndarray, boxes: list[np.ndarray | None]
    ) -> Iterator[tuple[np.ndarray, Any]]:
        """What is evaluated together: indices of molecules, and of their atoms in the same order.

        Molecules of a batch have the same box. They are sorted by their elements, so that a call with the same
        molecules in another order finds the same Context.
        """
        if len(offsets) == 2:
            yield np.zeros(1, dtype=int), slice(None)
            return
        groups: dict[bytes | None, list[int]] = {}
        for molecule, box in enumerate(boxes):
            groups.setdefault(None if box is None else box.tobytes(), []).append(molecule)
        for group in groups.values():
            group.sort(key=lambda m: numbers[offsets[m] : offsets[m + 1]].tobytes())
            start = 0
            while start < len(group):
                end, atoms = start, 0
                while end < len(group) and end - start < MOST_MOLECULES:
                    atoms += int(offsets[group[end] + 1] - offsets[group[end]])
                    if atoms > MOST_ATOMS and end > start:
                        break
                    end += 1
                batch = np.array(group[start:end])
                yield batch, np.concatenate([np.arange(offsets[m], offsets[m + 1]) for m in batch])
                start = end

    def _context(self, numbers: np.ndarray, offsets: np.ndarray, box: np.ndarray | None) -> BatchContext:
        """The Context for these molecules: a kept one, or a new one that takes the place of those not used longest."""
        key = (numbers.tobytes(), offsets.tobytes(), box is not None)
        context = self._contexts.pop(key, None)
        if context is None:
            kept = sum(other.num_atoms for other in self._contexts.values())
            while self._contexts and (len(self._contexts) >= KEPT_CONTEXTS or kept + len(numbers) > KEPT_ATOMS):
                kept -= self._contexts.popitem(last=False)[1].num_atoms
            context = BatchContext(self.model, numbers, offsets, box, self.platform, self.properties, self.method)
        self._contexts[key] = context
        return context


class _Translated:
    """Says of the particles that OpenMM's errors name which atoms of which of the user's molecules they are."""

    def __init__(self, batch: np.ndarray, offsets: np.ndarray) -> None:
        self._batch, self._offsets = batch, offsets

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        if len(self._offsets) == 2 or not isinstance(error, openmm.OpenMMException):
            return
        named = re.search(r"\bparticles? (\d+)(?: and (\d+))?", str(error))
        packed = _packed(self._offsets, self._batch)
        places = []
        for particle in (int(group) for group in (named.groups() if named else ()) if group is not None):
            slot = int(np.searchsorted(packed, particle, side="right")) - 1
            if slot < len(self._batch):
                places.append(f"particle {particle} is atom {particle - packed[slot]} of molecule {self._batch[slot]}")
        if not places:
            places.append(f"in a batch of {len(self._batch)} that starts with molecule {self._batch.min()}")
        raise openmm.OpenMMException(f"{error} ({', '.join(places)})") from None


def _packed(offsets: np.ndarray, batch: np.ndarray) -> np.ndarray:
    """The offsets of the molecules of a batch among themselves."""
    if len(offsets) == 2:
        return offsets
    return np.concatenate([[0], np.cumsum(offsets[batch + 1] - offsets[batch])])
