// SPDX-License-Identifier: MIT
#include "RadialFilter.h"
#include "Cutoff.h"
#include "RadialBasis.h"

namespace PaiNNPlugin {

RadialFilter::RadialFilter(const NetworkParameters& parameters, int block)
    : isStudent(parameters.family == Family::Student), cutoff(parameters.cutoff), basis(parameters.basis),
      network(parameters.blocks[block].filter) {
    (isStudent ? inner : outer).push_back(parameters.cutoffFunction);
    if (parameters.envelope)
        outer.push_back(*parameters.envelope);
}

namespace {

/** x <- x g(d), dx <- its derivative by d, for each cutoff function g. */
void multiply(const std::vector<CutoffFunction>& functions, double cutoff, double d, int width, double* x, double* dx) {
    for (const CutoffFunction& function : functions) {
        const CutoffValue g = evaluateCutoff(function, cutoff, d);
        if (dx != nullptr)
            for (int k = 0; k < width; k++)
                dx[k] = dx[k] * g.value + x[k] * g.first;
        for (int k = 0; k < width; k++)
            x[k] *= g.value;
    }
}

void soften(double d, int width, double* f, double* df) {
    const double DIRECTION_EPSILON = RadialFilter::DIRECTION_EPSILON;
    const double g = d / (d + DIRECTION_EPSILON);
    const double dg = DIRECTION_EPSILON / ((d + DIRECTION_EPSILON) * (d + DIRECTION_EPSILON));
    for (int k = 0; k < width; k++) {
        if (df != nullptr)
            df[k] = df[k] * g + f[k] * dg;
        f[k] *= g;
    }
}

} // namespace

void RadialFilter::evaluate(int count, const double* d, double* f, double* df) const {
    const size_t K = basis.size(), width = getWidth();
    std::vector<double> phi(count * K), dphi(df == nullptr ? 0 : count * K);
    auto at = [](double* array, size_t offset) { return array == nullptr ? nullptr : array + offset; };
    double* const dphiOrNull = df == nullptr ? nullptr : dphi.data();
    for (int n = 0; n < count; n++) {
        evaluateBasis(basis, d[n], &phi[n * K], at(dphiOrNull, n * K));
        multiply(inner, cutoff, d[n], K, &phi[n * K], at(dphiOrNull, n * K));
    }
    if (df == nullptr)
        network.forward(count, phi.data(), f, nullptr);
    else
        network.forwardWithTangent(count, phi.data(), dphi.data(), f, df);
    for (int n = 0; n < count; n++)
        multiply(outer, cutoff, d[n], width, f + n * width, at(df, n * width));
    if (isStudent)
        for (int n = 0; n < count; n++) {
            const size_t direction = n * width + width / 3 * 2;
            soften(d[n], width / 3, f + direction, at(df, direction));
        }
}

} // namespace PaiNNPlugin
