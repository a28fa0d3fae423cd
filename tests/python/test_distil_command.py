# SPDX-License-Identifier: MIT
"""``openmmpainn distil`` in miniature: molecules, labels, training, model file with its domain; and what is refused."""

from __future__ import annotations

import os

import numpy as np
import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
pytest.importorskip("rdkit", reason="distilling needs rdkit (requirements/distil.txt)")
pytest.importorskip("torch", reason="distilling needs torch")
try:
    from tblite.interface import Calculator  # noqa: F401
except ImportError as error:
    pytest.skip(f"distilling needs tblite (requirements/distil.txt): {error}", allow_module_level=True)

from openmmpainn import PaiNNStudentModel, cli
from openmmpainn.distil.recipe import Recipe
from openmmpainn.distil.sources import read_molecules
from openmmpainn.distil.store import LabelStore
from openmmpainn.modelfile import read_model

RECIPE = """
[library]
conformers = 1
[labelling]
timestep = 2
lightest_mass = 6
steps = 16
warmup = 4
stride = 4
passes = 1
distorted = 0.5
[network]
hidden = 8
blocks = 1
basis = 6
[training]
warmup_steps = 5
average = 0.5
"""
SMILES = "C CC CCC O CO CCO N CN C=O CC=O C=C C#C C#N CC#N COC CF CCF CS CCl C1CC1 OC=O NC=O".split()  # noqa: SIM905


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("distil-command")
    (folder / "tiny.toml").write_text(RECIPE)
    (folder / "molecules.smi").write_text("# molecules\n" + "\n".join(f"{smiles} name" for smiles in SMILES) + "\n")
    return folder


def _distil(folder, *more):
    words = (
        "--molecules",
        folder / "molecules.smi",
        "--recipe",
        folder / "tiny.toml",
        "--out",
        folder / "m.safetensors",
    )
    options = ("--teacher", "gfn2", "--processes", "2", "--device", "cpu")
    return cli.main(["distil", *map(str, words), *options, *more])


def test_one_command_makes_a_student_and_goes_on(folder, capfd):
    """The model is one that the plugin loads; what is there already is taken and not made again."""
    assert _distil(folder, "--train-steps", "20", "--label-time", "1000") == 0
    labels = folder / "m-labels"
    times = {path.name: path.stat().st_mtime_ns for path in labels.glob("frames-*.npz")}
    assert sum(LabelStore(labels).done().values()) == len(SMILES)
    model = PaiNNStudentModel(str(folder / "m.safetensors"))
    assert list(model.getElements()) == [1, 6, 7, 8, 9, 16, 17]
    for suffix in (".png", ".json", ".md"):
        assert (folder / f"m{suffix}").stat().st_size > 500
    metadata, _ = read_model(folder / "m.safetensors")
    origin = metadata["provenance"]
    shortest = dict(zip(origin["domain_pairs"], origin["domain_shortest_distances"], strict=True))
    assert 0.4 < shortest["H-C"] < 1.1 and 0.9 < shortest["C-C"] < 1.5
    assert {"H-C", "C-C", "C-N", "C-O", "C-F", "C-S", "C-Cl"} <= set(origin["domain_bonded_pairs"])
    assert "H-H" not in origin["domain_bonded_pairs"]
    assert _distil(folder, "--train-steps", "25") == 0
    assert times == {path.name: path.stat().st_mtime_ns for path in labels.glob("frames-*.npz")}
    assert f"labels: {len(SMILES)} of {len(SMILES)} trajectories" in capfd.readouterr().out


def test_molecules_come_from_structures(tmp_path):
    """Frames with the same atoms are conformers of one molecule, with the bonds that their distances tell."""
    from ase.build import molecule
    from ase.io import write

    water, methanol = molecule("H2O"), molecule("CH3OH")
    other = water.copy()
    other.rattle(0.05, seed=3)
    write(tmp_path / "some.extxyz", [water, methanol, other])
    made = read_molecules(str(tmp_path / "some.extxyz"), Recipe("x"))
    found = dict(zip((len(each.numbers) for each in made.molecules), range(2), strict=True))
    assert made.structures[found[3]].shape == (2, 3, 3) and made.structures[found[6]].shape == (1, 6, 3)
    assert set(made.molecules[found[3]].bonds) == {(0, 1), (0, 2)} and len(made.molecules[found[6]].bonds) == 5
    np.testing.assert_allclose(made.structures[found[3]][1], other.positions - other.positions.mean(axis=0), atol=1e-7)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("--out", "m.pt"), "a model file ends in .safetensors"),
        (("--processes", "0"), "--processes is 0; it must be positive"),
        (("--train-steps", "5", "--train-time", "5"), "given twice"),
        (("--teacher", "gfn9"), "none of gfn2, gfn1 and not module:function"),
        (("--recipe", "organic"), "there is no recipe 'organic'; there are"),
        (("--recipe", "alanine-dipeptide"), "of molecules of its own"),
        (("--molecules", "absent.smi"), "there is no file 'absent.smi'"),
    ],
)
def test_bad_input_is_one_sentence(folder, capsys, change, sentence):
    assert _distil(folder, *change) == 2
    error = capsys.readouterr().err
    assert sentence in error and error.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("C\nnothing\n", "line 2 of '.*', 'nothing', is no SMILES"),
        ("C[NH3+]\n", "has the charge 1"),
        ("C.O\n", "more than one molecule"),
        ("# none\n", "holds no SMILES"),
    ],
)
def test_bad_molecules_are_one_sentence(tmp_path, text, sentence):
    (tmp_path / "x.smi").write_text(text)
    with pytest.raises(ValueError, match=sentence):
        read_molecules(str(tmp_path / "x.smi"), Recipe("x"))


def test_few_molecules_get_more_trajectories(folder, capsys):
    """Of one molecule whole trajectories are held out; with a single one there is nothing to hold out."""
    (folder / "one.smi").write_text("CO\n")
    (folder / "few.toml").write_text(RECIPE.replace("passes = 1", "passes = 1\ntrajectories = 24"))
    files = ("--molecules", str(folder / "one.smi"), "--out", str(folder / "one.safetensors"), "--processes", "1")
    assert cli.main(["distil", *files, "--recipe", str(folder / "tiny.toml"), "--train-steps", "5"]) == 2
    assert "1 molecules with one trajectory each" in capsys.readouterr().err
    assert cli.main(["distil", *files, "--recipe", str(folder / "few.toml"), "--train-steps", "5"]) == 0
    assert LabelStore(folder / "one-labels").done() == dict.fromkeys(range(24), 1)
    assert PaiNNStudentModel(str(folder / "one.safetensors")).getName() == "one"
