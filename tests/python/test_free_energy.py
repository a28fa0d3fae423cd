# SPDX-License-Identifier: MIT
"""LambdaStates, LambdaSamples and createInterpolatedSystem: energies of a lambda series for pymbar and alchemlyb."""

from __future__ import annotations

import numpy as np
import openmm
import pytest
from openmm import unit

from conftest import PLATFORMS
from openmmpainn import (
    LambdaSamples,
    LambdaStates,
    PaiNNStudentForce,
    createInterpolatedSystem,
    createSystem,
)

GAS_CONSTANT = 0.00831446261815324  # kJ/mol/K
KELVIN = 300.0
KT = GAS_CONSTANT * KELVIN
SERIES = [0.0, 0.25, 0.5, 1.0]


def classical(topology, positions):
    """A System of bonds between all atoms, with a constraint and a CMMotionRemover."""
    system = openmm.System()
    bonds = openmm.HarmonicBondForce()
    for atom in topology.atoms():
        system.addParticle(atom.element.mass)
        for other in range(atom.index):
            bonds.addBond(other, atom.index, np.linalg.norm(positions[other] - positions[atom.index]), 500.0)
    system.addForce(bonds)
    system.addForce(openmm.CMMotionRemover())
    system.addConstraint(0, 1, 0.15)
    return system


def context_of(system, positions, platform="Reference"):
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatform(platform))
    context.setPositions(positions)
    return context


def energy_of(context):
    return context.getState(energy=True).getPotentialEnergy()._value


def scaled(model, topology, derivative):
    """A network scaled by "lambda", beside a bond that is not."""
    system = createSystem(topology, model)
    force = PaiNNStudentForce.cast(system.getForce(0))
    force.addGlobalParameter("lambda", 0.3)
    force.setSubsystemScale(0, "lambda")
    if derivative:
        force.addEnergyParameterDerivative("lambda")
    bond = openmm.HarmonicBondForce()
    bond.addBond(0, 2, 0.1, 1000.0)
    system.addForce(bond)
    return system


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("derivative", [True, False])
def test_line_and_each_state_agree(platform, derivative, canonical, ethanol):
    """One evaluation gives the energies that evaluating each state gives, derivative by force or by subsystem."""
    topology, positions = ethanol
    context = context_of(scaled(canonical, topology, derivative), positions, platform)
    states = LambdaStates(context, {"lambda": SERIES}, KELVIN, checkEvery=10**6)
    each = LambdaStates(context, {"lambda": SERIES}, KELVIN, linear=False)
    for turn in range(4):
        context.setPositions(positions + np.random.default_rng(turn).normal(0, 0.003, (9, 3)))
        energies, slopes = states.computeEnergies()
        expected, same_slopes = each.computeEnergies()
        assert context.getParameter("lambda") == 0.3
        rounding = (1e-12 if platform == "Reference" else 1e-6) * np.abs(expected._value).max()
        assert energies._value == pytest.approx(expected._value, abs=rounding)
        assert slopes._value == pytest.approx(same_slopes._value, abs=rounding)
        assert slopes._value[0] == pytest.approx(expected._value[-1] - expected._value[0], abs=2 * rounding)
    assert states.isLinear() and not each.isLinear()


def test_energies_are_those_of_the_ends(canonical, ethanol):
    """createInterpolatedSystem: the force field at 0, the network at 1, the mean of both between."""
    topology, positions = ethanol
    mm = classical(topology, positions)
    moved = positions + np.random.default_rng(0).normal(0, 0.005, (9, 3))
    network = PaiNNStudentForce.fromTopology(canonical, topology)
    system = createInterpolatedSystem(mm, network, "coupling", 0.25)
    assert system.getNumConstraints() == 0 and mm.getNumConstraints() == 1 and network.getNumGlobalParameters() == 0
    kinds = sorted(type(force).__name__ for force in system.getForces())
    assert kinds == ["CMMotionRemover", "CustomCVForce", "Force"]
    ends = [energy_of(context_of(each, moved)) for each in (mm, createSystem(topology, canonical))]
    context = context_of(system, moved)
    assert context.getParameter("coupling") == 0.25
    zero = ends[1] - 7.0
    states = LambdaStates(context, {"coupling": SERIES}, KELVIN * unit.kelvin, {"coupling": zero})
    energies, slopes = states.computeEnergies()
    assert states.isLinear()
    for value, energy in zip(SERIES, energies._value, strict=True):
        assert energy == pytest.approx((1 - value) * ends[0] + value * 7.0, abs=1e-9 * abs(zero))
    assert slopes._value == pytest.approx([7.0 - ends[0]], abs=1e-9 * abs(zero))


