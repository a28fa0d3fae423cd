// SPDX-License-Identifier: MIT
#ifndef PAINN_KERNELS_H_
#define PAINN_KERNELS_H_

// This header goes into files that are compiled for one instruction set, so it includes nothing with inline code.
#include <cstddef>

namespace PaiNNPlugin {

/** Channels are padded with zeros to a multiple of this, one cache line, so that all instruction sets share layouts. */
constexpr int CHANNEL_TILE = 16;
/** Coefficients of a filter table's polynomials, c_0 ... c_5 of t^0 ... t^5. */
constexpr int TABLE_TERMS = 6;
/** Parts of a filter and of a context: scalar, direction, vector, in this order for both families. */
constexpr int SCALAR_PART = 0, DIRECTION_PART = 1, VECTOR_PART = 2;

constexpr int padChannels(int count) {
    return (count + CHANNEL_TILE - 1) / CHANNEL_TILE * CHANNEL_TILE;
}

/** Atoms that are worked on together, at most: few enough for the caches, many for each read of the weights. */
constexpr int TILE = 96;

/**
 * The pairs of atoms a, b of one tile, sorted by cell. An atom a is in the tile. Where b is too, the pair stands once
 * and means both edges, a <- b and b <- a; otherwise only what concerns a.
 */
struct PairList {
    int begin, rows;      ///< the tile: atoms begin ... begin + rows - 1
    int count;            ///< of pairs
    const int *a, *b;     ///< [count]
    const int* cell;      ///< [count] cell of the filter table
    const float* t;       ///< [count] place in the cell, -1/2 to 1/2
    const float* towards; ///< [count][3] u_ab, from a to b; in the student times d / (d + epsilon)
};

/**
 * What a message of one block reads; H is padded. Arrays of all atoms are split into chunks of 16 channels, so that
 * what a tile reads of one chunk fits into the cache nearest to the processor.
 */
struct MessageInput {
    int H;
    bool hasContext; ///< canonical: contexts have three parts; student: one, and the others are 1
    bool isFirst;    ///< the first block has no vectors to multiply, and its senders are elements
    int numCells;
    int tableParts;      ///< 3, or 2 in the first block
    const float* table;  ///< [H / 16][cells][tableParts][6][16]
    int numSenders;      ///< atoms or elements
    const float* sender; ///< [H / 16][senders][parts][16]: 1 or tableParts contexts; 3 vectors but for the first block
    const int* element;  ///< [atoms] the sender of each atom in the first block
};

/** Adjoints behind a message, of all atoms. */
struct MessageAdjoint {
    const float* sv; ///< [H / 16][atoms][stride][16], s and the vectors first
    int numAtoms, stride;
};

/** How an Update mixes vectors (F6), and of which block it is. H is padded. */
struct UpdateInput {
    int H;
    bool isStudent, isLast;
    float normEpsilon;
    const float* mixing; ///< [9], student
};

/**
 * The inner loops, compiled once per instruction set. All widths are multiples of 16 and all arrays begin at cache
 * lines. A row's result does not depend on the number of rows nor on the other rows.
 */
struct Kernels {
    /** Y = X W + b or Y += X W; W packed [columns / 16][depth][16], bias nullptr for 0. */
    void (*multiplyMatrix)(int rows, int depth, int columns, const float* X, size_t strideX, const float* W,
                           const float* bias, bool add, float* Y, size_t strideY);
    /** x <- SiLU(x), slope <- SiLU'(x); [rows][width] with strides. */
    void (*activate)(int rows, int width, float* x, size_t strideX, float* slope, size_t strideSlope);
    /** x <- x slope */
    void (*scale)(int rows, int width, const float* slope, size_t strideSlope, float* x, size_t strideX);
    /** F4: the interpolated filter, f [parts][H], and its derivative by t. Called by tests alone. */
    void (*filter)(const MessageInput& input, int cell, float t, float* f, float* df);
    /** F5b: add to s [rows][H] and v [rows][3][H] of a tile; every atom's terms by cell, then by neighbour. */
    void (*message)(const MessageInput& input, const PairList& pairs, float* s, float* v);
    /**
     * B5b of the edges that the atoms of a tile send along. Adds to c_adj [rows][parts][H] and v_adj [rows][3][H] (not
     * in the first block); geometry_adj [count][8], overwritten: of b <- a the derivatives by t and by its direction,
     * which points from b to a; and the same of a <- b, where both are in the tile.
     */
    void (*messageBackward)(const MessageInput& input, const MessageAdjoint& adjoint, const PairList& pairs,
                            float* c_adj, float* v_adj, float* geometry_adj);
    /** F6b: input [rows][2 H] = [s, n]; V [rows][3] vectors of stride strideV. */
    void (*norm)(const UpdateInput& update, int rows, const float* s, const float* V, size_t strideV, float* input);
    /** F6c: s [rows][H] in place, vNew [rows][3][H] overwritten unless last; VW [rows][3][2 H] is read if canonical. */
    void (*combine)(const UpdateInput& update, int rows, const float* pqr, const float* v, const float* VW, float* s,
                    float* vNew);
    /**
     * B6c; qr [rows][2 H], nullptr in a student's last block, where nothing reads it. Student: v_adj [rows][3][H] in
     * place, with what B6a mixes. Canonical: VW_adj [rows][3][2 H] is overwritten, v_adj only read.
     * pqr_adj [rows][3 H] is overwritten.
     */
    void (*combineBackward)(const UpdateInput& update, int rows, const float* qr, const float* v, const float* VW,
                            const float* s_adj, float* v_adj, float* pqr_adj, float* VW_adj);
    /**
     * B6b: add input_adj [rows][2 H] to s_adj [rows][H] and through the norm to V_adj [rows][3], vectors of stride
     * strideAdjoint; V [rows][3] vectors of stride strideV.
     */
    void (*normBackward)(const UpdateInput& update, int rows, const float* input_adj, const float* V, size_t strideV,
                         float* s_adj, float* V_adj, size_t strideAdjoint);
};

extern const Kernels portableKernels;
#if defined(__x86_64__)
extern const Kernels avx2Kernels, avx512Kernels;
#endif

} // namespace PaiNNPlugin

#endif
