// SPDX-License-Identifier: MIT
#include "Cutoff.h"
#include <cmath>

namespace PaiNNPlugin {

namespace {

const double PI = 3.14159265358979323846;

/** F3a. Written with the sine of the distance that is left, which is exactly zero at the cutoff and has no
 * cancellation. */
CutoffValue cosine(double cutoff, double d) {
    const double k = PI / (2 * cutoff);
    const double y = k * (cutoff - d);
    const double sine = std::sin(y);
    return {sine * sine, -k * std::sin(2 * y), 2 * k * k * std::cos(2 * y)};
}

/**
 * F3b. The envelope has a triple zero at t = 1 and is 1 + O(t^p) at t = 0, so it is (1-t)^3 times the first p terms of
 * the series of (1-t)^-3: all terms positive, no cancellation near the cutoff.
 */
CutoffValue polynomial(int p, double cutoff, double d) {
    const double t = d / cutoff, rest = (cutoff - d) / cutoff;
    double series = 0;
    for (int k = p - 1; k >= 0; k--)
        series = series * t + 0.5 * (k + 1) * (k + 2);
    const double a = -0.5 * p * (p + 1) * (p + 2) / cutoff;
    const double power = std::pow(t, p - 2);
    return {rest * rest * rest * series, a * power * t * rest * rest,
            a / cutoff * power * rest * ((p - 1) * rest - 2 * t)};
}

} // namespace

CutoffValue evaluateCutoff(const CutoffFunction& function, double cutoff, double d) {
    if (d > cutoff)
        return {0, 0, 0};
    if (function.type == CutoffFunction::Type::Cosine)
        return cosine(cutoff, d);
    return polynomial(function.p, cutoff, d);
}

} // namespace PaiNNPlugin
