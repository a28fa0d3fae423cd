// SPDX-License-Identifier: MIT
// Every kernel of every instruction set that this processor has, against the same in double precision.
#include "Compare.h"
#include "Dense.h"
#include "FastNetwork.h"
#include "RandomNetwork.h"
#include "SimdLevel.h"
#include <cstdlib>

using namespace PaiNNPlugin;

namespace {

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

TEST_P(KernelTest, multipliesMatrices) {
    for (int numIn : {1, 16, 21, 128})
        for (int numOut : {1, 16, 40, 96})
            for (int rows : {1, 2, 7, 8, 22, 49}) {
                const LinearLayer layer = RandomNetworkDetail::linear(random, numIn, numOut, 1, 0.3);
                const PackedLayer packed(layer, numIn, numOut);
                const Dense dense(layer);
                const size_t in = packed.numIn, out = packed.numOut;
                AlignedArray x(rows * in), y(rows * out), x_adj(rows * in);
                std::vector<double> exactX(rows * numIn), exactY(rows * numOut), y_adj, exactX_adj(rows * numIn);
                for (int r = 0; r < rows; r++)
                    for (int k = 0; k < numIn; k++)
                        exactX[r * numIn + k] = x[r * in + k] = static_cast<float>(random.uniform(-1, 1));
                kernels.multiplyMatrix(rows, packed.numIn, packed.numOut, x.data(), in, packed.forward.data(),
                                       packed.bias.data(), false, y.data(), out);
                dense.forward(rows, exactX.data(), exactY.data());
                std::vector<double> found;
                for (int r = 0; r < rows; r++)
                    for (size_t k = 0; k < out; k++)
                        if (static_cast<int>(k) < numOut)
                            found.push_back(y[r * out + k]);
                        else
                            EXPECT_EQ(y[r * out + k], 0.0f);
                EXPECT_TRUE(arraysAgree(exactY, found, 5e-6)) << numIn << " " << numOut << " " << rows;

                y_adj = found;
                x_adj = randomArray(rows * in);
                std::vector<double> expected = toDouble(x_adj, rows * in);
                kernels.multiplyMatrix(rows, packed.numOut, packed.numIn, y.data(), out, packed.backward.data(),
                                       nullptr, true, x_adj.data(), in);
                dense.backward(rows, y_adj.data(), exactX_adj.data());
                for (int r = 0; r < rows; r++)
                    for (int k = 0; k < numIn; k++)
                        expected[r * in + k] += exactX_adj[r * numIn + k];
                EXPECT_TRUE(arraysAgree(expected, toDouble(x_adj, rows * in), 5e-6));
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
        ASSERT_LE(std::fabs(x[k] - y), 3e-7 * std::fabs(y) + 1e-30 * std::fabs(in[k])) << in[k];
        ASSERT_LE(std::fabs(slope[k] - dy),
                  1.5e-6 * std::min(1.0, std::max(std::fabs(dy), 1e-1)) + 1e-30 * std::fabs(in[k]))
            << in[k];
    }
    x[3] = std::nanf("");
    kernels.activate(1, 16, x.data(), 16, slope.data(), 16);
    EXPECT_TRUE(std::isnan(x[3]) && std::isnan(slope[3]));
    EXPECT_TRUE(std::isfinite(x[4]));
}

TEST_P(KernelTest, scales) {
    AlignedArray x = randomArray(160);
    const AlignedArray before = randomArray(160), slope = randomArray(96);
    std::copy(before.data(), before.data() + 160, x.data());
    kernels.scale(3, 32, slope.data(), 32, x.data(), 48);
    for (int k = 0; k < 160; k++)
        EXPECT_EQ(x[k], k < 144 && k % 48 < 32 ? before[k] * slope[k / 48 * 32 + k % 48] : before[k]);
}

TEST_P(KernelTest, interpolatesFilters) {
    RandomNetworkOptions options;
    options.numChannels = 21;
    for (Family family : {Family::Student, Family::Canonical}) {
        options.family = family;
        const auto parameters = randomNetwork(options);
        const FastNetwork network(parameters);
        const int H = network.H, width = options.numChannels;
        AlignedArray f(3 * H), df(3 * H);
        std::vector<double> exact(3 * width), dexact(3 * width);
        for (int block = 0; block < 3; block++) {
            const FilterTable table(*parameters, block, network.grid.numCells);
            MessageInput input = {};
            input.H = H;
            input.numCells = network.grid.numCells;
            input.table = network.blocks[block].table.data();
            input.tableParts = network.blocks[block].tableParts;
            for (int n = 0; n < 200; n++) {
                const double d = random.uniform(0, 0.9 * parameters->cutoff); // further out all are small
                int cell;
                double t;
                network.grid.find(d, cell, t);
                kernels.filter(input, cell, static_cast<float>(t), f.data(), df.data());
                table.evaluate(d, exact.data(), dexact.data());
                std::vector<double> expected[2], found[2];
                for (int part = 0; part < input.tableParts; part++) {
                    const int from = family == Family::Canonical ? part : (3 - part) % 3;
                    for (int h = 0; h < width; h++) {
                        expected[0].push_back(exact[from * width + h]);
                        expected[1].push_back(dexact[from * width + h]);
                        found[0].push_back(f[part * H + h]);
                        found[1].push_back(df[part * H + h] / network.grid.cellWidth);
                    }
                    for (int h = width; h < H; h++)
                        EXPECT_EQ(f[part * H + h], 0.0f);
                }
                ASSERT_TRUE(arraysAgree(expected[0], found[0], 2e-6)) << "block " << block << ", d " << d;
                ASSERT_TRUE(arraysAgree(expected[1], found[1], 5e-6)) << "block " << block << ", d " << d;
            }
        }
    }
}

std::string nameOf(SimdLevel level) {
    return level == SimdLevel::Portable ? "Portable" : level == SimdLevel::AVX2 ? "AVX2" : "AVX512";
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
