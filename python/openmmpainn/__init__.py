# SPDX-License-Identifier: MIT
"""PaiNN neural network potentials as a Force of OpenMM.

``PaiNNStudentModel`` reads a model file, ``PaiNNStudentForce`` evaluates it in a System;
``PaiNNStudentForce.fromTopology`` and ``createSystem`` make them from a Topology. ``replicate`` puts many copies of a
molecule into one System and ``SubsystemLangevinIntegrator`` gives each a temperature; ``PaiNNReplicaContexts`` steps
Contexts side by side with one evaluator; ``ReplicaExchangeSampler`` and ``ExpandedEnsembleSampler`` are OpenMM's
samplers for many states. ``createInterpolatedSystem`` leads from a force field to a network, and ``LambdaStates`` and
``LambdaSamples`` evaluate the states between. ``Evaluator`` computes energies and forces of plain arrays in batches,
``getDomainReport`` and ``DomainReporter`` tell when a run leaves what its model has seen. ``openmmpainn.ase`` is a
calculator for ASE, ``openmmpainn.mlpotential`` brings the models to openmm-ml, and ``bundledModels`` lists those that
come with this package.

These names are looked up when they are first used: importing the package alone needs neither OpenMM nor the compiled
module, so that model files can also be written and networks trained where OpenMM is not installed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .bundled import bundledModels
    from .domain import DomainReport, ModelDomain, getDomainReport
    from .domain_reporter import DomainReporter
    from .evaluator import Evaluator
    from .expanded_ensemble import ExpandedEnsembleSampler
    from .interpolation import createInterpolatedSystem
    from .lambda_samples import LambdaSamples
    from .lambda_states import LambdaStates
    from .model_warnings import ModelWarning
    from .painn import PaiNNStudentForce, PaiNNStudentModel
    from .replica_contexts import PaiNNReplicaContexts
    from .replica_exchange import ReplicaExchangeSampler
    from .replicas import replicate
    from .subsystem_exchange import SubsystemTemperatureExchange
    from .subsystem_integrator import SubsystemLangevinIntegrator
    from .topology import createSystem

__version__ = "0.1.0"

__all__ = [
    "DomainReport",
    "DomainReporter",
    "Evaluator",
    "ExpandedEnsembleSampler",
    "LambdaSamples",
    "LambdaStates",
    "ModelDomain",
    "ModelWarning",
    "PaiNNReplicaContexts",
    "PaiNNStudentForce",
    "PaiNNStudentModel",
    "ReplicaExchangeSampler",
    "SubsystemLangevinIntegrator",
    "SubsystemTemperatureExchange",
    "bundledModels",
    "createInterpolatedSystem",
    "createSystem",
    "getDomainReport",
    "replicate",
]

# Where each public name lives.
_MODULES = {
    "DomainReport": "domain",
    "DomainReporter": "domain_reporter",
    "ModelDomain": "domain",
    "getDomainReport": "domain",
    "Evaluator": "evaluator",
    "ExpandedEnsembleSampler": "expanded_ensemble",
    "LambdaSamples": "lambda_samples",
    "LambdaStates": "lambda_states",
    "ModelWarning": "model_warnings",
    "PaiNNReplicaContexts": "replica_contexts",
    "PaiNNStudentForce": "painn",
    "PaiNNStudentModel": "painn",
    "ReplicaExchangeSampler": "replica_exchange",
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
