// SPDX-License-Identifier: MIT
// Part of KernelSource.h: the interpolated filter (F4), and fetching ahead what the pairs that follow need.

namespace PaiNNPlugin {

namespace {

constexpr int TERMS_SIZE = TABLE_TERMS * CHANNEL_TILE; // floats of 16 channels of one part

/** The polynomial of LANES channels; p points at c_0. */
inline Vec interpolate(const float* p, Vec t) {
    Vec f = load(p + 5 * CHANNEL_TILE);
#pragma GCC unroll 5
    for (int k = 4; k >= 0; k--)
        f = fuse(f, t, load(p + k * CHANNEL_TILE));
    return f;
}

/** The polynomial and its derivative by t. */
inline void interpolate(const float* p, Vec t, Vec& f, Vec& df) {
    f = load(p + 5 * CHANNEL_TILE);
    df = f;
#pragma GCC unroll 4
    for (int k = 4; k >= 1; k--) {
        f = fuse(f, t, load(p + k * CHANNEL_TILE));
        df = fuse(df, t, f);
    }
    f = fuse(f, t, load(p));
}

void filter(const MessageInput& input, int cell, float t, float* f, float* df) {
    for (int h = 0; h < input.H; h += LANES)
        for (int part = 0; part < input.tableParts; part++) {
            const size_t row =
                (static_cast<size_t>(h / CHANNEL_TILE) * input.numCells + cell) * input.tableParts + part;
            Vec value, slope;
            interpolate(input.table + row * TERMS_SIZE + h % CHANNEL_TILE, fill(t), value, slope);
            store(f + part * input.H + h, value);
            store(df + part * input.H + h, slope);
        }
}

/** Where 16 channels of part `part` start in a row of parts. */
constexpr int at(int part) {
    return part * CHANNEL_TILE;
}

// What is needed some pairs ahead is called for now: early enough to arrive, late enough to be still there. Cells come
// from the second or third cache, neighbours of a large system perhaps from memory.
constexpr int CELL_AHEAD = 3, NEIGHBOR_AHEAD = 6;

template <int PARTS> inline void prefetch(const float* row) {
#pragma GCC unroll 18
    for (int part = 0; part < PARTS; part++)
        __builtin_prefetch(row + at(part));
}

/** Call for the coefficients of the cell that follows. */
template <int PARTS> inline void prefetchCell(const float* table, const PairList& pairs, int n) {
    if (n + CELL_AHEAD < pairs.count && pairs.cell[n + CELL_AHEAD] != pairs.cell[n + CELL_AHEAD - 1])
        prefetch<PARTS * TABLE_TERMS>(table + static_cast<size_t>(pairs.cell[n + CELL_AHEAD]) * PARTS * TERMS_SIZE);
}

/** Call for the features of a neighbour, [atoms][stride][16], of which the first parts are needed. */
template <int PARTS> inline void prefetchNeighbor(const float* features, int stride, const PairList& pairs, int n) {
    if (n + NEIGHBOR_AHEAD < pairs.count)
        prefetch<PARTS>(features + static_cast<size_t>(pairs.b[n + NEIGHBOR_AHEAD]) * at(stride));
}

} // namespace

} // namespace PaiNNPlugin
