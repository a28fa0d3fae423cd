# SPDX-License-Identifier: MIT
"""What a model has seen, and when a run leaves it."""

from __future__ import annotations

import io
import itertools

import numpy as np
import openmm
import pytest
from openmm import app, unit

import models
from openmmpainn import (
    DomainReporter,
    ModelDomain,
    PaiNNStudentForce,
    PaiNNStudentModel,
    getDomainReport,
    replicate,
)
from openmmpainn.distil.dataset import Frames
from openmmpainn.distil.domain import domain_metadata, shortest_distances
from openmmpainn.distil.molecules import Molecule
from openmmpainn.modelfile import write_model

WATER = np.array([[0.0, 0.0, 0.0], [0.096, 0.0, 0.0], [-0.024, 0.093, 0.0]])  # nm
SEEN = {
    "domain_pairs": ["H-H", "H-O", "O-O"],
    "domain_shortest_distances": [0.12, 0.08, 0.22],
    "domain_bonded_pairs": ["H-O"],
}


def _model(tmp_path, provenance=SEEN, **changes):
    metadata = models.random_metadata(elements=(1, 8, 17), trained_elements=[1, 8], provenance=provenance, **changes)
    path = tmp_path / "seen.safetensors"
    write_model(path, metadata, models.random_tensors(metadata, strength=0.1))
    return PaiNNStudentModel(str(path))


def _context(model, numbers, positions, subsystems=None, periodic=False):
    system, force = openmm.System(), PaiNNStudentForce(model)
    system.addParticle(1.0)  # not the network's: numbers of particles differ from those of entries
    for k, number in enumerate(numbers):
        system.addParticle(1.0)
        force.addParticle(k + 1, int(number), 0 if subsystems is None else subsystems[k])
    force.setUsesPeriodicBoundaryConditions(periodic)
    system.setDefaultPeriodicBoxVectors((1.2, 0, 0), (0.3, 1.2, 0), (-0.2, 0.4, 1.2))
    system.addForce(force)
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatform("Reference"))
    context.setPositions(np.vstack([[[9.0, 9.0, 9.0]], positions]))
    return context


def test_distances_are_those_of_all_pairs(tmp_path):
    """Against a double loop, with a periodic triclinic box and with subsystems that do not see each other."""
    rng = np.random.default_rng(2)
    domain = ModelDomain.fromModel(_model(tmp_path))
    numbers, x = rng.choice([1, 8], 30), rng.uniform(0, 1.5, (30, 3))
    box = np.array([[1.2, 0, 0], [0.3, 1.2, 0], [-0.2, 0.4, 1.2]])
    images = np.array(list(itertools.product((-2, -1, 0, 1, 2), repeat=3))) @ box
    members = rng.integers(0, 3, 30)
    for cell, subsystems in ((None, None), (box, None), (box, members)):
        wanted = {}
        for i, j in itertools.combinations(range(30), 2):
            if subsystems is not None and members[i] != members[j]:
                continue
            shifts = images if cell is not None else np.zeros((1, 3))
            d = np.linalg.norm(x[j] - x[i] + shifts, axis=1).min()
            pair = tuple(sorted((int(numbers[i]), int(numbers[j]))))
            wanted[pair] = min(d, wanted.get(pair, 9.0))
        found = domain.check(numbers, x, subsystems, cell).closest
        assert {each.elements: each.distance for each in found} == pytest.approx(wanted)
        for each in found:
            assert tuple(sorted(numbers[list(each.atoms)].tolist())) == each.elements


def test_findings_name_particles_and_distances(tmp_path):
    model = _model(tmp_path)
    assert getDomainReport(_context(model, (8, 1, 1), WATER)).isInside
    close = WATER.copy()
    close[1, 0] = 0.07
    report = getDomainReport(_context(model, (8, 1, 1), close))
    ((contact, seen),) = report.tooClose
    assert (contact.elements, contact.atoms, seen) == ((1, 8), (1, 2), 0.08)
    assert contact.distance == pytest.approx(0.07)
    assert str(report) == (
        "H-O of the particles 1 and 2 are 0.0700 nm apart; the shortest H-O of the training is 0.0800 nm"
    )
    close[1, 0] = 0.25
    report = getDomainReport(_context(model, (8, 8, 1), np.array([[0, 0, 0], [0.14, 0, 0], [0, 0.4, 0]])))
    assert [each.elements for each in report.unseenBonds] == [(8, 8)] and len(report.tooClose) == 1
    report = getDomainReport(_context(model, (8, 17), np.array([[0, 0, 0], [0.3, 0, 0]])))
    assert report.untrainedElements == (17,)
    assert [each.elements for each in report.unseenPairs] == [(8, 17)] and not report.unseenBonds
    assert "Cl was in no molecule of the training" in str(report)
    assert getDomainReport(_context(model, (8, 17), np.array([[0, 0, 0], [0.6, 0, 0]]))).unseenPairs == ()
    # Subsystems that lie on each other do not see each other; images do.
    both = np.vstack([WATER, WATER + 0.01])
    assert getDomainReport(_context(model, (8, 1, 1) * 2, both, (0, 0, 0, 1, 1, 1))).isInside
    assert not getDomainReport(_context(model, (8, 1, 1) * 2, both)).isInside
    edge = np.array([[0.01, 0.0, 0.0], [1.15, 0.0, 0.0]])
    assert getDomainReport(_context(model, (8, 1), edge)).isInside
    assert not getDomainReport(_context(model, (8, 1), edge, periodic=True)).isInside


