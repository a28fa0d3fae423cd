// SPDX-License-Identifier: MIT
#ifndef OPENMM_PAINN_PERIODICBOX_H_
#define OPENMM_PAINN_PERIODICBOX_H_

#include "openmm/OpenMMException.h"
#include "openmm/Vec3.h"
#include <cmath>
#include <sstream>

namespace PaiNNPlugin {

/**
 * Check that the nearest periodic image is the only one within the cutoff. OpenMM checks the form of a box too, but
 * lets NaN pass and knows nothing of the cutoff. For a reduced box it is enough to look at the diagonal: a lattice
 * vector that is shorter than twice the cutoff has its last nonzero component on the diagonal, up to a whole factor.
 *
 * @param box      the three box vectors, nm
 * @param cutoff   nm
 */
inline void checkPeriodicBox(const OpenMM::Vec3 box[3], double cutoff) {
    std::ostringstream found;
    for (int i = 0; i < 3; i++)
        found << (i == 0 ? "(" : ", (") << box[i][0] << ", " << box[i][1] << ", " << box[i][2] << ")";
    auto fail = [&](const std::string& fault) {
        throw OpenMM::OpenMMException("PaiNNStudentForce: the periodic box vectors " + found.str() + " nm " + fault);
    };
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            if (!std::isfinite(box[i][j]))
                fail("are not finite");
    if (box[0][1] != 0 || box[0][2] != 0 || box[1][2] != 0)
        fail("are not in reduced form: the first must be along x and the second in the xy plane");
    if (box[0][0] <= 0 || box[1][1] <= 0 || box[2][2] <= 0)
        fail("must be right-handed and span a volume: x of the first, y of the second and z of the third must be "
             "positive");
    if (box[0][0] < 2 * std::fabs(box[1][0]) || box[0][0] < 2 * std::fabs(box[2][0]) ||
        box[1][1] < 2 * std::fabs(box[2][1]))
        fail("are not in reduced form: a component off the diagonal is larger than half of the diagonal one");
    for (int i = 0; i < 3; i++)
        if (box[i][i] < 2 * cutoff) {
            std::ostringstream fault;
            fault << "are too small: every width must be at least " << 2 * cutoff
                  << " nm, twice the cutoff of the model";
            fail(fault.str());
        }
}

} // namespace PaiNNPlugin

#endif
