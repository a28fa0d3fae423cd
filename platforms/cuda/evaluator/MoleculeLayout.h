// SPDX-License-Identifier: MIT
// What the molecule kernel has in shared memory, and in which order its blocks get their weights. Like Layout.h, read
// by host and device.
#ifndef PAINN_MOLECULE_LAYOUT_H_
#define PAINN_MOLECULE_LAYOUT_H_

#ifndef PAINN_KERNEL
#include "Layout.h"
namespace PaiNNPlugin {
#endif

[[maybe_unused]] constexpr int MOST_MOLECULE_ATOMS = 32;

/** Warps of a block, by the registers that they need: at least 16, so that each pair of 32 atoms has a thread. */
PAINN_BOTH constexpr int moleculeWarps(const Shape& shape) {
    return shape.isStudent ? 24 : 16;
}

/**
 * Two ways to share a layer among the blocks of a cluster: each multiplies its own inputs by all outputs and sends the
 * products to the blocks that own these outputs, or has all inputs and computes its own outputs.
 */
PAINN_BOTH constexpr bool sendsProducts(int layer) {
    return layer == UPDATE0 || layer == UPDATE1_BACK || layer == CONTEXT0 || layer == CONTEXT1_BACK ||
           layer == MIX_BACK;
}

PAINN_BOTH constexpr bool isBack(int layer) {
    return layer == UPDATE1_BACK || layer == UPDATE0_BACK || layer == CONTEXT1_BACK || layer == CONTEXT0_BACK ||
           layer == MIX_BACK;
}

/** Numbers of a fragment: 16 rows by 8 inputs, four of them in each lane of a warp. */
[[maybe_unused]] constexpr int FRAGMENT = 128;

/** Groups of H outputs. */
PAINN_BOTH constexpr int outputGroups(const Shape& shape, int layer) {
    return blockLayer(shape, layer).out / shape.H;
}

/** Fragments of a block's part of a layer: [H / 16][parts] of those that send products, else [pairs of groups][H / 8].
 */
PAINN_BOTH constexpr int numFragments(const Shape& shape, int layer) {
    return sendsProducts(layer) ? shape.H / TILE_ROWS * blockLayer(shape, layer).parts
                                : (outputGroups(shape, layer) + 1) / 2 * (shape.H / SLICE);
}

/** Where a layer begins among the weights that a block needs in one stage: fragments, then biases [groups][8]. */
PAINN_BOTH constexpr int stageOffset(const Shape& shape, int layer) {
    int offset = 0;
    for (int k = 0; k < layer; k++)
        if (isBack(k) == isBack(layer))
            offset += numFragments(shape, k) * FRAGMENT + outputGroups(shape, k) * SLICE;
    return offset;
}
PAINN_BOTH constexpr int stageBias(const Shape& shape, int layer) {
    return stageOffset(shape, layer) + numFragments(shape, layer) * FRAGMENT;
}

/** Where a student's 3x3 mixing stands: last, 16 numbers; back: of a stage of the way back. */
PAINN_BOTH constexpr int stageMixing(const Shape& shape, bool back) {
    int offset = 0;
    for (int k = 0; k < NUM_LAYERS; k++)
        if (isBack(k) == back)
            offset += numFragments(shape, k) * FRAGMENT + outputGroups(shape, k) * SLICE;
    return offset;
}

/** Numbers of one stage; all have the same room. The stages are F6 of blocks 0 ... L - 1 (with F5a of the next block),
 * then B6 (with B5a) of blocks L - 1 ... 0. */
PAINN_BOTH constexpr int stageSize(const Shape& shape) {
    const int forward = stageMixing(shape, false), back = stageMixing(shape, true);
    return (forward > back ? forward : back) + 16;
}

/** The readout's hidden layers, which stand together among the weights. */
PAINN_BOTH constexpr int readoutSize(const Shape& shape) {
    return numWeights(shape) - readoutOffset(shape, 0, false);
}

/** Its last layer: bias, then weights, a multiple of 2 numbers. */
PAINN_BOTH constexpr int lastLayerSize(const Shape& shape) {
    return (shape.readout[shape.numHidden] + 2) / 2 * 2;
}

/** How a molecule kernel is built. */
struct MoleculeForm {
    int atoms;       ///< at most, of a molecule; 0: there is none for this network and device
    bool hasStage;   ///< weights come into shared memory ahead of their use; otherwise they are read where they are
    bool hasReadout; ///< the same of the readout's
};

/** Shared memory in bytes: where arrays begin, for N atoms; columns: N padded to 8. */
struct MoleculeMemory {
    int scale; ///< what forces are multiplied by, double
    int stage; ///< a block's weights of one stage
    int filters,
        filterSlopes; ///< [pairs][8] fours (F4 and the slope of its first part), [pairs][8] pairs; the readout's
                      ///< weights are here, too, while no message needs them, its last layer at lastLayer
    int lastLayer;
    int positions, slots;        ///< [N] Position; [N] where atoms stand in the Context's arrays
    int neighborSets, firstPair; ///< [N] a bit for each neighbour; [N + 1] first pair with an atom of lower index
    int neighbors;               ///< [N][N] neighbour and pair, ascending
    int pairs;                   ///< [pairs] Edge of the atom of higher index
    int before, context;         ///< [L][N][8] fours; context: canonical
    int after;                   ///< [L][N][8] fours
    int slopes, contextSlopes;   ///< [L][columns][8]; contextSlopes: canonical
    int gates;                   ///< [L][columns][8] pairs
    int mixed;                   ///< canonical: [L][columns][8][6]
    int adjoint, contextAdjoint; ///< [2][N][8] fours; canonical: [N][8] fours
    int local;                   ///< [3][columns][8], canonical [2][3 columns][8]: inputs of this block's channels
    int products;     ///< [H / 8][8][row of columns]: what the blocks of the cluster send; at last [H / 8][3 N] forces
    int pairEnergies; ///< [pairs] double, half the repulsion: in the same place before any products come
    int gathered;     ///< [columns][H + 8] inputs of all channels
    int vectors;      ///< canonical: [3 columns][H + 8], or products of 3 columns: [H / 8][8][row]
    int outputs;      ///< [2][3][8][row of columns], canonical [2][2][8][row of 3 columns]: halves of sums
    int scalars_adj;  ///< [columns][8]
    int forces;       ///< [N][3]
    int energies;     ///< [columns] double
    int readout;      ///< as a node kernel's for 8 columns
    int size;
};

/** Rows of that many columns are so much longer that the lanes of a warp fall into different banks. */
PAINN_BOTH constexpr int rowOf(int columns) {
    return columns + 4;
}

/** The row of an atom's inputs of all channels, likewise. */
PAINN_BOTH constexpr int gatheredRow(const Shape& shape) {
    return shape.H + ROW_PADDING;
}

PAINN_BOTH constexpr int padTo16(int bytes) {
    return (bytes + 15) / 16 * 16;
}

PAINN_BOTH constexpr MoleculeMemory moleculeMemory(const Shape& shape, const MoleculeForm& form) {
    const int N = form.atoms, columns = (N + 7) / 8 * 8, pairs = N * (N - 1) / 2, four = 16;
    const int canonical = shape.isStudent ? 0 : 1, parts = canonical ? 6 : 3; // of local and outputs
    MoleculeMemory m = {};
    m.scale = 48; // behind the barriers
    m.stage = 64;
    m.filters = m.stage + (form.hasStage ? stageSize(shape) * 4 : 0);
    m.filterSlopes = m.filters + pairs * SLICE * four;
    m.positions = m.filterSlopes + pairs * SLICE * 8;
    m.lastLayer = padTo16(m.filters + readoutSize(shape) * 4);
    if (form.hasReadout && m.positions < m.lastLayer + lastLayerSize(shape) * 8)
        m.positions = m.lastLayer + lastLayerSize(shape) * 8;
    m.slots = m.positions + padTo16(N * 24);
    m.neighborSets = m.slots + padTo16(N * 4);
    m.firstPair = m.neighborSets + padTo16(N * 4);
    m.neighbors = m.firstPair + padTo16((N + 1) * 4);
    m.pairs = m.neighbors + padTo16((N * N + 4) * 2); // entries are read ahead
    m.before = m.pairs + pairs * 32;
    m.context = m.before + shape.L * N * SLICE * four;
    m.after = m.context + canonical * shape.L * N * SLICE * four;
    m.adjoint = m.after + shape.L * N * SLICE * four;
    m.contextAdjoint = m.adjoint + 2 * N * SLICE * four;
    m.local = m.contextAdjoint + canonical * N * SLICE * four;
    m.products = m.local + parts * columns * SLICE * 4;
    m.pairEnergies = m.products;
    m.gathered = m.products + shape.H * rowOf(columns) * 4;
    m.vectors = m.gathered + columns * gatheredRow(shape) * 4;
    const int inputs = 3 * columns * gatheredRow(shape), products = shape.H * rowOf(3 * columns);
    m.outputs = m.vectors + canonical * (inputs > products ? inputs : products) * 4;
    m.readout = m.outputs + 2 * (canonical ? 2 * rowOf(3 * columns) : 3 * rowOf(columns)) * SLICE * 4;
    m.scalars_adj = m.readout + (nodeMemory(shape, 8).halves + moleculeWarps(shape) / 2 * FRAGMENT) * 4;
    m.slopes = m.scalars_adj + columns * SLICE * 4;
    m.contextSlopes = m.slopes + shape.L * columns * SLICE * 4;
    m.gates = m.contextSlopes + canonical * shape.L * columns * SLICE * 4;
    m.mixed = m.gates + shape.L * columns * SLICE * 8;
    m.energies = m.mixed + canonical * shape.L * columns * SLICE * 6 * 4;
    m.forces = m.energies + columns * 8;
    m.size = m.forces + padTo16(3 * columns * 4);
    return m;
}

#ifndef PAINN_KERNEL
} // namespace PaiNNPlugin
#endif
#endif
