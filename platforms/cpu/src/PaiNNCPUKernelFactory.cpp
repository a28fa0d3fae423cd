// SPDX-License-Identifier: MIT
#include "FastHostEvaluator.h"
#include "HostCopyPaiNNStudentKernel.h"
#include "HostPaiNNStudentKernel.h"
#include "internal/OpenMMVersion.h"
#include "internal/windowsExportPaiNN.h"
#include "openmm/KernelFactory.h"
#include "openmm/OpenMMException.h"
#include "openmm/internal/ContextImpl.h"
#include "openmm/kernels.h"
#include "openmm/reference/ReferencePlatform.h"
#include <sstream>
#include <string>
#include <vector>

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

namespace {

/** The number of threads that OpenMM's CPU platform would take: a user's choice, OPENMM_CPU_THREADS, or one a core. */
int getDefaultNumThreads() {
    int number = 0;
    for (int i = 0; i < Platform::getNumPlatforms(); i++)
        if (Platform::getPlatform(i).getName() == "CPU")
            istringstream(Platform::getPlatform(i).getPropertyDefaultValue("Threads")) >> number;
    return number;
}

/** An Evaluator that uses the threads of a Context of the CPU platform, of which the property Threads says how many. */
EvaluatorFactory makeFactory(ThreadPool& threads) {
    return [&threads](const PaiNNStudentModel& model, const vector<int>& elements, const vector<int>& subsystems) {
        return make_unique<FastHostEvaluator>(model, elements, subsystems, threads);
    };
}

/** An Evaluator that keeps its threads alive. */
EvaluatorFactory makeWithThreads(const shared_ptr<ThreadPool>& threads) {
    return [threads](const PaiNNStudentModel& model, const vector<int>& elements, const vector<int>& subsystems) {
        return make_unique<FastHostEvaluator>(model, elements, subsystems, threads);
    };
}

/** An Evaluator with threads of its own. */
unique_ptr<Evaluator> makeWithOwnThreads(const PaiNNStudentModel& model, const vector<int>& elements,
                                         const vector<int>& subsystems) {
    return make_unique<FastHostEvaluator>(model, elements, subsystems, make_shared<ThreadPool>(getDefaultNumThreads()));
}

class PaiNNCPUKernelFactory : public KernelFactory {
public:
    KernelImpl* createKernelImpl(string name, const Platform& platform, ContextImpl& context) const override {
        if (name != CalcPaiNNStudentForceKernel::Name())
            throw OpenMMException("PaiNNStudentForce: the platform " + platform.getName() + " has no kernel '" + name +
                                  "'");
        if (platform.getName() != "CPU")
            return new HostCopyCalcPaiNNStudentForceKernel(name, platform, context, makeWithOwnThreads, TorchOptions());
        // The data of the class that the CPU platform is derived from holds the threads too.
        auto data = reinterpret_cast<ReferencePlatform::PlatformData*>(context.getPlatformData());
        TorchOptions torch;
        torch.numThreads = data->threads.getNumThreads();
        return new HostCalcPaiNNStudentForceKernel(name, platform, makeFactory(data->threads), makeWithThreads, torch);
    }
};

/** CPU always gets this plugin's kernel; one that copies only if it has no own, and not where the exact one can work.
 */
bool needsKernel(const Platform& platform) {
    const bool derived = dynamic_cast<const ReferencePlatform*>(&platform) != nullptr;
    if (platform.getName() == "CPU")
        return derived;
    return !derived && !platform.supportsKernels({CalcPaiNNStudentForceKernel::Name()}) &&
           platform.supportsKernels({CalcCustomCPPForceKernel::Name(), CalcHarmonicBondForceKernel::Name()});
}

/** Each platform deletes its factories itself, so each gets one of its own. */
void registerFactories() {
    if (!isSupportedOpenMM(Platform::getOpenMMVersion()))
        return; // the plugin for Reference says why
    for (int i = 0; i < Platform::getNumPlatforms(); i++) {
        Platform& platform = Platform::getPlatform(i);
        if (needsKernel(platform))
            platform.registerKernelFactory(CalcPaiNNStudentForceKernel::Name(), new PaiNNCPUKernelFactory());
    }
}

} // namespace

} // namespace PaiNNPlugin

// An exception here would stop the program that loads plugins, e.g. "import openmm".
extern "C" OPENMM_EXPORT_PAINN void registerPaiNNCPUKernelFactories() {
    try {
        PaiNNPlugin::registerFactories();
    }
    catch (...) {
    }
}

extern "C" OPENMM_EXPORT_PAINN void registerPlatforms() {}

extern "C" OPENMM_EXPORT_PAINN void registerKernelFactories() {
    registerPaiNNCPUKernelFactories();
}
