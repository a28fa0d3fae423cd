// SPDX-License-Identifier: MIT
// The filter tables (reliability: value 1e-9, derivative 1e-7, no jump at knots).
#include "Compare.h"
#include "FilterTable.h"
#include "RandomNetwork.h"

using namespace PaiNNPlugin;

namespace {

class FilterTableTest : public ::testing::TestWithParam<RandomNetworkOptions> {};

std::vector<RandomNetworkOptions> models() {
    std::vector<RandomNetworkOptions> result;
    for (Family family : {Family::Student, Family::Canonical})
        for (RadialBasis::Type basis : {RadialBasis::Type::Gaussian, RadialBasis::Type::Bessel}) {
            RandomNetworkOptions options;
            options.family = family;
            options.basis = basis;
            options.numBasis = 20;
            result.push_back(options);
            options.envelope = CutoffFunction{CutoffFunction::Type::Polynomial, 5};
            result.push_back(options);
        }
    return result;
}

TEST_P(FilterTableTest, agreesWithExactFilter) {
    const auto parameters = randomNetwork(GetParam());
    const int numCells = FilterTable::chooseNumCells(*parameters);
    EXPECT_LT(numCells, FilterTable::MAX_CELLS);
    Random random(3);
    for (size_t block = 0; block < parameters->blocks.size(); block++) {
        const FilterTable table(*parameters, static_cast<int>(block), numCells);
        const RadialFilter exact(*parameters, static_cast<int>(block));
        const int width = table.getWidth(), count = 3000;
        std::vector<double> d(count), f(count * width), df(f.size()), g(width), dg(width);
        for (double& x : d)
            x = random.uniform(0.01 * parameters->cutoff, parameters->cutoff);
        d[0] = parameters->cutoff;
        exact.evaluate(count, d.data(), f.data(), df.data());
        double largest[3] = {}, largestSlope[3] = {}, error[3] = {}, slopeError[3] = {}; // of the parts, as TableBars
        for (int n = 0; n < count; n++) {
            table.evaluate(d[n], g.data(), dg.data());
            double factor, slope;
            evaluateDirectionFactor(parameters->family == Family::Student, d[n], factor, slope);
            for (int h = 0; h < width; h++) {
                const int part = h / (width / 3);
                const bool softened = parameters->family == Family::Student && h >= width / 3 * 2;
                const double value = softened ? g[h] * factor : g[h];
                const double derivative = softened ? dg[h] * factor + g[h] * slope : dg[h];
                largest[part] = std::max(largest[part], std::fabs(f[n * width + h]));
                largestSlope[part] = std::max(largestSlope[part], std::fabs(df[n * width + h]));
                error[part] = std::max(error[part], std::fabs(value - f[n * width + h]));
                slopeError[part] = std::max(slopeError[part], std::fabs(derivative - df[n * width + h]));
            }
        }
        for (int part = 0; part < 3; part++) {
            EXPECT_LE(error[part], 1e-9 * largest[part]) << "block " << block << ", part " << part;
            EXPECT_LE(slopeError[part], 1e-7 * largestSlope[part]) << "block " << block << ", part " << part;
        }
    }
}

TEST_P(FilterTableTest, hasNoJumpAtKnots) {
    const auto parameters = randomNetwork(GetParam());
    const FilterTable table(*parameters, 1, 60);
    const TableGrid& grid = table.getGrid();
    const int width = table.getWidth();
    for (int cell = 0; cell + 1 < grid.numCells; cell++) {
        const double *left = table.getTerms(cell), *right = table.getTerms(cell + 1);
        std::vector<double> values[2], slopes[2];
        for (int h = 0; h < width; h++)
            for (int side = 0; side < 2; side++) {
                const double* c = (side == 0 ? left : right) + h;
                const double t = side == 0 ? 0.5 : -0.5;
                double value = 0, slope = 0;
                for (int k = FilterTable::TERMS - 1; k >= 0; k--) {
                    slope = slope * t + value;
                    value = value * t + c[k * width];
                }
                values[side].push_back(value);
                slopes[side].push_back(slope);
            }
        ASSERT_TRUE(arraysAgree(values[0], values[1], 1e-13)) << "end of cell " << cell;
        ASSERT_TRUE(arraysAgree(slopes[0], slopes[1], 1e-10)) << "end of cell " << cell;
    }
}

TEST_P(FilterTableTest, slopeIsDerivativeOfInterpolant) {
    const auto parameters = randomNetwork(GetParam());
    const FilterTable table(*parameters, 0, 8); // far from the exact filter
    const int width = table.getWidth();
    const double step = 1e-4 * table.getGrid().cellWidth;
    std::vector<double> f(width), df(width), plus(width), minus(width), unused(width);
    for (int cell = 0; cell < 8; cell++) {
        const double d = table.getGrid().first + (cell + 0.3) * table.getGrid().cellWidth;
        table.evaluate(d, f.data(), df.data());
        table.evaluate(d + step, plus.data(), unused.data());
        table.evaluate(d - step, minus.data(), unused.data());
        for (int h = 0; h < width; h++)
            unused[h] = (plus[h] - minus[h]) / (2 * step);
        EXPECT_TRUE(arraysAgree(df, unused, 1e-5));
    }
}

TEST_P(FilterTableTest, findsEveryDistance) {
    const auto parameters = randomNetwork(GetParam());
    const FilterTable table(*parameters, 0, 17);
    const TableGrid& grid = table.getGrid();
    Random random(9);
    for (int n = 0; n < 10000; n++) {
        const double d = random.uniform(0, parameters->cutoff);
        int cell;
        double t;
        grid.find(d, cell, t);
        ASSERT_TRUE(cell >= 0 && cell < grid.numCells) << d;
        EXPECT_LE(t, 0.5 + 1e-12);
        if (d >= grid.first) {
            EXPECT_GE(t, -0.5 - 1e-12);
        }
        EXPECT_NEAR(grid.first + (cell + 0.5 + t) * grid.cellWidth, d, 1e-15);
    }
    int cell;
    double t;
    grid.find(parameters->cutoff, cell, t);
    EXPECT_EQ(cell, 16);
    grid.find(0, cell, t);
    EXPECT_EQ(cell, 0);
}

INSTANTIATE_TEST_SUITE_P(Models, FilterTableTest, ::testing::ValuesIn(models()),
                         [](const auto& info) { return info.param.describe(); });

} // namespace
