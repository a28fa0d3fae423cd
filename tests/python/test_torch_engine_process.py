# SPDX-License-Identifier: MIT
"""The LibTorch engine and the process it is in: settings of PyTorch, which PyTorch is loaded, forks (row 4, row 34)."""

from __future__ import annotations

import pathlib
import shutil
import subprocess

import numpy as np
import openmm
import pytest

import openmmpainn
from openmmpainn import PaiNNStudentForce, painn, torch_engine
from torch_cases import (
    CASES,
    METHODS,
    assert_close,
    available,
    energy_and_forces,
    gentle_model,
    network_force,
    random_atoms,
    require_engine,
    system_of,
)

require_engine()
torch = pytest.importorskip("torch")
LIBRARIES = pathlib.Path(openmmpainn.__file__).parent.parent / "OpenMM.libs" / "lib"

# Prints the energy of two atoms, bit for bit. Arguments: model file, platform, method.
ENERGY = """
import sys, openmm
from openmmpainn import PaiNNStudentForce, PaiNNStudentModel

def make(method):
    force = PaiNNStudentForce(PaiNNStudentModel(sys.argv[1]))
    force.setEvaluationMethod(method)
    system = openmm.System()
    for i, element in enumerate((6, 8)):
        system.addParticle(12.0)
        force.addParticle(i, element)
    system.addForce(force)
    return system

def energy(method=PaiNNStudentForce.LibTorch, context=None):
    if context is None:
        platform = openmm.Platform.getPlatform("Reference")
        context = openmm.Context(make(method), openmm.VerletIntegrator(0.001), platform)
        context.setPositions([(0, 0, 0), (0.05, 0.06, 0.07)])
    return context.getState(energy=True, forces=True).getPotentialEnergy()._value

def loaded():
    paths = {line.split()[-1] for line in open("/proc/self/maps")}
    return {path for path in paths if "torch" in path.rsplit("/", 1)[-1].lower()}
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return gentle_model(tmp_path_factory.mktemp("models") / "m.safetensors", strength=10.0, hidden=32)


@pytest.fixture(params=available(CASES))
def case(request):
    return request.param


def switches():
    """Everything that a program can set in PyTorch and that the engine must leave alone."""
    matmul, mkldnn = torch.backends.cuda.matmul, torch.backends.mkldnn.matmul
    return {
        "cuda": matmul.fp32_precision,
        "mkldnn": mkldnn.fp32_precision,
        "cudnn": torch.backends.cudnn.conv.fp32_precision,
        "gradients": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "dtype": torch.get_default_dtype(),
        "threads": torch.get_num_threads(),
        "autocast": torch.is_autocast_enabled("cpu"),
    }


def older_switch(precision):
    torch.set_float32_matmul_precision(precision)


def newer_switches(precision):
    torch.backends.cuda.matmul.fp32_precision = {"highest": "ieee"}.get(precision, "tf32")
    torch.backends.mkldnn.matmul.fp32_precision = {"highest": "ieee", "high": "tf32", "medium": "bf16"}[precision]


@pytest.fixture
def restored():
    """PyTorch as it was before."""
    yield
    older_switch("highest")
    torch.backends.cuda.matmul.fp32_precision = torch.backends.mkldnn.matmul.fp32_precision = "none"


@pytest.mark.parametrize("switch", (older_switch, newer_switches))
def test_reduced_precision_is_off_inside(case, model, switch, restored):
    """TF32 and bfloat16, allowed by the program, change no bit (on a GPU: no more than rounding) and stay allowed."""
    numbers, positions = random_atoms(60)
    context = case.context(system_of(numbers, network_force(model, numbers, METHODS["LibTorch"])), positions)
    expected = CASES[0].context(system_of(numbers, network_force(model, numbers, METHODS["Kernels"])), positions)
    results = []
    for precision in ("highest", "high", "medium"):
        switch(precision)
        before = switches()
        results.append(energy_and_forces(context))
        assert switches() == before
        if switch is older_switch:
            assert torch.get_float32_matmul_precision() == precision
            assert torch.backends.cuda.matmul.allow_tf32 == (precision != "highest")
    for result in results:
        if case.precision != "single":
            assert_close(case, energy_and_forces(expected), result)
        if case.platform == "CUDA":
            assert_close(case, results[0], result)
        else:
            assert result[0] == results[0][0] and (result[1] == results[0][1]).all()


def test_settings_of_the_caller(case, model):
    """What a thread has set for itself reaches no evaluation, and is as it was after it, exceptions included."""
    numbers, positions = random_atoms(20)
    context = case.context(system_of(numbers, network_force(model, numbers, METHODS["LibTorch"])), positions)
    expected = energy_and_forces(context)
    bad = positions.copy()
    bad[3] = bad[4]
    dtype = torch.get_default_dtype()
    modes = (
        torch.no_grad(),
        torch.inference_mode(),
        torch.autocast("cpu", dtype=torch.bfloat16),
        torch.autograd.set_multithreading_enabled(False),
    )
    for mode in modes:
        with mode:
            torch.set_default_dtype(torch.float16)
            before = switches()
            context.setPositions(bad)
            with pytest.raises(openmm.OpenMMException, match="particles 3 and 4 are at the same place"):
                energy_and_forces(context)
            context.setPositions(positions)
            found = energy_and_forces(context)
            after = switches()
            torch.set_default_dtype(dtype)
        assert after == before
        assert_close(case, expected, found)
    x = torch.ones(3, requires_grad=True)  # a graph that is open meanwhile
    y = (x**2).sum()
    energy_and_forces(context)
    y.backward()
    assert x.grad.tolist() == [2, 2, 2]


def test_one_torch_whoever_loads_it(run_python, tmp_path):
    """PyTorch is not loaded before a Context needs it, and not twice, whether `import torch` comes before or after."""
    gentle_model(tmp_path / "m.safetensors", strength=10.0)
    script = (
        ENERGY
        + """
