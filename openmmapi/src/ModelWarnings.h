// SPDX-License-Identifier: MIT
#ifndef PAINN_MODELWARNINGS_H_
#define PAINN_MODELWARNINGS_H_

#include "NetworkParameters.h"
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace PaiNNPlugin {

/** The largest step of the energy when two atoms, alone in the world, cross the cutoff. */
struct CutoffJump {
    double size = 0; ///< kJ/mol, >= 0; NaN if the network's energies are not finite
    int atomicNumber1 = 0, atomicNumber2 = 0;
};

/**
 * Evaluate pairs of atoms just inside the cutoff against the two atoms alone. The pairs are those of H, C, N, O, F, S
 * and Cl among the model's elements, or of all its elements if it has fewer than 8, or none of those.
 */
CutoffJump findCutoffJump(const std::shared_ptr<const NetworkParameters>& network);

/**
 * What a user must know before trusting results, one sentence each; see PaiNNStudentModel::getWarnings().
 *
 * @param trainedElements   the atomic numbers it was trained on, absent when unknown
 */
std::vector<std::string> findWarnings(const std::shared_ptr<const NetworkParameters>& network,
                                      const std::optional<std::vector<int>>& trainedElements);

/** The symbol of an element, atomic number 1 to 118. */
std::string elementSymbol(int atomicNumber);

} // namespace PaiNNPlugin

#endif
