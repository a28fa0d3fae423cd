# SPDX-License-Identifier: MIT
"""The library of molecules, their structures, and recipes in files."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

pytest.importorskip("rdkit", reason="the library needs rdkit (requirements/distil.txt)")

from rdkit import Chem  # noqa: E402

from openmmpainn.distil import recipe  # noqa: E402
from openmmpainn.distil.fragments import HELD_OUT_SCAFFOLDS, RESIDUES
from openmmpainn.distil.library import ELEMENTS, Entry, hash_holds_out, is_held_out, make_library
from openmmpainn.distil.structure_set import StructureSet, embed


@pytest.fixture(scope="module")
def entries():
    return make_library(900)


def test_molecules_are_neutral_whole_and_unique(entries):
    assert len(entries) == 900 == len({entry.smiles for entry in entries})
    sizes, seen = [], set()
    for entry in entries:
        molecule = Chem.AddHs(Chem.MolFromSmiles(entry.smiles))
        assert Chem.MolToSmiles(Chem.MolFromSmiles(entry.smiles)) == entry.smiles
        assert "." not in entry.smiles and Chem.GetFormalCharge(molecule) == 0
        numbers = [atom.GetAtomicNum() for atom in molecule.GetAtoms()]
        assert not any(atom.GetNumRadicalElectrons() for atom in molecule.GetAtoms())
        sizes.append(len(numbers))
        seen |= set(numbers)
    assert seen == set(ELEMENTS)
    assert max(sizes) <= 60 and 15 < np.mean(sizes) < 25
    found = {entry.smiles for entry in entries}
    for residue in RESIDUES.values():
        assert Chem.CanonSmiles(f"CC(=O){residue}NC") in found


def test_the_seed_decides(entries):
    assert make_library(300, seed=3) == make_library(300, seed=3) != make_library(300, seed=4)
    with pytest.raises(ValueError, match="at least one molecule, not 0"):
        make_library(0)


def test_whole_ring_systems_are_held_out(entries):
    patterns = [Chem.MolFromSmiles(smiles) for smiles in HELD_OUT_SCAFFOLDS]
    for entry in entries:
        hit = any(Chem.MolFromSmiles(entry.smiles).HasSubstructMatch(pattern) for pattern in patterns)
        assert entry.held_out == (hit or hash_holds_out(entry.smiles))
        assert (entry.kind == "held-out ring system") == hit
    assert 0.03 < np.mean([entry.held_out for entry in entries]) < 0.15


def test_structures_come_back_from_the_file(tmp_path):
    wanted = [Entry("CC(=O)NC", "amide"), Entry("[H][H]", "small", True), Entry("CCS(=O)(=O)Cl", "sulfur")]
    made = embed(wanted, conformers=2, processes=0)
    made.save(tmp_path / "molecules.npz")
    read = StructureSet.load(tmp_path / "molecules.npz")
    assert read.molecules == made.molecules and read.hash() == made.hash()
    assert [is_held_out(molecule) for molecule in read.molecules] == [False, True, False]
    for ours, theirs, molecule in zip(made.structures, read.structures, read.molecules, strict=True):
        assert theirs.shape == (2, len(molecule.numbers), 3)
        np.testing.assert_allclose(ours, theirs, atol=5.1e-4)
        lengths = np.array([np.linalg.norm(theirs[:, a] - theirs[:, b], axis=-1) for a, b in molecule.bonds])
        assert lengths.min() > 0.6 and lengths.max() < 2.3
    (tmp_path / "other.npz").write_bytes(b"text")
    with pytest.raises(ValueError, match="no file of molecules"):
        StructureSet.load(tmp_path / "other.npz")


def test_recipes_come_from_files(tmp_path):
    assert recipe.names() == ["alanine-dipeptide", "organic-small", "organic-standard"]
    small, standard = recipe.named("organic-small"), recipe.named("organic-standard")
    assert small.label_hash() == standard.label_hash() and small.library == standard.library
    assert (small.network.hidden, standard.network.hidden) == (64, 128)
    assert standard.labelling.temperatures == (300.0, 500.0, 800.0)
    assert recipe.named("alanine-dipeptide").label_hash() == "a519e7d441b447b3"
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"library": {"size": 7}, "network": {"cutoff": 4}}))
    mine = recipe.read_recipe(path)
    assert mine.name == "mine" and mine.library.size == 7 and mine.network.cutoff == 4.0
    assert mine.labelling == dataclasses.replace(recipe.Labelling())
    for text, sentence in (
        ('{"network": {"width": 3}}', "has no 'width'; it has hidden"),
        ('{"network": {"hidden": "x"}}', "hidden is 'x'; it is a int such as 64"),
        ('{"nets": {}}', "holds 'nets'; a recipe has"),
        ("[", "cannot be read"),
    ):
        path.write_text(text)
        with pytest.raises(ValueError, match=sentence):
            recipe.read_recipe(path)
    with pytest.raises(ValueError, match="there is no recipe 'x'; there are alanine-dipeptide"):
        recipe.named("x")
