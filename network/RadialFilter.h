// SPDX-License-Identifier: MIT
#ifndef PAINN_RADIAL_FILTER_H_
#define PAINN_RADIAL_FILTER_H_

#include "Dense.h"
#include "NetworkParameters.h"

namespace PaiNNPlugin {

/**
 * F4: the filter of one block, a function of the distance alone. Rows are [scalar | vector | direction] for Student and
 * [scalar | direction | vector] for Canonical. Tables of fast platforms are made from this class.
 */
class RadialFilter {
public:
    /** F4: the student divides r_ij by d + epsilon, nm. Here it is a factor on the rows that multiply the direction. */
    static constexpr double DIRECTION_EPSILON = 1e-9;
    RadialFilter(const NetworkParameters& parameters, int block);
    /** Get the number of values, 3H. */
    int getWidth() const {
        return network.getNumOut();
    }
    /**
     * @param count  number of distances
     * @param d      [count] nm, 0 <= d <= cutoff
     * @param f      out, overwritten: [count][3H]
     * @param df     nullptr, or out, overwritten: [count][3H] 1/nm, the derivative by d
     */
    void evaluate(int count, const double* d, double* f, double* df) const;

private:
    bool isStudent;
    double cutoff; // nm
    RadialBasis basis;
    std::vector<CutoffFunction> inner; // multiply the basis: the cutoff function of Student
    std::vector<CutoffFunction> outer; // multiply the filter: the cutoff function of Canonical, the envelope of both
    Perceptron network;                // K -> ... -> 3H
};

} // namespace PaiNNPlugin

#endif
