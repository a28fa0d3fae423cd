# SPDX-License-Identifier: MIT
"""The benchmark measures what it says, leaves out what would take too long, and its results can be drawn."""

from __future__ import annotations

import copy
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from models import random_model
from openmmpainn import Evaluator, PaiNNStudentModel, benchmark, cli
from openmmpainn.benchmark import machine
from openmmpainn.benchmark import run as driver
from openmmpainn.benchmark.report import to_text
from openmmpainn.benchmark.systems import DENSITY, make_system
from openmmpainn.benchmark.timing import FEWEST, time_calls
from openmmpainn.torch_engine import why_no_torch

PLOT = Path(__file__).resolve().parents[2] / "benchmarks" / "plot_results.py"


@pytest.mark.parametrize("size", [12, 22, 300, 1000, 2500])
def test_systems(size):
    """As many atoms as asked for, the same ones every time, of liquid density and none too close."""
    from scipy.spatial import cKDTree

    system, again = make_system(size, [1, 6, 7, 8]), make_system(size, [1, 6, 7, 8])
    assert (system.positions == again.positions).all() and (system.numbers == again.numbers).all()
    assert system.positions.shape == (size, 3) and set(system.numbers) <= {1, 6, 7, 8}
    assert (system.box is None) == (size < 1000)
    edges = None if system.box is None else np.diag(system.box)
    positions = system.positions if edges is None else system.positions % edges
    tree = cKDTree(positions, boxsize=edges)
    assert tree.query(positions, k=2)[0][:, 1].min() > 0.1399
    if system.box is not None:
        neighbours = 2 * len(tree.query_pairs(0.5)) / size
        assert size / np.prod(edges) == pytest.approx(DENSITY)
        assert neighbours == pytest.approx(DENSITY * 4 / 3 * np.pi * 0.5**3, rel=0.05)
    moved = system.moved(2)
    assert 0 < np.abs(moved[0] - system.positions).max() < 0.02 and (moved[0] != moved[1]).any()
    assert set(make_system(12, [14]).numbers) == {14}


def test_timing():
    calls = []
    timing = time_calls(calls.append, 0.2)
    assert timing.repeats >= FEWEST and timing.low <= timing.median <= timing.high
    assert calls == list(range(len(calls))) and len(calls) > timing.repeats
    assert time_calls(lambda index: sum(range(100000)), 1e-6).repeats == 1


@pytest.mark.parametrize("scipy", [True, False])
def test_pairs_are_those_of_the_check_network(monkeypatch, scipy):
    """The pairs that the peer is given, periodic too, are all there are, with SciPy or without."""
    pytest.importorskip("torch", reason="PyTorch is not installed")
    from openmmpainn.benchmark.peers import find_pairs
    from openmmpainn.torch_network import find_edges

    if not scipy:
        monkeypatch.setitem(sys.modules, "scipy.spatial", None)
    rng = np.random.default_rng(0)
    for box in (None, 1.1 * np.eye(3)):
        positions = rng.uniform(-0.5, 2.0, (40, 3))
        for found, expected in zip(find_pairs(positions, 0.5, box), find_edges(positions, 0.5, box), strict=True):
            assert np.allclose(found, expected, atol=1e-12)


def test_parsed_model(canonical, canonical_path):
    """The peer's weights are those of the file."""
    pytest.importorskip("safetensors", reason="safetensors is not installed")
    from openmmpainn.modelfile import parse_model, read_model

    (metadata, tensors), (expected_metadata, expected) = parse_model(canonical.getBytes()), read_model(canonical_path)
    assert metadata == expected_metadata and tensors.keys() == expected.keys()
    assert all(np.array_equal(tensors[name], expected[name]) for name in expected)


@pytest.fixture(scope="module")
def results(canonical_path):
    """A short run with PyTorch beside it."""
    pytest.importorskip("torch", reason="PyTorch is not installed")
    from openmmpainn import PaiNNStudentModel

    return benchmark.run_benchmark(
        PaiNNStudentModel(canonical_path), threads=1, sizes=[22, 1000, 12], batches=[1, 4], seconds=0.02, peers=True
    )


