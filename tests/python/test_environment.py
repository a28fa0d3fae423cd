# SPDX-License-Identifier: MIT
"""What surrounds the plugin: other versions, absent packages, other folders, forks, locales, symbols (row 34)."""

import pathlib
import re
import shutil
import subprocess
import sys

import openmm
import pytest

import openmmpainn
from openmmpainn import platforms, plugins

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGE = pathlib.Path(openmmpainn.__file__).parent
LIBRARIES = PACKAGE.parent / "OpenMM.libs" / "lib"

# Makes a System with one molecule and prints its energy, bit for bit. Arguments: model file, platform.
ENERGY = """
import sys, openmm
from openmm import app
from openmmpainn import PaiNNStudentModel, createSystem
topology = app.Topology()
residue = topology.addResidue("CO", topology.addChain())
for symbol in "CO":
    topology.addAtom(symbol, app.element.get_by_symbol(symbol), residue)

def energy(platform=sys.argv[2], system=createSystem(topology, PaiNNStudentModel(sys.argv[1]))):
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatform(platform))
    context.setPositions([(0, 0, 0), (0.05, 0.06, 0.07)])
    return context.getState(energy=True).getPotentialEnergy()._value.hex()
"""


def test_plugins_load_by_themselves(run_python):
    """`import openmm` alone brings the kernel to the host platforms. Without OpenMM's own plugin for CUDA, or a driver,
    ours for CUDA stays out, and exactly one line says why."""
    has_cuda_plugin = (LIBRARIES / "plugins" / "libOpenMMPaiNNCUDA.so").exists()
    printed = run_python(
        """if True:
        import sys, openmm
        assert "openmmpainn" not in sys.modules
        failures = [text for text in openmm.Platform.getPluginLoadFailures() if "PaiNN" in text]
        names = [openmm.Platform.getPlatform(i).getName() for i in range(openmm.Platform.getNumPlatforms())]
        assert len(failures) == (sys.argv[1] == "True" and "CUDA" not in names), failures
        assert all("libOpenMMPaiNNCUDA.so: lib" in text and "cannot open shared object" in text for text in failures)
        assert not any("\\n" in text.strip() for text in failures), failures
        for index in range(openmm.Platform.getNumPlatforms()):
            platform = openmm.Platform.getPlatform(index)
            print(platform.getName(), platform.supportsKernels(["CalcPaiNNStudentForce"]))
        """,
        has_cuda_plugin,
    )
    supported = dict(line.split() for line in printed.splitlines())
    assert supported["Reference"] == supported["CPU"] == "True"


@pytest.mark.parametrize("absent", ["torch", "ase", "rdkit", "safetensors", "onnx", "matplotlib", "openmmml"])
def test_runs_without(absent, run_python, canonical_path):
    run_python(f"import sys; sys.modules['{absent}'] = None\n{ENERGY}\nenergy()", canonical_path, "Reference")


def test_submodules_without_openmm(run_python):
    """Model files can be written, and networks trained, where OpenMM is not installed."""
    run_python(
        """if True:
        import sys
        sys.modules["openmm"] = None
        import openmmpainn, openmmpainn.modelfile, openmmpainn.torch_network
        assert openmmpainn.__version__ and "PaiNNStudentForce" in dir(openmmpainn)
        try:
            openmmpainn.PaiNNStudentForce
        except ImportError as error:
            assert "openmm" in str(error)
        else:
            raise AssertionError("found a Force without OpenMM")
        try:
            openmmpainn.nothing
        except AttributeError as error:
            assert "nothing" in str(error)
        """
    )


def test_plugin_folder_elsewhere(run_python, canonical_path, tmp_path):
    """Where OPENMM_PLUGIN_DIR keeps OpenMM from finding the plugins, the package loads its own and says so."""
    script = "import warnings; caught = []; warnings.showwarning = lambda *arguments: caught.append(str(arguments[0]))"
    script += "; warnings.simplefilter('ignore', UserWarning)"  # those of the model
    script += ENERGY + "print(energy(), *caught, sep='\\n')"
    usual = run_python(script, canonical_path, "Reference").splitlines()
    moved = run_python(script, canonical_path, "Reference", OPENMM_PLUGIN_DIR=str(tmp_path)).splitlines()
    assert len(usual) == 1 and len(moved) == 2 and usual[0] == moved[0]
    assert f"taken from {plugins.PLUGIN_FOLDER}" in moved[1]


def test_plugins_that_do_not_load(monkeypatch, tmp_path):
    """One sentence says why no platform knows the Force."""
    (tmp_path / "libOpenMMPaiNNReference.so").write_text("no library")
    monkeypatch.setattr(plugins, "PLUGIN_FOLDER", tmp_path)
    monkeypatch.setattr(plugins, "platforms_with_kernel", list)
    with pytest.raises(
        ImportError, match="no platform of OpenMM can evaluate a PaiNNStudentForce: .*libOpenMMPaiNNRef"
    ):
        plugins.require_kernel()
    monkeypatch.setattr(plugins, "PLUGIN_FOLDER", tmp_path / "absent")
    with pytest.raises(ImportError, match="holds no plugin that fits"):
        plugins.require_kernel()


