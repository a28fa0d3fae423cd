// SPDX-License-Identifier: MIT
#ifndef PAINN_SPACE_CURVE_H_
#define PAINN_SPACE_CURVE_H_

#include "ExactNetwork.h"
#include <vector>

namespace PaiNNPlugin {

/**
 * Sort atoms along a Hilbert curve [1], so that those next to each other in the result are close in space: what a tile
 * of atoms reads of its neighbours then fits into a cache. Only speed depends on it.
 *
 * 1. J. Skilling, Programming the Hilbert curve, AIP Conf. Proc. 707, 381 (2004).
 *
 * @param positions  [atoms][3] nm, finite
 * @param box        nullptr, or box vectors in reduced form, in which positions are wrapped first
 * @param width      nm, of the cubes within which the order does not matter
 * @return [atoms] the atom at each place
 */
std::vector<int> sortAlongCurve(const double* positions, int numAtoms, const Box* box, double width);

} // namespace PaiNNPlugin

#endif
