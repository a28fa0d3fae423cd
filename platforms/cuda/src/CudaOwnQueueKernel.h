// SPDX-License-Identifier: MIT
#ifndef CUDA_OWN_QUEUE_KERNEL_H_
#define CUDA_OWN_QUEUE_KERNEL_H_

#include "CudaError.h"
#include "openmm/KernelImpl.h"
#include "openmm/common/ContextSelector.h"
#include "openmm/cuda/CudaContext.h"
#include "openmm/cuda/CudaQueue.h"

namespace PaiNNPlugin {

/**
 * Gives a Context a stream of its own, so that the kernels of several Contexts run beside each other. The stream is a
 * blocking one: OpenMM's copies go through the legacy stream, which waits for blocking streams only.
 */
class CudaOwnQueueKernel : public OpenMM::KernelImpl {
public:
    CudaOwnQueueKernel(const std::string& name, const OpenMM::Platform& platform, OpenMM::CudaContext& cc)
        : OpenMM::KernelImpl(name, platform), cudaContext(cc.getContext()) {
        OpenMM::ContextSelector selector(cc);
        PAINN_CUDA(cuStreamCreate(&stream, CU_STREAM_DEFAULT));
        const OpenMM::ComputeQueue queue = std::make_shared<OpenMM::CudaQueue>(stream);
        cc.setCurrentQueue(queue);
        cc.*(DefaultQueue::get()) = queue;
    }
    ~CudaOwnQueueKernel() override {
        cuCtxPushCurrent(cudaContext);
        cuStreamDestroy(stream);
        CUcontext popped;
        cuCtxPopCurrent(&popped);
    }

private:
    /** What OpenMM goes back to after it has used another stream. It can be set by derived classes only. */
    struct DefaultQueue : OpenMM::ComputeContext {
        static OpenMM::ComputeQueue OpenMM::ComputeContext::* get() {
            return &DefaultQueue::defaultQueue;
        }
    };
    const CUcontext cudaContext;
    CUstream stream = nullptr;
};

} // namespace PaiNNPlugin

#endif
