# SPDX-License-Identifier: MIT
"""What the free energy examples share: sampling a lambda series, estimates with their errors, and the picture."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
import openmm
import pandas
from alchemlyb.estimators import TI
from openmm import app, unit
from pymbar import MBAR
from pymbar.other_estimators import bar

from openmmpainn import LambdaSamples, LambdaStates, PaiNNStudentModel, createSystem
from openmmpainn.progress import Progress

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402 (after the backend is chosen)

INK, BLUE, RED, GREEN = "#2b2f36", "#2a6f97", "#c8553d", "#3a7d44"
KT = 0.00831446261815324 * 300  # kJ/mol
STEPS_PER_SAMPLE = 50


def zero_of_energy(pdb: app.PDBFile, forcefield: app.ForceField, model: PaiNNStudentModel) -> float:
    """How much lower the network's energy of the molecule in the file is than the force field's (kJ/mol).

    Energies of the network hold those of the free atoms; taken off, what is left is about what differs.
    """
    energies = []
    for system in (createSystem(pdb.topology, model), forcefield.createSystem(pdb.topology)):
        context = openmm.Context(system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatform("Reference"))
        context.setPositions(pdb.positions)
        energies.append(context.getState(energy=True).getPotentialEnergy()._value)
    return energies[0] - energies[1]


def sample(simulation: app.Simulation, states: LambdaStates, picoseconds: float) -> LambdaSamples:
    """Run each state in turn for so long, after a tenth of it to settle, with a sample every 50 steps."""
    samples = LambdaSamples(states)
    step = simulation.integrator.getStepSize().value_in_unit(unit.picosecond)
    count = max(4, round(picoseconds / step / STEPS_PER_SAMPLE))
    with Progress("sampling", states.getNumStates() * 1.1 * count) as progress:
        for k in range(states.getNumStates()):
            states.setState(k)
            simulation.step(STEPS_PER_SAMPLE * (count // 10))
            progress.advance(0.1 * count, f"state {k}")
            for _ in range(count):
                simulation.step(STEPS_PER_SAMPLE)
                samples.add(k)
                progress.advance(1, f"state {k}")
    return samples


def estimates(samples: LambdaSamples) -> dict[str, tuple[float, float]]:
    """Free energy of the last state minus the first, with its error (kJ/mol), by MBAR, BAR and TI."""
    u_kn, N_k = samples.getReducedPotentials()
    first = np.cumsum(N_k) - N_k
    found = {}
    mbar = MBAR(u_kn, N_k).compute_free_energy_differences()
    found["MBAR, all states"] = KT * mbar["Delta_f"][0, -1], KT * mbar["dDelta_f"][0, -1]

    def work(k: int, other: int) -> np.ndarray:
        return (u_kn[other] - u_kn[k])[first[k] : first[k] + N_k[k]]

    pairs = [bar(work(k, k + 1), work(k + 1, k)) for k in range(len(N_k) - 1)]
    # Neighbouring pairs share samples, so this error is an estimate too.
    found["BAR, sum of neighbours"] = (
        KT * sum(pair["Delta_f"] for pair in pairs),
        KT * np.sqrt(sum(pair["dDelta_f"] ** 2 for pair in pairs)),
    )
    ends = bar(work(0, -1), work(len(N_k) - 1, 0))
    found["BAR, end states alone"] = KT * ends["Delta_f"], KT * ends["dDelta_f"]
    _, dHdl = samples.toAlchemlyb()
    ti = TI().fit(dHdl)
    found["TI from dE/dlambda"] = KT * ti.delta_f_.iloc[0, -1], KT * ti.d_delta_f_.iloc[0, -1]
    return found


def overlaps(samples: LambdaSamples) -> tuple[np.ndarray, float]:
    """MBAR's overlap matrix of all states [K, K], and the overlap of the end states taken alone (0 none, 0.5 full)."""
    u_kn, N_k = samples.getReducedPotentials()
    states = np.repeat(np.arange(len(N_k)), N_k)
    ends = (states == 0) | (states == len(N_k) - 1)
    alone = MBAR(u_kn[[0, -1]][:, ends], N_k[[0, -1]]).compute_overlap()["matrix"]
    return MBAR(u_kn, N_k).compute_overlap()["matrix"], float(alone[0, 1])


def report(title: str, states: LambdaStates, samples: LambdaSamples, picture: str | Path) -> tuple[float, float]:
    """Print the estimates, draw the picture, and return MBAR's result (kJ/mol) and error."""
    independent = samples.subsampled()
    _, N_k = independent.getReducedPotentials()
    found = estimates(independent)
    matrix, ends = overlaps(independent)
    neighbours = [matrix[k, k + 1] for k in range(len(N_k) - 1)]
    print(f"{title}: energies of {'one evaluation' if states.isLinear() else 'an evaluation each'} for all states")
    print("independent samples of each state:", *N_k)
    for name, (value, error) in found.items():
        print(f"{name:24} {value:9.3f} +- {error:.3f} kJ/mol")
    print("overlap of neighbours:", *(f"{value:.3f}" for value in neighbours))
    print(f"overlap of the end states alone: {ends:.3f} (above 0.03 is wanted)")
    _draw(title, independent, found, matrix, picture)
    print(f"picture: {picture}")
    return found["MBAR, all states"]


def _draw(title: str, samples: LambdaSamples, found: dict, matrix: np.ndarray, picture: str | Path) -> None:
    _, dHdl = samples.toAlchemlyb()
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(13, 3.9), layout="constrained")
    groups: pandas.DataFrame = KT * dHdl.groupby(level=1).agg(["mean", "std", "count"]).iloc[:, :3]
    groups.columns = ["mean", "std", "count"]
    lambdas, count = groups.index.to_numpy(), groups["count"] / KT
    left.errorbar(lambdas, groups["mean"], 2 * groups["std"] / np.sqrt(count), color=BLUE, marker="o", capsize=3)
    left.fill_between(lambdas, groups["mean"] - groups["std"], groups["mean"] + groups["std"], color=BLUE, alpha=0.12)
    left.set(xlabel="lambda", ylabel="dE/dlambda (kJ/mol)", title="mean (2 standard errors) and spread")
    image = middle.imshow(matrix, cmap="Blues", vmin=0, vmax=1)
    for (row, column), value in np.ndenumerate(matrix):
        if value >= 0.005:
            middle.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=8,
                        color="white" if value > 0.5 else INK)  # fmt: skip
    ticks = [f"{value:g}" for value in lambdas]
    middle.set_xticks(range(len(ticks)), ticks)
    middle.set_yticks(range(len(ticks)), ticks)
    middle.set(xlabel="lambda", ylabel="drawn at lambda", title="overlap of states")
    figure.colorbar(image, ax=middle, shrink=0.85)
    names = list(found)[::-1]
    for row, name in enumerate(names):
        value, error = found[name]
        colour = RED if "alone" in name else GREEN
        right.errorbar([value], [row], xerr=[2 * error], color=colour, marker="o", capsize=4)
    right.set_yticks(range(len(names)), names)
    right.set_ylim(-0.6, len(names) - 0.4)
    right.set(xlabel="free energy (kJ/mol), 2 standard errors", title="estimates")
    for axes in (left, right):
        axes.grid(color="#e3e6ea")
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title, fontweight="bold", color=INK)
    figure.savefig(picture, dpi=130)
    plt.close(figure)
