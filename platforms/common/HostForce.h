// SPDX-License-Identifier: MIT
#ifndef PAINN_HOST_FORCE_H_
#define PAINN_HOST_FORCE_H_

#include "ForceEntries.h"
#include "HostBatch.h"
#include "openmm/Vec3.h"
#include <exception>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace PaiNNPlugin {

/** What one Context asks of its force, and what it is given. */
struct HostQuery {
    const std::vector<OpenMM::Vec3>* positions;      ///< [particles of the System] nm
    const OpenMM::Vec3* box;                         ///< the three box vectors, nm; read with periodic boundaries only
    const std::map<std::string, double>* parameters; ///< the global parameters of the Context
    std::vector<OpenMM::Vec3>* forces;               ///< added to: kJ/mol/nm; nullptr to skip the backward pass
    std::map<std::string, double>* derivatives;      ///< added to: by name of each requested parameter, kJ/mol
    /** If there is one, all else but positions and box is left alone: [entries of the force] unscaled, kJ/mol. */
    std::vector<double>* particleEnergies = nullptr;
    double energy = 0;                  ///< scaled, kJ/mol
    std::exception_ptr error = nullptr; ///< if there is one, nothing has been added to
};

/**
 * A PaiNNStudentForce on the host: takes positions, box and parameters of a Context as plain values, has the network
 * evaluated for all subsystems at once, and gives energy and forces. All checks of values are here. The particles of a
 * subsystem go to the Evaluator in the order of the System, so that nothing depends on the order of the entries. One
 * object per Context, used by one thread at a time.
 */
class HostForce {
public:
    /** The force has been checked against the System by PaiNNStudentForceImpl. */
    HostForce(const PaiNNStudentForce& force, const EvaluatorFactory& makeEvaluator);
    ~HostForce();
    /** Take over the elements of the particles; nothing else of the force is read. */
    void setElements(const PaiNNStudentForce& force);
    /**
     * Compute the scaled energy, its forces and its derivatives. A subsystem whose scale is exactly 0 is not evaluated,
     * unless the derivative by its scale was requested; then its forces are still left out.
     *
     * @return the energy, kJ/mol
     * @throws OpenMM::OpenMMException naming the particle if a position, energy or force is not finite or too large
     * for the Evaluator, if two particles coincide; and if the box is too small. Nothing has been added to then.
     */
    double evaluate(const HostQuery& query);
    /**
     * Compute the unscaled energy of every entry of the force.
     *
     * @param energies   overwritten: [entries of the force] kJ/mol
     */
    void computeParticleEnergies(const std::vector<OpenMM::Vec3>& positions, const OpenMM::Vec3* box,
                                 std::vector<double>& energies);

    // What a HostBatch needs
    const PaiNNStudentModel& getModel() const {
        return model;
    }
    const ForceEntries& getAtoms() const {
        return atoms;
    }
    /** [atoms] index into NetworkParameters::atomicNumbers */
    const std::vector<int>& getElements() const {
        return elements;
    }
    bool isPeriodic() const {
        return periodic;
    }
    /**
     * Check a query and write what the Evaluator is to be given.
     *
     * @param x        [atoms][3] nm
     * @param boxes    [subsystems] nm, written with periodic boundaries only
     * @param active   [subsystems]
     * @return whether any forces are wanted
     */
    bool begin(const HostQuery& query, double* x, Box* boxes, char* active);
    /**
     * Check what the Evaluator gave, and add it to what the query wants.
     *
     * @param atomForces   [atoms][3] kJ/mol/nm; read only if begin() asked for them
     * @param largest      Evaluator::getLargestValue()
     */
    void finish(HostQuery& query, const double* x, const double* atomEnergies, const double* atomForces,
                double largest) const;

private:
    using Subsystem = ForceEntries::Subsystem;
    void checkEnergies(const Subsystem& subsystem, const double* x, const double* energies, double largest) const;
    void checkForces(const Subsystem& subsystem, const double* x, const double* forces, double largest) const;
    const PaiNNStudentModel model;
    const bool periodic;
    const ForceEntries atoms;
    std::vector<int> elements;
    // Of the query that was begun: [subsystems]
    std::vector<double> scales;
    bool anyForces = false;
    std::unique_ptr<HostBatch> alone;
};

} // namespace PaiNNPlugin

#endif
