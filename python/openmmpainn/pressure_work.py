# SPDX-License-Identifier: MIT
"""What a barostat's pressure has to do with exchanges between thermodynamic states."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import openmm
from openmm import unit

__all__ = ["pressure_work"]

# kJ/mol/nm^3
_BAR = (1 * unit.bar * unit.nanometer**3 * unit.AVOGADRO_CONSTANT_NA).value_in_unit(unit.kilojoule_per_mole)
_PARAMETERS = ("Pressure", "PressureX", "PressureY", "PressureZ", "SurfaceTension")  # methods that name parameters
# Where the enthalpy is U + P V. (A MonteCarloAnisotropicBarostat and a MonteCarloMembraneBarostat scale axes alone.)
_ISOTROPIC = ("MonteCarloBarostat", "MonteCarloFlexibleBarostat")


def pressure_work(system: openmm.System, states: list[dict[str, Any]]) -> Callable[[openmm.State], float] | None:
    """A function that gives P V (kJ/mol) of a replica's State, which a swap of temperatures has to count.

    Returns None where there is no such term.

    Raises
    ------
    ValueError
        If the states set the pressure of a barostat.
    """
    for force in system.getForces():
        kind = type(force).__name__
        if "Barostat" not in kind:
            continue
        names = {getattr(force, name)() for name in _PARAMETERS if hasattr(force, name)}
        for name in sorted(names & set(states[0])):
            raise ValueError(f"the states set {name} of the {kind}; energies do not tell the work of a pressure")
        if kind in _ISOTROPIC and "temperature" in states[0]:
            parameter = type(force).Pressure()
            return lambda state: state.getParameters()[parameter] * _BAR * state.getPeriodicBoxVolume()._value
    return None