def test_what_is_not_linear_is_evaluated_state_by_state(canonical, ethanol):
    topology, positions = ethanol
    system = scaled(canonical, topology, True)
    curved = openmm.CustomBondForce("lambda^2*1000*r")
    curved.addGlobalParameter("lambda", 0.3)
    curved.addEnergyParameterDerivative("lambda")
    curved.addBond(0, 1)
    system.addForce(curved)
    context = context_of(system, positions)
    states = LambdaStates(context, {"lambda": SERIES}, KELVIN)
    for _ in range(2):
        energies, slopes = states.computeEnergies()
        assert not states.isLinear()
        for value, energy in zip(SERIES, energies._value, strict=True):
            context.setParameter("lambda", value)
            assert energy == pytest.approx(energy_of(context), rel=1e-12)
        context.setParameter("lambda", 0.3)
        h = 1e-4
        difference = []
        for value in (0.3 + h, 0.3 - h):
            context.setParameter("lambda", value)
            difference.append(energy_of(context))
        context.setParameter("lambda", 0.3)
        assert slopes._value[0] == pytest.approx((difference[0] - difference[1]) / (2 * h), rel=1e-6)
    # A force without derivatives leaves no line to try.
    nonbonded = openmm.NonbondedForce()
    nonbonded.addGlobalParameter("lambda", 0.3)
    for _ in range(9):
        nonbonded.addParticle(0, 1, 0)
    nonbonded.addParticleParameterOffset("lambda", 0, 1.0, 0, 0)
    system.addForce(nonbonded)
    states = LambdaStates(context_of(system, positions), {"lambda": SERIES}, KELVIN)
    assert not states.isLinear()
    assert np.isnan(states.computeEnergies()[1]._value).all()


def test_a_line_that_ends_is_noticed(canonical, ethanol):
    """An energy that is linear at first and not later stops the sampling."""
    topology, positions = ethanol
    system = scaled(canonical, topology, True)
    wall = openmm.CustomBondForce("step(r - 1)*lambda^2*1000")
    wall.addGlobalParameter("lambda", 0.3)
    wall.addEnergyParameterDerivative("lambda")
    wall.addBond(0, 1)
    system.addForce(wall)
    context = context_of(system, positions)
    states = LambdaStates(context, {"lambda": SERIES}, KELVIN, checkEvery=2)
    states.computeEnergies()
    states.computeEnergies()
    moved = positions.copy()
    moved[1] += 3
    context.setPositions(moved)
    with pytest.raises(RuntimeError, match=r"energies of 2 samples were taken as linear in \['lambda'\]"):
        states.computeEnergies()


def harmonic(count):
    """A Context of `count` particles on springs of 1000 (1 + 3 lambda) kJ/mol/nm^2 to a fixed one at the origin."""
    system = openmm.System()
    spring = openmm.CustomBondForce("500*(1 + 3*lambda)*r^2")
    spring.addGlobalParameter("lambda", 0.0)
    spring.addEnergyParameterDerivative("lambda")
    system.addParticle(0.0)
    for particle in range(1, count + 1):
        system.addParticle(10.0)
        spring.addBond(0, particle, [])
    system.addForce(spring)
    return context_of(system, np.zeros((count + 1, 3)))


def test_harmonic_states():
    """MBAR, alchemlyb's MBAR, BAR and TI against the free energy of harmonic oscillators, 3n kT/2 ln(1 + 3 lambda)."""
    pymbar = pytest.importorskip("pymbar", reason="pymbar is not installed")
    estimators = pytest.importorskip("alchemlyb.estimators", reason="alchemlyb is not installed")
    count, series = 2, np.linspace(0, 1, 9)
    context = harmonic(count)
    states = LambdaStates(context, {"lambda": series}, KELVIN)
    samples, random = LambdaSamples(states), np.random.default_rng(11)
    for k in range(len(series)):
        states.setState(k)
        for _ in range(150):  # independent draws from the exact distribution
            width = np.sqrt(KT / (1000 * (1 + 3 * series[k])))
            context.setPositions(np.concatenate([np.zeros((1, 3)), random.normal(0, width, (count, 3))]))
            samples.add(k)
    assert states.isLinear()
    expected = 1.5 * count * np.log(1 + 3 * series)
    u_kn, N_k = samples.getReducedPotentials()
    assert u_kn.shape == (9, 1350) and list(N_k) == [150] * 9
    found = pymbar.MBAR(u_kn, N_k).compute_free_energy_differences()
    print(found["Delta_f"][0, -1], found["dDelta_f"][0, -1], expected[-1])
    for k in range(1, 9):
        assert found["dDelta_f"][0, k] < 0.2
        assert abs(found["Delta_f"][0, k] - expected[k]) < 3 * found["dDelta_f"][0, k]
    u_nk, dHdl = samples.toAlchemlyb()
    mbar, bar, ti = (
        estimators.MBAR().fit(u_nk),
        estimators.BAR().fit(u_nk),
        estimators.TI().fit(dHdl),
    )
    assert mbar.delta_f_.loc[0.0, 1.0] == pytest.approx(found["Delta_f"][0, -1], abs=1e-6)
    assert abs(bar.delta_f_.loc[0.0, 1.0] - expected[-1]) < 4 * found["dDelta_f"][0, -1]
    # The trapezoidal rule on nine points is 0.02 above the integral of 9/(1 + 3 lambda).
    rule = np.trapezoid(1.5 * count * 3 / (1 + 3 * series), series)
    error = ti.d_delta_f_.loc[0.0, 1.0]
    assert error < 0.25 and abs(ti.delta_f_.loc[0.0, 1.0] - rule) < 3 * error
    assert abs(ti.delta_f_.loc[0.0, 1.0] - mbar.delta_f_.loc[0.0, 1.0]) < 3 * error + abs(rule - expected[-1])
    # What is independent already is kept nearly whole.
    kept = samples.subsampled(discard=0.2).getReducedPotentials()[1]
    assert (kept > 60).all() and (kept <= 120).all()


