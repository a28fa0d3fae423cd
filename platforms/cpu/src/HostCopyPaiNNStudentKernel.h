// SPDX-License-Identifier: MIT
#ifndef HOSTCOPY_PAINNSTUDENT_KERNEL_H_
#define HOSTCOPY_PAINNSTUDENT_KERNEL_H_

#include "HostForce.h"
#include "PaiNNStudentKernels.h"
#include "openmm/HarmonicBondForce.h"
#include "openmm/Kernel.h"
#include <memory>

namespace PaiNNPlugin {

/**
 * For platforms that have no kernel of their own: positions are copied to the host and forces back, through the kernel
 * that OpenMM has on every platform for forces written in C++. It cannot give derivatives by global parameters.
 */
class HostCopyCalcPaiNNStudentForceKernel : public CalcPaiNNStudentForceKernel {
public:
    HostCopyCalcPaiNNStudentForceKernel(const std::string& name, const OpenMM::Platform& platform,
                                        OpenMM::ContextImpl& context, EvaluatorFactory makeEvaluator);
    ~HostCopyCalcPaiNNStudentForceKernel() override;
    void initialize(const OpenMM::System& system, const PaiNNStudentForce& force) override;
    double execute(OpenMM::ContextImpl& context, bool includeForces, bool includeEnergy) override;
    void copyParametersToContext(OpenMM::ContextImpl& context, const PaiNNStudentForce& force) override;
    void computeParticleEnergies(OpenMM::ContextImpl& context, std::vector<double>& energies) override;

private:
    class InnerImpl;
    void linkParticles(const OpenMM::System& system, const PaiNNStudentForce& force);
    OpenMM::ContextImpl& context;
    EvaluatorFactory makeEvaluator;
    std::unique_ptr<HostForce> hostForce;
    std::unique_ptr<InnerImpl> inner;
    OpenMM::HarmonicBondForce links; // read by OpenMM as long as the Context lives
    OpenMM::Kernel linkKernel;
};

} // namespace PaiNNPlugin

#endif
