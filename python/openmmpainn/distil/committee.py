# SPDX-License-Identifier: MIT
"""Where students disagree: free dynamics of many molecules by a committee, and the frames worth a label.

The deviation of an atom is the root mean square, over the members, of the distance of their force from the mean force:
half the distance for two members (eV/angstrom).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from ..progress import Progress
from ..torch_network import PaiNNNetwork
from .molecules import Molecule
from .predict import Topology
from .teacher import langevin

__all__ = ["Candidate", "Exploration", "Ensemble", "explore"]


@dataclass(frozen=True)
class Exploration:
    """How a committee looks for frames: deviations in eV/angstrom, the largest of a frame's atoms counts."""

    temperatures: tuple[float, ...] = (300.0, 500.0, 700.0, 1000.0)
    steps: int = 1000
    stride: int = 20
    timestep: float = 0.5
    deviation: float = 0.15  # from here on a frame is worth a label
    broken: float = 3.0  # beyond, the frame is so far off that only what led to it is of use
    shortest: float = 0.6  # of its first length, and so
    longest: float = 1.5  # a bond may become before the molecule counts as broken
    per_copy: int = 2
    apart: int = 5  # strides between frames of one copy that are both labelled
    seed: int = 0


@dataclass
class Candidate:
    """A frame to be labelled: which of the given molecules, positions [N, 3] in angstrom, K; and why."""

    index: int
    positions: np.ndarray
    temperature: float
    deviation: float
    broke: bool


@dataclass
class _Copy:
    """What has been seen of one copy."""

    frames: list[tuple[int, float, np.ndarray]] = field(default_factory=list)  # stride, deviation, positions
    last: np.ndarray | None = None
    broken: bool = False


class Ensemble:
    """Students of the same elements on a batch of molecules.

    Parameters
    ----------
    networks : sequence of PaiNNNetwork
        On one device; the first one moves the atoms.
    molecules : sequence of Molecule
        A batch holds each once.

    Raises
    ------
    ValueError
        If there is but one network, or a molecule holds an element that one does not know.
    """

    def __init__(self, networks: Sequence[PaiNNNetwork], molecules: Sequence[Molecule]) -> None:
        if len(networks) < 2:
            raise ValueError(f"a committee needs at least 2 networks, not {len(networks)}")
        self.networks = list(networks)
        for network in networks:
            for each in molecules:
                missing = set(each.numbers) - set(network.metadata["elements"])
                if missing:
                    raise ValueError(f"molecule {each.name!r} holds {sorted(missing)}, unknown to a network")
        device = networks[0].embedding.weight.device
        numbers = [each.numbers for each in molecules]
        self.topologies = [Topology(numbers, network.metadata["elements"], device) for network in networks]
        self.first = np.cumsum([0] + [len(each) for each in numbers])  # atoms

    def forces(self, member: int, x: np.ndarray) -> np.ndarray:
        """Forces (eV/angstrom) of one member at positions (angstrom), both [A, 3] of all molecules one by one."""
        network, topology = self.networks[member], self.topologies[member]
        weight = network.embedding.weight
        shift = torch.zeros(3, dtype=weight.dtype, device=weight.device)
        positions = torch.as_tensor(x, dtype=weight.dtype, device=weight.device)
        edges = (topology.receivers, topology.neighbours, shift)
        count = len(topology.sizes)
        _, forces = network.energies_and_forces(
            topology.elements, positions, topology.molecules, *edges, num_molecules=count
        )
        return forces.detach().double().cpu().numpy()

    def deviations(self, x: np.ndarray) -> np.ndarray:
        """Of each atom, [A]."""
        forces = np.stack([self.forces(member, x) for member in range(len(self.networks))])
        return np.sqrt(((forces - forces.mean(axis=0)) ** 2).sum(axis=-1).mean(axis=0))


def _bond_ratios(molecule: Molecule, x: np.ndarray, start: np.ndarray) -> np.ndarray:
    pairs = np.array(molecule.bonds, dtype=int).reshape(-1, 2)

    def lengths(y: np.ndarray) -> np.ndarray:
        return np.linalg.norm(y[pairs[:, 0]] - y[pairs[:, 1]], axis=-1)

    return lengths(x) / lengths(start)


def explore(
    networks: Sequence[PaiNNNetwork],
    molecules: Sequence[Molecule],
    starts: Sequence[np.ndarray],
    settings: Exploration,
    progress: bool = True,
) -> list[Candidate]:
    """Let molecules move by the first network; pick frames on which the committee disagrees or that lead to a break.

    Parameters
    ----------
    networks : sequence of PaiNNNetwork
        The committee.
    molecules, starts : sequences
        One copy each (a molecule may be named again), and positions [N, 3] in angstrom to start from. Temperatures
        come in turn.
    settings : Exploration
        How.
    progress : bool
        Whether to show it.

    Returns
    -------
    list of Candidate
        At most ``settings.per_copy`` of a copy, the largest deviations; and the last whole frame of each that broke.
    """
    ensemble = Ensemble(networks, molecules)
    first = ensemble.first
    kelvin = np.array([settings.temperatures[k % len(settings.temperatures)] for k in range(len(molecules))])
    masses = np.concatenate([each.masses for each in molecules])
    run = langevin(
        lambda x: (0.0, ensemble.forces(0, x)),
        np.concatenate(starts).astype(np.float64),
        masses,
        np.repeat(kelvin, np.diff(first))[:, None],
        settings.steps,
        np.random.default_rng(settings.seed),
        settings.timestep,
    )
    copies = [_Copy(last=np.asarray(start, dtype=float)) for start in starts]
    with Progress("exploring", settings.steps, enabled=progress) as shown, np.errstate(all="ignore"):
        for step, (x, _, _) in enumerate(run, 1):
            shown.advance()
            if step % settings.stride:
                continue
            deviations = ensemble.deviations(x)
            for k, copy in enumerate(copies):
                if copy.broken:
                    continue
                part = slice(first[k], first[k + 1])
                worst = float(deviations[part].max())
                ratios = _bond_ratios(molecules[k], x[part], starts[k])
                whole = bool(((ratios > settings.shortest) & (ratios < settings.longest)).all())
                if not (np.isfinite(worst) and worst < settings.broken and whole):
                    copy.broken = True
                    continue
                copy.last = x[part].copy()
                if worst > settings.deviation:
                    copy.frames.append((step // settings.stride, worst, copy.last))
    return [candidate for k, copy in enumerate(copies) for candidate in _choose(k, copy, float(kelvin[k]), settings)]


def _choose(index: int, copy: _Copy, temperature: float, settings: Exploration) -> list[Candidate]:
    """The frames of one copy that are labelled."""
    chosen: list[tuple[int, float, np.ndarray]] = []
    for frame in sorted(copy.frames, key=lambda each: -each[1]):
        if len(chosen) < settings.per_copy and all(abs(frame[0] - other[0]) >= settings.apart for other in chosen):
            chosen.append(frame)
    candidates = [Candidate(index, x, temperature, worst, False) for _, worst, x in chosen]
    if copy.broken and copy.last is not None and not any(x is copy.last for _, _, x in chosen):
        candidates.append(Candidate(index, copy.last, temperature, float("nan"), True))
    return candidates
