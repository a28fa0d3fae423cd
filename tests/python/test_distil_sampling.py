# SPDX-License-Identifier: MIT
"""Labels of many molecules: frames, the store, taking up again, shares, and teachers of one's own."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before tblite: its threads only wait for each other in small molecules
pytest.importorskip("rdkit", reason="structures need rdkit (requirements/distil.txt)")
try:
    from tblite.interface import Calculator  # noqa: F401
except ImportError as error:
    pytest.skip(f"labels need tblite (requirements/distil.txt): {error}", allow_module_level=True)

from openmmpainn.distil.dataset import load
from openmmpainn.distil.library import Entry
from openmmpainn.distil.recipe import Labelling, Library, Recipe
from openmmpainn.distil.sampling import intact, label_set, plan_set
from openmmpainn.distil.store import FrameFile, LabelStore
from openmmpainn.distil.structure_set import embed
from openmmpainn.distil.teacher import Teacher, TeacherError, make_teacher

CHOICES = Labelling(
    timestep=2.0, lightest_mass=6.0, friction=0.05, steps=24, warmup=8, stride=8, distorted=1.0, passes=2, seed=4
)
RECIPE = Recipe("tiny", labelling=CHOICES, library=Library())
SMILES = ("O", "C", "CO", "C=O", "CF", "CCl", "CS", "N", "C#N", "OC=O")


@pytest.fixture(scope="module")
def structures():
    return embed([Entry(smiles, "small") for smiles in SMILES], 2, 0)


@pytest.fixture(scope="module")
def labelled(structures, tmp_path_factory):
    folder = tmp_path_factory.mktemp("labels") / "whole"
    assert label_set(RECIPE, structures, folder, 0) == (20, 20)
    return folder


def test_frames_are_what_the_teacher_says(structures, labelled):
    """Energies and forces of the store, with its rounding, are those of the teacher at the positions of the store."""
    frames = load(RECIPE, labelled)
    assert [each.molecule for each in frames.values()] == list(structures.molecules)
    for each in frames.values():
        assert len(each) >= 4 and set(each.trajectories) == {0, 1}
        assert (each.temperatures < 0).any() and (each.temperatures > 0).any()
        teacher = Teacher(each.molecule.numbers)
        for k in (0, len(each) - 1):
            energy, forces = teacher(each.positions[k].astype(float))
            assert each.energies[k] == pytest.approx(energy, abs=2e-3)
            np.testing.assert_allclose(each.forces[k], forces, atol=5e-3)
        for k in np.flatnonzero(each.temperatures > 0):
            assert intact(each.molecule, each.positions[k])


def test_a_molecule_that_reacts_is_noticed(structures):
    water, x = structures.molecules[0], structures.structures[0][0]
    assert intact(water, x)
    assert not intact(water, x + np.array([[0.0, 0, 0], [1.0, 0, 0], [0, 0, 0]]))
    away = x.copy()
    away[2] = x[1] + [0.0, 0.0, 0.5]
    assert not intact(water, away)


def test_shares_and_packed_files_are_the_whole(structures, labelled, tmp_path):
    """Two shares, in parts and packed, put into one folder, give the frames of one run, each once."""
    few = dataclasses.replace(RECIPE, labelling=dataclasses.replace(CHOICES, passes=2))
    assert label_set(few, structures, tmp_path / "a", 0, share=(0, 2)) == (10, 10)
    assert label_set(few, structures, tmp_path / "b", 1, share=(1, 2)) == (10, 10)
    (packed,) = LabelStore(tmp_path / "b").pack(tmp_path / "packed")
    (tmp_path / "a" / packed.name).write_bytes(packed.read_bytes())
    (tmp_path / "a" / "frames-99999.npz").write_bytes(packed.read_bytes())
    whole, together = LabelStore(labelled).frames(), LabelStore(tmp_path / "a").frames()
    np.testing.assert_array_equal(whole.trajectories, together.trajectories)
    np.testing.assert_array_equal(whole.molecule, together.molecule)
    np.testing.assert_allclose(whole.positions, together.positions, atol=1e-4)
    np.testing.assert_allclose(whole.energies, together.energies, atol=1e-3)
    assert LabelStore(tmp_path / "a").done() == {0: 10, 1: 10}
    assert label_set(few, structures, tmp_path / "a", 0) == (20, 20)


def test_a_store_that_was_hardly_begun_is_taken_up(structures, labelled, tmp_path):
    """Killed before the molecules were written, or while the first file was."""
    folder = tmp_path / "begun"
    folder.mkdir()
    (folder / "recipe.json.part").write_text("{")
    assert not LabelStore.exists(folder)
    store = LabelStore.create(folder, structures, RECIPE.label_hash())
    (folder / "molecules.npz").unlink()
    store = LabelStore.create(folder, structures, RECIPE.label_hash())
    assert store.structures().hash() == structures.hash() == LabelStore(labelled).structures().hash()
    with pytest.raises(ValueError, match="holds no frame"):
        store.frames()


def test_shares_are_disjoint_and_meet_all_molecules():
    whole = plan_set(105, range(3))
    shares = [plan_set(105, range(3), (k, 2)) for k in (0, 1)]
    assert sorted(chunk.index for share in shares for chunk in share) == [chunk.index for chunk in whole]
    assert {chunk.first for chunk in shares[0]} == set(range(0, 105, 20)) == {chunk.first for chunk in shares[1]}
    assert plan_set(105, range(2, 3)) == whole[12:]


def test_what_is_missing_is_labelled_and_nothing_else(structures, labelled, tmp_path):
    """Out of time, the part of a chunk that is done is kept, and the next run goes on behind it."""
    whole = LabelStore(labelled).frames()
    done = 0
    for _ in range(200):
        before = done
        done, planned = label_set(RECIPE, structures, tmp_path / "parts", 0, seconds=0.05)
        assert before <= done <= planned == 20
        if done == planned:
            break
    assert done == planned
    parts = LabelStore(tmp_path / "parts").frames()
    np.testing.assert_array_equal(whole.molecule, parts.molecule)
    np.testing.assert_allclose(whole.positions, parts.positions, atol=1e-4)
    other = dataclasses.replace(RECIPE, labelling=dataclasses.replace(CHOICES, seed=5))
    with pytest.raises(ValueError, match="holds labels of another recipe"):
        label_set(other, structures, tmp_path / "parts", 0)
    with pytest.raises(ValueError, match="share 2 of 2 does not exist"):
        label_set(RECIPE, structures, tmp_path / "parts", 0, share=(2, 2))
    (tmp_path / "else").mkdir()
    (tmp_path / "else" / "file").touch()
    with pytest.raises(ValueError, match="is not empty"):
        label_set(RECIPE, structures, tmp_path / "else", 0)


def test_kill_loses_nothing(structures, tmp_path):
    """After kill -9 of the parent its workers end, the files are whole, and the next run goes on."""
    structures.save(tmp_path / "molecules.npz")
    script = tmp_path / "run.py"
    script.write_text(
        "import dataclasses\n"
        "from openmmpainn.distil.recipe import Labelling, Library, Recipe\n"
        "from openmmpainn.distil.sampling import label_set\n"
        "from openmmpainn.distil.structure_set import StructureSet\n"
        "if __name__ == '__main__':\n"
        f"    recipe = Recipe('long', labelling=Labelling(**{{**{dataclasses.asdict(CHOICES)!r}, 'passes': 400}}))\n"
        f"    label_set(recipe, StructureSet.load({str(tmp_path / 'molecules.npz')!r}), {str(tmp_path / 'l')!r}, 1)\n"
    )
    process = subprocess.Popen([sys.executable, script], start_new_session=True)
    store = LabelStore(tmp_path / "l")
    for _ in range(600):
        if len(store.files()) >= 3:
            break
        time.sleep(0.05)
    assert len(store.files()) >= 3
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    for _ in range(100):
        if not _alive(process.pid):
            break
        time.sleep(0.1)
    assert not _alive(process.pid)
    done = sum(store.done().values())
    recipe = Recipe("long", labelling=dataclasses.replace(CHOICES, passes=400))
    after, _ = label_set(recipe, structures, tmp_path / "l", 0, seconds=0.3)
    assert after > done >= 30
    assert len(store.frames().energies) > 2 * done


def _alive(session: int) -> bool:
    """Whether any process of a session runs."""
    for entry in os.listdir("/proc"):
        try:
            with open(f"/proc/{entry}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[3] == str(session) and fields[0] != "Z":
            return True
    return False


def test_any_calculator_of_ase_teaches(structures, tmp_path):
    """Energies and forces in eV and eV/angstrom are the calculator's own, and its failures those of a teacher."""
    from ase import Atoms
    from ase.calculators.emt import EMT

    source = tmp_path / "mine.py"
    source.write_text(
        "import numpy as np\n"
        "from ase.calculators.calculator import Calculator, CalculationFailed, all_changes\n"
        "class Springs(Calculator):\n"
        "    implemented_properties = ['energy', 'forces']\n"
        "    def calculate(self, atoms=None, properties=(), system_changes=all_changes):\n"
        "        super().calculate(atoms, properties, system_changes)\n"
        "        x = atoms.positions - atoms.positions.mean(axis=0)\n"
        "        if np.abs(x).max() > 50:\n"
        "            raise CalculationFailed('too far')\n"
        "        self.results = {'energy': 0.5 * (x**2).sum(), 'forces': -x}\n"
        "def make():\n    return Springs()\n"
        "nothing = 3\n"
    )
    water, x = structures.molecules[0], structures.structures[0][0]
    ours = make_teacher("ase.calculators.emt:EMT", water.numbers)(x)
    theirs = Atoms(numbers=water.numbers, positions=x, calculator=EMT())
    assert ours[0] == theirs.get_potential_energy()
    np.testing.assert_array_equal(ours[1], theirs.get_forces())
    teacher = make_teacher(f"{source}:make", water.numbers)
    assert teacher(x)[0] == pytest.approx(0.5 * ((x - x.mean(axis=0)) ** 2).sum())
    with pytest.raises(TeacherError, match="too far"):
        teacher(100 * x)
    recipe = dataclasses.replace(RECIPE, labelling=dataclasses.replace(CHOICES, method=f"{source}:make", passes=1))
    assert label_set(recipe, structures, tmp_path / "springs", 1) == (10, 10)
    for file in map(FrameFile.read, LabelStore(tmp_path / "springs").files()):
        assert np.isfinite(file.energies).all()
    for name, sentence in (
        ("gfn3", "none of gfn2, gfn1 and not module:function"),
        ("no_such_module:f", "cannot be imported"),
        ("ase.calculators.emt:nothing", "has no function 'nothing'"),
        (f"{source}:nothing", "has no function 'nothing'"),
        (f"{tmp_path}/absent.py:make", "does not exist"),
        ("builtins:dict", "no calculator of ASE"),
    ):
        with pytest.raises(ValueError, match=sentence):
            make_teacher(name, water.numbers)
