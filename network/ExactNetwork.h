// SPDX-License-Identifier: MIT
#ifndef PAINN_EXACT_NETWORK_H_
#define PAINN_EXACT_NETWORK_H_

#include "NetworkParameters.h"
#include <exception>
#include <memory>
#include <vector>

namespace PaiNNPlugin {

/** A box by its three vectors, nm, in OpenMM's reduced form: a along x, b in the xy plane. */
using Box = std::array<std::array<double, 3>, 3>;

/**
 * The whole network in double precision with exact filters, energy and hand-written forces, for one set of atoms that
 * all see each other. Knows arrays only. Holds no state between calls; one object may be used by several threads at
 * once.
 */
class ExactNetwork {
public:
    explicit ExactNetwork(std::shared_ptr<const NetworkParameters> parameters);
    /**
     * @param elements      [numAtoms] index into NetworkParameters::atomicNumbers
     * @param positions     [numAtoms][3] nm, finite
     * @param box           nullptr without periodic boundaries; otherwise minimum image, every diagonal component of
     * the box at least twice the cutoff
     * @param atomEnergies  out, overwritten: [numAtoms] kJ/mol; their sum is the energy (F9)
     * @param forces        nullptr to skip the backward pass; otherwise overwritten: [numAtoms][3] kJ/mol/nm, force =
     * -dE/dx
     * @throws CoincidentAtoms if two atoms are at the same place
     */
    void evaluate(const std::vector<int>& elements, const std::vector<double>& positions, const Box* box,
                  std::vector<double>& atomEnergies, std::vector<double>* forces) const;
    const NetworkParameters& getParameters() const {
        return *parameters;
    }

private:
    struct Stages;
    std::shared_ptr<const NetworkParameters> parameters;
    std::shared_ptr<const Stages> stages; // the weights in the layout that the stages want; never changed
};

/** Two atoms (indices into the arrays given to evaluate) have a distance of zero, where no force exists. */
struct CoincidentAtoms : std::exception {
    CoincidentAtoms(int atom1, int atom2) : atom1(atom1), atom2(atom2) {}
    const char* what() const noexcept override {
        return "two atoms are at the same place";
    }
    int atom1, atom2;
};

} // namespace PaiNNPlugin

#endif
