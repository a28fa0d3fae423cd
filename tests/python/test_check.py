# SPDX-License-Identifier: MIT
"""The physics checks find the faults they are for, and no others."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from models import random_model
from openmmpainn import Evaluator, PaiNNStudentModel, cli
from openmmpainn.check import check_model
from openmmpainn.check.dynamics import BOLTZMANN, drift_of_one_run, estimate_drift
from openmmpainn.check.report import FAIL, PASS, SKIPPED, UNRESOLVED, WARN, judge
from openmmpainn.structures import default_structures
from openmmpainn.torch_engine import why_no_torch

SMOOTH = {"envelope": {"type": "polynomial", "p": 6}}


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """Reports of a smooth canonical model, one with a cosine cutoff, and a student."""
    folder = tmp_path_factory.mktemp("checked")
    made = {
        "smooth": random_model(folder / "smooth.safetensors", "canonical", elements=(1, 6, 8), **SMOOTH),
        "cosine": random_model(folder / "cosine.safetensors", "canonical", elements=(1, 8)),
        "student": random_model(folder / "student.safetensors", "student", elements=(1, 8)),
    }
    return {name: check_model(PaiNNStudentModel(path), nve_steps=40) for name, path in made.items()}


def rows(report):
    return {row.name: row for row in report.rows}


def test_smooth_model_passes(reports):
    report = reports["smooth"]
    failed = [row for row in report.rows if row.status == FAIL]
    assert not report.failed and not failed
    found = rows(report)
    for name in ("rotation", "translation", "permutation", "separation", "finite differences"):
        assert found[name].status == PASS, found[name]
    for name in ("cutoff: energy", "cutoff: force", "cutoff: curvature", "bond scan: finite", "bond scan: forces"):
        assert found[name].status == PASS, found[name]
    assert found["platform CPU"].status == PASS
    engine = found["LibTorch engine"]  # skipped with a reason where there is no PyTorch
    assert engine.status == (SKIPPED if why_no_torch() else PASS), engine
    if engine.status == PASS:
        assert engine.details["largest"] <= 1e-11
    assert found["finite differences"].value <= 1e-9
    assert found["rotation"].details["forces"] <= 1e-11


def test_short_run_is_not_called_free_of_drift(reports):
    row = rows(reports["smooth"])["energy drift"]
    assert row.status == UNRESOLVED
    assert "cannot see a drift below" in row.text and row.details["interval_95"] > row.bar


def test_cosine_cutoff_is_warned_about(reports):
    found = rows(reports["cosine"])
    assert not reports["cosine"].failed
    assert found["cutoff: energy"].status == found["cutoff: force"].status == PASS
    assert found["cutoff: curvature"].status == WARN and found["cutoff: curvature"].value > 1e-3


def test_known_flaws_of_students_are_not_judged(reports):
    found = rows(reports["student"])
    assert not reports["student"].failed
    for name in ("rotation", "cutoff: energy"):
        assert found[name].status == WARN, found[name]
    for name in ("translation", "permutation", "separation", "finite differences", "bond scan: forces"):
        assert found[name].status == PASS, found[name]


def test_reports_print(reports):
    for report in reports.values():
        text = report.to_text()
        assert all(row.name in text for row in report.rows)
        assert json.loads(json.dumps(report.to_dict()))["failed"] is False
    assert "not judged" in reports["student"].to_text()


def test_nan_fails():
    assert judge("x", float("nan"), 1.0, "").status == FAIL
    assert judge("x", 1.0, 1.0, "").status == PASS
    assert judge("x", 2.0, 1.0, "", judged=False).status == WARN


def break_forces(monkeypatch, factor):
    """Multiply all forces of an Evaluator."""
    exact = Evaluator.compute

    def compute(*arguments, **options):
        energies, forces = exact(*arguments, **options)
        return energies, forces and [factor * f for f in forces]

    monkeypatch.setattr(Evaluator, "compute", compute)


def test_broken_forces_are_found(reports, monkeypatch, tmp_path):
    """A force that is 1e-7 off its energy fails."""
    break_forces(monkeypatch, 1 + 1e-7)
    path = random_model(tmp_path / "m.safetensors", "canonical", elements=(1, 8), **SMOOTH)
    report = check_model(PaiNNStudentModel(path), nve_steps=0)
    assert rows(report)["finite differences"].status == FAIL and report.failed


def test_drift_interval_holds_the_truth():
    """Of many made-up noisy runs with a known slope, 95 % of the intervals hold it."""
    rng = np.random.default_rng(1)
    times, degrees, slope = np.linspace(0.01, 1, 100), 30, 0.02  # kJ/mol/ps
    expected = slope * 1e3 / (BOLTZMANN * 300 * degrees)
    held = held_alone = 0
    for _ in range(500):
        noise = np.cumsum(rng.normal(scale=0.1, size=(8, 120)), axis=1)[:, 20:]  # correlated on purpose
        noise -= noise.mean(axis=1, keepdims=True)
        drift = estimate_drift(times, slope * times + noise, degrees)
        held += abs(drift.slope - expected) <= drift.interval
        # One run, its noise correlated over a few samples as that of vibrations is.
        noise = np.convolve(rng.normal(size=1010), np.ones(11) / 11, mode="valid")
        drift = drift_of_one_run(np.linspace(0.001, 1, 1000), slope * np.linspace(0.001, 1, 1000) + noise, degrees)
        held_alone += abs(drift.slope - expected) <= drift.interval
    assert 0.92 <= held / 500 <= 0.98
    assert 0.91 <= held_alone / 500 <= 0.98


def test_default_structures():
    for elements in ([1, 6, 7, 8], [1, 8], [92], [1, 6, 7, 8, 9, 16, 17]):
        structures = default_structures(elements)
        assert structures
        for structure in structures:
            assert set(structure.numbers) <= set(elements)
            i, j = np.triu_indices(len(structure.numbers), 1)
            if len(i):
                assert np.linalg.norm(structure.positions[i] - structure.positions[j], axis=1).min() > 0.05


def test_command(tmp_path):
    """In a process of its own: nothing but the JSON on stdout, whatever OpenMM's platforms print."""
    path = random_model(tmp_path / "m.safetensors", "canonical", elements=(1, 8), **SMOOTH)
    command = [sys.executable, "-m", "openmmpainn.cli", "check", path, "--nve-steps", "0", "--json"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["failed"] is False


def test_command_fails_with_exit_code_1(capsys, monkeypatch, tmp_path):
    break_forces(monkeypatch, 1.001)
    path = random_model(tmp_path / "m.safetensors", "canonical", elements=(1, 8), **SMOOTH)
    assert cli.main(["check", path, "--nve-steps", "0"]) == 1
    assert "FAIL" in capsys.readouterr().out
