// SPDX-License-Identifier: MIT
#include "CudaOwnQueueKernel.h"
#include "CudaPaiNNStudentKernel.h"
#include "CudaTorchKernel.h"
#include "internal/OpenMMVersion.h"
#include "internal/windowsExportPaiNN.h"
#include "openmm/KernelFactory.h"
#include "openmm/OpenMMException.h"
#include "openmm/cuda/CudaPlatform.h"
#include "openmm/internal/ContextImpl.h"

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

namespace {

class PaiNNCUDAKernelFactory : public KernelFactory {
public:
    KernelImpl* createKernelImpl(string name, const Platform& platform, ContextImpl& context) const override {
        auto data = reinterpret_cast<CudaPlatform::PlatformData*>(context.getPlatformData());
        if (name == ownQueueKernelName())
            return new CudaOwnQueueKernel(name, platform, *data->contexts[0]);
        if (name == torchKernelName())
            return new CudaTorchKernel(name, platform, context, *data->contexts[0]);
        if (name != CalcPaiNNStudentForceKernel::Name())
            throw OpenMMException("PaiNNStudentForce: the platform " + platform.getName() + " has no kernel '" + name +
                                  "'");
        return new CudaCalcPaiNNStudentForceKernel(name, platform, *data->contexts[0]);
    }
};

void registerFactories() {
    if (!isSupportedOpenMM(Platform::getOpenMMVersion()))
        return; // the plugin for Reference says why
    for (int i = 0; i < Platform::getNumPlatforms(); i++) {
        Platform& platform = Platform::getPlatform(i);
        if (platform.getName() != "CUDA")
            continue;
        auto factory = new PaiNNCUDAKernelFactory(); // the platform deletes it, once
        platform.registerKernelFactory(CalcPaiNNStudentForceKernel::Name(), factory);
        platform.registerKernelFactory(ownQueueKernelName(), factory);
        platform.registerKernelFactory(torchKernelName(), factory);
    }
}

} // namespace

} // namespace PaiNNPlugin

// An exception here would stop the program that loads plugins, e.g. "import openmm".
extern "C" OPENMM_EXPORT_PAINN void registerPaiNNCUDAKernelFactories() {
    try {
        PaiNNPlugin::registerFactories();
    }
    catch (...) {
    }
}

extern "C" OPENMM_EXPORT_PAINN void registerPlatforms() {}

extern "C" OPENMM_EXPORT_PAINN void registerKernelFactories() {
    registerPaiNNCUDAKernelFactories();
}
