// SPDX-License-Identifier: MIT
// The kernels of every instruction set that this processor has, against the same in double precision: products,
// activations and filters. Those of messages and updates are judged as stages, in TestStages.cpp.
#include "FastTest.h"
#include <cstdlib>

using namespace PaiNNPlugin;

namespace {

const double ROUNDING = 0x1p-24; // u: the largest relative error of rounding to single precision

class KernelTest : public ::testing::TestWithParam<SimdLevel> {
protected:
    const Kernels& kernels = getKernels(GetParam());
    Random random{7};
    AlignedArray randomArray(size_t size) {
        AlignedArray result(size);
        for (size_t k = 0; k < size; k++)
            result[k] = static_cast<float>(random.uniform(-1, 1));
        return result;
    }
};

std::vector<double> toDouble(const AlignedArray& array, size_t size) {
    return std::vector<double>(array.data(), array.data() + size);
}

/**
 * A sum as the kernels form it, term after term, and what rounding to single precision may change. Every step rounds
 * its product (no fused instruction does) and its sum, each by a part u of itself: together at most u sum(|product| +
 * |sum so far|), the running error bound (Higham, Accuracy and Stability, section 3.3). It follows from the order of
 * the terms and the arithmetic alone, and a term too much or too little is far above it.
 */
struct RoundedSum {
    double value, bound = 0;
    void add(double a, double b) {
        value += a * b;
        bound += ROUNDING * (std::fabs(a * b) + std::fabs(value));
    }
    /** The bound is that of exact partial sums; those with errors change it in the seventh digit. */
    bool isNear(float found) const {
        return std::fabs(found - value) <= 1.001 * bound;
    }
};

TEST_P(KernelTest, multipliesMatrices) {
    for (int numIn : {1, 16, 21, 128})
        for (int numOut : {1, 16, 40, 96})
            for (int rows : {1, 2, 7, 8, 22, 49}) {
                const LinearLayer layer = RandomNetworkDetail::linear(random, numIn, numOut, 1, 0.3);
                const PackedLayer packed(layer, numIn, numOut);
                const size_t in = packed.numIn, out = packed.numOut;
                AlignedArray x(rows * in), y(rows * out);
                for (int r = 0; r < rows; r++)
                    for (int k = 0; k < numIn; k++)
                        x[r * in + k] = static_cast<float>(random.uniform(-1, 1));
                kernels.multiplyMatrix(rows, packed.numIn, packed.numOut, x.data(), in, packed.forward.data(),
                                       packed.bias.data(), false, y.data(), out);
                for (int r = 0; r < rows; r++)
                    for (int o = 0; o < packed.numOut; o++) {
                        RoundedSum sum = {o < numOut ? layer.bias[o] : 0.0};
                        for (int k = 0; k < numIn && o < numOut; k++)
                            sum.add(layer.weight[o * numIn + k], x[r * in + k]);
                        ASSERT_TRUE(sum.isNear(y[r * out + o])) << numIn << " " << numOut << " " << rows;
                    }

                AlignedArray x_adj = randomArray(rows * in);
                const std::vector<double> before = toDouble(x_adj, rows * in);
                kernels.multiplyMatrix(rows, packed.numOut, packed.numIn, y.data(), out, packed.backward.data(),
                                       nullptr, true, x_adj.data(), in);
                for (int r = 0; r < rows; r++)
                    for (int k = 0; k < packed.numIn; k++) {
                        RoundedSum sum = {before[r * in + k]};
                        for (int o = 0; o < numOut && k < numIn; o++)
                            sum.add(layer.weight[o * numIn + k], y[r * out + o]);
                        ASSERT_TRUE(sum.isNear(x_adj[r * in + k])) << numIn << " " << numOut << " " << rows;
                    }
            }
}

TEST_P(KernelTest, rowsOfProductsDoNotDependOnOthers) {
    const int depth = 40, columns = 80, rows = 61;
    const PackedLayer packed(RandomNetworkDetail::linear(random, depth, columns, 1, 0.3), depth, columns);
    const size_t in = packed.numIn, out = packed.numOut;
    const AlignedArray x = randomArray(rows * in);
    AlignedArray all(rows * out), some(rows * out);
    kernels.multiplyMatrix(rows, packed.numIn, packed.numOut, x.data(), in, packed.forward.data(), packed.bias.data(),
                           false, all.data(), out);
    for (int begin = 0; begin < rows; begin++)
        for (int count : {1, 2, 3, 5, 8, 13}) {
            if (begin + count > rows)
                continue;
            kernels.multiplyMatrix(count, packed.numIn, packed.numOut, &x[begin * in], in, packed.forward.data(),
                                   packed.bias.data(), false, some.data(), out);
            for (size_t k = 0; k < count * out; k++)
                ASSERT_EQ(some[k], all[begin * out + k]) << begin << " " << count;
        }
}

TEST_P(KernelTest, activates) {
    const int width = 16 * 4000;
    AlignedArray x(width), slope(width);
    std::vector<double> in(width);
    for (int k = 0; k < width; k++)
        in[k] = x[k] = static_cast<float>(k < 1000 ? random.uniform(-1e4, 1e4) : random.uniform(-30, 30));
    in[0] = x[0] = 0;
    in[1] = x[1] = 3e38f;
    in[2] = x[2] = -3e38f;
    kernels.activate(1, width, x.data(), width, slope.data(), width);
    for (int k = 0; k < width; k++) {
        const double sigma = 1 / (1 + std::exp(-in[k]));
        const double y = in[k] * sigma, dy = sigma * (1 + in[k] * (1 - sigma));
        ASSERT_LE(std::fabs(x[k] - y), 3e-7 * std::fabs(y) + 2e-33) << in[k]; // 80 e^-80: below -80 all is 0
        ASSERT_LE(std::fabs(slope[k] - dy), 1.5e-6 * std::min(1.0, std::max(std::fabs(dy), 1e-1))) << in[k];
    }
    x[3] = std::nanf("");
    kernels.activate(1, 16, x.data(), 16, slope.data(), 16);
    EXPECT_TRUE(std::isnan(x[3]) && std::isnan(slope[3]));
    EXPECT_TRUE(std::isfinite(x[4]));
}

// Far below 0 both are 0, however far: the slope of a feature of -1e33 was -2e-2, which made forces wrong.
TEST_P(KernelTest, activatesHugeFeatures) {
    AlignedArray x(32), slope(32);
    for (int k = 0; k < 32; k++)
        x[k] = -static_cast<float>(std::pow(10.0, 2 + 36.5 * k / 31));
    kernels.activate(1, 32, x.data(), 32, slope.data(), 32);
    for (int k = 0; k < 32; k++) {
        EXPECT_EQ(x[k], 0.0f);
        EXPECT_EQ(slope[k], 0.0f);
    }
}

// An overflow is never forgotten: SiLU(-inf) = 0 would make of it an energy that is finite and wrong.
TEST_P(KernelTest, activatesOverflows) {
    for (float infinity : {INFINITY, -INFINITY}) {
        AlignedArray x(16), slope(16);
        std::fill(x.data(), x.data() + 16, infinity);
        kernels.activate(1, 16, x.data(), 16, slope.data(), 16);
        for (int k = 0; k < 16; k++)
            EXPECT_FALSE(std::isfinite(x[k]) || std::isfinite(slope[k]));
    }
}

TEST_P(KernelTest, scales) {
    AlignedArray x = randomArray(160);
    const AlignedArray before = randomArray(160), slope = randomArray(96);
    std::copy(before.data(), before.data() + 160, x.data());
    kernels.scale(3, 32, slope.data(), 32, x.data(), 48);
    for (int k = 0; k < 160; k++)
        EXPECT_EQ(x[k], k < 144 && k % 48 < 32 ? before[k] * slope[k / 48 * 32 + k % 48] : before[k]);
}

/**
 * The polynomial of a cell, its first two derivatives by t, and the running error bounds of the first two in single
 * precision: coefficients and t are rounded, then every step of Horner's scheme rounds its product (no fused
 * instruction does) and its sum. What came before is multiplied by t.
 */
struct RoundedPolynomial {
    double value = 0, slope = 0, curvature = 0, valueBound = 0, slopeBound = 0;
    RoundedPolynomial(const double* terms, int stride, double t) {
        const double size = std::fabs(t);
        for (int k = FilterTable::TERMS - 1; k >= 0; k--) {
            curvature = curvature * t + 2 * slope;
            slopeBound = slopeBound * size + valueBound;
            slopeBound += ROUNDING * std::fabs(slope * t);
            slope = slope * t + value;
            slopeBound += ROUNDING * std::fabs(slope);
            valueBound = valueBound * size + ROUNDING * (std::fabs(terms[k * stride]) + std::fabs(value * t));
            value = value * t + terms[k * stride];
            valueBound += ROUNDING * std::fabs(value);
        }
        valueBound += ROUNDING * std::fabs(t * slope);
        slopeBound += ROUNDING * std::fabs(t * curvature);
    }
};

TEST_P(KernelTest, interpolatesFilters) {
    RandomNetworkOptions options;
    options.numChannels = 21;
    for (Family family : {Family::Student, Family::Canonical}) {
        options.family = family;
        const auto parameters = randomNetwork(options);
        const FastNetwork network(parameters);
        const int H = network.H, width = options.numChannels;
        AlignedArray f(3 * H), df(3 * H);
        for (int block = 0; block < 3; block++) {
            const FilterTable table(*parameters, block, network.grid.numCells);
            MessageInput input = {};
            input.H = H;
            input.numCells = network.grid.numCells;
            input.table = network.blocks[block].table.data();
            input.tableParts = network.blocks[block].tableParts;
            for (int n = 0; n < 400; n++) {
                const double d = n == 0 ? parameters->cutoff : random.uniform(0, parameters->cutoff);
                int cell;
                double t;
                network.grid.find(d, cell, t);
                kernels.filter(input, cell, static_cast<float>(t), f.data(), df.data());
                for (int part = 0; part < input.tableParts; part++) {
                    const int from = family == Family::Canonical ? part : (3 - part) % 3;
                    for (int h = 0; h < width; h++) {
                        const RoundedPolynomial p(table.getTerms(cell) + from * width + h, 3 * width, t);
                        ASSERT_LE(std::fabs(f[part * H + h] - p.value), 1.001 * p.valueBound)
                            << "block " << block << ", d " << d;
                        ASSERT_LE(std::fabs(df[part * H + h] - p.slope), 1.001 * p.slopeBound)
                            << "block " << block << ", d " << d;
                    }
                    for (int h = width; h < H; h++)
                        ASSERT_EQ(f[part * H + h], 0.0f);
                }
            }
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Levels, KernelTest, ::testing::ValuesIn(availableSimdLevels()),
                         [](const auto& info) { return nameOf(info.param); });

TEST(SimdLevelTest, environmentChooses) {
    const char* before = std::getenv("PAINN_SIMD");
    const std::string saved = before == nullptr ? "" : before;
    setenv("PAINN_SIMD", "portable", 1);
    EXPECT_EQ(bestSimdLevel(), SimdLevel::Portable);
    setenv("PAINN_SIMD", "sse9", 1);
    try {
        bestSimdLevel();
        ADD_FAILURE() << "no exception";
    }
    catch (const std::exception& e) {
        EXPECT_NE(std::string(e.what()).find("sse9"), std::string::npos);
        EXPECT_NE(std::string(e.what()).find("avx512"), std::string::npos);
    }
    setenv("PAINN_SIMD", "", 1);
    EXPECT_EQ(bestSimdLevel(), availableSimdLevels().back());
    before == nullptr ? unsetenv("PAINN_SIMD") : setenv("PAINN_SIMD", saved.c_str(), 1);
}

} // namespace
