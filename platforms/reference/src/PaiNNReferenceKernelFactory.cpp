// SPDX-License-Identifier: MIT
#include "ExactEvaluator.h"
#include "HostPaiNNStudentKernel.h"
#include "internal/OpenMMVersion.h"
#include "internal/windowsExportPaiNN.h"
#include "openmm/KernelFactory.h"
#include "openmm/OpenMMException.h"
#include "openmm/reference/ReferencePlatform.h"
#include <string>
#include <vector>

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

namespace {

class PaiNNReferenceKernelFactory : public KernelFactory {
public:
    KernelImpl* createKernelImpl(string name, const Platform& platform, ContextImpl&) const override {
        if (name != CalcPaiNNStudentForceKernel::Name())
            throw OpenMMException("PaiNNStudentForce: the platform " + platform.getName() + " has no kernel '" + name +
                                  "'");
        TorchOptions torch;
        torch.isDouble = true;
        return new HostCalcPaiNNStudentForceKernel(
            name, platform, makeExactEvaluator, [](auto) { return EvaluatorFactory(makeExactEvaluator); }, torch);
    }

private:
    static unique_ptr<Evaluator> makeExactEvaluator(const PaiNNStudentModel& model, const vector<int>& elements,
                                                    const vector<int>& subsystems) {
        return make_unique<ExactEvaluator>(model.getParameters(), elements, subsystems);
    }
};

/** Reference always gets this plugin's kernel; one derived from it only if its own plugin has not brought a better. */
bool needsKernel(const Platform& platform) {
    return platform.getName() == "Reference" || (dynamic_cast<const ReferencePlatform*>(&platform) != nullptr &&
                                                 !platform.supportsKernels({CalcPaiNNStudentForceKernel::Name()}));
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
