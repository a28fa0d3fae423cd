// SPDX-License-Identifier: MIT
#ifndef PAINN_CUDA_NETWORK_TABLE_H_
#define PAINN_CUDA_NETWORK_TABLE_H_

#include "CudaDevice.h"
#include "CudaNetwork.h"
#include "PaiNNStudentModel.h"
#include "openmm/cuda/CudaContext.h"

namespace PaiNNPlugin {

/** The kernels of a model and its weights, both in the memory of one CUcontext. */
struct LoadedNetwork {
    LoadedNetwork(OpenMM::CudaContext& cc, const PaiNNStudentModel& model, CudaPrecision precision);
    CudaDevice device; // stays until the network is gone
    std::shared_ptr<const CudaNetwork> network;
};

/**
 * Get the kernels and weights of a model, compiled and loaded at the first call. All Contexts that share a CUcontext
 * and a precision share them, whichever copy of the model they have; OpenMM's linked Contexts do. The last one to go
 * frees them, and needs the CUcontext to be current. May be called by several threads at once.
 */
std::shared_ptr<LoadedNetwork> getLoadedNetwork(OpenMM::CudaContext& cc, const PaiNNStudentModel& model);

} // namespace PaiNNPlugin

#endif
