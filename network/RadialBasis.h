// SPDX-License-Identifier: MIT
#ifndef PAINN_RADIAL_BASIS_H_
#define PAINN_RADIAL_BASIS_H_

#include "NetworkParameters.h"

namespace PaiNNPlugin {

/**
 * F2: what a distance is expanded in, and its derivative.
 *
 * @param d     nm, >= 0 (0 is the limit, finite for both types)
 * @param phi   out, overwritten: [K]
 * @param dphi  nullptr, or out, overwritten: [K] 1/nm, the derivative by d
 */
void evaluateBasis(const RadialBasis& basis, double d, double* phi, double* dphi);

} // namespace PaiNNPlugin

#endif