assert not loaded()
energy(PaiNNStudentForce.Kernels)
assert not loaded(), loaded()
if sys.argv[2] == "before":
    import torch
first = energy()
assert any(path.endswith("libOpenMMPaiNNTorch.so") for path in loaded())
import torch
x = torch.ones(2, requires_grad=True)
(x @ x).backward()
assert energy() == first and abs(first - energy(PaiNNStudentForce.Kernels)) < 1e-10 * max(1, abs(first))
assert len([path for path in loaded() if "libtorch_cpu" in path]) == 1, loaded()
print(first.hex())
"""
    )
    printed = {run_python(script, tmp_path / "m.safetensors", when) for when in ("before", "after")}
    assert len(printed) == 1


def test_another_torch(run_python, tmp_path):
    """One sentence names the version that was found and the one that is needed."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("needs a C compiler, to make a library that says it is another PyTorch")
    gentle_model(tmp_path / "m.safetensors", strength=10.0)
    (tmp_path / "lib").mkdir()
    version = painn._getTorchVersion()
    for source, found in (
        ("unsigned long long aoti_torch_abi_version(void) { return 2ULL << 56 | 7ULL << 48 | 1ULL << 40; }", "2.7.1"),
        ("int nothing;", "before 2.9"),
    ):
        (tmp_path / "fake.c").write_text(source)
        library = tmp_path / "lib" / "libtorch_cpu.so"
        command = [compiler, "-shared", "-fPIC", "-Wl,-soname,libtorch_cpu.so", "-o", library, tmp_path / "fake.c"]
        subprocess.run(command, check=True)
        script = (
            ENERGY
            + """
from openmmpainn import painn
painn._setTorchFolder(sys.argv[2])
try:
    energy()
except openmm.OpenMMException as error:
    print(error)
energy(PaiNNStudentForce.Kernels)
"""
        )
        message = run_python(script, tmp_path / "m.safetensors", tmp_path).strip()
        assert f"found PyTorch {found}" in message and "\n" not in message
        assert message.endswith(f"but this plugin was built for PyTorch {version}: pip install torch=={version}")


