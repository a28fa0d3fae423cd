// SPDX-License-Identifier: MIT
#ifndef PAINN_HOST_FORCE_H_
#define PAINN_HOST_FORCE_H_

#include "Evaluator.h"
#include "ForceEntries.h"
#include "openmm/Vec3.h"
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace PaiNNPlugin {

/**
 * Makes the Evaluator of a platform.
 *
 * @param elements     [numAtoms] index into NetworkParameters::atomicNumbers
 * @param subsystems   [numAtoms] ascending and without holes, so that the atoms of a subsystem stand together
 */
using EvaluatorFactory = std::function<std::unique_ptr<Evaluator>(
    const PaiNNStudentModel& model, const std::vector<int>& elements, const std::vector<int>& subsystems)>;

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
    /** Take over the elements of the particles; nothing else of the force is read. */
    void setElements(const PaiNNStudentForce& force);
    /**
     * Compute the scaled energy, its forces and its derivatives. A subsystem whose scale is exactly 0 is not evaluated,
     * unless the derivative by its scale was requested; then its forces are still left out.
     *
     * @param positions     [particles of the System] nm
     * @param box           the three box vectors, nm; only read with periodic boundary conditions
     * @param parameters    the global parameters of the Context
     * @param forces        nullptr to skip the backward pass; otherwise added to: [particles of the System] kJ/mol/nm
     * @param derivatives   added to: by name of each requested parameter, kJ/mol
     * @return the energy, kJ/mol
     * @throws OpenMM::OpenMMException naming the particle if a position, energy or force is not finite or too large
     * for the Evaluator, if two particles coincide; and if the box is too small. Nothing has been added to then.
     */
    double evaluate(const std::vector<OpenMM::Vec3>& positions, const OpenMM::Vec3* box,
                    const std::map<std::string, double>& parameters, std::vector<OpenMM::Vec3>* forces,
                    std::map<std::string, double>& derivatives);
    /**
     * Compute the unscaled energy of every entry of the force.
     *
     * @param energies   overwritten: [entries of the force] kJ/mol
     */
    void computeParticleEnergies(const std::vector<OpenMM::Vec3>& positions, const OpenMM::Vec3* box,
                                 std::vector<double>& energies);

private:
    using Subsystem = ForceEntries::Subsystem;
    void readPositions(const std::vector<OpenMM::Vec3>& positions);
    const Box* convertBox(const OpenMM::Vec3* box);
    void evaluateActive(const Box* box, bool withForces);
    void checkEnergies(const Subsystem& subsystem) const;
    void checkForces(const Subsystem& subsystem) const;
    [[noreturn]] void failAt(const char* quantity, const char* units, int atom) const;
    OpenMM::Vec3 getPosition(int atom) const;
    double cutoff; // nm
    bool periodic;
    ForceEntries atoms;
    std::unique_ptr<Evaluator> evaluator;
    // What goes to the Evaluator and comes from it: [atoms][3] nm, [subsystems], [atoms] kJ/mol, [atoms][3] kJ/mol/nm
    std::vector<double> x;
    Box networkBox;
    std::vector<char> active;
    std::vector<double> atomEnergies, atomForces;
    std::vector<double> scales; // [subsystems]
};

} // namespace PaiNNPlugin

#endif
