// SPDX-License-Identifier: MIT
#ifndef PAINNSTUDENT_KERNELS_H_
#define PAINNSTUDENT_KERNELS_H_

#include "PaiNNStudentForce.h"
#include "openmm/KernelImpl.h"
#include "openmm/Platform.h"
#include "openmm/System.h"
#include "openmm/internal/ThreadPool.h"
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace PaiNNPlugin {

/**
 * A kernel of this name, made for a Context that has just been made and has done nothing yet, gives it a queue of its
 * own on the device, where platforms have such. To be destroyed after the Context, before the one that it is linked to.
 */
inline std::string ownQueueKernelName() {
    return "PaiNNOwnQueue";
}

/**
 * Where platforms have a CalcPaiNNStudentForceKernel of this name, it evaluates forces whose method is LibTorch;
 * elsewhere the usual one does.
 */
inline std::string torchKernelName() {
    return "CalcPaiNNStudentForceByTorch";
}

/** What one Context asks of a SharedEvaluation, and what it is given. */
struct SharedQuery {
    OpenMM::ContextImpl* context;
    bool includeForces, includeEnergy;
    double energy = 0;                  ///< what execute() of the Context's own kernel would have returned
    std::exception_ptr error = nullptr; ///< or thrown
};

/** Kernels of several Contexts that are executed as one batch. What each gives is the same, bit for bit, as alone. */
class SharedEvaluation {
public:
    virtual ~SharedEvaluation() = default;
    /**
     * Execute every kernel. May be called by any thread, while those of the Contexts wait.
     *
     * @param queries   one for each kernel, in the order of share()
     * @throws OpenMM::OpenMMException what keeps all of them from being answered
     */
    virtual void execute(std::vector<SharedQuery>& queries) = 0;
};

/** Implemented by each platform for PaiNNStudentForce. */
class CalcPaiNNStudentForceKernel : public OpenMM::KernelImpl {
public:
    static std::string Name() {
        return "CalcPaiNNStudentForce";
    }
    CalcPaiNNStudentForceKernel(const std::string& name, const OpenMM::Platform& platform)
        : OpenMM::KernelImpl(name, platform) {}
    /**
     * Initialize the kernel. PaiNNStudentForceImpl has checked the force against the System before.
     *
     * @param system   the System this kernel will be applied to
     * @param force    the PaiNNStudentForce this kernel will be used for
     */
    virtual void initialize(const OpenMM::System& system, const PaiNNStudentForce& force) = 0;
    /**
     * Add the forces, and the derivatives by global parameters, to the Context's own.
     *
     * @return the energy, kJ/mol
     */
    virtual double execute(OpenMM::ContextImpl& context, bool includeForces, bool includeEnergy) = 0;
    /** Take over the elements of the particles. */
    virtual void copyParametersToContext(OpenMM::ContextImpl& context, const PaiNNStudentForce& force) = 0;
    /**
     * Compute unscaled energies at the present positions, without touching the Context's forces or energy.
     *
     * @param[out] energies   [numParticles] kJ/mol, in the order of the force's entries
     */
    virtual void computeParticleEnergies(OpenMM::ContextImpl& context, std::vector<double>& energies) = 0;
    /**
     * Likewise by subsystem. Adds up particles in the order of the entries; a platform that evaluates subsystems by
     * another sum overrides it, so that the bits are those of execute().
     *
     * @param subsystems      [numParticles] to which each entry of the force belongs
     * @param[out] energies   [numSubsystems] kJ/mol; has that size already, and zeros
     */
    virtual void computeSubsystemEnergies(OpenMM::ContextImpl& context, const std::vector<int>& subsystems,
                                          std::vector<double>& energies) {
        std::vector<double> particleEnergies;
        computeParticleEnergies(context, particleEnergies);
        for (size_t i = 0; i < subsystems.size(); i++)
            energies[subsystems[i]] += particleEnergies[i];
    }
    /**
     * Tell with whom this kernel can be executed as one batch: with all of its platform that give the same answer,
     * unless it is {nullptr, ...}.
     */
    virtual std::pair<const void*, int> getCompany() const {
        return {nullptr, 0};
    }
    /**
     * Make what executes kernels as one batch. This kernel is the first of them.
     *
     * @param kernels   of one company, one of each Context
     * @param threads   for platforms that compute on the host; no two evaluations use them at the same time
     */
    virtual std::unique_ptr<SharedEvaluation> share(const std::vector<CalcPaiNNStudentForceKernel*>& /*kernels*/,
                                                    std::shared_ptr<OpenMM::ThreadPool> /*threads*/) {
        return nullptr;
    }
    /** Called by the Context's own thread before its query goes to a SharedEvaluation, which may be another's work. */
    virtual void beginSharing() {}
    /** Called by the Context's own thread when a SharedEvaluation has answered its query without an error. */
    virtual void finishSharing() {}
    /** Get what lives as long as this kernel. */
    std::weak_ptr<const int> getLife() const {
        return life;
    }

private:
    std::shared_ptr<const int> life = std::make_shared<int>(0);
};

} // namespace PaiNNPlugin

#endif