def test_rows(results):
    rows = results["rows"]
    assert [(row["kind"], row["atoms"], row["molecules"]) for row in rows] == [
        ("single", 12, 1),
        ("single", 22, 1),
        ("single", 1000, 1),
        ("batch", 22, 1),
        ("batch", 22, 4),
        ("md", 12, 1),
        ("md", 22, 1),
        ("md", 1000, 1),
    ]
    for row in rows:
        assert 0 < row["low"] <= row["median"] <= row["high"] and row["repeats"] >= 1
        if row["kind"] == "md":
            assert row["steps_per_second"] * row["median"] == pytest.approx(1)
            assert row["ns_per_day"] == pytest.approx(row["steps_per_second"] * 86400 * 1e-6)
            assert ("python_force" in row) == (row["atoms"] <= 50)
        else:
            assert "graph" not in row
            assert row["ratio"] == pytest.approx(row["peer"]["median"] / row["median"])
            assert row["per_molecule"] * row["molecules"] == pytest.approx(row["median"])
            assert row["peer"]["edges"] > 0 and row["peer"]["force_difference"] < 1e-4
    for row in rows:
        engine = row.get("libtorch")
        assert (engine is None) == bool(why_no_torch())
        if engine is not None:
            assert row["libtorch_ratio"] == pytest.approx(engine["median"] / row["median"])
            assert engine["force_difference"] < 1e-4
    for row in rows[-3:-1]:
        peer = row["python_force"]
        assert row["python_force_ratio"] == pytest.approx(peer["median"] / row["median"])
        assert peer["steps_per_second"] * peer["median"] == pytest.approx(1)
        assert peer["force_difference"] < 1e-4
    assert results["settings"]["peer_device"] == "cpu" and results["settings"]["graph"] is None
    machine = results["machine"]
    assert machine["platform"] == "CPU" and machine["properties"]["Threads"] == "1" and machine["device"]
    assert {"OpenMM", "PyTorch", "Python", "openmmpainn"} <= set(machine["versions"])
    assert "memory_skipped" in results["summary"]
    json.dumps(results, allow_nan=False)


def test_table(results, monkeypatch):
    text = to_text(results)
    assert "1,000" in text and "PyTorch ms" in text and "Memory: not measured" in text
    assert "PythonForce" in text and "graph ms" not in text
    assert "CUDA graph: not measured, it needs PyTorch on a CUDA device, and the platform is CPU." in text
    monkeypatch.setitem(sys.modules, "rich.console", None)
    plain = to_text(results)
    assert "1,000" in plain and plain.isascii() and len(plain.splitlines()) > 10


def test_table_with_a_graph(results):
    """Columns of a CUDA graph, and a line for what failed, which this machine cannot measure."""
    made = copy.deepcopy(results)
    single, batch = made["rows"][0], made["rows"][4]
    single.update(graph={**single["peer"], "median": 2.5 * single["median"]}, graph_ratio=2.5)
    batch["graph"] = {"edges": 1, "skipped": "CUDA out of memory"}
    del made["summary"]["graph_skipped"]
    text = to_text(made)
    assert "graph ms" in text and "2.5x" in text and "not measured, it needs PyTorch" not in text
    assert "Skipped in PyTorch's CUDA graph: batch, 22 atoms x 4: CUDA out of memory." in text


def test_graph_needs_a_gpu(canonical):
    """A CUDA graph on the processor is refused, and the benchmark says why there is none."""
    pytest.importorskip("torch", reason="PyTorch is not installed")
    from openmmpainn.benchmark.graph_peer import GraphPeer
    from openmmpainn.benchmark.pace import Pace
    from openmmpainn.benchmark.peer_rows import PeerRows
    from openmmpainn.benchmark.peers import TorchPeer

    peer = TorchPeer(canonical, 0.5)
    with pytest.raises(ValueError, match="a CUDA graph needs PyTorch on a GPU, and it runs on the cpu here"):
        GraphPeer(peer)
    rows = PeerRows(peer, "CUDA", {}, 0.01, Pace(1.0))
    assert rows.no_graph == "it needs PyTorch on a CUDA device, and this PyTorch sees none"


