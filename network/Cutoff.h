// SPDX-License-Identifier: MIT
#ifndef PAINN_CUTOFF_H_
#define PAINN_CUTOFF_H_

#include "NetworkParameters.h"

namespace PaiNNPlugin {

/** A function of a distance with its first two derivatives: 1, 1/nm, 1/nm^2. */
struct CutoffValue {
    double value, first, second;
};

/**
 * F3 and its derivatives. Value and first derivative are exactly zero at the cutoff, all three beyond it.
 *
 * @param function  cosine or polynomial
 * @param cutoff    nm, > 0: where the function reaches zero
 * @param d         nm, >= 0
 */
CutoffValue evaluateCutoff(const CutoffFunction& function, double cutoff, double d);

} // namespace PaiNNPlugin

#endif
