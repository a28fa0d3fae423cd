# SPDX-License-Identifier: MIT
"""Every choice of a distillation in one place."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field, replace

from . import recipe_file
from .distortions import COVALENT_RADII

__all__ = [
    "FIRST_STUDENT",
    "Labelling",
    "Library",
    "Network",
    "Recipe",
    "Training",
    "named",
    "names",
    "quick",
    "read_recipe",
]

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
    and then keeps every ``stride``-th frame. A share of the frames kept is distorted and labelled as well. ``grid``,
    ``passes`` over it, ``cis`` and ``trajectories_small`` are of recipes with a main molecule; where there is a
    library, ``passes`` counts trajectories of each molecule.
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
    friction: float = 0.02  # 1/fs
    lightest_mass: float = 0.0  # amu: lighter atoms weigh that much
    trajectories: int = 0  # of a library or file: more passes where the molecules are so few that this is not reached


@dataclass(frozen=True)
class Library:
    """Of library.make_library() and structure_set.embed()."""

    size: int = 6000
    seed: int = 8
    conformers: int = 2


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
    """All of it.

    Either a main molecule and small ones, by name and SMILES, of which every ``holdout``-th trajectory is held out, or
    many molecules from a library (or from a file of structures), of which whole molecules are held out.
    """

    name: str
    main: tuple[str, str] | None = None
    small: dict[str, str] = field(default_factory=dict)
    holdout: int = 12
    labelling: Labelling = field(default_factory=Labelling)
    network: Network = field(default_factory=Network)
    training: Training = field(default_factory=Training)
    library: Library | None = None

    @property
    def molecules(self) -> dict[str, str]:
        """SMILES by name, the main molecule first; none where they come from a library."""
        return {**({self.main[0]: self.main[1]} if self.main else {}), **self.small}

    def label_hash(self) -> str:
        """A short hash of what decides the labels."""
        # At their defaults the later choices are left out, so that recipes older than they are keep their hash. The
        # number of trajectories decides how many there are, and not what they are.
        choices, defaults = asdict(self.labelling), asdict(Labelling())
        del choices["trajectories"]
        for key in ("friction", "lightest_mass"):
            if choices[key] == defaults[key]:
                del choices[key]
        text = json.dumps([self.molecules, choices], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def radii(self, elements: list[int]) -> list[float]:
        """The repulsion's radii in angstrom: so short that it acts only inside normal bond lengths."""
        return [self.network.radius_scale * COVALENT_RADII[number] for number in elements]


FIRST_STUDENT = Recipe("alanine-dipeptide", (MAIN, "CC(=O)N[C@@H](C)C(=O)NC"), _SMALL)
"""The student that comes with the package."""


def names() -> list[str]:
    """Of the recipes that come with the package."""
    return [FIRST_STUDENT.name, *recipe_file.students(recipe_file.ORGANIC)]


def named(name: str) -> Recipe:
    """A recipe that comes with the package.

    Raises
    ------
    ValueError
        If there is none of this name.
    """
    if name not in names():
        raise ValueError(f"there is no recipe {name!r}; there are {', '.join(names())}")
    return FIRST_STUDENT if name == FIRST_STUDENT.name else read_recipe(recipe_file.ORGANIC, name)


def read_recipe(path: str | os.PathLike[str], student: str | None = None) -> Recipe:
    """A recipe from a TOML or JSON file: tables ``library``, ``labelling``, ``network`` and ``training``.

    Parameters
    ----------
    path : path
        Keys are the attributes of Library, Labelling, Network and Training; what is absent keeps its default.
    student : str, optional
        Of a file with several ``students``: the one whose ``network`` and ``training`` are taken, and its name.

    Raises
    ------
    ValueError
        If a table, a key or a value is not one of these.
    """
    tables = recipe_file.read(path, student)
    kinds = {"library": Library, "labelling": Labelling, "network": Network, "training": Training}
    parts = {key: recipe_file.fill(kinds[key], tables[key], f"'{path}': {key}") for key in kinds if key in tables}
    return Recipe(tables["name"], **{"library": Library(), **parts})


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
