# SPDX-License-Identifier: MIT
"""The command line: what it prints, its exit codes, and one sentence for each thing that is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import openmm
import pytest

from models import random_model
from openmmpainn import PaiNNStudentForce, PaiNNStudentModel, cli
from openmmpainn.boxes import reduced_box

pytest.importorskip("ase", reason="ase, which reads structures, is not installed")
import ase.io  # noqa: E402 (after the skip)

EV = 96.4853321233  # kJ/mol


@pytest.fixture
def run(capsys):
    """Run the command in this process: exit code, stdout, stderr."""

    def call(*arguments):
        try:
            code = cli.main([str(argument) for argument in arguments])
        except SystemExit as exit:
            code = exit.code
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def direct(path, numbers, positions, box=None):
    """Energy (kJ/mol) and forces (kJ/mol/nm) without the command line."""
    system, force = openmm.System(), PaiNNStudentForce(PaiNNStudentModel(str(path)))
    for i, number in enumerate(numbers):
        system.addParticle(1.0)
        force.addParticle(i, int(number))
    if box is not None:
        system.setDefaultPeriodicBoxVectors(*box)
        force.setUsesPeriodicBoundaryConditions(True)
    system.addForce(force)
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatform("Reference"))
    context.setPositions(positions)
    state = context.getState(energy=True, forces=True)
    return state.getPotentialEnergy()._value, np.array(state.getForces(asNumpy=True)._value)


@pytest.fixture
def frames(ethanol, tmp_path):
    """A file of three frames: ethanol twice, then its methyl carbon and a hydrogen alone."""
    topology, positions = ethanol
    numbers = [atom.element.atomic_number for atom in topology.atoms()]
    moved = positions + np.random.default_rng(3).normal(scale=0.003, size=positions.shape)
    images = [
        ase.Atoms(numbers, positions * 10),
        ase.Atoms(numbers, moved * 10),
        ase.Atoms([6, 1], positions[[0, 3]] * 10),
    ]
    path = tmp_path / "frames.xyz"
    ase.io.write(path, images, format="extxyz")
    return path, [ase.io.read(path, index=i) for i in range(3)]


def test_evaluate_json(run, model_path, frames):
    path, images = frames
    code, out, err = run("evaluate", model_path, path, "--json")
    assert code == 0 and err == ""
    results = json.loads(out)
    assert isinstance(results, list) and len(results) == 3
    for result, image in zip(results, images, strict=True):
        assert set(result) == {"energy", "forces", "units"}
        assert result["units"] == ["kJ/mol", "kJ/mol/nm"]
        energy, forces = direct(model_path, image.numbers, image.positions / 10)
        assert result["energy"] == pytest.approx(energy, rel=1e-13)
        assert np.allclose(result["forces"], forces, rtol=1e-12, atol=1e-12 * np.abs(forces).max())


def test_evaluate_in_electronvolt(run, canonical_path, frames):
    path, _ = frames
    usual = json.loads(run("evaluate", canonical_path, path, "--json")[1])
    other = json.loads(run("evaluate", canonical_path, path, "--json", "--units", "eV-A")[1])
    for a, b in zip(usual, other, strict=True):
        assert b["units"] == ["eV", "eV/angstrom"]
        assert b["energy"] * EV == pytest.approx(a["energy"], rel=1e-14)
        assert np.allclose(np.array(b["forces"]) * EV * 10, a["forces"], rtol=1e-13, atol=0)


def test_evaluate_text(run, canonical_path, frames):
    code, out, _ = run("evaluate", canonical_path, frames[0])
    assert code == 0
    lines = [line for line in out.splitlines() if not line.startswith("Warning: ")]
    assert sum("energy" in line for line in lines) == 3 and len(lines) == 2 * 3 + 9 + 9 + 2


def test_evaluate_on_every_platform(run, canonical_path, frames):
    expected = json.loads(run("evaluate", canonical_path, frames[0], "--json")[1])
    found = json.loads(run("evaluate", canonical_path, frames[0], "--json", "--platform", "CPU")[1])
    for a, b in zip(expected, found, strict=True):
        assert np.allclose(a["forces"], b["forces"], rtol=0, atol=3e-5 * np.sqrt(np.mean(np.square(a["forces"]))))


@pytest.mark.parametrize("cell_kind", ["cubic", "triclinic", "rotated", "left-handed", "skewed", "flat"])
def test_periodic(run, canonical_path, tmp_path, cell_kind):
    rng = np.random.default_rng(5)
    cell = np.array([[1.15, 0, 0], [0.3, 1.2, 0], [-0.2, 0.4, 1.25]])  # nm
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    cell = {
        "cubic": 1.1 * np.eye(3),
        "triclinic": cell,
        "rotated": cell @ turn,
        "left-handed": cell[[1, 0, 2]] @ turn,
        # Opposite faces are closer than twice the cutoff, lattice points are not.
        "flat": np.array([[1.05, 0, 0], [0.52, 1.02, 0], [0.5, 0.5, 1.04]]),
        "skewed": np.array([cell[0] + 2 * cell[1], cell[1] - cell[2], cell[2] + 3 * cell[0]]),
    }[cell_kind]
    positions = rng.uniform(0, 1, size=(20, 3)) @ cell
    numbers = rng.choice([1, 6, 7, 8], size=20)
    path = tmp_path / "periodic.xyz"
    ase.io.write(path, ase.Atoms(numbers, positions * 10, cell=cell * 10, pbc=True), format="extxyz")
    stored = ase.io.read(path)
    code, out, err = run("evaluate", canonical_path, path, "--periodic", "--json")
    assert code == 0, err
    [result] = json.loads(out)
    # The truth: the 0.5 nm environment of each atom made explicit, images outside OpenMM's periodic code.
    energy, forces = explicit_images(canonical_path, numbers, stored.positions / 10, stored.cell.array / 10)
    assert result["energy"] == pytest.approx(energy, rel=1e-10)
    assert np.allclose(result["forces"], forces, rtol=0, atol=1e-9 * np.abs(forces).max())


def explicit_images(path, numbers, positions, cell):
    """The periodic energy per cell and its forces, from a cluster of all images within two message ranges."""
    reach = 1.01  # nm: two blocks of 0.5 nm
    grid = np.array(np.meshgrid(*[range(-7, 8)] * 3, indexing="ij")).reshape(3, -1).T
    images = (positions[None] + (grid @ cell)[:, None]).reshape(-1, 3)
    all_numbers = np.tile(numbers, len(grid))
    home = len(positions) * int(np.flatnonzero((grid == 0).all(axis=1))[0])
    near = np.zeros(len(images), dtype=bool)
    near[home : home + len(positions)] = True
    for position in positions:
        near |= np.linalg.norm(images - position, axis=1) < 2 * reach
    order = np.concatenate([np.arange(home, home + len(positions)), np.flatnonzero(near)])
    order = order[np.sort(np.unique(order, return_index=True)[1])]
    model = PaiNNStudentModel(str(path))
    system, force = openmm.System(), PaiNNStudentForce(model)
    for i, number in enumerate(all_numbers[order]):
        system.addParticle(1.0)
        force.addParticle(i, int(number))
    system.addForce(force)
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatform("Reference"))
    context.setPositions(images[order])
    count = len(positions)
    energies = force.getParticleEnergies(context)._value
    forces = np.array(context.getState(forces=True).getForces(asNumpy=True)._value)
    return sum(energies[:count]), forces[:count]


def test_box_reduction():
    rng = np.random.default_rng(0)
    for _ in range(200):
        cell = rng.normal(size=(3, 3))
        box, rotation = reduced_box(cell)
        assert np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-12) and np.linalg.det(rotation) > 0
        assert box[0, 1] == box[0, 2] == box[1, 2] == 0 and np.diag(box).min() > 0
        assert abs(box[1, 0]) <= box[0, 0] / 2 * (1 + 1e-12) and abs(box[2, 0]) <= box[0, 0] / 2 * (1 + 1e-12)
        assert abs(box[2, 1]) <= box[1, 1] / 2 * (1 + 1e-12)
        # The same lattice: each set of vectors is an integer combination of the other.
        integers = box @ rotation @ np.linalg.inv(cell)
        assert np.allclose(integers, np.round(integers), atol=1e-9)
        assert abs(abs(np.linalg.det(integers)) - 1) < 1e-9


def test_info(run, model_path):
    code, out, err = run("info", model_path, "--json")
    summary = json.loads(out)
    model = PaiNNStudentModel(model_path)
    assert code == 0 and err == ""
    assert summary["sha256"] == model.getHash() and summary["warnings"] == list(model.getWarnings())
    assert summary["cutoff"] == 0.5 and summary["elements"] == [1, 6, 7, 8]
    code, out, _ = run("info", model_path)
    assert code == 0 and model.getHash() in out and all(warning in out for warning in model.getWarnings())


def test_version(run):
    code, out, _ = run("--version")
    assert code == 0 and out.startswith("openmmpainn ") and openmm.Platform.getOpenMMVersion() in out


def written(folder, name, text):
    path = folder / name
    path.write_text(text)
    return path


WATER = "3\n\nO 0 0 0\nH 0.96 0 0\nH -0.24 0.93 0\n"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (lambda m, t: [], "COMMAND"),
        (lambda m, t: ["evaluate", m], "STRUCTURES"),
        (lambda m, t: ["evaluate", m, t / "absent.xyz"], "there is no file"),
        (lambda m, t: ["evaluate", m, t], "is a folder"),
        (lambda m, t: ["evaluate", m, written(t, "a.xyz", "2\n\nO 0 0 0\nH zero 0 0\n")], "cannot be read"),
        (lambda m, t: ["evaluate", m, written(t, "a.xyz", "0\n\n")], "no atoms"),
        (lambda m, t: ["evaluate", m, written(t, "a.xyz", "")], "a.xyz"),
        (lambda m, t: ["evaluate", m, written(t, "a.xyz", WATER + "1\n\nS 0 0 0\n")], "frame 1"),
        (lambda m, t: ["evaluate", m, written(t, "a.xyz", WATER + "1\n\nS 0 0 0\n")], "it knows H, C, N, O"),
        (lambda m, t: ["evaluate", m, written(t, "a.xyz", "1\n\nH nan 0 0\n")], "not a finite number"),
        (lambda m, t: ["evaluate", m, written(t, "a.xyz", "2\n\nH 0 0 0\nH 0 0 0\n")], "same"),
        (lambda m, t: ["evaluate", m, written(t, "a.xyz", WATER), "--periodic"], "no cell"),
        (
            lambda m, t: [
                "evaluate",
                m,
                written(t, "a.xyz", WATER.replace("\n\n", '\nLattice="9.9 0 0 0 20 0 0 0 20"\n')),
                "--periodic",
            ],
            "at least twice the cutoff of the model, 1 nm",
        ),
        (
            lambda m, t: [
                "evaluate",
                m,
                written(t, "a.xyz", WATER.replace("\n\n", '\nLattice="20 0 0 0 20 0 0 0 20" pbc="T T F"\n')),
                "--periodic",
            ],
            "periodic along a and b only",
        ),
        (lambda m, t: ["evaluate", m, written(t, "a.xyz", WATER), "--platform", "Abacus"], "Reference"),
        (lambda m, t: ["evaluate", m, written(t, "a.xyz", WATER), "--units", "stone"], "stone"),
        (lambda m, t: ["info", t / "absent.safetensors"], "neither a file nor a bundled model"),
        (lambda m, t: ["info", written(t, "a.safetensors", "nonsense")], "a.safetensors"),
        (lambda m, t: ["convert", t / "absent.onnx", t / "out.safetensors"], "there is no file"),
        (lambda m, t: ["convert", m, t / "out.onnx"], "ends in .safetensors"),
        (lambda m, t: ["convert", m, t / "nowhere" / "out.safetensors"], "there is no folder"),
        (lambda m, t: ["convert", m, t / "out.safetensors", "--elements", "H,Qq"], "'Qq'"),
        (lambda m, t: ["convert", m, t / "out.safetensors"], "neither an ONNX file"),
        (lambda m, t: ["check", m, "--nve-steps", "-1"], "--nve-steps"),
    ],
)
def test_errors_are_one_sentence(run, canonical_path, tmp_path, arguments, expected):
    code, out, err = run(*arguments(canonical_path, tmp_path))
    assert code == 2
    assert out == ""
    assert expected in err and err.count("\n") == 1 and "Traceback" not in err


def test_student_is_not_rotated_silently(run, tmp_path):
    student = random_model(tmp_path / "student.safetensors", "student")
    turned = WATER.replace("\n\n", '\nLattice="0 20 0 20 0 0 0 0 20"\n')
    code, _, err = run("evaluate", student, written(tmp_path, "a.xyz", turned), "--periodic")
    assert code == 2 and "not rotation invariant" in err


def test_published_network(run, tmp_path):
    """From the published ONNX file to energies (1e-9) and forces (1e-8 eV/angstrom) of the original program."""
    published = Path(os.environ.get("PAINN_PUBLISHED", Path(__file__).resolve().parents[3] / "shared" / "published"))
    if not (published / "student_model.onnx").exists():
        pytest.skip(f"the published network is not at {published} (set PAINN_PUBLISHED)")
    pytest.importorskip("onnx", reason="onnx, which reads ONNX files, is not installed")
    expected = json.loads((published / "student_model_reference.json").read_text())
    model, path = tmp_path / "published.safetensors", tmp_path / "frames.json"
    code, out, err = run("convert", published / "student_model.onnx", model, "--elements", "H,C,N,O,S", "--json")
    assert code == 0, err
    summary = json.loads(out)
    assert summary["elements"] == [1, 6, 7, 8, 16] and len(summary["warnings"]) >= 4
    ase.io.write(path, [ase.Atoms(frame["numbers"], frame["positions"]) for frame in expected])
    code, out, err = run("evaluate", model, path, "--units", "eV-A", "--json")
    assert code == 0, err
    for found, frame in zip(json.loads(out), expected, strict=True):
        assert found["energy"] == pytest.approx(frame["energy"], rel=1e-9)
        assert np.abs(np.array(found["forces"]) - frame["forces"]).max() < 1e-8


def test_runs_as_a_module(canonical_path, tmp_path):
    """In a process of its own: nothing but the JSON on stdout, whatever the libraries say."""
    path = written(tmp_path, "water.xyz", WATER)
    command = [sys.executable, "-m", "openmmpainn.cli", "evaluate", canonical_path, str(path), "--json"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    assert len(json.loads(result.stdout)) == 1
