# SPDX-License-Identifier: MIT
"""Potential energies of one geometry in many thermodynamic states, from one call of the network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import openmm
from openmm import unit
from openmm.app.internal.multistatesampler import MultistateSampler

__all__ = ["NetworkStates", "NetworkStateSampler"]

_NO_ENERGY = ("CMMotionRemover", "AndersenThermostat")  # and barostats


class NetworkStates:
    """How the energies of all states follow from the network's energies of the subsystems of one geometry.

    The energy of state j is the sum over subsystems s of weights[j] * scale[j, s] * (energy of s), and of what the
    other forces give, which is the same in all states but for the weights of their force groups.

    Parameters
    ----------
    sampler : MultistateSampler
        Its states and its Context.

    Attributes
    ----------
    index : int
        Of the PaiNNStudentForce in the System.
    parameters : frozenset of str
        The scale parameters of the network that the states set.
    others : list of (set of int, float64 array [states])
        Force groups without the network that have the same weight in each state, and these weights.

    Raises
    ------
    ValueError
        If the states change what other forces give, or the network cannot be told from other forces; the message says
        what stands in the way, as the rest of a sentence.
    """

    def __init__(self, sampler: MultistateSampler) -> None:
        from .painn import PaiNNStudentForce

        context, states = sampler.context, sampler.states
        forces = context.getSystem().getForces()
        networks = {i: PaiNNStudentForce.cast(f) for i, f in enumerate(forces) if PaiNNStudentForce.isinstance(f)}
        names = {key for key in states[0] if key not in ("temperature", "groups")} & set(dict(context.getParameters()))
        if names:
            networks = {i: network for i, network in networks.items() if names & set(_scales(network))}
        if len(networks) != 1:
            kind = "PaiNNStudentForces" + (f" that {_listed(names)} scales" if names else "")
            raise ValueError(f"the System has {len(networks)} {kind}, and there must be one")
        ((self.index, self.force),) = networks.items()
        self._scales = _scales(self.force)
        for name in sorted(names - set(self._scales)):
            raise ValueError(f"the states set {name}, which is no scale of the network")
        group = forces[self.index].getForceGroup()
        for i, force in enumerate(forces):
            if i == self.index or not _has_energy(force):
                continue
            for name in sorted(names):
                if _uses(force, name):
                    raise ValueError(f"the states set {name}, which {type(force).__name__} uses too")
            if force.getForceGroup() == group:
                raise ValueError(f"{type(force).__name__} is in force group {group} of the network")
        self.parameters = frozenset(names)
        self._values = [{name: _number(state[name]) for name in names} for state in states]
        present = {force.getForceGroup() for force in forces if _has_energy(force)}
        weights = {g: np.array(_weights(sampler, g)) for g in sorted(present)}
        self._weights = weights.pop(group)
        self.others: list[tuple[set[int], np.ndarray]] = []
        for g, values in weights.items():
            for groups, known in self.others:
                if np.array_equal(known, values):
                    groups.add(g)
                    break
            else:
                self.others.append(({g}, values))

    def combine(self, subsystems: np.ndarray, others: list[Any], parameters: Mapping[str, float]) -> np.ndarray:
        """The energies of all states.

        Parameters
        ----------
        subsystems : float64 array [..., S]
            What the network gives to each subsystem without its scale, kJ/mol.
        others : list of float or of float64 arrays [...]
            The energies of the force groups of the attribute others, kJ/mol.
        parameters : mapping of str to float
            The Context's, for scales that the states do not set.

        Returns
        -------
        float64 array [..., states]
            kJ/mol.
        """
        energies = np.zeros((*subsystems.shape[:-1], len(self._values)))
        # In the order and with the roundings of the kernels: the same bits as the energy of a Context in that state.
        for s, name in enumerate(self._scales):
            fixed = parameters[name] if name and name not in self.parameters else 1.0
            scale = np.array([values.get(name, fixed) for values in self._values])
            with np.errstate(invalid="ignore"):
                energies += np.where(scale == 0, 0.0, scale * subsystems[..., s, None])
        energies *= self._weights
        for (_, weights), energy in zip(self.others, others, strict=True):
            energies += weights * np.asarray(energy)[..., None]
        return energies


class NetworkStateSampler(MultistateSampler):
    """OpenMM's MultistateSampler, with one call of the network for states that set nothing but its scales.

    Attributes
    ----------
    network : NetworkStates or None
        None where the energies of the states do not follow from one call; reason then says why.
    reason : str
    """

    def __init__(self, states: list[dict[str, Any]], context: openmm.Context) -> None:
        super().__init__(states, context)
        self.network: NetworkStates | None = None
        self.reason = ""
        try:
            self.network = NetworkStates(self)
        except ValueError as error:
            self.reason = str(error)

    def computeAllEnergies(self) -> unit.Quantity:
        """Compute the potential energies of all states at the positions of the Context.

        Returns
        -------
        openmm.unit.Quantity
            A list [states], kJ/mol.
        """
        # States that differ in temperature and groups alone are one subset, for which OpenMM asks each force once.
        if self.network is None or len(self.subsets) == 1:
            return super().computeAllEnergies()
        subsystems = self.network.force.getSubsystemEnergies(self.context)._value
        parameters = dict(self.context.getParameters())
        energies = self.network.combine(subsystems, self.computeOtherEnergies(), parameters)
        return unit.Quantity(energies.tolist(), unit.kilojoule_per_mole)

    def computeOtherEnergies(self) -> list[float]:
        """The energies (kJ/mol) of the force groups network.others at the positions of the Context."""
        states = (self.context.getState(energy=True, groups=groups) for groups, _ in self.network.others)
        return [state.getPotentialEnergy()._value for state in states]


def _scales(network: Any) -> list[str]:
    """The parameter that scales each subsystem, "" for none."""
    return [network.getSubsystemScale(s) for s in range(network.getNumSubsystems())]


def _has_energy(force: openmm.Force) -> bool:
    kind = type(force).__name__
    return kind not in _NO_ENERGY and "Barostat" not in kind


def _uses(force: openmm.Force, name: str) -> bool:
    """Whether a force may depend on a parameter of the Context. True if that cannot be known."""
    from .painn import PaiNNStudentForce

    if PaiNNStudentForce.isinstance(force):
        return name in _scales(PaiNNStudentForce.cast(force))
    if hasattr(force, "getGlobalParameterName") and type(force).__name__ not in ("CustomCVForce", "ATMForce"):
        return name in (force.getGlobalParameterName(i) for i in range(force.getNumGlobalParameters()))
    try:  # forces inside a force have parameters too
        return f'"{name}"' in openmm.XmlSerializer.serialize(force)
    except openmm.OpenMMException:
        return True


def _weights(sampler: MultistateSampler, group: int) -> list[float]:
    """The weight of a force group in each state."""
    if sampler.groups is None:
        return [1.0] * len(sampler.states)
    return [float(groups.get(group, 0.0)) for groups in sampler.groups]


def _number(value: Any) -> float:
    return float(value.value_in_unit_system(unit.md_unit_system) if unit.is_quantity(value) else value)


def _listed(names: set[str]) -> str:
    return " and ".join(sorted(names))
