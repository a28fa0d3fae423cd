// SPDX-License-Identifier: MIT
#ifndef OPENMM_PAINN_TORCHENGINE_H_
#define OPENMM_PAINN_TORCHENGINE_H_

#include "internal/windowsExportPaiNN.h"
#include <memory>
#include <string>
#include <vector>

/** How the LibTorch engine is reached: a library beside this one, loaded when it is needed for the first time. */
namespace PaiNNPlugin {

class Evaluator;
struct NetworkParameters;

/** Where the LibTorch engine works, and how exactly. */
struct TorchOptions {
    bool isDouble = false; ///< network in double precision, else in single; geometry and references are always double
    int cudaDevice = -1;   ///< index of the device, as CUDA counts; -1 for the processor
    int numThreads = 1;    ///< of the processor, at most, for an operation of PyTorch
};

/**
 * The function that the library exports. Makes an Evaluator, which the caller deletes.
 *
 * @param elements     [numAtoms] index into NetworkParameters::atomicNumbers
 * @param subsystems   [numAtoms] ascending and without holes
 * @throws std::exception if the options ask for a device that PyTorch cannot use
 */
using MakeTorchEvaluator = Evaluator* (*)(const std::shared_ptr<const NetworkParameters>& parameters,
                                          const std::vector<int>& elements, const std::vector<int>& subsystems,
                                          const TorchOptions& options);

/**
 * Load the engine, and PyTorch where the program has not loaded it yet. They stay until the program ends.
 *
 * @throws OpenMM::OpenMMException if this plugin was built without the engine, if there is no PyTorch, or one of
 * another version than the engine was built for
 */
OPENMM_EXPORT_PAINN MakeTorchEvaluator loadTorchEngine();

/** Name the folder of PyTorch's package, to be looked at before the one beside OpenMM; "" for none. */
OPENMM_EXPORT_PAINN void setTorchFolder(const std::string& folder);

/** Get the version of PyTorch that the engine was built for, "" if this plugin was built without it. */
OPENMM_EXPORT_PAINN std::string getTorchVersion();

} // namespace PaiNNPlugin

#endif
