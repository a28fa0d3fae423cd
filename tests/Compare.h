// SPDX-License-Identifier: MIT
#ifndef PAINN_TESTS_COMPARE_H_
#define PAINN_TESTS_COMPARE_H_

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <vector>

namespace PaiNNPlugin {

/** Differences between two arrays, relative to the root mean square of the expected one. */
struct Difference {
    double max = 0, median = 0, rms = 0;
    bool finite = true;
};

inline Difference difference(const std::vector<double>& expected, const std::vector<double>& found) {
    Difference result;
    double sum = 0;
    for (double x : expected)
        sum += x * x;
    result.rms = expected.empty() ? 0 : std::sqrt(sum / expected.size());
    std::vector<double> all;
    for (size_t i = 0; i < expected.size(); i++) {
        double d = std::fabs(expected[i] - found[i]) / (result.rms > 0 ? result.rms : 1);
        result.finite = result.finite && std::isfinite(d);
        all.push_back(d);
    }
    if (result.finite && !all.empty()) {
        std::sort(all.begin(), all.end());
        result.max = all.back();
        result.median = all[all.size() / 2];
    }
    return result;
}

/**
 * The one comparison of arrays that all tests use: sizes equal, every value finite, and max |expected - found| at most
 * tolerance * RMS(expected). NaN fails, which OpenMM's ASSERT_EQUAL_VEC lets pass.
 */
inline ::testing::AssertionResult arraysAgree(const std::vector<double>& expected, const std::vector<double>& found,
                                              double tolerance) {
    if (expected.size() != found.size())
        return ::testing::AssertionFailure() << "size " << found.size() << " instead of " << expected.size();
    Difference d = difference(expected, found);
    if (!d.finite)
        return ::testing::AssertionFailure() << "a value is not finite";
    if (d.max > tolerance)
        return ::testing::AssertionFailure() << "max difference " << d.max << " (median " << d.median << ") of RMS "
                                             << d.rms << ", allowed " << tolerance;
    return ::testing::AssertionSuccess() << "max difference " << d.max << " of RMS " << d.rms;
}

} // namespace PaiNNPlugin

#endif
