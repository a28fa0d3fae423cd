// SPDX-License-Identifier: MIT
#ifndef PAINN_CUDA_TORCH_KERNEL_H_
#define PAINN_CUDA_TORCH_KERNEL_H_

#include "HostCopyPaiNNStudentKernel.h"
#include "openmm/cuda/CudaContext.h"

namespace PaiNNPlugin {

/**
 * The LibTorch engine on OpenMM's CUDA platform. PyTorch works in CUDA's primary context of the same device, and OpenMM
 * in one of its own: nothing in the memory of one can be reached from the other, so positions and forces go through
 * the host. OpenMM's stream is waited for when positions are read, nothing else is.
 */
class CudaTorchKernel : public HostCopyCalcPaiNNStudentForceKernel {
public:
    CudaTorchKernel(const std::string& name, const OpenMM::Platform& platform, OpenMM::ContextImpl& context,
                    OpenMM::CudaContext& cc);
    void initialize(const OpenMM::System& system, const PaiNNStudentForce& force) override;

protected:
    void keepDerivatives(const std::map<std::string, double>& derivatives) override;
    void requestDerivatives(const PaiNNStudentForce& force) override;

private:
    class AddDerivatives;
    OpenMM::CudaContext& cc;
    std::map<std::string, double> kept; // by parameter, kJ/mol: of the computation that is going on
};

} // namespace PaiNNPlugin

#endif
