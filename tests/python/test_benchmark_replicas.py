# SPDX-License-Identifier: MIT
"""Advice on the number of replicas: what is measured, when it stops, what is called best."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from openmm import app, unit

from openmmpainn import PaiNNStudentModel, cli
from openmmpainn.benchmark import replicas
from openmmpainn.benchmark.replica_process import gpu_memory
from openmmpainn.benchmark.replica_report import advice, replicas_to_text

PDB = Path(__file__).resolve().parents[2] / "examples" / "data" / "alanine_dipeptide.pdb"


def measured(level, count, speed, memory=None):
    return {
        "level": level,
        "replicas": count,
        "ns_per_day": speed,
        "us_per_replica_step": 86.4 / speed,
        "memory": memory,
    }


def test_molecule_is_that_of_the_examples():
    pdb = app.PDBFile(str(PDB))
    found = replicas.alanine_dipeptide()
    assert list(found.numbers) == [atom.element.atomic_number for atom in pdb.topology.atoms()]
    np.testing.assert_allclose(found.positions, pdb.getPositions(asNumpy=True).value_in_unit(unit.nanometer), atol=1e-9)


def test_command(canonical_path, tmp_path, capsys):
    """Both levels are timed, in processes of their own; the last line says what is best."""
    path = tmp_path / "out.json"
    arguments = ["--model", canonical_path, "--threads", "1", "--seconds", "0.1", "--json", str(path)]
    assert cli.main(["benchmark", "--replicas", "--batches", "1,32", *arguments]) == 0
    printed = capsys.readouterr().out
    found = json.loads(path.read_text())
    rows = found["rows"]
    assert [(row["level"], row["replicas"]) for row in rows] == [(w, n) for w in replicas.LEVELS for n in (1, 32)]
    for row in rows:
        assert 0 < row["low"] <= row["median"] <= row["high"]
        assert row["us_per_replica_step"] == pytest.approx(1e6 * row["median"] / row["replicas"])
        assert row["ns_per_day"] == pytest.approx(86400e-6 / row["median"] * row["replicas"])  # 1 fs a step
        assert row["memory"] > 1e7  # Python and OpenMM alone
    # Positions, velocities and forces in double are 1.6 kB a replica; a Context is some MB at most.
    for growth in found["bytes_per_replica"].values():
        assert 1.6e3 < growth < 2e7
    assert found["best"] in rows and found["structure"]["atoms"] == 22
    last = printed.splitlines()[-1]
    assert last == advice(found) and last.startswith(f"best: {found['best']['replicas']} replica")
    assert "us a replica-step" in last and "ns/day in all" in last and "B a replica" in last


def test_structure_and_failure(canonical_path, tmp_path, monkeypatch, capsys):
    """A structure from a file; what fails in one process is a sentence, and the other level is still measured."""
    path = tmp_path / "water.xyz"
    path.write_text("3\n\nO 0 0 0\nH 0.96 0 0\nH -0.24 0.93 0\n")
    real = replicas._run
    jobs = []

    def run(job):
        jobs.append(job)
        return real({**job, "properties": {"Tape": "1"}} if job["level"] == "subsystems" else job)

    monkeypatch.setattr(replicas, "_run", run)
    arguments = ["--model", canonical_path, "--batches", "2", "--seconds", "0.01", "--platform", "Reference"]
    assert cli.main(["benchmark", "--replicas", str(path), *arguments]) == 0
    assert [job["level"] for job in jobs] == ["subsystems", "contexts"] and jobs[0]["numbers"] == [8, 1, 1]
    printed = capsys.readouterr().out
    assert "Not measured: 2 replicas in one System: " in printed and "Tape" in printed
    assert "best: 2 replicas in PaiNNReplicaContexts" in printed and "memory a replica unknown" in printed


def test_best():
    """The fewest replicas within 5 % of the most; None where nothing was measured."""
    rows = [measured("subsystems", n, speed) for n, speed in ((1, 50), (2, 97), (4, 100), (8, 101))]
    assert replicas.choose_best(rows)["replicas"] == 2
    rows += [measured("contexts", 2, 98.0), measured("contexts", 16, 300.0), {"level": "contexts", "skipped": "no"}]
    assert replicas.choose_best(rows)["replicas"] == 16
    assert replicas.choose_best([rows[-1]]) is None and replicas.choose_best([]) is None
    assert advice({"best": None}) == "best: unknown, nothing could be measured"


@pytest.mark.parametrize(
    ("full_at", "growth", "expected", "reason"),
    [
        (8, 0, [1, 2, 4, 8, 16, 32], None),  # two in a row that do not pay
        (10**6, 0, [2**k for k in range(11)], None),
        (10**6, 2e9, [1, 2], "it would take about 8.1 GB of memory, of which 10.0 GB are free"),
        (10**6, math.nan, [2**k for k in range(11)], None),  # unknown
    ],
)
def test_when_it_stops(monkeypatch, full_at, growth, expected, reason):
    """Speeds and memory as of a device that is full with so many replicas, and of a host with 10 GB."""

    def run(job):
        count = job["count"]
        memory = None if math.isnan(growth) else 1e8 + growth * count
        return {"median": max(1.0, count / full_at), "memory": memory}

    monkeypatch.setattr(replicas, "_run", run)
    monkeypatch.setattr(replicas, "available_memory", lambda: 10e9)
    numbers = [2**k for k in range(11)]
    rows = list(replicas._measure_level({"level": "contexts", "platform": "CPU"}, numbers, True))
    assert [row["replicas"] for row in rows if "skipped" not in row] == expected
    assert [row["skipped"] for row in rows if "skipped" in row] == ([] if reason is None else [reason])


def test_memory_of_a_gpu(monkeypatch, tmp_path, canonical_path):
    """By nvidia-smi, all GPUs together; unknown, and said so, where there is none."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpu_memory() is None
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\nprintf '100\\n200\\n'\n")
    tool.chmod(0o755)
    assert gpu_memory("free") == 300 * 2**20
    tool.write_text("#!/bin/sh\necho '[N/A]'\n")
    assert gpu_memory() is None
    found = replicas.benchmark_replicas(PaiNNStudentModel(canonical_path), None, "Reference", None, [1], 0.001)
    for row in found["rows"]:
        row["memory"] = None
    assert "unknown" in replicas_to_text(found).splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--batches", "0"], "--batches is 0; with --replicas it holds numbers of replicas from 1"),
        (["--peers"], "--peers does not go with --replicas"),
        (["--no-memory"], "--no-memory does not go with --replicas"),
        (["--threads", "0"], "threads is 0"),
        (["--seconds", "0"], "seconds is 0"),
        (["--platform", "Abacus"], "'Abacus' is not here"),
        (["--replicas", "absent.xyz"], "there is no file 'absent.xyz'"),
    ],
)
def test_usage_errors(canonical_path, capsys, arguments, expected):
    assert cli.main(["benchmark", "--replicas", "--model", canonical_path, *arguments]) == 2
    captured = capsys.readouterr()
    assert expected in captured.err and captured.err.count("\n") == 1 and captured.out == ""


def test_unknown_element(tmp_path, canonical_path, capsys):
    path = tmp_path / "gold.xyz"
    path.write_text("2\n\nAu 0 0 0\nAu 2.5 0 0\n")
    assert cli.main(["benchmark", "--replicas", str(path), "--model", canonical_path]) == 2
    assert "atom 0 is Au (79), which the model does not know" in capsys.readouterr().err
