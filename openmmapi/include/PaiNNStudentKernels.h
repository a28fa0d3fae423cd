// SPDX-License-Identifier: MIT
#ifndef PAINNSTUDENT_KERNELS_H_
#define PAINNSTUDENT_KERNELS_H_

#include "PaiNNStudentForce.h"
#include "openmm/KernelImpl.h"
#include "openmm/Platform.h"
#include "openmm/System.h"
#include <string>
#include <vector>

namespace PaiNNPlugin {

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
};

} // namespace PaiNNPlugin

#endif
