// SPDX-License-Identifier: MIT
#ifndef CUDA_PAINNSTUDENT_KERNEL_H_
#define CUDA_PAINNSTUDENT_KERNEL_H_

#include "CudaForceBatch.h"
#include "PaiNNStudentKernels.h"
#include "ScaleDerivatives.h"
#include <memory>
#include <sys/types.h>

namespace PaiNNPlugin {

/**
 * A PaiNNStudentForce on OpenMM's CUDA platform: positions are read and forces added where the Context keeps them, in
 * the stream that it uses, and no step waits for the device. What goes wrong on the device is thrown as an exception at
 * once where an energy was asked for, otherwise at the next evaluation.
 */
class CudaCalcPaiNNStudentForceKernel : public CalcPaiNNStudentForceKernel {
public:
    CudaCalcPaiNNStudentForceKernel(const std::string& name, const OpenMM::Platform& platform, OpenMM::CudaContext& cc);
    ~CudaCalcPaiNNStudentForceKernel() override;
    void initialize(const OpenMM::System& system, const PaiNNStudentForce& force) override;
    /** @return 0: the energy is known at the end of the evaluation only, and added by EnergyComputation */
    double execute(OpenMM::ContextImpl& context, bool includeForces, bool includeEnergy) override;
    void copyParametersToContext(OpenMM::ContextImpl& context, const PaiNNStudentForce& force) override;
    void computeParticleEnergies(OpenMM::ContextImpl& context, std::vector<double>& energies) override;
    void computeSubsystemEnergies(OpenMM::ContextImpl& context, const std::vector<int>& subsystems,
                                  std::vector<double>& energies) override;

    /** Small molecules in Contexts that share a CUcontext. */
    std::pair<const void*, int> getCompany() const override;
    std::unique_ptr<SharedEvaluation> share(const std::vector<CalcPaiNNStudentForceKernel*>& kernels,
                                            std::shared_ptr<OpenMM::ThreadPool> threads) override;
    void beginSharing() override;
    void finishSharing() override;

private:
    class ForceInfo;
    class SlotListener;
    class BeginComputation;
    class EnergyComputation;
    class Shared;
    void checkProcess() const;
    void launchAlone(CudaForceQuery query);
    void throwProblemOf(const CudaForceBatch& next);
    void addDerivatives();
    double finishEnergy();

    OpenMM::CudaContext& cc;
    const pid_t process;                   // CUDA works in the process that started it, not in one forked from it
    std::unique_ptr<CudaForceMember> self; // nullptr without particles
    ForceInfo* info = nullptr;             // belongs to the Context
    std::shared_ptr<LoadedNetwork> network;
    std::shared_ptr<CudaForceBatch> alone;
    std::unique_ptr<ScaleDerivatives> derivatives; // nullptr if none were asked for
    std::shared_ptr<CudaForceBatch> last;          // what has evaluated this force last; nullptr: nothing so far
    int place = 0;                                 // in it
    bool wasExecuted = false;                      // in the present computation
};

} // namespace PaiNNPlugin

#endif
