// SPDX-License-Identifier: MIT
#ifndef HOSTCOPY_PAINNSTUDENT_KERNEL_H_
#define HOSTCOPY_PAINNSTUDENT_KERNEL_H_

#include "HostForce.h"
#include "PaiNNStudentKernels.h"
#include "TorchFactory.h"
#include "openmm/HarmonicBondForce.h"
#include "openmm/Kernel.h"
#include <map>
#include <memory>
#include <string>

namespace PaiNNPlugin {

/**
 * For platforms that have no kernel of their own: positions are copied to the host and forces back, through the kernel
 * that OpenMM has on every platform for forces written in C++. That one cannot give derivatives by global parameters:
 * only classes derived from this can, for the platforms they know.
 */
class HostCopyCalcPaiNNStudentForceKernel : public CalcPaiNNStudentForceKernel {
public:
    HostCopyCalcPaiNNStudentForceKernel(const std::string& name, const OpenMM::Platform& platform,
                                        OpenMM::ContextImpl& context, EvaluatorFactory makeEvaluator,
                                        const TorchOptions& torch);
    ~HostCopyCalcPaiNNStudentForceKernel() override;
    void initialize(const OpenMM::System& system, const PaiNNStudentForce& force) override;
    double execute(OpenMM::ContextImpl& context, bool includeForces, bool includeEnergy) override;
    void copyParametersToContext(OpenMM::ContextImpl& context, const PaiNNStudentForce& force) override;
    void computeParticleEnergies(OpenMM::ContextImpl& context, std::vector<double>& energies) override;

protected:
    /**
     * Told about an evaluation in the thread that it ran in, while the Context's own is somewhere in the same
     * computation.
     *
     * @param derivatives   of the energy by each parameter that is asked for, kJ/mol
     */
    virtual void keepDerivatives(const std::map<std::string, double>& /*derivatives*/) {}
    /** Throws an exception here: what the platform cannot do. Called before anything is initialized. */
    virtual void requestDerivatives(const PaiNNStudentForce& force);

private:
    class InnerImpl;
    void linkParticles(const OpenMM::System& system, const PaiNNStudentForce& force);
    OpenMM::ContextImpl& context;
    EvaluatorFactory makeEvaluator;
    const TorchOptions torch;
    std::unique_ptr<HostForce> hostForce;
    std::unique_ptr<InnerImpl> inner;
    OpenMM::HarmonicBondForce links; // read by OpenMM as long as the Context lives
    OpenMM::Kernel linkKernel;
};

} // namespace PaiNNPlugin

#endif