def test_units_of_the_file_and_what_it_does_not_say(tmp_path):
    model = _model(tmp_path, {**SEEN, "domain_shortest_distances": [1.2, 0.8, 2.2]}, length_unit="angstrom", cutoff=5.0)
    assert ModelDomain.fromModel(model).shortestDistances == pytest.approx({(1, 1): 0.12, (1, 8): 0.08, (8, 8): 0.22})
    elements_only = getDomainReport(_context(_model(tmp_path, None), (8, 17), WATER[:2]))
    assert elements_only.untrainedElements == (17,) and not elements_only.unseenPairs
    metadata = models.random_metadata()
    write_model(tmp_path / "none.safetensors", metadata, models.random_tensors(metadata))
    with pytest.raises(ValueError, match="does not say what it has seen"):
        ModelDomain.fromModel(PaiNNStudentModel(str(tmp_path / "none.safetensors")))
    for wrong in (["H-H"], ["H-H", "H-O", "Xx-O"], ["H-H", "H-O", "OO"]):
        with pytest.raises(ValueError, match="nothing sensible"):
            ModelDomain.fromModel(_model(tmp_path, {**SEEN, "domain_pairs": wrong}))
    with pytest.raises(ValueError, match="has 0 PaiNNStudentForces"):
        system = openmm.System()
        system.addParticle(1.0)
        getDomainReport(openmm.Context(system, openmm.VerletIntegrator(0.001)))


def test_the_reporter_tells_when_a_run_leaves(tmp_path):
    """Two copies of water; in one of them an atom is pushed into another between two looks."""
    topology = app.Topology()
    residue = topology.addResidue("HOH", topology.addChain())
    for symbol in "OHH":
        topology.addAtom(symbol, app.Element.getBySymbol(symbol), residue)
    system = openmm.System()
    force = PaiNNStudentForce(_model(tmp_path))
    for k, number in enumerate((8, 1, 1)):
        system.addParticle(1000.0)
        force.addParticle(k, number)
    system.addForce(force)
    topology, system, positions = replicate(topology, system, WATER * unit.nanometer, 2)
    simulation = app.Simulation(
        topology, system, openmm.VerletIntegrator(1e-4), openmm.Platform.getPlatform("Reference")
    )
    simulation.context.setPositions(positions)
    path = str(tmp_path / "domain.csv")
    reporter = DomainReporter(path, 5)
    text = DomainReporter(io.StringIO(), 10)
    simulation.reporters += [reporter, text]
    simulation.step(12)
    assert reporter.getLastReport().isInside and reporter.getNumReportsOutside() == 0
    moved = np.vstack([WATER, WATER])
    moved[4, 0] = 0.07
    simulation.context.setPositions(moved)
    simulation.step(3)
    assert reporter.getNumReportsOutside() == 1 and text.getNumReportsOutside() == 0
    header, line = (tmp_path / "domain.csv").read_text().splitlines()
    assert header.startswith("step,finding,elements")
    step, finding, elements, first, second, distance, seen = line.split(",")
    assert (step, finding, elements, {first, second}, seen) == ("15", "too close", "H-O", {"3", "4"}, "0.08000")
    assert float(distance) == pytest.approx(0.07, abs=1e-3)
    with pytest.raises(ValueError, match="reportInterval is 0"):
        DomainReporter(path, 0)


def test_the_range_of_frames_is_that_of_every_pair():
    """The shortest distances and bonds of what is learnt, against a double loop."""
    rng = np.random.default_rng(1)
    hydroxyl = Molecule("a", "a", (8, 1, 17), ((0, 1),), (16.0, 1.0, 35.0))
    water = Molecule("b", "b", (8, 1, 1), ((0, 1), (0, 2)), (16.0, 1.0, 1.0))
    frames, wanted = {}, {}
    for molecule in (hydroxyl, water):
        x = rng.uniform(0, 3, (40, 3, 3)).astype(np.float32)
        frames[molecule.name] = Frames(molecule, x, *([np.zeros(40)] * 4))
        for (i, a), (j, b) in itertools.combinations(enumerate(molecule.numbers), 2):
            pair = (min(a, b), max(a, b))
            wanted[pair] = min(wanted.get(pair, 9.0), np.linalg.norm(x[:, i] - x[:, j], axis=-1).min())
    assert shortest_distances(frames.values()) == pytest.approx(wanted, rel=1e-5)
    told = domain_metadata(frames)
    assert told["domain_pairs"] == ["H-H", "H-O", "H-Cl", "O-Cl"] and told["domain_bonded_pairs"] == ["H-O"]
    assert told["domain_shortest_distances"] == pytest.approx(
        [wanted[1, 1], wanted[1, 8], wanted[1, 17], wanted[8, 17]], abs=1e-4
    )
