// SPDX-License-Identifier: MIT
#ifndef PAINN_EVALUATOR_H_
#define PAINN_EVALUATOR_H_

#include "ExactNetwork.h"
#include <vector>

namespace PaiNNPlugin {

/**
 * The network of one model for one list of atoms that is split into subsystems, which do not see each other. Knows
 * arrays only. Holds scratch arrays: one object per Context, used by one thread at a time. What it gives for a
 * subsystem does not depend on which others there are, bit for bit.
 */
class Evaluator {
public:
    virtual ~Evaluator() = default;
    /** @param elements   [numAtoms] index into NetworkParameters::atomicNumbers */
    virtual void setElements(const std::vector<int>& elements) = 0;
    /**
     * @param positions     [numAtoms][3] nm, finite
     * @param boxes         nullptr without periodic boundaries; otherwise [numSubsystems] nm, in reduced form, every
     * diagonal component at least twice the cutoff
     * @param active        [numSubsystems] not 0 for a subsystem that is to be evaluated
     * @param atomEnergies  overwritten: [numAtoms] kJ/mol; 0 in subsystems that are not evaluated
     * @param forces        nullptr to skip the backward pass; otherwise overwritten: [numAtoms][3] kJ/mol/nm; 0 in
     * subsystems that are not evaluated
     * @throws CoincidentAtoms if two atoms of an evaluated subsystem are at the same place
     */
    virtual void evaluate(const std::vector<double>& positions, const Box* boxes, const std::vector<char>& active,
                          std::vector<double>& atomEnergies, std::vector<double>* forces) = 0;
    /** Energies (kJ/mol) and components of forces (kJ/mol/nm) beyond this are not to be trusted. */
    virtual double getLargestValue() const = 0;
};

} // namespace PaiNNPlugin

#endif
