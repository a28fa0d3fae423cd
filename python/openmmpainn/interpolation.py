# SPDX-License-Identifier: MIT
"""One System that leads from a force field to a network by a parameter."""

from __future__ import annotations

import copy

import openmm

from .painn import PaiNNStudentForce

__all__ = ["createInterpolatedSystem"]

# Forces that act on the System's motion and not by an energy of the positions; they stay as they are.
_NO_ENERGY = ("CMMotionRemover", "AndersenThermostat", "MonteCarlo")


def createInterpolatedSystem(
    system: openmm.System, force: PaiNNStudentForce, parameter: str = "lambda", defaultValue: float = 0.0
) -> openmm.System:
    """Make a System whose energy is (1 - lambda) times that of a force field plus lambda times that of a network.

    For a molecule that the network describes whole. The forces of the force field are put into one CustomCVForce; the
    network stays a Force of the System, all its subsystems scaled by the parameter. Both give dE/dlambda. Where only
    a part is the network's, createMixedSystem() of openmm-ml with ``interpolate=True`` does the like.

    Parameters
    ----------
    system : openmm.System
        The force field. It is not changed. What gives no energy (CMMotionRemover, thermostats, barostats) is kept as
        it is.
    force : PaiNNStudentForce
        The network. It is not changed.
    parameter : str
        The name of lambda among the parameters of the Context.
    defaultValue : float
        Lambda in a new Context.

    Returns
    -------
    openmm.System
        Without constraints: the network has learnt of bonds that vibrate, and both ends must have the same degrees of
        freedom.

    Raises
    ------
    TypeError
        If system or force is of another type.
    ValueError
        If a subsystem of the network has a scale already, or a force of the System has a parameter of that name.
    """
    if not isinstance(system, openmm.System):
        raise TypeError(f"system is of the type {type(system).__name__}; it must be an openmm.System")
    if not isinstance(force, PaiNNStudentForce):
        raise TypeError(f"force is of the type {type(force).__name__}; it must be a PaiNNStudentForce")
    mixed = copy.deepcopy(system)
    for i in reversed(range(mixed.getNumConstraints())):
        mixed.removeConstraint(i)
    classical = openmm.CustomCVForce("0")
    classical.addGlobalParameter(parameter, defaultValue)
    classical.addEnergyParameterDerivative(parameter)
    for i in reversed(range(mixed.getNumForces())):
        each = mixed.getForce(i)
        kind = type(each).__name__
        if kind.startswith(_NO_ENERGY):
            continue
        count = each.getNumGlobalParameters() if hasattr(each, "getNumGlobalParameters") else 0
        if parameter in (each.getGlobalParameterName(k) for k in range(count)):
            raise ValueError(f"force {i} of the System, {kind}, has a parameter '{parameter}' already; name another")
        classical.addCollectiveVariable(f"term{classical.getNumCollectiveVariables()}", copy.deepcopy(each))
        mixed.removeForce(i)
    terms = [classical.getCollectiveVariableName(i) for i in range(classical.getNumCollectiveVariables())]
    if terms:
        classical.setEnergyFunction(f"(1 - {parameter})*({' + '.join(terms)})")
        mixed.addForce(classical)
    network = copy.deepcopy(force)
    for subsystem in range(network.getNumSubsystems()):
        if network.getSubsystemScale(subsystem):
            raise ValueError(
                f"subsystem {subsystem} of the network is scaled by '{network.getSubsystemScale(subsystem)}' already; "
                "take that scale away first"
            )
    network.addGlobalParameter(parameter, defaultValue)
    network.addEnergyParameterDerivative(parameter)
    for subsystem in range(network.getNumSubsystems()):
        network.setSubsystemScale(subsystem, parameter)
    mixed.addForce(network)
    return mixed
