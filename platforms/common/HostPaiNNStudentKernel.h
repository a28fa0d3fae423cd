// SPDX-License-Identifier: MIT
#ifndef HOST_PAINNSTUDENT_KERNEL_H_
#define HOST_PAINNSTUDENT_KERNEL_H_

#include "HostForce.h"
#include "PaiNNStudentKernels.h"
#include "TorchFactory.h"
#include <memory>

namespace PaiNNPlugin {

/** Makes what makes evaluators that use given threads, where they use any. */
using SharedEvaluatorFactory = std::function<EvaluatorFactory(std::shared_ptr<OpenMM::ThreadPool> threads)>;

/** Works on OpenMM's own arrays: for the Reference platform and those derived from it, such as CPU. */
class HostCalcPaiNNStudentForceKernel : public CalcPaiNNStudentForceKernel {
public:
    /**
     * @param makeEvaluator   for the method Kernels
     * @param makeShared      likewise
     * @param torch           for the method LibTorch
     */
    HostCalcPaiNNStudentForceKernel(const std::string& name, const OpenMM::Platform& platform,
                                    EvaluatorFactory makeEvaluator, SharedEvaluatorFactory makeShared,
                                    const TorchOptions& torch);
    void initialize(const OpenMM::System& system, const PaiNNStudentForce& force) override;
    double execute(OpenMM::ContextImpl& context, bool includeForces, bool includeEnergy) override;
    void copyParametersToContext(OpenMM::ContextImpl& context, const PaiNNStudentForce& force) override;
    void computeParticleEnergies(OpenMM::ContextImpl& context, std::vector<double>& energies) override;
    /** Forces with the same model, all with or all without periodic boundaries. With LibTorch each is by itself. */
    std::pair<const void*, int> getCompany() const override;
    std::unique_ptr<SharedEvaluation> share(const std::vector<CalcPaiNNStudentForceKernel*>& kernels,
                                            std::shared_ptr<OpenMM::ThreadPool> threads) override;

private:
    class Shared;
    EvaluatorFactory makeEvaluator;
    SharedEvaluatorFactory makeShared;
    const TorchOptions torch;
    bool usesTorch = false;
    std::unique_ptr<HostForce> hostForce;
};

} // namespace PaiNNPlugin

#endif
