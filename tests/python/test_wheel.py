# SPDX-License-Identifier: MIT
"""The wheel: what is in it, and that it runs where there is nothing but OpenMM and NumPy."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import zipfile

import pytest

import openmmpainn
from openmmpainn.torch_engine import find_torch_folder

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = {"PATH": f"{pathlib.Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
pytestmark = pytest.mark.slow

# Runs some steps and prints the energy. Argument: a model file.
DYNAMICS = """
import sys, warnings
caught = []
warnings.showwarning = lambda *arguments: caught.append(str(arguments[0]))
warnings.simplefilter("ignore", UserWarning)  # those of the model
import numpy, openmm
from openmm import app, unit
import openmmpainn
for absent in ("torch", "ase", "safetensors", "swig", "cmake", "skbuild"):
    try:
        __import__(absent)
    except ImportError:
        pass
    else:
        raise AssertionError(absent + " can be imported")
topology = app.Topology()
residue = topology.addResidue("HOH", topology.addChain())
atoms = [topology.addAtom(name, app.element.get_by_symbol(name[0]), residue) for name in ("O", "H1", "H2")]
model = openmmpainn.PaiNNStudentModel(sys.argv[1])
system = openmmpainn.createSystem(topology, model)
for platform in "Reference", "CPU":
    integrator = openmm.LangevinMiddleIntegrator(300, 1, 0.0001)
    simulation = app.Simulation(topology, system, integrator, openmm.Platform.getPlatform(platform))
    simulation.context.setPositions([(0, 0, 0), (0.1, 0, 0), (-0.03, 0.09, 0)])
    simulation.step(20)
    energy = simulation.context.getState(energy=True).getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole)
    assert numpy.isfinite(energy) and energy != 0
# The LibTorch engine, where it was built, is there and says what it lacks.
openmmpainn.PaiNNStudentForce.cast(system.getForce(0)).setEvaluationMethod(openmmpainn.PaiNNStudentForce.LibTorch)
try:
    openmm.Context(system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatform("Reference"))
except openmm.OpenMMException as error:
    assert "pip install torch==" in str(error) or "built without the engine" in str(error), error
else:
    raise AssertionError("a Context without PyTorch")
print(openmmpainn.__version__, *openmmpainn.bundledModels(), *caught, sep="\\n")
"""


def run(*command, **environment):
    """Run a command away from the sources; it must succeed. Returns what it printed."""
    merged = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "OPENMM_PLUGIN_DIR")}
    result = subprocess.run(
        [*map(str, command)], env={**merged, **environment}, cwd="/", capture_output=True, text=True
    )
    assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
    return result.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> pathlib.Path:
    """The wheel, built as `make wheel` does."""
    if not (ROOT / "CMakeLists.txt").exists() or shutil.which("swig", path=TOOLS["PATH"]) is None:
        pytest.skip("needs the sources and the build tools")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-build-isolation", "--no-deps"]
    run(*command, "--wheel-dir", folder, f"-Cbuild-dir={ROOT / 'build-wheel'}", ROOT, **TOOLS)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def venv(tmp_path_factory) -> pathlib.Path:
    """The interpreter of a virtual environment with OpenMM and NumPy alone."""
    folder = tmp_path_factory.mktemp("venv")
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet"]
    run(*pip, "--constraint", ROOT / "requirements" / "build.txt", "openmm", "numpy")
    return python


def test_contents(wheel):
    tag = f"cp{sys.version_info.major}{sys.version_info.minor}"
    assert re.fullmatch(rf"openmmpainn-{re.escape(openmmpainn.__version__)}-{tag}-{tag}-\w*linux\w*\.whl", wheel.name)
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = (archive.read(name).decode() for name in names if name.endswith("/METADATA"))
        (points,) = (archive.read(name).decode() for name in names if name.endswith("/entry_points.txt"))
        stub = archive.read("openmmpainn/painn.pyi")
    assert stub
    potentials = points.split("[openmmml.potentials]")[1].split("[")[0]
    assert all(
        f"{path.stem} = openmmpainn.mlpotential:" in potentials for path in (ROOT / "models").glob("*.safetensors")
    )
    assert "painn-student = openmmpainn.mlpotential:" in potentials
    required = {line.split(":")[1].strip() for line in metadata.splitlines() if line.startswith("Requires-Dist:")}
    assert {line for line in required if "extra ==" not in line} == {"openmm<8.7,>=8.6", "numpy"}
    libraries = sorted(name for name in names if ".so" in name)
    engine = ["libOpenMMPaiNNTorch"] if find_torch_folder() else []  # of the PyTorch that it is built for
    assert [name.split("/")[-1].split(".")[0] for name in libraries if "/plugins/" not in name] == [
        "libOpenMMPaiNN",
        *engine,
        "_painn",
    ]
    plugins = [name.split("/")[-1] for name in libraries if "/plugins/" in name]
    with_cuda = (pathlib.Path(sys.prefix) / "cuda" / "OpenMM.libs").exists()  # what the plugin for CUDA is built from
    platforms = ("CPU", "CUDA", "Reference") if with_cuda else ("CPU", "Reference")
    assert plugins == [f"libOpenMMPaiNN{platform}.so" for platform in platforms]
    assert "OpenMM.libs/include/PaiNNStudentForce.h" in names and "openmmpainn/py.typed" in names
    assert {name.split("/")[0] for name in names} == {
        "OpenMM.libs",
        "openmmpainn",
        f"openmmpainn-{openmmpainn.__version__}.dist-info",
    }
    assert not [name for name in names if "/test" in name or "gtest" in name or name.endswith((".cpp", ".i", ".a"))]
    models = {path.name for path in (ROOT / "models").glob("*.safetensors")}
    assert {name.split("/")[-1] for name in names if name.endswith(".safetensors")} == models


def test_another_site_directory(wheel, venv, canonical_path, tmp_path):
    """Installed beside the folder that holds OpenMM: the package loads its plugins by itself and says so."""
    pip = [sys.executable, "-m", "pip", "--python", venv, "install", "--quiet"]
    run(*pip, "--no-deps", "--target", tmp_path, wheel)
    lines = run(venv, "-c", DYNAMICS, canonical_path, PYTHONPATH=str(tmp_path), PATH="").splitlines()
    assert lines[0] == openmmpainn.__version__
    assert f"taken from {tmp_path / 'OpenMM.libs' / 'lib' / 'plugins'}" in lines[-1]


def test_installed(wheel, venv, canonical_path):
    """Installed in an empty environment without compiler and torch: molecular dynamics runs; nothing stays behind."""
    pip = [sys.executable, "-m", "pip", "--python", venv]
    run(*pip, "install", "--quiet", "--no-index", wheel)
    lines = run(venv, "-c", DYNAMICS, canonical_path, PATH="").splitlines()
    assert lines == [openmmpainn.__version__, *sorted(path.stem for path in (ROOT / "models").glob("*.safetensors"))]
    for name in lines[1:]:
        script = f"from openmmpainn import PaiNNStudentModel; print(PaiNNStudentModel.bundled('{name}').getName())"
        assert run(venv, "-c", script)
    run(*pip, "uninstall", "--quiet", "--yes", "openmmpainn")
    left = [path for path in venv.parents[1].rglob("*") if "painn" in path.name.lower()]
    assert not left
    run(venv, "-c", "import openmm; assert not openmm.Platform.getPluginLoadFailures()")
