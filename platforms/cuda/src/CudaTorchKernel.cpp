// SPDX-License-Identifier: MIT
#include "CudaTorchKernel.h"
#include "openmm/common/ContextSelector.h"

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

namespace {

TorchOptions getOptions(const CudaContext& cc) {
    TorchOptions options;
    options.isDouble = cc.getUseDoublePrecision();
    options.cudaDevice = cc.getDeviceIndex();
    return options;
}

} // namespace

/**
 * Gives the Context the derivatives, in its own thread and when the evaluation has ended: OpenMM's kernel, whose
 * computation was added before, waits for that.
 */
class CudaTorchKernel::AddDerivatives : public ComputeContext::ForcePostComputation {
public:
    AddDerivatives(CudaTorchKernel& kernel, int group) : kernel(kernel), group(group) {}
    double computeForceAndEnergy(bool, bool, int groups) override {
        if ((groups & (1 << group)) == 0)
            return 0;
        map<string, double>& all = kernel.cc.getEnergyParamDerivWorkspace();
        for (const auto& [parameter, derivative] : kernel.kept)
            all[parameter] += derivative;
        kernel.kept.clear();
        return 0;
    }

private:
    CudaTorchKernel& kernel;
    const int group;
};

CudaTorchKernel::CudaTorchKernel(const string& name, const Platform& platform, ContextImpl& context, CudaContext& cc)
    : HostCopyCalcPaiNNStudentForceKernel(name, platform, context, nullptr, getOptions(cc)), cc(cc) {}

void CudaTorchKernel::initialize(const System& system, const PaiNNStudentForce& force) {
    ContextSelector selector(cc);
    HostCopyCalcPaiNNStudentForceKernel::initialize(system, force);
    if (force.getNumEnergyParameterDerivatives() > 0)
        cc.addPostComputation(new AddDerivatives(*this, force.getForceGroup())); // the Context deletes it
}

void CudaTorchKernel::requestDerivatives(const PaiNNStudentForce& force) {
    for (int i = 0; i < force.getNumEnergyParameterDerivatives(); i++)
        cc.addEnergyParameterDerivative(force.getEnergyParameterDerivativeName(i));
}

void CudaTorchKernel::keepDerivatives(const map<string, double>& derivatives) {
    kept = derivatives;
}

} // namespace PaiNNPlugin