@pytest.fixture
def one_thread():
    """PyTorch with one thread: where other programs need a core, several take 100 times as long."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def abrupt(tmp_path_factory):
    """A student whose filters do not vanish at the cutoff: pairs beyond it must not be edges."""
    path = random_model(tmp_path_factory.mktemp("models") / "student.safetensors", family="student")
    return PaiNNStudentModel(path)


@pytest.mark.parametrize("platform", ["Reference", "CPU"])
@pytest.mark.parametrize("family", ["canonical", "abrupt"])
def test_python_force_gives_our_forces(request, family, platform, one_thread):
    """PythonForce and our Force are the same on each platform, where the atoms are and after they have moved."""
    from openmmpainn.benchmark import dynamics, python_force
    from openmmpainn.benchmark.peers import TorchPeer

    model = request.getfixturevalue(family)
    system = make_system(22, list(model.getElements()))
    force = python_force.python_force(TorchPeer(model, 0.5), system, dynamics.SCALE)
    theirs = dynamics.make_context(system, force, platform, {})
    ours = dynamics.make_context(system, dynamics.network_force(model, system), platform, {})
    for _ in range(2):
        expected = python_force.scaled_forces(ours)
        difference = np.abs(python_force.scaled_forces(theirs) - expected).max()
        assert difference < 1e-4 * np.sqrt(np.mean(expected**2))
        energies = [c.getState(energy=True).getPotentialEnergy()._value for c in (theirs, ours)]
        assert energies[0] == pytest.approx(energies[1], rel=1e-5)
        theirs.getIntegrator().step(20)
        python_force.check_finite(theirs)
        ours.setPositions(theirs.getState(positions=True).getPositions())
    with pytest.raises(ValueError, match="periodic"):
        python_force.python_force(TorchPeer(model, 0.5), make_system(1000, list(model.getElements())))


@pytest.mark.parametrize("family", ["canonical", "abrupt"])
def test_traced_energy(request, family, one_thread):
    """What TorchForce is given: our energy and forces, also where pairs have crossed the cutoff since the trace."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from openmmpainn.benchmark import torch_force
    from openmmpainn.benchmark.peers import TorchPeer

    model = request.getfixturevalue(family)
    system = make_system(22, list(model.getElements()))
    traced = torch_force.trace_energy(TorchPeer(model, 0.5), system, 0.5)
    evaluator = Evaluator(model, "Reference")
    for stretch in (1.0, 1.15):
        positions = stretch * system.positions
        (energy,), forces = evaluator.computeFlat(system.numbers, positions, [0, 22])
        x = torch.tensor(positions, dtype=torch.float32, requires_grad=True)
        found = traced(x)
        (gradient,) = torch.autograd.grad(found, x)
        assert float(found.detach()) == pytest.approx(0.5 * energy, rel=1e-5)
        assert np.abs(-gradient.numpy() - 0.5 * forces).max() < 1e-4 * np.sqrt(np.mean(forces**2))
    with pytest.raises(ValueError, match="periodic"):
        torch_force.trace_energy(TorchPeer(model, 0.5), make_system(1000, list(model.getElements())), 1.0)
    assert (torch_force.why_no_torch_force() or "openmmtorch").count("openmmtorch")


def test_what_fails_in_pytorch_is_said(canonical, monkeypatch):
    """Out of memory, or other forces than ours: a sentence instead of figures, and the benchmark goes on."""
    pytest.importorskip("torch", reason="PyTorch is not installed")
    from openmmpainn.benchmark.peers import TorchPeer

    compute = TorchPeer.compute

    def fails(self, positions):
        if len(positions) > 12:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB.\nMore lines.")
        energies, forces = compute(self, positions)
        return energies, 1.1 * forces

    monkeypatch.setattr(TorchPeer, "compute", fails)
    found = benchmark.run_benchmark(
        canonical, threads=1, sizes=[12, 22], batches=[2], seconds=0.01, peers=True, memory=False
    )
    assert all("median" in row and "ratio" not in row for row in found["rows"])
    text = to_text(found)
    assert "Skipped in PyTorch: energy + forces, 12 atoms: its forces are off by" in text
    assert "Skipped in PyTorch: batch, 22 atoms x 2: CUDA out of memory. Tried to allocate 2 GiB." in text
    assert "Skipped in PythonForce: dynamics, 12 atoms: its forces are off by" in text
    assert "Skipped in PythonForce: dynamics, 22 atoms: " in text and "More lines" not in text


@pytest.mark.parametrize(("given", "expected"), [("bd57e91", "bd57e91"), ("unknown", None)])
def test_commit_is_what_the_environment_says(monkeypatch, given, expected):
    """Where sources came without git, scripts name their commit."""
    monkeypatch.setenv("PAINN_COMMIT", given)
    assert machine._commit() == expected


