# SPDX-License-Identifier: MIT
"""A calculator for ASE, over the same Force that OpenMM runs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

try:
    from ase import Atoms
    from ase.calculators.calculator import Calculator, all_changes
except ImportError:
    raise ImportError("openmmpainn.ase needs the Python package ase: pip install 'openmmpainn[tools]'") from None

from .evaluator import Evaluator
from .model_warnings import warn_once
from .painn import PaiNNStudentModel
from .periodic_cell import PlacedCell, place_cell
from .structures import ANGSTROM
from .summary import model_summary

__all__ = ["PaiNNStudentCalculator"]

EV = 96.4853321233  # kJ/mol


class PaiNNStudentCalculator(Calculator):
    """Energies (eV) and forces (eV/angstrom) of a PaiNN model for ASE.

    Any combination of periodic directions and any cell is allowed: a cell that is narrower than twice the cutoff is
    repeated until it is wide enough, along directions that are not periodic the cell is replaced by enough vacuum.

    Parameters
    ----------
    model : PaiNNStudentModel, str or path
        The network, a ``.safetensors`` file, or the name of a bundled model.
    platform : str
        The name of one of OpenMM's platforms.
    properties : mapping of str to str, optional
        Properties of the platform, such as ``{"Threads": "1"}`` for CPU.
    **parameters
        What ASE's Calculator takes: ``atoms``, ``label``, ``directory``.

    Raises
    ------
    ValueError
        If there is no such platform, property or bundled model.
    openmm.OpenMMException
        If the file is not a valid model.

    Notes
    -----
    Stresses are not computed, so cells cannot be relaxed and barostats of ASE do not work.

    Calculations raise what `openmmpainn.Evaluator.compute` raises, and ValueError for a cell that spans no volume. A
    model of the student family is not rotation invariant, and OpenMM wants the first cell vector along x and the second
    in the xy plane: for such a model other cells are refused, because turning them would change the energy.
    """

    implemented_properties: ClassVar[list[str]] = ["energy", "free_energy", "forces", "energies"]
    ignored_changes: ClassVar[set[str]] = {"initial_charges", "initial_magmoms"}

    def __init__(
        self,
        model: PaiNNStudentModel | str | os.PathLike[str],
        platform: str = "CPU",
        properties: Mapping[str, str] | None = None,
        **parameters: Any,
    ) -> None:
        if not isinstance(model, PaiNNStudentModel):
            bundled = isinstance(model, str) and not os.path.exists(model) and not model.endswith(".safetensors")
            model = PaiNNStudentModel.bundled(model) if bundled else PaiNNStudentModel(model)
        warn_once(model)
        self.evaluator = Evaluator(model, platform, properties)
        summary = model_summary(model)
        self._cutoff = summary["cutoff"]  # nm
        self._may_rotate = summary["metadata"]["family"] != "student"
        super().__init__(**parameters)

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """Compute what is asked for and not known yet; ASE calls this when something has changed."""
        super().calculate(atoms, list(properties), list(system_changes))
        if any(change not in self.ignored_changes for change in system_changes):
            self.results = {}
        if self.atoms is None:
            raise ValueError("atoms is None, and the calculator has none from before")
        if len(self.atoms) == 0:
            self.results = {**_in_ev(0.0, np.zeros((0, 3))), "energies": np.zeros(0)}
            return
        placed = self._place(self.atoms)
        if "energy" not in self.results or ("forces" in properties and "forces" not in self.results):
            # Forces come with the energy even if only that was asked for: most users ask for them next.
            [energy], [forces] = self.evaluator.compute([placed.molecule])
            self.results.update(_in_ev(*placed.result(energy, forces)))
        if "energies" in properties:
            [energies] = self.evaluator.computeParticleEnergies([placed.molecule])
            self.results["energies"] = energies[: len(self.atoms)] / EV

    def calculate_batch(self, images: Sequence[Atoms]) -> list[dict[str, Any]]:
        """Evaluate many structures together, which is much faster than one after another.

        Parameters
        ----------
        images : sequence of ase.Atoms
            Of any sizes and elements; their own calculators are not used, nor is the cache of this one.

        Returns
        -------
        list of dict
            For each structure ``energy`` and ``free_energy`` (float, eV) and ``forces`` ([n, 3], eV/angstrom).

        Raises
        ------
        ValueError, openmm.OpenMMException
            As for a calculation; the message counts the structures as molecules, from 0.
        """
        placed = [self._place(image) for image in images]
        energies, forces = self.evaluator.compute([one.molecule for one in placed])
        return [_in_ev(*one.result(e, f)) for one, e, f in zip(placed, energies, forces, strict=True)]

    def _place(self, atoms: Atoms) -> PlacedCell:
        return place_cell(
            atoms.get_atomic_numbers(),
            atoms.get_positions() * ANGSTROM,
            np.asarray(atoms.cell.array) * ANGSTROM,
            atoms.get_pbc(),
            self._cutoff,
            self._may_rotate,
        )


def _in_ev(energy: float, forces: np.ndarray) -> dict[str, Any]:
    """ASE's results from kJ/mol and kJ/mol/nm."""
    return {"energy": energy / EV, "free_energy": energy / EV, "forces": forces * (ANGSTROM / EV)}
