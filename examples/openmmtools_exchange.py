# SPDX-License-Identifier: MIT
"""Replica exchange along lambda with openmmtools, from a force field to the network: python openmmtools_exchange.py

Arguments: iterations of 0.25 ps for each of 5 replicas (200: some 8 minutes on one core).
Needs openmmml, openmmtools, mpiplus, pymbar (all from PyPI).
"""

import logging
import sys
import tempfile
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")  # of openmmtools' own imports
logging.disable(logging.WARNING)

import numpy as np  # noqa: E402
from free_energy_analysis import zero_of_energy  # noqa: E402
from openmm import Platform, app, unit  # noqa: E402
from openmmml import MLPotential  # noqa: E402
from openmmtools import cache, mcmc, multistate, states  # noqa: E402
from pymbar import MBAR  # noqa: E402

from openmmpainn import PaiNNStudentModel  # noqa: E402
from openmmpainn.progress import Progress  # noqa: E402

LAMBDAS = (0.0, 0.25, 0.5, 0.75, 1.0)
KT = 0.00831446261815324 * 300  # kJ/mol


class Interpolation(states.GlobalParameterState):
    """openmmtools finds this parameter in the CustomCVForce of openmm-ml.

    It would not find one in a PaiNNStudentForce itself: System.getForces() returns forces of plugins without their
    methods, so a network that is to be scaled by openmmtools must be inside a CustomCVForce.
    """

    lambda_interpolate = states.GlobalParameterState.GlobalParameter("lambda_interpolate", standard_value=1.0)


iterations = int(sys.argv[1]) if len(sys.argv) > 1 else 200
pdb = app.PDBFile(str(Path(__file__).parent / "data" / "alanine_dipeptide.pdb"))
forcefield = app.ForceField("amber14-all.xml")
mm = forcefield.createSystem(pdb.topology)
system = MLPotential("alanine-dipeptide").createMixedSystem(pdb.topology, mm, range(22), interpolate=True)

cache.global_context_cache.platform = Platform.getPlatform("CPU")
thermodynamic = [
    states.CompoundThermodynamicState(
        states.ThermodynamicState(system, 300 * unit.kelvin), [Interpolation(lambda_interpolate=value)]
    )
    for value in LAMBDAS
]
move = mcmc.LangevinDynamicsMove(
    timestep=1 * unit.femtosecond, collision_rate=2 / unit.picosecond, n_steps=250, reassign_velocities=True
)
sampler = multistate.ReplicaExchangeSampler(
    mcmc_moves=move, number_of_iterations=iterations, online_analysis_interval=None
)
with tempfile.TemporaryDirectory() as folder:
    reporter = multistate.MultiStateReporter(str(Path(folder) / "exchange.nc"), checkpoint_interval=50)
    sampler.create(thermodynamic, states.SamplerState(pdb.positions), reporter)
    with Progress("replica exchange", iterations) as progress:
        while sampler.iteration < iterations:
            sampler.run(1)
            progress.advance()
    # [iteration, replica, state]: u in units of kT; which state each replica was in.
    energies = reporter.read_energies()[0][1:]
    replica_states = reporter.read_replica_thermodynamic_states()[1:]
    accepted, proposed = (np.sum(part, axis=0) for part in reporter.read_mixing_statistics())
    reporter.close()

settled = len(energies) // 10
u = (
    np.asarray(energies)[settled:]
    - np.array(LAMBDAS) * zero_of_energy(pdb, forcefield, PaiNNStudentModel.bundled("alanine-dipeptide")) / KT
)
order = np.asarray(replica_states)[settled:]
u_kn = np.concatenate([u[order == k] for k in range(len(LAMBDAS))]).T
mbar = MBAR(u_kn, [(order == k).sum() for k in range(len(LAMBDAS))])
found, overlap = mbar.compute_free_energy_differences(), mbar.compute_overlap()["matrix"]
swaps = [accepted[k, k + 1] / max(1, proposed[k, k + 1]) for k in range(len(LAMBDAS) - 1)]
print("swaps accepted between neighbours:", *(f"{value:.2f}" for value in swaps))
print("overlap of neighbours:", *(f"{overlap[k, k + 1]:.2f}" for k in range(len(LAMBDAS) - 1)))
print("round trips need it: every replica has been in states", [len(set(column)) for column in order.T])
print(f"MBAR: {KT * found['Delta_f'][0, -1]:.3f} +- {KT * found['dDelta_f'][0, -1]:.3f} kJ/mol")
