# SPDX-License-Identifier: MIT
"""PaiNNStudentForce.fromTopology and createSystem."""

import copy

import numpy as np
import openmm
import pytest
from openmm import app, unit

from openmmpainn import PaiNNStudentForce, createSystem


def entries(force):
    """All entries of a force."""
    return [tuple(force.getParticleParameters(i)) for i in range(force.getNumParticles())]


def add_extra_particle(topology):
    """A copy of the Topology with an extra particle at its end."""
    copied = copy.deepcopy(topology)
    copied.addAtom("M", None, next(copied.residues()))
    return copied


def test_all_atoms(canonical, ethanol):
    topology, _ = ethanol
    force = PaiNNStudentForce.fromTopology(canonical, topology)
    assert type(force) is PaiNNStudentForce
    assert entries(force) == [(i, n, 0) for i, n in enumerate([6, 6, 8, 1, 1, 1, 1, 1, 1])]
    assert force.getNumBonds() == 0 and not force.usesPeriodicBoundaryConditions()


def test_some_atoms(canonical, ethanol):
    topology, _ = ethanol
    atoms = list(topology.atoms())
    expected = [(2, 8, 3), (0, 6, 3), (8, 1, 3)]
    for chosen in ([2, 0, 8], np.array([2, 0, 8]), (atoms[i] for i in (2, 0, 8)), np.array([2, 0, 8], dtype=np.uint8)):
        assert entries(PaiNNStudentForce.fromTopology(canonical, topology, chosen, subsystem=3)) == expected


def test_arguments_of_the_wrong_kind(canonical, ethanol):
    topology, _ = ethanol
    for arguments, error, text in (
        (dict(atoms=[]), ValueError, "atoms is empty"),
        (dict(atoms=3), ValueError, "atoms is 3"),
        (dict(atoms=list(topology.residues())), ValueError, "it must list indices or atoms"),
        (dict(subsystem="a"), ValueError, "subsystem is 'a'"),
        (dict(topology=[1]), TypeError, "of the type list"),
        (dict(model="model.safetensors"), TypeError, "model is of the type str"),
    ):
        with pytest.raises(error, match=text):
            PaiNNStudentForce.fromTopology(**{"model": canonical, "topology": topology, **arguments})
    with pytest.raises(TypeError, match="must be a PaiNNStudentModel"):
        PaiNNStudentForce("model.safetensors")


def test_periodic(canonical, ethanol):
    topology = copy.deepcopy(ethanol[0])
    topology.setUnitCellDimensions((2, 2, 2) * unit.nanometer)
    force = PaiNNStudentForce.fromTopology(canonical, topology, atoms=[0, 1, 2, 8])
    assert force.usesPeriodicBoundaryConditions()
    bonds = sorted(sorted(force.getBondParameters(i)) for i in range(force.getNumBonds()))
    assert bonds == [[0, 1], [1, 2], [2, 8]]
    force = PaiNNStudentForce.fromTopology(canonical, topology, periodic=False)
    assert force.getNumBonds() == 0 and not force.usesPeriodicBoundaryConditions()
    system = createSystem(topology, canonical)
    assert system.usesPeriodicBoundaryConditions()
    assert system.getDefaultPeriodicBoxVectors()[1][1] == 2 * unit.nanometer
    assert PaiNNStudentForce.fromTopology(canonical, ethanol[0], periodic=True).getNumBonds() == 8


def test_errors(canonical, ethanol):
    topology, _ = ethanol
    with_extra = add_extra_particle(topology)
    assert PaiNNStudentForce.fromTopology(canonical, with_extra, atoms=range(9)).getNumParticles() == 9
    with_fluorine = copy.deepcopy(topology)
    with_fluorine.addAtom("F1", app.element.fluorine, next(with_fluorine.residues()))
    for match, arguments in (
        (r"atom 9 \(M of residue ETH 1\) is an extra particle", {"topology": with_extra}),
        (
            r"atom 9 \(F1 of residue ETH 1\) is of the element F; the model knows H, C, N, O",
            {"topology": with_fluorine},
        ),
        ("index 9; the Topology has atoms 0 to 8", {"atoms": [0, 9]}),
        ("index -1; the Topology", {"atoms": [-1]}),
        (r"lists atom 1 \(C2 of residue ETH 1\) twice", {"atoms": [1, 2, 1]}),
        ("holds 1.5; it must list", {"atoms": [1.5]}),
        ("holds '1'; it must list", {"atoms": "1"}),
        ("True or False", {"atoms": np.ones(9, dtype=bool)}),
        ("another Topology", {"atoms": with_extra.atoms()}),
        ("subsystem is -1", {"subsystem": -1}),
    ):
        with pytest.raises(ValueError, match=match):
            PaiNNStudentForce.fromTopology(canonical, **{"topology": topology, **arguments})
    with pytest.raises(ValueError, match="extra particle"):
        createSystem(with_extra, canonical)


def test_create_system(canonical, ethanol):
    topology, positions = ethanol
    system = createSystem(topology, canonical)
    assert system.getNumParticles() == 9 and system.getNumConstraints() == 0
    assert system.getParticleMass(2) == app.element.oxygen.mass
    assert [type(force) for force in system.getForces()] == [openmm.Force, openmm.CMMotionRemover]
    assert createSystem(topology, canonical, removeCMMotion=False).getNumForces() == 1
    simulation = app.Simulation(
        topology, system, openmm.VerletIntegrator(0.0001), openmm.Platform.getPlatform("Reference")
    )
    simulation.context.setPositions(positions)
    simulation.step(3)
    assert np.isfinite(simulation.context.getState(positions=True).getPositions(asNumpy=True)._value).all()