def test_no_torch(run_python, tmp_path):
    """Where there is no PyTorch, one sentence says what to install. The libraries lie in a folder without it."""
    gentle_model(tmp_path / "m.safetensors", strength=10.0)
    site = tmp_path / "site"
    package = pathlib.Path(openmmpainn.__file__).parent
    shutil.copytree(LIBRARIES.parent, site / "OpenMM.libs")
    shutil.copytree(package, site / "openmmpainn")
    shutil.copytree(pathlib.Path(openmm.__file__).parent, site / "openmm")
    script = (
        "import sys; sys.path.insert(0, sys.argv[2]); sys.modules['torch'] = None\n"
        + ENERGY
        + """
import openmmpainn
assert openmmpainn.__file__.startswith(sys.argv[2])
try:
    energy()
except openmm.OpenMMException as error:
    print(error)
from openmmpainn import torch_engine
reason = torch_engine.why_no_torch()
assert "PyTorch was not found" in reason and torch_engine.find_torch_folder() == "", reason
energy(PaiNNStudentForce.Kernels)
"""
    )
    message = run_python(script, tmp_path / "m.safetensors", site).strip()
    version = painn._getTorchVersion()
    assert (
        f"PyTorch was not found beside OpenMM, nor has the program loaded it: pip install torch=={version}" in message
    )
    assert "\n" not in message


def test_forked_processes(run_python, tmp_path):
    """A child gets a sentence and no deadlock; new Contexts of its own work by the kernels."""
    gentle_model(tmp_path / "m.safetensors", strength=10.0)
    script = (
        ENERGY
        + """
import os
platform = openmm.Platform.getPlatform("Reference")
context = openmm.Context(make(PaiNNStudentForce.LibTorch), openmm.VerletIntegrator(0.001), platform)
context.setPositions([(0, 0, 0), (0.05, 0.06, 0.07)])
before = energy(context=context)
child = os.fork()
if child == 0:
    try:
        energy(context=context)
    except openmm.OpenMMException as error:
        good = "PyTorch does not work in forked processes" in str(error)
    kernels = energy(PaiNNStudentForce.Kernels)
    os._exit(0 if good and abs(kernels - before) < 1e-9 * max(1, abs(before)) else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert energy(context=context) == before
"""
    )
    run_python(script, tmp_path / "m.safetensors", timeout=120)


def test_nothing_else_needs_torch():
    """Of our libraries the engine alone names PyTorch, and it names no part that only a CUDA build has."""
    if shutil.which("readelf") is None:
        pytest.skip("needs readelf (binutils)")
    for path in sorted(LIBRARIES.rglob("libOpenMMPaiNN*.so")):
        printed = subprocess.run(["readelf", "-d", path], check=True, capture_output=True, text=True).stdout
        needed = {line.split("[")[1].rstrip("]") for line in printed.splitlines() if "(NEEDED)" in line}
        of_torch = {name for name in needed if "torch" in name or "c10" in name}
        assert of_torch == ({"libtorch.so", "libtorch_cpu.so", "libc10.so"} if "Torch" in path.name else set())
        assert not [name for name in needed if "cuda" in name.lower()] or "CUDA" in path.name


def test_where_torch_is():
    assert pathlib.Path(torch_engine.find_torch_folder()) == pathlib.Path(torch.__file__).parent
    assert torch.__version__.split("+")[0] == painn._getTorchVersion()
    assert torch_engine.why_no_torch() == "" and PaiNNStudentForce.LibTorch == 1


def test_many_atoms_in_threads(model):
    """Above the size from which several threads share an operation, the caller's number of them is left alone."""
    numbers, positions = random_atoms(150)
    before = torch.get_num_threads()
    context = CASES[1].context(system_of(numbers, network_force(model, numbers, METHODS["LibTorch"])), positions)
    energy, forces = energy_and_forces(context)
    assert torch.get_num_threads() == before
    assert np.isfinite(energy) and np.isfinite(forces).all()