def test_why_no_cuda(monkeypatch):
    """One sentence says why there is no CUDA platform, and the error of who asks for it ends with it."""
    monkeypatch.setattr(platforms, "platform_names", lambda: ["Reference", "CPU"])
    missing = "cannot open shared object file: No such file or directory"
    ours = f"Error loading library /x/libOpenMMPaiNNCUDA.so: libOpenMMCUDA.so: {missing}"
    no_driver = f"Error loading library /x/libOpenMMCUDA.so: libcuda.so.1: {missing}"
    for failures, reason in (((ours,), "openmm.cuda13"), ((ours, no_driver), r"libcuda.so.1: .* \(no NVIDIA driver")):
        monkeypatch.setattr(openmm.Platform, "getPluginLoadFailures", staticmethod(lambda failures=failures: failures))
        with pytest.raises(ValueError, match=f"'CUDA' is not here; OpenMM has Reference, CPU. OpenMM's .*{reason}"):
            platforms.get_platform("CUDA")
    monkeypatch.setattr(platforms, "platform_names", lambda: ["Reference", "CUDA"])
    assert platforms.why_no_cuda() == ""


def test_version_check(monkeypatch):
    plugins.require_openmm()
    for version in ("8.5.1", "8.7", "8.60", "9.8.6"):
        monkeypatch.setattr(openmm.Platform, "getOpenMMVersion", staticmethod(lambda version=version: version))
        with pytest.raises(ImportError, match=f"is built for OpenMM 8.6, but OpenMM {version} was found in"):
            plugins.require_openmm()


@pytest.mark.slow
def test_other_openmm(run_python, canonical_path, tmp_path):
    """OpenMM 8.5 with our plugins in its folder: works as without them, says in one line why the Force is not there."""
    site = tmp_path / "site"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", site, "openmm==8.5.1"]
    installed = subprocess.run(command, capture_output=True, text=True)
    if installed.returncode != 0:
        pytest.skip(f"openmm 8.5.1 could not be installed beside: {installed.stderr.strip().splitlines()[-1]}")
    for library in LIBRARIES.rglob("libOpenMMPaiNN*"):
        shutil.copy(library, site / "OpenMM.libs" / "lib" / library.relative_to(LIBRARIES))
    shutil.copytree(PACKAGE, site / "openmmpainn")
    force = openmmpainn.PaiNNStudentForce(openmmpainn.PaiNNStudentModel(canonical_path))
    (tmp_path / "force.xml").write_text(openmm.XmlSerializer.serialize(force))
    printed = run_python(
        """if True:
        import sys, openmm
        assert openmm.Platform.getOpenMMVersion() == "8.5.1"
        failures = [text for text in openmm.Platform.getPluginLoadFailures() if "PaiNN" in text]
        # Without OpenMM's own plugin for CUDA, ours is refused whatever the version.
        print(*[text for text in failures if "PaiNNCUDA.so: lib" not in text], sep="\\n")
        try:
            openmm.XmlSerializer.deserialize(open(sys.argv[1]).read())
        except openmm.OpenMMException as error:
            assert "PaiNNStudentForce" in str(error)
        else:
            raise AssertionError("opened a Force that this OpenMM cannot have")
        try:
            from openmmpainn import PaiNNStudentForce
        except ImportError as error:
            assert "is built for OpenMM 8.6, but OpenMM 8.5.1 was found" in str(error)
        else:
            raise AssertionError("imported a module for another OpenMM")
        system = openmm.System()
        system.addParticle(1)
        for name in "Reference", "CPU":
            platform = openmm.Platform.getPlatformByName(name)
            assert not platform.supportsKernels(["CalcPaiNNStudentForce"])
            integrator = openmm.VerletIntegrator(0.001)
            context = openmm.Context(system, integrator, platform)
            context.setPositions([(0, 0, 0)])
            integrator.step(2)
        """,
        tmp_path / "force.xml",
        PYTHONPATH=str(site),
    )
    lines = printed.strip().splitlines()
    assert len(lines) == 1 and "8.6" in lines[0] and "8.5.1" in lines[0]


