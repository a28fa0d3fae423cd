# SPDX-License-Identifier: MIT
"""Errors of a student on many held-out molecules: overall, by element, by kind of molecule, and where it fails.

Force errors are by component in meV/angstrom, energy errors in meV a molecule. "Within a molecule" is what is left of
the energy error when the mean error of each molecule is taken off: what matters to dynamics.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..torch_network import PaiNNNetwork
from .dataset import Frames
from .frame_set import FrameSet
from .predict import predict_set

__all__ = ["Residuals", "evaluate", "force_mae_by_molecule", "residuals", "summarise"]

_PERCENTILES = (5, 25, 50, 75, 95, 99)
_WORST = 15


class Residuals:
    """Student minus teacher, as flat arrays; F frames, A atoms in all.

    Attributes
    ----------
    energies : array [F]
        meV.
    forces : array [A, 3]
        meV/angstrom.
    sizes : array [A]
        The size of the teacher's force on the atom, meV/angstrom.
    elements : array [A]
        Atomic numbers.
    frames : array [A]
        Which frame an atom is of.
    temperatures, molecules : arrays [F]
        K (negative for distorted frames); index into the names.
    names, smiles : lists of str
        Of the molecules.
    """

    def __init__(self, given: dict[str, Frames], held: FrameSet, energies: np.ndarray, forces: np.ndarray) -> None:
        self.names = list(given)
        self.smiles = [each.molecule.smiles for each in given.values()]
        self.energies = 1000 * (energies - held.energies[:-1].double().cpu().numpy())
        self.forces = 1000 * (forces - held.forces[:-1].double().cpu().numpy())
        self.temperatures, self.molecules = held.temperatures, held.molecules
        counts = held.atoms[:-1].cpu().numpy()
        self.frames = np.repeat(np.arange(len(counts)), counts)
        frames = list(given.values())
        first = np.cumsum([0] + [len(each) for each in frames])
        true, numbers = [], []
        for place, k in zip(held.order, held.molecules, strict=True):
            true.append(1000 * np.linalg.norm(frames[k].forces[place - first[k]], axis=1))
            numbers.append(frames[k].molecule.numbers)
        self.sizes, self.elements = np.concatenate(true), np.concatenate(numbers)

    def within(self) -> np.ndarray:
        """Energy errors of undistorted frames without the mean of their molecule (of two frames or more), meV."""
        plain = self.temperatures > 0
        e, m = self.energies[plain], self.molecules[plain]
        count = np.bincount(m, minlength=len(self.names))
        mean = np.bincount(m, e, len(self.names)) / np.maximum(count, 1)
        return (e - mean[m])[count[m] > 1]


def residuals(network: PaiNNNetwork, fixed: PaiNNNetwork, held_out: dict[str, Frames]) -> Residuals:
    """Errors of a network on frames.

    Parameters
    ----------
    network : PaiNNNetwork
        The student, in any precision, on any device.
    fixed : PaiNNNetwork
        One with the same references and repulsion, in double precision on the same device.
    held_out : dict
        Frames by molecule.
    """
    held = FrameSet(held_out.values(), fixed, network.embedding.weight.device)
    energies, forces = predict_set(network, held)
    return Residuals(held_out, held, energies.double().cpu().numpy(), forces.double().cpu().numpy())


def _forces(errors: Residuals, atoms: np.ndarray) -> dict[str, float]:
    f = errors.forces[atoms]
    return {
        "atoms": len(f),
        "force_mae": float(np.abs(f).mean()),
        "force_rmse": float(np.sqrt((f**2).mean())),
        "force_mean_size": float(errors.sizes[atoms].mean()),
    }


def summarise(errors: Residuals, kinds: Mapping[str, Sequence[str]] | None = None) -> dict[str, Any]:
    """Tables of errors, ready for JSON.

    Parameters
    ----------
    errors : Residuals
        Of residuals().
    kinds : mapping, optional
        The kinds of each molecule by name, of kinds_of(); a molecule counts in each.

    Returns
    -------
    dict
        ``overall``, ``distorted``, ``by_temperature``, ``by_element``, ``by_kind``, ``energy`` (MAE, and
        ``within_molecule_mae`` in meV and kcal/mol), ``percentiles`` of the force error of atoms and of the force MAE
        of molecules, and the ``worst`` molecules. All but ``distorted`` and ``worst`` are of undistorted frames.
    """
    plain = errors.temperatures[errors.frames] > 0
    molecules = errors.molecules[errors.frames]
    table: dict[str, Any] = {"molecules": len(errors.names), "frames": len(errors.energies)}
    table["overall"] = _forces(errors, plain)
    if not plain.all():
        table["distorted"] = _forces(errors, ~plain)
    kelvins = np.unique(errors.temperatures[errors.temperatures > 0])
    table["by_temperature"] = {f"{t:.0f} K": _forces(errors, errors.temperatures[errors.frames] == t) for t in kelvins}
    table["by_element"] = {
        int(z): _forces(errors, plain & (errors.elements == z)) for z in np.unique(errors.elements[plain])
    }
    if kinds is not None:
        table["by_kind"] = {}
        for kind in sorted({kind for each in kinds.values() for kind in each}):
            of_kind = np.array([kind in kinds.get(name, ()) for name in errors.names])
            atoms = plain & of_kind[molecules]
            if atoms.any():
                table["by_kind"][kind] = {"molecules": int(of_kind.sum()), **_forces(errors, atoms)}
    within = float(np.abs(errors.within()).mean()) if len(errors.within()) else None
    table["energy"] = {
        "mae": float(np.abs(errors.energies[errors.temperatures > 0]).mean()),
        "within_molecule_mae": within,
        "within_molecule_mae_kcal_per_mol": None if within is None else within / 43.3641,
    }
    by_molecule = force_mae_by_molecule(errors, plain)
    atoms = np.linalg.norm(errors.forces[plain], axis=1)
    table["percentiles"] = {
        "at": list(_PERCENTILES),
        "force_error_of_atoms": [float(v) for v in np.percentile(atoms, _PERCENTILES)],
        "force_mae_of_molecules": [float(v) for v in np.nanpercentile(by_molecule, _PERCENTILES)],
    }
    order = [k for k in np.argsort(-np.nan_to_num(by_molecule, nan=-1.0)) if np.isfinite(by_molecule[k])]
    table["worst"] = [
        {"name": errors.names[k], "smiles": errors.smiles[k], "force_mae": float(by_molecule[k])}
        for k in order[:_WORST]
    ]
    return table


def force_mae_by_molecule(errors: Residuals, atoms: np.ndarray) -> np.ndarray:
    """The force MAE of each molecule over the chosen atoms; NaN where it has none."""
    m = errors.molecules[errors.frames[atoms]]
    count = np.bincount(m, minlength=len(errors.names))
    total = np.bincount(m, np.abs(errors.forces[atoms]).mean(axis=1), len(errors.names))
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def evaluate(
    network: PaiNNNetwork,
    fixed: PaiNNNetwork,
    held_out: dict[str, Frames],
    kinds: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Any]:
    """residuals() and summarise() in one."""
    return summarise(residuals(network, fixed, held_out), kinds)
