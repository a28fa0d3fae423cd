// SPDX-License-Identifier: MIT
#include "HostCopyPaiNNStudentKernel.h"
#include "ReferencePaiNNStudentKernel.h"
#include "internal/OpenMMVersion.h"
#include "internal/windowsExportPaiNN.h"
#include "openmm/KernelFactory.h"
#include "openmm/OpenMMException.h"
#include "openmm/internal/ContextImpl.h"
#include "openmm/kernels.h"
#include "openmm/reference/ReferencePlatform.h"
#include <string>
#include <vector>

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

namespace {

class PaiNNReferenceKernelFactory : public KernelFactory {
public:
    KernelImpl* createKernelImpl(string name, const Platform& platform, ContextImpl& context) const override {
        if (name != CalcPaiNNStudentForceKernel::Name())
            throw OpenMMException("PaiNNStudentForce: the platform " + platform.getName() + " has no kernel '" + name +
                                  "'");
        if (dynamic_cast<const ReferencePlatform*>(&platform) != nullptr)
            return new ReferenceCalcPaiNNStudentForceKernel(name, platform);
        return new HostCopyCalcPaiNNStudentForceKernel(name, platform, context);
    }
};

/** Reference always gets this plugin's kernel; another platform only if its own plugin has not brought a better one. */
bool needsKernel(const Platform& platform) {
    if (platform.getName() == "Reference")
        return true;
    if (platform.supportsKernels({CalcPaiNNStudentForceKernel::Name()}))
        return false;
    return dynamic_cast<const ReferencePlatform*>(&platform) != nullptr ||
           platform.supportsKernels({CalcCustomCPPForceKernel::Name(), CalcHarmonicBondForceKernel::Name()});
}

// Platform keeps its list of plugins that failed to load private, and offers a plugin no other way to be on it. The
// rules of access do not hold for the arguments of an explicit instantiation, which defines loadFailures().
vector<string>& loadFailures();
template <vector<string>* list> struct LoadFailures {
    friend vector<string>& loadFailures() {
        return *list;
    }
};
template struct LoadFailures<&Platform::pluginLoadFailures>;

/** Each platform deletes its factories itself, so each gets one of its own. */
void registerFactories() {
    if (!isSupportedOpenMM(Platform::getOpenMMVersion())) {
        loadFailures().push_back("PaiNNStudentForce is not available: openmmpainn is built for OpenMM " +
                                 SUPPORTED_OPENMM + ", but this is OpenMM " + Platform::getOpenMMVersion());
        return;
    }
    for (int i = 0; i < Platform::getNumPlatforms(); i++) {
        Platform& platform = Platform::getPlatform(i);
        if (needsKernel(platform))
            platform.registerKernelFactory(CalcPaiNNStudentForceKernel::Name(), new PaiNNReferenceKernelFactory());
    }
}

} // namespace

} // namespace PaiNNPlugin

// An exception here would stop the program that loads plugins, e.g. "import openmm".
extern "C" OPENMM_EXPORT_PAINN void registerPaiNNReferenceKernelFactories() {
    try {
        PaiNNPlugin::registerFactories();
    }
    catch (...) {
    }
}

extern "C" OPENMM_EXPORT_PAINN void registerPlatforms() {}

extern "C" OPENMM_EXPORT_PAINN void registerKernelFactories() {
    registerPaiNNReferenceKernelFactories();
}