def test_fork(run_python, canonical_path):
    """100 children, forked before and after the parent's first use: each works on both host platforms, none hangs."""
    printed = run_python(
        ENERGY
        + """
import os, signal

def child(expected):
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)
        try:
            os._exit(0 if (energy("Reference"), energy("CPU")) == expected else 1)
        finally:
            os._exit(2)
    return os.waitpid(pid, 0)[1]

reader, writer = os.pipe()
if os.fork() == 0:
    os.write(writer, f"{energy('Reference')} {energy('CPU')}".encode())
    os._exit(0)
os.wait()
expected = tuple(os.read(reader, 1000).decode().split())
assert len(expected) == 2
before = [child(expected) for _ in range(50)]
assert expected == (energy("Reference"), energy("CPU"))
after = [child(expected) for _ in range(50)]
assert not any(before + after), (before, after)
print(len(before + after))
""",
        canonical_path,
        "Reference",
    )
    assert printed.strip() == "100"


def test_locale(run_python, canonical_path, tmp_path):
    """A decimal comma changes nothing: neither a model file, nor XML, nor an energy."""
    script = """
import locale, sys, openmm
print(locale.setlocale(locale.LC_ALL, ""), locale.localeconv()["decimal_point"])
import openmmpainn
force = openmmpainn.PaiNNStudentForce(openmmpainn.PaiNNStudentModel(sys.argv[1]))
force.addGlobalParameter("scale", 0.1)
text = openmm.XmlSerializer.serialize(force)
again = openmmpainn.PaiNNStudentForce.cast(openmm.XmlSerializer.deserialize(text))
assert openmm.XmlSerializer.serialize(again) == text
print(again.getGlobalParameterDefaultValue(0), again.getModel().getCutoff(), *again.getModel().getWarnings())
"""
    script += ENERGY + "print(energy())"
    try:
        subprocess.run(
            ["localedef", "-i", "de_DE", "-f", "UTF-8", tmp_path / "de_DE.UTF-8"], check=True, capture_output=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"the locale de_DE could not be made: {error}")
    usual = run_python(script, canonical_path, "Reference", LC_ALL="C.UTF-8")
    german = run_python(
        script,
        canonical_path,
        "Reference",
        LC_ALL="de_DE.UTF-8",
        LOCPATH=str(tmp_path),
    )
    assert german.splitlines()[0].split()[-1] == ","
    assert usual.splitlines()[1:] == german.splitlines()[1:]


@pytest.mark.skipif(shutil.which("nm") is None, reason="needs nm (binutils)")
def test_symbols():
    """The libraries show what they must and nothing else."""

    def exported(path):
        lines = subprocess.run(["nm", "-DC", "--defined-only", path], check=True, capture_output=True, text=True).stdout
        # Weak symbols are instances of templates of the standard library.
        return {line.split(" ", 2)[2] for line in lines.splitlines() if line.split(" ", 2)[1] in "TDBR"}

    for plugin in (LIBRARIES / "plugins").glob("libOpenMMPaiNN*.so"):
        assert exported(plugin) <= {
            "registerPlatforms",
            "registerKernelFactories",
            f"register{plugin.stem[9:]}KernelFactories",
        }
    (module,) = PACKAGE.glob("_painn.*")
    assert exported(module) == {"PyInit__painn"}
    names = exported(LIBRARIES / "libOpenMMPaiNN.so")
    assert names and all(name.startswith(("PaiNNPlugin::", "vtable", "typeinfo")) for name in names)
    assert not [name for name in names if "ExactNetwork" in name or "nlohmann" in name]


@pytest.mark.skipif(shutil.which("cmake") is None, reason="needs cmake")
def test_old_swig_is_refused(tmp_path):
    """Configuring with a SWIG of another runtime version ends with a sentence that says what to do."""
    (tmp_path / "swigrun.swg").write_text('#define SWIG_RUNTIME_VERSION "4"\n')
    swig = tmp_path / "swig"
    swig.write_text(f"#!/bin/sh\necho {tmp_path}\n")
    swig.chmod(0o755)

    def configure():
        command = ["cmake", f"-DSWIG_EXECUTABLE={swig}", f"-DPython_EXECUTABLE={sys.executable}"]
        return subprocess.run([*command, "-P", ROOT / "cmake" / "PaiNNSwig.cmake"], capture_output=True, text=True)

    refused = configure()
    assert refused.returncode != 0
    assert "has the runtime version 4, but OpenMM 8.6 needs version 5" in " ".join(refused.stderr.split())
    (tmp_path / "swigrun.swg").write_text('#define SWIG_RUNTIME_VERSION "5"\n')
    assert configure().returncode == 0


def test_libraries_lend_no_cxx_library():
    """A copy of the C++ library inside ours, where a compiler puts one there, must not serve other libraries."""
    nm = shutil.which("nm")
    if nm is None:
        pytest.skip("nm is not installed")
    libraries = sorted(LIBRARIES.rglob("libOpenMMPaiNN*.so"))
    assert len(libraries) >= 3
    for library in libraries:
        symbols = subprocess.run([nm, "-D", "--defined-only", str(library)], capture_output=True, text=True, check=True)
        assert not re.findall(r" T _ZN?K?S[tosaid]\w*", symbols.stdout), library
