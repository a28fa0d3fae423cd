// SPDX-License-Identifier: MIT
// Where things stand in Arrays::weights and Arrays::table. Read by the host, which packs them, and as a part of the
// kernels' source, by which all of it becomes constants.
#ifndef PAINN_LAYOUT_H_
#define PAINN_LAYOUT_H_

#ifdef PAINN_KERNEL
#define PAINN_BOTH __host__ __device__
#else
#define PAINN_BOTH
#include <cstddef>
namespace PaiNNPlugin {
#endif

/** Channels are padded with zeros to a multiple of TILE_ROWS, the rows of one tensor-core product. */
[[maybe_unused]] constexpr int TILE_ROWS = 16;
/** A message block works on so many channels, whose filters it keeps in shared memory. */
constexpr int SLICE = 8;
/** Coefficients of a channel in one cell of a filter table: 3 parts (scalar, direction, vector) of 6, as fours. */
[[maybe_unused]] constexpr int TABLE_TERMS = 6, TABLE_QUADS = 5;
constexpr int MAX_READOUT = 8;

/** What distinguishes the networks of one family; all widths are padded. */
struct Shape {
    int isStudent, H, L;
    int numHidden;                ///< hidden layers of the readout
    int readout[MAX_READOUT + 1]; ///< H, then their widths
};

/** The linear layers of a block. BACK is the transposed layer, for adjoints. */
enum Layer {
    UPDATE0,
    UPDATE1,
    UPDATE1_BACK,
    UPDATE0_BACK,
    CONTEXT0, // canonical from here on
    CONTEXT1,
    CONTEXT1_BACK,
    CONTEXT0_BACK,
    MIX,
    MIX_BACK,
    NUM_LAYERS
};

/** A layer has out x (parts x in) weights, then out biases (0 where the model has none). */
struct LayerShape {
    int out, in, parts;
    PAINN_BOTH constexpr int size() const {
        return out * (in * parts + 1);
    }
};

PAINN_BOTH constexpr LayerShape blockLayer(const Shape& shape, int layer) {
    const int H = shape.H;
    if (!shape.isStudent) {
        if (layer == CONTEXT0 || layer == CONTEXT0_BACK)
            return {H, H, 1};
        if (layer == CONTEXT1)
            return {3 * H, H, 1};
        if (layer == CONTEXT1_BACK)
            return {H, H, 3};
        if (layer == MIX)
            return {2 * H, H, 1};
        if (layer == MIX_BACK)
            return {H, H, 2};
    }
    if (layer == UPDATE0)
        return {H, H, 2};
    if (layer == UPDATE1)
        return {3 * H, H, 1};
    if (layer == UPDATE1_BACK)
        return {H, H, 3};
    if (layer == UPDATE0_BACK)
        return {2 * H, H, 1};
    return {0, 0, 0};
}

/** Where a layer of block l begins in the weights; layer NUM_LAYERS: the 3x3 mixing of a student (16 numbers). */
PAINN_BOTH constexpr int layerOffset(const Shape& shape, int l, int layer) {
    int block = 16, offset = 0;
    for (int k = 0; k < NUM_LAYERS; k++) {
        block += blockLayer(shape, k).size();
        if (k < layer)
            offset += blockLayer(shape, k).size();
    }
    return l * block + offset;
}

/** Hidden layer k of the readout, forward or back. */
PAINN_BOTH constexpr LayerShape readoutLayer(const Shape& shape, int k, bool back) {
    if (back)
        return {shape.readout[k], shape.readout[k + 1], 1};
    return {shape.readout[k + 1], shape.readout[k], 1};
}

PAINN_BOTH constexpr int readoutOffset(const Shape& shape, int k, bool back) {
    int offset = layerOffset(shape, shape.L, 0);
    for (int n = 0; n < shape.numHidden; n++)
        for (int b = 0; b < 2; b++)
            if (n < k || (n == k && b < (back ? 1 : 0)))
                offset += readoutLayer(shape, n, b != 0).size();
    return offset;
}

PAINN_BOTH constexpr int numWeights(const Shape& shape) {
    return readoutOffset(shape, shape.numHidden, false);
}

/** The widest hidden layer of the readout, or H. */
PAINN_BOTH constexpr int widest(const Shape& shape) {
    int width = shape.H;
    for (int k = 1; k <= shape.numHidden; k++)
        width = shape.readout[k] > width ? shape.readout[k] : width;
    return width;
}

/** Rows in shared memory are so much longer than what they hold that 8 of them fall into different banks. */
constexpr int ROW_PADDING = 8;

/** Most warps of a message block, with the filter table in shared memory and without. */
PAINN_BOTH constexpr int messageWarps(size_t realBytes) {
    return realBytes == 8 ? 16 : 32;
}
[[maybe_unused]] constexpr int UNSHARED_WARPS = 4;

/** Warps of a node block. */
[[maybe_unused]] constexpr int NODE_WARPS = 16;

/** Shared memory of a node block, in numbers: where its arrays begin, for `columns` atoms. */
struct NodeMemory {
    int input, inputRow;     ///< [columns][inputRow]: up to 3 H, or a readout layer
    int hidden, hiddenRow;   ///< [columns][hiddenRow]: H, or a readout layer
    int slopes, slopesRow;   ///< [columns][slopesRow]: SiLU' of all readout layers
    int halves;              ///< [pairs of warps][tiles][columns / 8][2][32] pairs, see multiply()
    int vectors, vectorsRow; ///< canonical: [3 columns][vectorsRow], up to 2 H
    int mixed;               ///< canonical: [columns][H][6]: V and W
    int size;
};

PAINN_BOTH constexpr NodeMemory nodeMemory(const Shape& shape, int columns) {
    const int wide = widest(shape);
    NodeMemory m = {};
    m.inputRow = (3 * shape.H > wide ? 3 * shape.H : wide) + ROW_PADDING;
    m.hidden = columns * m.inputRow;
    m.hiddenRow = wide + ROW_PADDING;
    m.slopes = m.hidden + columns * m.hiddenRow;
    for (int k = 1; k <= shape.numHidden; k++)
        m.slopesRow += shape.readout[k];
    m.halves = m.slopes + columns * m.slopesRow;
    const int tiles = shape.isStudent ? 3 : 6; // that a warp works on at a time
    m.vectors = m.halves + NODE_WARPS / 2 * tiles * columns / 8 * 128;
    m.vectorsRow = 2 * shape.H + ROW_PADDING;
    m.mixed = m.vectors + (shape.isStudent ? 0 : 3 * columns * m.vectorsRow);
    m.size = m.mixed + (shape.isStudent ? 0 : columns * shape.H * 6);
    return m;
}

#ifndef PAINN_KERNEL
} // namespace PaiNNPlugin
#endif
#endif
