// SPDX-License-Identifier: MIT
// Part of KernelSource.h: matrix products whose tiles stay in registers.

namespace PaiNNPlugin {

namespace {

constexpr int VECTORS = CHANNEL_TILE / LANES; // in a panel

/**
 * A tile of ROWS x (16 PANELS) of Y. Every element is summed in the order of depth, whatever its place in the tile.
 * Rows beyond `valid` repeat the last one and are not stored.
 */
template <int ROWS, int PANELS>
inline __attribute__((always_inline)) void multiplyTile(int valid, int depth, const float* X, size_t strideX,
                                                        const float* W, const float* bias, bool add, float* Y,
                                                        size_t strideY) {
    constexpr int WIDTH = PANELS * VECTORS;
    const size_t panel = static_cast<size_t>(depth) * CHANNEL_TILE;
    const float* x[ROWS];
    Vec sum[ROWS][WIDTH];
#pragma GCC unroll 16
    for (int r = 0; r < ROWS; r++) {
        const int row = r < valid ? r : valid - 1;
        x[r] = X + row * strideX;
#pragma GCC unroll 16
        for (int n = 0; n < WIDTH; n++)
            sum[r][n] = add ? load(Y + row * strideY + n * LANES) : bias != nullptr ? load(bias + n * LANES) : Vec{};
    }
    for (int k = 0; k < depth; k++) {
        Vec w[WIDTH];
#pragma GCC unroll 16
        for (int n = 0; n < WIDTH; n++)
            w[n] = load(W + (n / VECTORS) * panel + (n % VECTORS) * LANES + k * CHANNEL_TILE);
#pragma GCC unroll 16
        for (int r = 0; r < ROWS; r++) {
            const float a = x[r][k];
#pragma GCC unroll 16
            for (int n = 0; n < WIDTH; n++)
                sum[r][n] += a * w[n];
        }
    }
#pragma GCC unroll 16
    for (int r = 0; r < ROWS; r++)
        if (r < valid)
#pragma GCC unroll 16
            for (int n = 0; n < WIDTH; n++)
                store(Y + r * strideY + n * LANES, sum[r][n]);
}

template <int PANELS>
void multiplyPanels(int rows, int depth, const float* X, size_t strideX, const float* W, const float* bias, bool add,
                    float* Y, size_t strideY) {
    for (int r = 0; r < rows; r += PAINN_ROWS)
        multiplyTile<PAINN_ROWS, PANELS>(rows - r < PAINN_ROWS ? rows - r : PAINN_ROWS, depth, X + r * strideX, strideX,
                                         W, bias, add, Y + r * strideY, strideY);
}

void multiplyMatrix(int rows, int depth, int columns, const float* X, size_t strideX, const float* W, const float* bias,
                    bool add, float* Y, size_t strideY) {
    int c = 0;
    for (; c + PAINN_PANELS * CHANNEL_TILE <= columns; c += PAINN_PANELS * CHANNEL_TILE)
        multiplyPanels<PAINN_PANELS>(rows, depth, X, strideX, W + static_cast<size_t>(c) * depth,
                                     bias == nullptr ? nullptr : bias + c, add, Y + c, strideY);
    for (; c < columns; c += CHANNEL_TILE)
        multiplyPanels<1>(rows, depth, X, strideX, W + static_cast<size_t>(c) * depth,
                          bias == nullptr ? nullptr : bias + c, add, Y + c, strideY);
}

} // namespace

} // namespace PaiNNPlugin