def test_plot(results, tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    spec = importlib.util.spec_from_file_location("plot_results", PLOT)
    plot = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(plot)
    path = tmp_path / "results.json"
    path.write_text(json.dumps(results))
    picture = plot.main([str(path), str(path)])
    assert picture == tmp_path / "results.png" and picture.read_bytes()[:4] == b"\x89PNG"


def test_what_takes_too_long_is_left_out(canonical, monkeypatch):
    monkeypatch.setattr(driver, "LONGEST", 1e-9)
    found = benchmark.run_benchmark(canonical, sizes=[12, 22], batches=[4], seconds=0.01, memory=False)
    assert ["skipped" in row for row in found["rows"]] == [False, True, True, True, True]
    assert "one call would take about" in found["rows"][1]["skipped"] and "Skipped: batch" in to_text(found)


def test_memory(canonical):
    """Peaks of two processes; the random model keeps little, but positions and forces alone are 100 bytes."""
    found = benchmark.run_benchmark(canonical, sizes=[1000, 2000], batches=[], seconds=0.01, dynamics=False)
    assert 100 < found["summary"]["bytes_per_atom"] < 1e6
    assert found["summary"]["spread_of_cost_per_atom"] >= 0
    assert "kB an atom (1,000 to 2,000 atoms)" in to_text(found)
    found = benchmark.run_benchmark(canonical, sizes=[1000, 1000], batches=[2, 2], seconds=0.01, dynamics=False)
    assert [row["kind"] for row in found["rows"]] == ["single", "batch"]
    assert "two sizes" in found["summary"]["memory_skipped"]


def test_needs_few_packages(canonical_path):
    """On a machine with numpy, OpenMM and PyTorch alone the command runs, and draws a plain table."""
    pytest.importorskip("torch", reason="PyTorch is not installed")
    code = """
import sys
for name in ("rich", "rich.console", "matplotlib", "ase", "safetensors", "onnx", "scipy", "scipy.spatial"):
    sys.modules[name] = None
from openmmpainn import cli
sys.exit(cli.main(sys.argv[1:]))
"""
    arguments = ["benchmark", "--model", canonical_path, "--peers", "--sizes", "12,1000", "--batches", "2"]
    command = [sys.executable, "-c", code, *arguments, "--seconds", "0.01", "--threads", "1", "--no-memory"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    assert "PyTorch ms" in result.stdout and result.stdout.isascii()


def test_command(canonical_path, tmp_path, capsys):
    path = tmp_path / "out.json"
    arguments = ["benchmark", "--model", canonical_path, "--sizes", "12", "--batches", "0", "--seconds", "0.01"]
    assert cli.main([*arguments, "--no-memory", "--json", str(path), "--platform", "Reference"]) == 0
    captured = capsys.readouterr()
    assert "Reference on" in captured.out
    written = json.loads(path.read_text())
    assert [row["kind"] for row in written["rows"]] == ["single", "md"] and written["model"]["name"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--sizes", "12,x"], "--sizes holds 'x'"),
        (["--batches", "-1"], "--batches"),
        (["--threads", "0"], "threads is 0"),
        (["--seconds", "0"], "seconds is 0"),
        (["--platform", "Abacus"], "'Abacus' is not here"),
        (["--model", "absent"], "neither a file nor a bundled model"),
        (["--json", "nowhere/at/all.json"], "there is no folder"),
        (["--json", "."], "is a folder"),
    ],
)
def test_usage_errors(canonical_path, capsys, arguments, expected):
    if "--model" not in arguments:
        arguments = ["--model", canonical_path, *arguments]
    try:
        code = cli.main(["benchmark", *arguments])
    except SystemExit as exit:
        code = exit.code
    captured = capsys.readouterr()
    assert code == 2 and expected in captured.err and captured.err.count("\n") == 1 and captured.out == ""


def test_same_forces_as_measured(canonical):
    """What is timed is what the Evaluator gives: the driver has no path of its own."""
    system = make_system(22, [1, 6, 8])
    tool = Evaluator(canonical, "CPU", {"Threads": "1"})
    energies, forces = tool.computeFlat(system.numbers, system.positions, [0, 22])
    assert np.isfinite(energies).all() and np.isfinite(forces).all()


def test_replica_exchange(tmp_path):
    """The script that times cycles of replica exchange does so for every level and the peer."""
    script = PLOT.parent / "replica_exchange.py"
    path = random_model(tmp_path / "m.safetensors", strength=1.0)
    few = ["--replicas", "2", "--steps", "1", "--rounds", "2", "--model", path, "--json", tmp_path / "out.json"]
    for states, more in (("temperatures", ["--peer"]), ("scales", [])):
        command = [sys.executable, script, "--states", states, *few, *more]
        result = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=120)
        assert result.returncode == 0, result.stderr
        found = json.loads((tmp_path / "out.json").read_text())
        assert {"serial", "subsystems"} <= set(found["seconds_per_cycle"]) and found["states"] == states
        assert len(found["seconds_per_cycle"]) + len(found["skipped"]) == 4 + 3 * len(more)
        assert all(name == "contexts" or "openmmtorch" in reason for name, reason in found["skipped"].items())
        for figures in found["seconds_per_cycle"].values():
            assert 0 < figures["low"] <= figures["median"] <= figures["high"] and figures["times_as_fast"] > 0
        assert found["machine"]["platform"] == "CPU" and "times as fast" in result.stdout
