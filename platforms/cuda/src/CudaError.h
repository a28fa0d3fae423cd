// SPDX-License-Identifier: MIT
#ifndef PAINN_CUDA_ERROR_H_
#define PAINN_CUDA_ERROR_H_

#include "openmm/OpenMMException.h"
#include <cuda.h>
#include <string>

namespace PaiNNPlugin {

/** What went wrong in a call of CUDA's driver, with the call and where it stands. */
inline std::string describeCudaError(CUresult result, const char* call, const char* file, int line) {
    const char *name = nullptr, *description = nullptr;
    if (cuGetErrorName(result, &name) != CUDA_SUCCESS || name == nullptr)
        name = "unknown error";
    if (cuGetErrorString(result, &description) != CUDA_SUCCESS || description == nullptr)
        description = "no description";
    const std::string path = file;
    return std::string("PaiNNStudentForce: CUDA: ") + name + " (" + std::to_string(static_cast<int>(result)) + ", " +
           description + ") from " + call + " at " + path.substr(path.find_last_of('/') + 1) + ":" +
           std::to_string(line);
}

} // namespace PaiNNPlugin

/** Call CUDA's driver; throws an OpenMMException if it says anything but success. */
#define PAINN_CUDA(call)                                                                                               \
    do {                                                                                                               \
        const CUresult painnResult = (call);                                                                           \
        if (painnResult != CUDA_SUCCESS)                                                                               \
            throw OpenMM::OpenMMException(PaiNNPlugin::describeCudaError(painnResult, #call, __FILE__, __LINE__));     \
    } while (false)

#endif
