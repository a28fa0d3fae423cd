# SPDX-License-Identifier: MIT
"""Models as potentials of openmm-ml: ``MLPotential("alanine-dipeptide")``.

Models from files have the name painn-student: ``MLPotential("painn-student", modelPath=...)``. openmm-ml finds
both by the entry points in pyproject.toml; nobody has to import this module.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .bundled import bundledModels

if TYPE_CHECKING:
    import openmm
    from openmm import app

    from .painn import PaiNNStudentModel

__all__ = ["PaiNNPotentialImpl", "PaiNNPotentialImplFactory"]


class PaiNNPotentialImplFactory:
    """What openmm-ml calls when an MLPotential of ours is made.

    It stands before the import of openmm-ml, and without a base class from there, because openmm-ml asks for it while
    that import is still going on.
    """

    def createImpl(self, name: str, **args: Any) -> PaiNNPotentialImpl:
        """Make the potential.

        Parameters
        ----------
        name : str
            Of a bundled model, or any other for a model from a file.
        **args
            ``modelPath`` or nothing.

        Raises
        ------
        TypeError
            If there are other arguments.
        ValueError
            If a bundled model is to come from a file.
        openmm.OpenMMException
            If the file is not a valid model.
        """
        path = args.pop("modelPath", None)
        if args:
            raise TypeError(f"MLPotential('{name}') was given {_listed(args)}; it takes nothing but modelPath")
        return PaiNNPotentialImpl(name, path)


try:
    from openmmml.mlpotential import MLPotentialImpl  # (after the factory)
except ModuleNotFoundError as error:
    raise ImportError("openmmpainn.mlpotential needs the Python package openmmml: pip install openmmml") from error


class PaiNNPotentialImpl(MLPotentialImpl):
    """A model that openmm-ml puts into a System as one PaiNNStudentForce.

    Arguments of createSystem() and createMixedSystem() that it knows:

    - ``modelPath``: the ``.safetensors`` file, unless MLPotential() was given it or the name is of a bundled model;
    - ``periodic``: whether distances are to the nearest periodic image; by default if the Topology has a box or the
      System is periodic (with ``interpolate=True`` openmm-ml shows the Topology alone). Then the box must be twice as
      wide as the cutoff of the model;
    - ``charge``, ``multiplicity``: of the atoms of the network; only 0 and 1, because it does not know of others;
    - ``returnEnergyType``: only "energy". Energies are total ones, with those of the free atoms if the model has them.

    Precision and device are chosen with the Platform, when the Context is made.

    Parameters
    ----------
    name : str
        Of a bundled model, or any other for a model from a file.
    modelPath : str or path, optional
        The file of a model that is not a bundled one.
    """

    def __init__(self, name: str, modelPath: str | os.PathLike[str] | None = None) -> None:
        self.name = name
        self._model = _read_model(name, modelPath) if modelPath is not None or name in bundledModels() else None

    def addForces(
        self,
        topology: app.Topology,
        system: openmm.System,
        atoms: Iterable[int] | None,
        forceGroup: int,
        modelPath: str | os.PathLike[str] | None = None,
        periodic: bool | None = None,
        **args: Any,
    ) -> None:
        """Add the network to a System.

        Parameters
        ----------
        topology : openmm.app.Topology
            Gives the elements, the bonds and the box.
        system : openmm.System
            Gets the Force. It has the particles of the Topology, or none yet.
        atoms : iterable of int, optional
            The atoms that the network describes, all by default.
        forceGroup : int
            The group of the Force.
        modelPath, periodic, **args
            See the class.

        Raises
        ------
        ValueError
            If an atom is of an element that the model does not know or is out of range, the System does not fit the
            Topology, there is no model, or an argument has a value that a network cannot obey.
        TypeError
            If createSystem() was given an argument that does not exist.
        """
        from .painn import PaiNNStudentForce

        # createMixedSystem() passes on what is meant for the embedding too; createSystem() has none.
        _check_arguments(self.name, args, others=atoms is not None)
        if system.getNumParticles() not in (0, topology.getNumAtoms()):
            raise ValueError(
                f"the System has {system.getNumParticles()} particles, but the Topology {topology.getNumAtoms()} atoms"
                "; they must be the same, extra particles included"
            )
        if modelPath is not None and self._model is not None:
            raise ValueError(f"modelPath is {modelPath!r}, but MLPotential('{self.name}') has a model already")
        model = self._model if self._model is not None else _read_model(self.name, modelPath)
        if periodic is None:
            periodic = topology.getPeriodicBoxVectors() is not None or system.usesPeriodicBoundaryConditions()
        force = PaiNNStudentForce.fromTopology(model, topology, atoms, periodic=periodic)
        force.setForceGroup(forceGroup)
        system.addForce(force)

    def getMLLongRange(self) -> bool:
        """Whether the network sees beyond a cutoff in a periodic box: it never does."""
        return False


def _read_model(name: str, path: str | os.PathLike[str] | None) -> PaiNNStudentModel:
    """The bundled model of this name, or the model in this file."""
    from .painn import PaiNNStudentModel

    if name in bundledModels():
        if path is not None:
            raise ValueError(
                f"modelPath is {path!r}, but '{name}' comes with openmmpainn; 'painn-student' is for files"
            )
        return PaiNNStudentModel.bundled(name)
    if path is None:
        raise ValueError(
            f"'{name}' needs modelPath, the .safetensors file of a model; models that come with openmmpainn need none: "
            f"{', '.join(bundledModels()) or 'none is here'}"
        )
    return PaiNNStudentModel(path)


def _listed(args: Iterable[str]) -> str:
    return ", ".join(sorted(args))


# Arguments of other potentials of openmm-ml: values that mean what a network does anyway, and why no other is taken.
_WHY_NOT: dict[str, tuple[tuple[Any, ...], str]] = {
    "charge": ((0,), "the network does not know the total charge, so only 0 is taken"),
    "multiplicity": ((1,), "the network does not know the spin, so only 1 is taken"),
    "precision": ((), "it is chosen with the properties of the Platform, when the Context is made"),
    "device": ((), "it is chosen with the Platform and its properties, when the Context is made"),
    "returnEnergyType": (("energy",), "energies are total ones, so only 'energy' is taken"),
}


def _check_arguments(name: str, args: dict[str, Any], others: bool) -> None:
    """Refuse what the network cannot obey; `others` says whether arguments that we do not know may be there."""
    for key, value in args.items():
        allowed, reason = _WHY_NOT.get(key, ((value,), ""))
        if value is not None and value not in allowed:
            raise ValueError(f"{key} is {value!r}; {reason}")
    unknown = set(args) - set(_WHY_NOT)
    if unknown and not others:
        raise TypeError(f"createSystem() of '{name}' was given {_listed(unknown)}; it takes modelPath and periodic")
