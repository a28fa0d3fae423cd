# SPDX-License-Identifier: MIT
"""The demo and the small examples run as they stand."""

from __future__ import annotations

import csv
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from openmm import app

from models import random_model
from openmmpainn import bundledModels
from openmmpainn.check.dynamics import Drift

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def run(script, *arguments, launcher=()):
    """Run an example, by mpiexec for one; what it printed."""
    command = [*launcher, sys.executable, str(EXAMPLES / script), *map(str, arguments)]
    environment = {key: value for key, value in os.environ.items() if key != "OPENMM_PLUGIN_DIR"}
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    assert result.returncode == 0, f"{result.stdout}\n{result.stderr}"
    return result.stdout


@pytest.fixture(scope="module")
def any_model(tmp_path_factory):
    """The first bundled model, or a weak random one where none is bundled."""
    if bundledModels():
        return bundledModels()[0]
    path = tmp_path_factory.mktemp("demo") / "m.safetensors"
    return random_model(
        path, "canonical", strength=1.0, envelope={"type": "polynomial", "p": 6}, repulsion={"type": "zbl", "p": 6}
    )


def test_demo(any_model, tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib, which draws the demo's picture, is not installed")
    output = tmp_path / "demo"
    printed = run(
        "alanine_dipeptide.py",
        "--model",
        any_model,
        "--steps",
        400,
        "--nve-steps",
        160,
        "--output",
        output,
        "--seed",
        3,
    )
    for word in ("Platform", "ns/day", "ms a step", "Energy drift", "Forces", "Warnings", "md.png"):
        assert word in printed
    assert "within the total energy's fluctuation" in printed or "beyond the total energy's fluctuation" in printed
    with open(output / "md.csv") as file:
        table = list(csv.DictReader(file))
    assert [int(row["step"]) for row in table] == list(range(20, 401, 20))
    values = np.array([[float(value) for value in row.values()] for row in table])
    assert np.isfinite(values).all()
    assert (np.abs(values[:, -2:]) <= 180).all() and (values[:, 4] > 0).all()
    assert app.PDBFile(str(output / "topology.pdb")).topology.getNumAtoms() == 22
    # The DCD header, then 4 frames of 3 x 22 floats.
    assert (output / "trajectory.dcd").stat().st_size >= 4 * 22 * 3 * 4
    assert (output / "md.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_small_examples(any_model, tmp_path):
    arguments = [] if bundledModels() else [any_model]  # as they stand, where a model is bundled
    lines = run("md_nvt.py", *arguments).splitlines()
    assert len(lines) == 11 and lines[-1].startswith("1000,")
    lines = run("lambda_scaling.py", *arguments).splitlines()
    energies = [float(line.split(": ")[1].split(" ")[0]) for line in lines if line.startswith("lambda")]
    slopes = [float(line.split("dE/dlambda ")[1]) for line in lines if line.startswith("lambda")]
    assert energies[0] == 0 and energies[1] == pytest.approx(energies[2] / 2, rel=1e-12)
    assert slopes == pytest.approx([energies[2]] * 3, rel=1e-12)


def test_nve(any_model):
    """A short run has a wide interval, and never says that there is no drift."""
    arguments = [] if bundledModels() else ["--model", any_model]
    lines = run("md_nve.py", "--picoseconds", 0.1, "--runs", 3, "--bar", 1e-4, *arguments).splitlines()
    slope, interval = (float(word) for word in lines[2].removeprefix("Slope: ").split()[:3:2])
    assert np.isfinite(slope) and interval > 1e-4
    assert lines[3].startswith(("Drift UNRESOLVED", "Drift FOUND")) and "none" not in lines[3]


@pytest.mark.parametrize(
    ("slope", "interval", "verdict"),
    [
        (1e-4, 2e-4, "none above 0.001"),
        (-1e-4, 2e-4, "none above 0.001"),
        (0.0, 2e-3, "UNRESOLVED"),
        (9e-4, 4e-4, "UNRESOLVED"),
        (1e-2, 5e-3, "UNRESOLVED"),  # within the 99.9 % interval
        (1.1e-3, 3e-4, "FOUND: the slope is no noise (+- 0.00069 would be, 99.9 %), though not surely beyond 0.001"),
        (-1e-2, 1e-3, "FOUND: the slope is no noise (+- 0.0023 would be, 99.9 %), beyond 0.001"),
        (np.nan, 1e-3, "FAILED"),
    ],
)
def test_nve_verdict(slope, interval, verdict):
    """Slopes (kT/ns per degree of freedom) of 8 runs, for a bar of 0.001."""
    spec = importlib.util.spec_from_file_location("md_nve", EXAMPLES / "md_nve.py")
    md_nve = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(md_nve)
    assert md_nve.judge(Drift(slope, interval, 2.286 * interval, 0.1), 1e-3, 5.0).startswith(verdict)


def test_npt(any_model):
    pytest.importorskip("openmmml", reason="openmmml is not installed")
    arguments = [] if bundledModels() else ["--model", any_model]
    lines = run("md_npt.py", "--picoseconds", 0.25, "--padding", 1.0, *arguments).splitlines()
    particles, described = (int(lines[0].split()[k]) for k in (0, -1))
    assert described == 22 and particles > 500
    density, error = (float(lines[1].split()[k]) for k in (1, 3))
    assert 0.7 < density < 1.1 and 0 < error < 0.1
    assert "errors are too small" in lines[3]  # so short a run says so
    narrowest, needed = (float(lines[-1].replace(";", "").split()[k]) for k in (2, -1))
    assert narrowest > needed == 1.6


def test_replicas_as_contexts(any_model, tmp_path):
    """All replicas go on from their checkpoints with the same bits, in the same process and in another one."""
    arguments = [20, tmp_path, *([] if bundledModels() else [any_model])]
    digests = []
    for start in (0, 20):
        lines = run("replicas_as_contexts.py", *arguments).splitlines()
        assert (lines[0] == "Going on at step 20") == (start > 0)
        assert [line.split(",")[0] for line in lines if line.count(",") == 2][-1] == str(start + 20)
        table = [line.split() for line in lines[-5:-1]]
        assert all(row[2] == row[3] and row[4:] == ["the", "same", "bits"] for row in table)
        assert len({digest for row in table for digest in row[1:3]}) == 8  # they move, each its way
        assert float(lines[-1].split()[0]) > 2
        digests.append(np.array(table)[:, 1:3])
    assert (digests[0][:, 1] == digests[1][:, 0]).all()


@pytest.mark.parametrize("level", ["contexts", "subsystems"])
def test_several_devices(any_model, level):
    pytest.importorskip("mpi4py", reason="mpi4py is not installed")
    folders = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    mpiexec = shutil.which("mpiexec", path=folders)
    assert mpiexec, "mpi4py is installed, but no mpiexec"
    few = ["--level", level, "--replicas", 5, "--iterations", 3, "--steps", 5]
    arguments = [] if bundledModels() else ["--model", any_model]
    lines = run("several_devices.py", *few, *arguments, launcher=[mpiexec, "-n", "2"]).splitlines()
    assert [line.split(" on ")[0] for line in lines[:2]] == ["process 0 of 2", "process 1 of 2"]
    assert f"5 replicas at the level '{level}'" in lines[2]
    assert sorted(int(k) for k in lines[2].split("[")[1].strip("]").split(",")) == list(range(5))
    swaps = [float(word) for word in lines[3].split(":")[1].split()]
    assert len(swaps) == 4 and all(0 <= value <= 1 for value in swaps)
    assert float(lines[4].split()[0]) > 0


def test_readme_lists_all_examples():
    """Every example has its row, and every row its example."""
    readme = (EXAMPLES.parent / "README.md").read_text(encoding="utf-8")
    rows = [line for line in readme.splitlines() if line.startswith("| `") and ".py`" in line]
    listed = re.findall(r"`(\w+\.py)`", " ".join(rows))
    helpers = {"alanine_dipeptide_plot.py", "replica_exchange_plot.py", "free_energy_analysis.py"}  # imported by others
    assert sorted(listed) == sorted({path.name for path in EXAMPLES.glob("*.py")} - helpers)


@pytest.mark.parametrize("guide", ["guides.md", "deployment.md"])
def test_guides_name_what_is_there(guide):
    """Examples and pages that a guide names are there, and their options too."""
    text = (EXAMPLES.parent / "docs" / guide).read_text(encoding="utf-8")
    commands = re.findall(r"examples/(\w+\.py)([^\n`#|]*)", text)
    for script, options in commands:
        source = (EXAMPLES / script).read_text(encoding="utf-8")
        for option in re.findall(r"--[a-z-]+", options):
            assert f'"{option}"' in source, f"{script} has no {option}"
    pages = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)
    assert pages and all((EXAMPLES.parent / "docs" / page).exists() for page in pages)


def test_openmm_ml(any_model):
    pytest.importorskip("openmmml", reason="openmmml is not installed")
    lines = run("openmm_ml.py", *([] if bundledModels() else [any_model])).splitlines()
    energies = [float(line.split(": ")[1].split(" ")[0]) for line in lines if line.startswith("lambda")]
    assert energies[1] == pytest.approx((energies[0] + energies[2]) / 2, rel=1e-6)
    assert lines[-1].startswith("500,") and np.isfinite(float(lines[-1].split(",")[1]))


def test_replicas_as_subsystems(any_model):
    arguments = [] if bundledModels() else [any_model]
    lines = run("replicas_as_subsystems.py", 100, *arguments)
    assert "step 100 of 100: " in lines
    table = [line.split() for line in lines.splitlines()[-16:]]
    assert float(table[0][0]) == 300 and float(table[-1][0]) == 450
    assert sorted(int(row[2]) for row in table) == list(range(16))


def test_replica_exchange(any_model, tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib, which draws the picture, is not installed")
    arguments = [] if bundledModels() else ["--model", any_model]
    output = tmp_path / "exchange"
    lines = run("replica_exchange.py", "--output", output, "--iterations", 6, "--steps", 5, *arguments).splitlines()
    assert "ms an iteration at the level 'subsystems'" in lines[0] and "exchange.png" in lines[-1]
    table = [line.split() for line in lines[2:-1]]
    assert len(table) == 16 and float(table[0][0]) == 300 and float(table[-1][0]) == 450
    assert all(0 <= float(row[2]) <= 1 for row in table[:-1])
    assert (output / "exchange.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    log = np.loadtxt(output / "log.csv", delimiter=",", skiprows=1)
    assert log.shape == (6, 18) and log[-1, 1] == 30 and (np.sort(log[:, 2:]) == range(16)).all()


@pytest.mark.parametrize("script", ["free_energy_vacuum.py", "free_energy_solvated.py"])
def test_free_energy(script, tmp_path):
    for package in ("pymbar", "alchemlyb", "matplotlib", "openmmml"):
        pytest.importorskip(package, reason=f"{package} is not installed")
    if not bundledModels():
        pytest.skip("no model is bundled")
    lines = run(script, 0.4 if "vacuum" in script else 0.2, tmp_path / "picture.png").splitlines()
    assert "energies of one evaluation for all states" in lines[0]
    found = {line[:24].strip(): line[24:].split() for line in lines if "+-" in line}
    assert set(found) == {"MBAR, all states", "BAR, sum of neighbours", "BAR, end states alone", "TI from dE/dlambda"}
    # A handful of samples: all estimates are some kJ/mol, after energies of the free atoms were taken off.
    assert all(abs(float(value)) < 60 and 0 < float(error) < 60 for value, _, error, _ in found.values())
    assert (tmp_path / "picture.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_path_integral():
    if not bundledModels():
        pytest.skip("no model is bundled")
    lines = run("path_integral.py", 0.2).splitlines()
    found = [float(line[38:].split()[0]) for line in lines[1:6]]
    assert found[3] == pytest.approx(30.7, abs=0.3) and found[4] == pytest.approx(11.22, abs=0.01)
    assert all(np.isfinite(found[:3])) and found[1] > 15 and found[2] > 15
    assert "us as subsystems" in lines[-1]


def test_openmmtools_exchange():
    for package in ("openmmml", "pymbar", "alchemlyb", "matplotlib", "mpiplus", "openmmtools"):
        pytest.importorskip(package, reason=f"{package} is not installed")
    if not bundledModels():
        pytest.skip("no model is bundled")
    lines = run("openmmtools_exchange.py", 2).splitlines()
    assert np.isfinite([float(word) for word in lines[-1].split(":")[1].split()[:3:2]]).all()
    swaps = [float(word) for word in lines[-4].split(":")[1].split()]
    assert len(swaps) == 4 and all(0 <= value <= 1 for value in swaps) and sum(swaps) > 0


def test_multiple_time_steps(tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    if not bundledModels():
        pytest.skip("no model is bundled")
    lines = run("multiple_time_steps.py", 0.05, tmp_path / "picture.png").splitlines()
    rows = {(line[:26].strip(), *line[26:].split()[:2]): np.array(line[26:].split()[2:], float) for line in lines[1:-1]}
    assert len(rows) == 18
    # A student of a twentieth of the weights takes the fast motions: half the fluctuation with the same long step.
    assert rows["tiny student inside", "1.0", "2"][0] < 0.6 * rows["network alone", "1.0", "0"][0] < 0.4
    assert rows["tiny student inside", "1.0", "2"][3] > 0
    assert (tmp_path / "picture.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_alanine_dipeptide_is_whole():
    topology = app.PDBFile(str(EXAMPLES / "data" / "alanine_dipeptide.pdb")).topology
    assert topology.getNumAtoms() == 22 and topology.getNumBonds() == 21
