// SPDX-License-Identifier: MIT
#ifndef REFERENCE_PAINNSTUDENT_KERNEL_H_
#define REFERENCE_PAINNSTUDENT_KERNEL_H_

#include "HostEvaluator.h"
#include "PaiNNStudentKernels.h"
#include <memory>

namespace PaiNNPlugin {

/** Works on OpenMM's own arrays: for the Reference platform and those derived from it, such as CPU. */
class ReferenceCalcPaiNNStudentForceKernel : public CalcPaiNNStudentForceKernel {
public:
    using CalcPaiNNStudentForceKernel::CalcPaiNNStudentForceKernel;
    void initialize(const OpenMM::System& system, const PaiNNStudentForce& force) override;
    double execute(OpenMM::ContextImpl& context, bool includeForces, bool includeEnergy) override;
    void copyParametersToContext(OpenMM::ContextImpl& context, const PaiNNStudentForce& force) override;
    void computeParticleEnergies(OpenMM::ContextImpl& context, std::vector<double>& energies) override;

private:
    std::unique_ptr<HostEvaluator> evaluator;
};

} // namespace PaiNNPlugin

#endif
