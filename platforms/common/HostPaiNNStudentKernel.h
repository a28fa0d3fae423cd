// SPDX-License-Identifier: MIT
#ifndef HOST_PAINNSTUDENT_KERNEL_H_
#define HOST_PAINNSTUDENT_KERNEL_H_

#include "HostForce.h"
#include "PaiNNStudentKernels.h"
#include <memory>

namespace PaiNNPlugin {

/** Works on OpenMM's own arrays: for the Reference platform and those derived from it, such as CPU. */
class HostCalcPaiNNStudentForceKernel : public CalcPaiNNStudentForceKernel {
public:
    HostCalcPaiNNStudentForceKernel(const std::string& name, const OpenMM::Platform& platform,
                                    EvaluatorFactory makeEvaluator);
    void initialize(const OpenMM::System& system, const PaiNNStudentForce& force) override;
    double execute(OpenMM::ContextImpl& context, bool includeForces, bool includeEnergy) override;
    void copyParametersToContext(OpenMM::ContextImpl& context, const PaiNNStudentForce& force) override;
    void computeParticleEnergies(OpenMM::ContextImpl& context, std::vector<double>& energies) override;

private:
    EvaluatorFactory makeEvaluator;
    std::unique_ptr<HostForce> hostForce;
};

} // namespace PaiNNPlugin

#endif
