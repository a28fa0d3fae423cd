// SPDX-License-Identifier: MIT
#ifndef PAINN_STAGES_H_
#define PAINN_STAGES_H_

#include "EdgeList.h"
#include "FastNetwork.h"
#include "TilePlan.h"
#include "ZBLRepulsion.h"
#include <array>

namespace PaiNNPlugin {

/** Everything that is kept for all atoms during an evaluation, in single precision. H is padded. */
struct Workspace {
    struct Block {
        /**
         * [H / 16][atoms][senderParts][16], not in the first block: contexts (student: s; canonical: 3 parts) and
         * vectors before the message. When the backward pass has used those of an atom, the adjoints s_adj, v_adj
         * behind the message of the block before take their place.
         */
        AlignedArray sender;
        AlignedArray contextSlope; ///< [atoms][hidden] canonical, not in the first block
        AlignedArray vMessage;     ///< [atoms][3][H] vectors after the message
        AlignedArray updateSlope;  ///< [atoms][hidden]
        AlignedArray qr;           ///< [atoms][2 H] q and r of F6b; not in a student's last block
    };
    void resize(const FastNetwork& network, int numAtoms);
    int senderParts = 0;
    std::vector<Block> blocks;
    AlignedArray s;           ///< [atoms][H] canonical: scalars between blocks
    AlignedArray lastAdjoint; ///< as Block::sender, the adjoints behind the message of the last block
};

/** The pairs of all tiles, see PairList; a tile's begin at Tile::firstPair. */
struct Pairs {
    std::vector<int> a, b, cell;     ///< [pairs]
    std::vector<int> candidate;      ///< [pairs] the candidate from a to b
    std::vector<float> t, towards;   ///< [pairs], [pairs][3]
    std::vector<float> geometry_adj; ///< [candidates][4] of the edge j <- i that i sends along: by t, by its direction
    void resize(size_t numPairs, size_t numCandidates);
};

/** What one thread needs for one tile of atoms. */
struct Scratch {
    Scratch(const FastNetwork& network);
    /** Have room for the pairs of any tile. */
    void reserve(size_t numPairs);
    AlignedArray s, v, input, pqr; ///< [TILE][H], [TILE][3][H], [TILE][2 H], [TILE][3 H]
    AlignedArray s_adj, v_adj;     ///< [TILE][H], [TILE][3][H]
    AlignedArray hidden;           ///< [TILE][widest hidden layer]
    AlignedArray VW, VW_adj;       ///< canonical: [TILE][3][2 H]
    AlignedArray c;                ///< [TILE][3 H] contexts or their adjoints
    std::vector<AlignedArray> x;   ///< readout: [TILE][width] of every hidden layer
    std::vector<AlignedArray> slope;
    AlignedArray geometry_adj; ///< [pairs of a tile][8]
    /** A pair while it is measured. */
    struct Measured {
        int a, b, candidate, cell; ///< as in Pairs
        std::array<int, 2> atoms;  ///< lower and higher atom, to sort by
        double d, t;               ///< nm; place in the cell
        std::array<double, 3> u;   ///< from a to b
    };
    std::vector<Measured> measured;
    std::vector<int> cellStart, order;
};

/** The periodic box of every subsystem. */
struct Boxes {
    const Box* boxes = nullptr;       ///< [subsystems] nm; nullptr without periodic boundaries
    const int* subsystemOf = nullptr; ///< [atoms]
    const Box* of(int atom) const {
        return boxes == nullptr ? nullptr : boxes + subsystemOf[atom];
    }
};

/** The stages of the network for a tile of atoms, begin <= i < end. They read of other atoms what earlier passes made.
 */
class Stages {
public:
    Stages(const FastNetwork& network, const Kernels& kernels, Workspace& work, const std::vector<int>& elements,
           const EdgeList& candidates, Pairs& pairs)
        : network(network), kernels(kernels), work(work), elements(elements), candidates(candidates), pairs(pairs),
          repulsion(*network.parameters) {}
    /**
     * F1 and F8: the pairs, and the repulsion of every atom, energies [atoms] kJ/mol overwritten. Two atoms at the same
     * place go into `coincident`, as the caller numbers them, if it is {-1, -1} or higher.
     */
    void measure(const std::vector<double>& positions, const Boxes& boxes, Tile& tile, Scratch& scratch,
                 double* energies, CoincidentAtoms& coincident) const;
    /** F5b: scratch.s and vMessage from the features before. */
    void message(int block, const Tile& tile, Scratch& scratch) const;
    /** B5: from the adjoints of this block to scratch.s_adj and scratch.v_adj, and geometry_adj. */
    void messageBackward(int block, const Tile& tile, Scratch& scratch) const;
    /** F6, on scratch.s in place, and from vMessage to scratch.v. */
    void update(int block, const Tile& tile, Scratch& scratch) const;
    /** B6, on scratch.s_adj and scratch.v_adj in place, and to the adjoints that messageBackward of this block reads.
     */
    void updateBackward(int block, const Tile& tile, Scratch& scratch) const;
    /** F5a of the next block: what it sends, from scratch.s and scratch.v. */
    void context(int block, const Tile& tile, Scratch& scratch) const;
    /** F7: add to the energies, from scratch.s. */
    void readout(const Tile& tile, Scratch& scratch, double* energies) const;
    /** B7: scratch.s_adj and scratch.v_adj are overwritten. */
    void readoutBackward(const Tile& tile, Scratch& scratch) const;
    /** B8, and B1 gathered: add to forces [atoms][3] kJ/mol/nm. */
    void computeForces(const std::vector<double>& positions, const Boxes& boxes, const Tile& tile,
                       double* forces) const;

private:
    int numAtoms() const {
        return static_cast<int>(elements.size());
    }
    int numContexts() const {
        return network.isStudent ? 1 : 3;
    }
    MessageInput messageInput(int block) const;
    UpdateInput updateInput(int block) const;
    PairList pairList(const Tile& tile) const;
    std::array<int, 2> sortedAtoms(int i, int j) const;
    AlignedArray& adjointOf(int block) const;
    void pack(const Tile& tile, const float* from, int parts, AlignedArray& to, int firstPart) const;
    void unpack(const Tile& tile, const AlignedArray& from, int firstPart, int parts, float* to) const;
    void contextBackward(int block, const Tile& tile, Scratch& scratch) const;
    const FastNetwork& network;
    const Kernels& kernels;
    Workspace& work;
    const std::vector<int>& elements;
    const EdgeList& candidates;
    Pairs& pairs;
    ZBLRepulsion repulsion;
};

} // namespace PaiNNPlugin

#endif
