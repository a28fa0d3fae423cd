// SPDX-License-Identifier: MIT
#ifndef OPENMM_PAINNSTUDENTFORCEIMPL_H_
#define OPENMM_PAINNSTUDENTFORCEIMPL_H_

#include "PaiNNStudentForce.h"
#include "openmm/Kernel.h"
#include "openmm/internal/ForceImpl.h"
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace PaiNNPlugin {

/** The largest number that a subsystem can have. */
inline constexpr int MAX_SUBSYSTEM = 1000000;

/** The internal implementation of PaiNNStudentForce in one Context. */
class OPENMM_EXPORT_PAINN PaiNNStudentForceImpl : public OpenMM::ForceImpl {
public:
    explicit PaiNNStudentForceImpl(const PaiNNStudentForce& owner);
    /** Check the force against the System, then make the platform's kernel. */
    void initialize(OpenMM::ContextImpl& context) override;
    const PaiNNStudentForce& getOwner() const override {
        return owner;
    }
    void updateContextState(OpenMM::ContextImpl&, bool&) override {}
    double calcForcesAndEnergy(OpenMM::ContextImpl& context, bool includeForces, bool includeEnergy,
                               int groups) override;
    std::map<std::string, double> getDefaultParameters() override;
    std::vector<std::string> getKernelNames() override;
    std::vector<std::pair<int, int>> getBondedParticles() const override {
        return findBonds(current);
    }
    void updateParametersInContext(OpenMM::ContextImpl& context);
    /** @param[out] energies   [getNumSubsystems()] unscaled, kJ/mol */
    void getSubsystemEnergies(OpenMM::ContextImpl& context, std::vector<double>& energies);
    /** @param[out] energies   [getNumParticles()] unscaled, kJ/mol */
    void getParticleEnergies(OpenMM::ContextImpl& context, std::vector<double>& energies);
    /**
     * Find the pairs of particles of the System that have to stay in one molecule: with periodic boundary conditions
     * the bonds of the force, without them a chain through each subsystem.
     */
    static std::vector<std::pair<int, int>> findBonds(const PaiNNStudentForce& force);

private:
    const PaiNNStudentForce& owner;
    PaiNNStudentForce current; // the force as the kernel knows it; the user may have changed the owner since
    OpenMM::Kernel kernel;
};

} // namespace PaiNNPlugin

#endif
