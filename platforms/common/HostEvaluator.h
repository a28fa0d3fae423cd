// SPDX-License-Identifier: MIT
#ifndef PAINN_HOST_EVALUATOR_H_
#define PAINN_HOST_EVALUATOR_H_

#include "ExactNetwork.h"
#include "PaiNNStudentForce.h"
#include "openmm/Vec3.h"
#include <map>
#include <string>
#include <vector>

namespace PaiNNPlugin {

/**
 * Evaluates a PaiNNStudentForce on the host with the exact network: takes positions, box and parameters of a Context as
 * plain values, and gives energy and forces. Every subsystem is evaluated alone and with its particles in the order of
 * the System, so that its result does not depend on what else is in the force, nor on the order of the entries. Holds
 * scratch arrays: one object per Context, used by one thread at a time.
 */
class HostEvaluator {
public:
    /** The force has been checked against the System by PaiNNStudentForceImpl. */
    explicit HostEvaluator(const PaiNNStudentForce& force);
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
     * @throws OpenMM::OpenMMException naming the particle if a position, energy or force is not finite, if two
     * particles coincide; and if the box is too small
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
    struct Subsystem {
        int index;
        std::string scale;          // global parameter, "" for a scale of 1
        bool differentiate;         // by the scale
        std::vector<int> entries;   // of the force, sorted by particle
        std::vector<int> particles; // of the System, ascending
        std::vector<int> elements;  // index into NetworkParameters::atomicNumbers
    };
    void checkPositions(const std::vector<OpenMM::Vec3>& positions) const;
    const Box* convertBox(const OpenMM::Vec3* box);
    void evaluateAlone(const Subsystem& subsystem, const std::vector<OpenMM::Vec3>& positions, const Box* box,
                       bool withForces);
    ExactNetwork network;
    double cutoff; // nm
    bool periodic;
    int numEntries;
    std::vector<Subsystem> subsystems; // those that have particles
    Box networkBox;
    // Of the subsystem evaluated last: [n][3] nm, [n] kJ/mol, [n][3] kJ/mol/nm
    std::vector<double> x, atomEnergies, atomForces;
};

} // namespace PaiNNPlugin

#endif
