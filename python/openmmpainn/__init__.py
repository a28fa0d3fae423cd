# SPDX-License-Identifier: MIT
"""PaiNN neural network potentials as a Force of OpenMM.

``PaiNNStudentModel`` reads a model file, ``PaiNNStudentForce`` evaluates it in a System;
``PaiNNStudentForce.fromTopology`` and ``createSystem`` make them from a Topology, ``replicate`` puts many copies of a
molecule into one System and ``SubsystemLangevinIntegrator`` gives each a temperature, ``createInterpolatedSystem``
leads from a force field to a network and ``LambdaStates`` and ``LambdaSamples`` evaluate the states between,
``Evaluator`` computes energies and forces of plain arrays in batches, ``openmmpainn.ase`` is a calculator for ASE,
``openmmpainn.mlpotential`` brings the models to openmm-ml, and ``bundledModels`` lists those that come with this
package.

These names are looked up when they are first used: importing the package alone needs neither OpenMM nor the compiled
module, so that model files can also be written and networks trained where OpenMM is not installed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .bundled import bundledModels
    from .evaluator import Evaluator
    from .interpolation import createInterpolatedSystem
    from .lambda_samples import LambdaSamples
    from .lambda_states import LambdaStates
    from .model_warnings import ModelWarning
    from .painn import PaiNNStudentForce, PaiNNStudentModel
    from .replicas import replicate
    from .subsystem_exchange import SubsystemTemperatureExchange
    from .subsystem_integrator import SubsystemLangevinIntegrator
    from .topology import createSystem

__version__ = "0.1.0"

__all__ = [
    "Evaluator",
    "LambdaSamples",
    "LambdaStates",
    "ModelWarning",
    "PaiNNStudentForce",
    "PaiNNStudentModel",
    "SubsystemLangevinIntegrator",
    "SubsystemTemperatureExchange",
    "bundledModels",
    "createInterpolatedSystem",
    "createSystem",
    "replicate",
]

# Where each public name lives.
_MODULES = {
    "Evaluator": "evaluator",
    "LambdaSamples": "lambda_samples",
    "LambdaStates": "lambda_states",
    "ModelWarning": "model_warnings",
    "PaiNNStudentForce": "painn",
    "PaiNNStudentModel": "painn",
    "SubsystemLangevinIntegrator": "subsystem_integrator",
    "SubsystemTemperatureExchange": "subsystem_exchange",
    "bundledModels": "bundled",
    "createInterpolatedSystem": "interpolation",
    "createSystem": "topology",
    "replicate": "replicas",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    value = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
