// SPDX-License-Identifier: MIT
#ifndef PAINN_FEATURES_H_
#define PAINN_FEATURES_H_

#include <vector>

namespace PaiNNPlugin {

/** The features of all atoms, or their adjoints (the derivative of the energy by each, kJ/mol). H is the number of
 * channels. */
struct Features {
    std::vector<double> s; ///< [numAtoms][H] scalars
    std::vector<double> v; ///< [numAtoms][3][H] vectors
};

} // namespace PaiNNPlugin

#endif
