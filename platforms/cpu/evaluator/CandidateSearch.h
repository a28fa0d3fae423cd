// SPDX-License-Identifier: MIT
#ifndef PAINN_CANDIDATE_SEARCH_H_
#define PAINN_CANDIDATE_SEARCH_H_

#include "ExactNetwork.h"
#include <vector>

namespace PaiNNPlugin {

/**
 * For every atom all others within a range, ascending; perhaps a few more at the range itself. Symmetric. The time
 * grows as numAtoms log(numAtoms) at the same density, whatever the extent of the positions.
 */
struct Candidates {
    std::vector<int> first;    ///< [numAtoms + 1]: those of atom i are first[i] <= k < first[i + 1]
    std::vector<int> neighbor; ///< [candidates]
};

/**
 * @param positions  [numAtoms][3] nm, finite
 * @param box        nullptr, or box vectors in reduced form, every diagonal component at least twice the range
 * @param range      nm
 */
Candidates findCandidates(const std::vector<double>& positions, const Box* box, double range);

} // namespace PaiNNPlugin

#endif
