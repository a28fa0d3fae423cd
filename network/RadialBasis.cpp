// SPDX-License-Identifier: MIT
#include "RadialBasis.h"
#include <cmath>

namespace PaiNNPlugin {

namespace {

/** F2a. */
void gaussian(const RadialBasis& basis, double d, double* phi, double* dphi) {
    for (int k = 0; k < basis.size(); k++) {
        const double x = (d - basis.centers[k]) / basis.widths[k];
        phi[k] = std::exp(-basis.exponent * x * x);
        if (dphi != nullptr)
            dphi[k] = -2 * basis.exponent * x / basis.widths[k] * phi[k];
    }
}

/** Derivative of sin(x)/x. (x cos x - sin x)/x^2 cancels for small x; there the Taylor series is exact to the last
 * bits. */
double sincSlope(double x) {
    if (x >= 1)
        return (std::cos(x) - std::sin(x) / x) / x;
    // sum over n >= 1 of (-1)^n 2n x^(2n-1) / (2n+1)!; terms are a = (-1)^n x^(2n-1) / (2n+1)! times 2n.
    double a = -x / 6, sum = 0;
    for (int n = 1; n <= 10; n++) {
        sum += 2 * n * a;
        a *= -x * x / ((2 * n + 2) * (2 * n + 3));
    }
    return sum;
}

/** F2b, as scale frequency sinc(frequency d). */
void bessel(const RadialBasis& basis, double d, double* phi, double* dphi) {
    for (int k = 0; k < basis.size(); k++) {
        const double frequency = basis.frequencies[k];
        const double x = frequency * d, amplitude = basis.scale * frequency;
        phi[k] = x == 0 ? amplitude : amplitude * (std::sin(x) / x);
        if (dphi != nullptr)
            dphi[k] = amplitude * frequency * sincSlope(x);
    }
}

} // namespace

void evaluateBasis(const RadialBasis& basis, double d, double* phi, double* dphi) {
    if (basis.type == RadialBasis::Type::Gaussian)
        gaussian(basis, d, phi, dphi);
    else
        bessel(basis, d, phi, dphi);
}

} // namespace PaiNNPlugin
