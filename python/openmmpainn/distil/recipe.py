# SPDX-License-Identifier: MIT
"""Every choice of a distillation in one place."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace

from .distortions import COVALENT_RADII

__all__ = ["FIRST_STUDENT", "Labelling", "Network", "Recipe", "Training", "quick"]

_SMALL = {
    "water": "O",
    "methanol": "CO",
    "ethanol": "CCO",
    "methane": "C",
    "ethane": "CC",
    "propane": "CCC",
    "ethene": "C=C",
    "benzene": "c1ccccc1",
    "ammonia": "N",
    "methylamine": "CN",
    "formaldehyde": "C=O",
    "acetaldehyde": "CC=O",
    "acetone": "CC(C)=O",
    "formamide": "NC=O",
    "acetamide": "CC(N)=O",
    "N-methylacetamide": "CNC(C)=O",
    "dimethyl ether": "COC",
}
MAIN = "alanine dipeptide"


@dataclass(frozen=True)
class Labelling:
    """What the teacher is asked.

    A trajectory starts from a relaxed conformer (the main molecule: phi and psi from a grid), skips ``warmup`` steps
    and then keeps every ``stride``-th frame. A share of the frames kept is distorted and labelled as well.
    """

    method: str = "GFN2-xTB"
    temperatures: tuple[float, ...] = (300.0, 500.0, 800.0)
    timestep: float = 1.0
    steps: int = 150
    warmup: int = 20
    stride: int = 5
    distorted: float = 0.45
    grid: int = 24
    passes: int = 3
    cis: float = 0.1
    trajectories_small: int = 60
    largest_force: float = 40.0
    seed: int = 20250901


@dataclass(frozen=True)
class Network:
    """The student's form; lengths in angstrom."""

    hidden: int = 64
    blocks: int = 3
    basis: int = 20
    cutoff: float = 5.0
    envelope_exponent: int = 3
    repulsion_exponent: int = 6
    radius_scale: float = 0.8
    norm_epsilon: float = 1e-8


@dataclass(frozen=True)
class Training:
    """How the student learns; a step sees about so many frames, all of them in turn in a random order."""

    frames: int = 64
    learning_rate: float = 1e-3
    warmup_steps: int = 500
    energy_weight: float = 2.0
    force_scale: float = 0.05  # eV/angstrom: squares below, absolute values above
    energy_scale: float = 0.005  # eV per square root of atoms, likewise
    large_force: float = 10.0  # eV/angstrom: where a force starts to count less
    distorted_weight: float = 1.0  # of a distorted frame in the loss
    weight_decay: float = 0.0
    average: float = 0.999
    clip: float = 2.0
    seed: int = 1


@dataclass(frozen=True)
class Recipe:
    """All of it. The held-out trajectories are every ``holdout``-th of each molecule."""

    name: str
    main: tuple[str, str]
    small: dict[str, str]
    holdout: int = 12
    labelling: Labelling = field(default_factory=Labelling)
    network: Network = field(default_factory=Network)
    training: Training = field(default_factory=Training)

    @property
    def molecules(self) -> dict[str, str]:
        """SMILES by name, the main molecule first."""
        return {self.main[0]: self.main[1], **self.small}

    def label_hash(self) -> str:
        """A short hash of what decides the labels."""
        text = json.dumps([self.molecules, asdict(self.labelling)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def radii(self, elements: list[int]) -> list[float]:
        """The repulsion's radii in angstrom: so short that it acts only inside normal bond lengths."""
        return [self.network.radius_scale * COVALENT_RADII[number] for number in elements]


FIRST_STUDENT = Recipe("alanine-dipeptide", (MAIN, "CC(=O)N[C@@H](C)C(=O)NC"), _SMALL)
"""The student that comes with the package."""


def quick(recipe: Recipe) -> Recipe:
    """The same in miniature, to try the machinery in seconds; the student that comes out is of no use."""
    return replace(
        recipe,
        name=recipe.name + "-quick",
        small={name: recipe.small[name] for name in ("water", "methane")},
        holdout=3,
        labelling=replace(recipe.labelling, steps=12, warmup=2, grid=2, passes=1, trajectories_small=3),
        network=replace(recipe.network, hidden=16, blocks=2, basis=8),
        training=replace(recipe.training, frames=8, warmup_steps=10, average=0.9),
    )
