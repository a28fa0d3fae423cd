# SPDX-License-Identifier: MIT
"""What all Python tests share: small random models, and molecules to put them on."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from models import FAMILIES, random_model

PLATFORMS = ("Reference", "CPU")


@pytest.fixture(scope="session", params=FAMILIES)
def model_path(request, tmp_path_factory) -> str:
    """The file of a small random model, one of each family."""
    return random_model(tmp_path_factory.mktemp("models") / f"{request.param}.safetensors", request.param)


@pytest.fixture(scope="session")
def canonical_path(tmp_path_factory) -> str:
    """The file of a small random canonical model."""
    return random_model(tmp_path_factory.mktemp("models") / "canonical.safetensors")


@pytest.fixture(scope="session")
def model(model_path):
    """A small random model, one of each family."""
    from openmmpainn import PaiNNStudentModel

    return PaiNNStudentModel(model_path)


@pytest.fixture(scope="session")
def canonical(canonical_path):
    """A small random canonical model."""
    from openmmpainn import PaiNNStudentModel

    return PaiNNStudentModel(canonical_path)


@pytest.fixture(scope="session")
def ethanol():
    """Topology and positions (array [9, 3], nm) of an ethanol molecule."""
    from openmm import app

    # H atoms stand on rough tetrahedra; the random network does not care about the exact geometry.
    names = ["C1", "C2", "O", "H1", "H2", "H3", "H4", "H5", "HO"]
    positions = 0.1 * np.array(
        [
            [1.17, -0.40, 0.02],
            [-0.05, 0.55, -0.03],
            [-1.19, -0.25, 0.05],
            [2.10, 0.18, -0.06],
            [1.16, -0.98, 0.95],
            [1.14, -1.10, -0.82],
            [-0.02, 1.15, -0.95],
            [-0.03, 1.23, 0.83],
            [-1.98, 0.31, -0.02],
        ]
    )
    topology = app.Topology()
    residue = topology.addResidue("ETH", topology.addChain())
    atoms = [topology.addAtom(name, app.element.get_by_symbol(name[0]), residue) for name in names]
    for first, second in ((0, 1), (1, 2), (0, 3), (0, 4), (0, 5), (1, 6), (1, 7), (2, 8)):
        topology.addBond(atoms[first], atoms[second])
    return topology, positions


@pytest.fixture
def run_python():
    """Run a script in a fresh interpreter; it must end with exit status 0. Returns what it printed."""

    def run(script: str, *arguments: str, python: str = sys.executable, timeout: float = 60, **environment: str) -> str:
        merged = {key: value for key, value in os.environ.items() if key != "OPENMM_PLUGIN_DIR"}
        result = subprocess.run(
            [python, "-c", script, *map(str, arguments)],
            env={**merged, **environment},
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        assert result.returncode == 0, f"exit status {result.returncode}\n{result.stdout}\n{result.stderr}"
        return result.stdout

    return run