def test_two_parameters(canonical, ethanol):
    """Two subsystems with parameters of their own: the plane is exact, and the tables have two columns."""
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    topology, positions = ethanol
    numbers = [atom.element.atomic_number for atom in topology.atoms()]
    system, force = openmm.System(), PaiNNStudentForce(canonical)
    for copy_ in range(2):
        for i, number in enumerate(numbers):
            system.addParticle(1.0)
            force.addParticle(9 * copy_ + i, number, copy_)
        force.addGlobalParameter(f"l{copy_}", 0.5)
        force.setSubsystemScale(copy_, f"l{copy_}")
    system.addForce(force)
    context = context_of(system, np.concatenate([positions, 1.02 * positions]))
    first, second = force.getSubsystemEnergies(context)._value
    values = {"l0": [0, 1, 1], "l1": [0, 0, 1]}
    states = LambdaStates(context, values, KELVIN)
    samples = LambdaSamples(states)
    for k in (2, 0, 1, 1):
        states.setState(k)
        u = samples.add(k)
        assert u * KT == pytest.approx([0, first, first + second], rel=1e-9, abs=1e-9 * abs(first))
    u_nk, dHdl = samples.toAlchemlyb()
    assert isinstance(u_nk, pandas.DataFrame) and u_nk.index.names == ["time", "l0-lambda", "l1-lambda"]
    assert list(u_nk.columns) == [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0)] and u_nk.attrs["energy_unit"] == "kT"
    assert dHdl.to_numpy() * KT == pytest.approx(np.array([[first, second]] * 4), rel=1e-9)
    assert [each.shape for each in samples.getDerivatives()] == [(1, 2), (2, 2), (1, 2)]


def test_refusals(canonical, ethanol):
    topology, positions = ethanol
    context = context_of(scaled(canonical, topology, True), positions)

    def refused(text, *arguments, error=ValueError, **named):
        with pytest.raises(error, match=text):
            LambdaStates(context, *arguments, **named)

    refused(r"no parameter 'mu'; it has \['lambda'\]", {"mu": [0, 1]}, 300)
    refused("numbers of values are {'lambda': 1}", {"lambda": [0]}, 300)
    refused("numbers of values are {}", {}, 300)
    refused("values of 'lambda' are not all finite", {"lambda": [0, np.nan]}, 300)
    refused("temperature is 0.0 K", {"lambda": [0, 1]}, 0)
    refused("temperature is 'warm'", {"lambda": [0, 1]}, "warm")
    refused(r"references names \['mu'\]", {"lambda": [0, 1]}, 300, {"mu": 1.0})
    refused("checkEvery is 0", {"lambda": [0, 1]}, 300, checkEvery=0)
    states = LambdaStates(context, {"lambda": [0, 1]}, 300)
    with pytest.raises(ValueError, match="state is 2; there are 2"):
        states.setState(2)
    samples = LambdaSamples(states)
    with pytest.raises(ValueError, match="'lambda' of the Context is 0.3, but 0.0 in state 0"):
        samples.add(0)
    with pytest.raises(ValueError, match="state is -1"):
        samples.add(-1)
    with pytest.raises(ValueError, match="discard is 1"):
        samples.subsampled(1)
    network = PaiNNStudentForce.fromTopology(canonical, topology)
    mm = classical(topology, positions)
    with pytest.raises(TypeError, match="system is of the type int"):
        createInterpolatedSystem(3, network)
    with pytest.raises(TypeError, match="force is of the type HarmonicBondForce"):
        createInterpolatedSystem(mm, openmm.HarmonicBondForce())
    coupled = scaled(canonical, topology, True)
    with pytest.raises(ValueError, match="subsystem 0 of the network is scaled by 'lambda'"):
        createInterpolatedSystem(mm, PaiNNStudentForce.cast(coupled.getForce(0)))
    named = openmm.CustomBondForce("lambda*r")
    named.addGlobalParameter("lambda", 1)
    mm.addForce(named)
    with pytest.raises(ValueError, match="CustomBondForce, has a parameter 'lambda' already"):
        createInterpolatedSystem(mm, network)
