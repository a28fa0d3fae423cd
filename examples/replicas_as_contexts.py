# SPDX-License-Identifier: MIT
"""Replicas in Contexts of their own that share the network, and going on from a checkpoint of all of them.

python replicas_as_contexts.py [STEPS] [FOLDER] [MODEL]; run it again with the same FOLDER, and it goes on from there.
"""

import hashlib
import sys
from pathlib import Path

import openmm
from openmm import Platform, app, unit

from openmmpainn import PaiNNReplicaContexts, PaiNNStudentModel, bundledModels, createSystem

steps = int(sys.argv[1]) if len(sys.argv) > 1 else 500
folder = Path(sys.argv[2] if len(sys.argv) > 2 else "replicas_as_contexts")
model = PaiNNStudentModel(sys.argv[3]) if len(sys.argv) > 3 else PaiNNStudentModel.bundled(bundledModels()[0])
pdb = app.PDBFile(str(Path(__file__).parent / "data" / "alanine_dipeptide.pdb"))
system = createSystem(pdb.topology, model, removeCMMotion=False)


def make_replicas() -> PaiNNReplicaContexts:
    """Four replicas with integrators that have little in common."""
    integrators = [
        openmm.LangevinMiddleIntegrator(300 * unit.kelvin, 1 / unit.picosecond, 1 * unit.femtosecond),
        openmm.LangevinMiddleIntegrator(400 * unit.kelvin, 10 / unit.picosecond, 0.5 * unit.femtosecond),
        openmm.NoseHooverIntegrator(300 * unit.kelvin, 10 / unit.picosecond, 0.5 * unit.femtosecond),
        openmm.VerletIntegrator(0.5 * unit.femtosecond),
    ]
    return PaiNNReplicaContexts([system] * len(integrators), integrators, Platform.getPlatform("CPU"))


def save(replicas: PaiNNReplicaContexts, name: str) -> None:
    """A checkpoint of every replica."""
    for index, context in enumerate(replicas):
        (folder / f"{name}.{index}.chk").write_bytes(context.createCheckpoint())


def load(replicas: PaiNNReplicaContexts, name: str) -> None:
    """The same into replicas of the same Systems, integrators, platform and precision."""
    for index, context in enumerate(replicas):
        context.loadCheckpoint((folder / f"{name}.{index}.chk").read_bytes())


def bits(replicas: PaiNNReplicaContexts) -> list[str]:
    """A digest of the positions and velocities of every replica."""
    states = [context.getState(positions=True, velocities=True) for context in replicas]
    arrays = [(s.getPositions(asNumpy=True)._value, s.getVelocities(asNumpy=True)._value) for s in states]
    return [hashlib.sha256(x.tobytes() + v.tobytes()).hexdigest()[:12] for x, v in arrays]


folder.mkdir(parents=True, exist_ok=True)
replicas = make_replicas()
if (folder / "last.0.chk").exists():
    load(replicas, "last")
    print(f"Going on at step {replicas.getContext(0).getStepCount()}")
else:
    for index, context in enumerate(replicas):
        context.setPositions(pdb.positions)
        openmm.LocalEnergyMinimizer.minimize(context, 10, 50)
        context.setVelocitiesToTemperature(300 * unit.kelvin, index + 1)
simulation = replicas.getSimulation(0, pdb.topology)  # keep it: its reporters go with it
reporter = app.StateDataReporter(sys.stdout, max(1, steps // 5), step=True, potentialEnergy=True, temperature=True)
simulation.reporters.append(reporter)
replicas.step(steps)
save(replicas, "last")
simulation.reporters.clear()
saved = bits(replicas)

replicas.step(20)
others = make_replicas()  # as another process would
load(others, "last")
others.step(20)
print("replica, digest at the checkpoint, 20 steps later, 20 steps after loading it")
for index, (at, straight, resumed) in enumerate(zip(saved, bits(replicas), bits(others), strict=True)):
    print(f"{index}  {at}  {straight}  {resumed}  {'the same bits' if straight == resumed else 'DIFFERENT'}")
print(f"{replicas.getNumBatchedEvaluations() / max(1, replicas.getNumBatches()):.1f} replicas in a batch")
