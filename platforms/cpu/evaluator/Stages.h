// SPDX-License-Identifier: MIT
#ifndef PAINN_STAGES_H_
#define PAINN_STAGES_H_

#include "EdgeList.h"
#include "FastNetwork.h"
#include "ZBLRepulsion.h"

namespace PaiNNPlugin {

/** Everything that is kept for all atoms during an evaluation, in single precision. H is padded. */
struct Workspace {
    struct Block {
        AlignedArray c;            ///< [atoms][H] student: s; [atoms][3 H] canonical: contexts. Not in the first block
        AlignedArray v;            ///< [atoms][3][H] vectors before the message. Not in the first block
        AlignedArray contextSlope; ///< [atoms][hidden] canonical, not in the first block
        AlignedArray vMessage;     ///< [atoms][3][H] vectors after the message
        AlignedArray updateSlope;  ///< [atoms][hidden]
        AlignedArray qr;           ///< [atoms][2 H] what the update's MLP says for vectors
    };
    void resize(const FastNetwork& network, int numAtoms);
    std::vector<Block> blocks;
    AlignedArray s;                  ///< [atoms][H] canonical: scalars between blocks
    AlignedArray s_adj[2], v_adj[2]; ///< [atoms][H], [atoms][3][H] adjoints behind the message of even and odd blocks
};

/** The edges of all atoms; those of atom i begin at candidates.first[i] of every array. */
struct Edges {
    std::vector<int> count;           ///< [atoms] edges of i
    std::vector<int> atom, element;   ///< neighbour j, and its element
    std::vector<int> slot;            ///< the candidate that the edge is
    std::vector<int> cell;            ///< of the filter tables
    std::vector<float> t, towards;    ///< place in the cell; [3] direction with the student's factor
    std::vector<double> d, u;         ///< nm; [3] F1
    std::vector<double> geometry_adj; ///< [candidates][4] of the edge j -> i that i sends along: by t, by towards
    void resize(const EdgeList& candidates);
};

/** What one thread needs for one tile of atoms. */
struct Scratch {
    static constexpr int TILE = 48; ///< atoms of a tile: few enough for the cache, many for each read of the weights
    Scratch(const FastNetwork& network);
    AlignedArray s, input, pqr;  ///< [TILE][H], [TILE][2 H], [TILE][3 H]
    AlignedArray hidden;         ///< [TILE][widest hidden layer]
    AlignedArray VW, VW_adj;     ///< canonical: [TILE][3][2 H]
    AlignedArray c_adj;          ///< [TILE][3 H]
    std::vector<AlignedArray> x; ///< readout: [TILE][width] of every hidden layer
    std::vector<AlignedArray> slope;
    std::vector<float> geometry_adj; ///< [edges of an atom][4]
};

/** The stages of the network for a tile of atoms, begin <= i < end. They read of other atoms what earlier passes made.
 */
class Stages {
public:
    Stages(const FastNetwork& network, const Kernels& kernels, Workspace& work, const std::vector<int>& elements,
           const EdgeList& candidates, Edges& edges)
        : network(network), kernels(kernels), work(work), elements(elements), candidates(candidates), edges(edges),
          repulsion(*network.parameters) {}
    /**
     * F1 and F8: the edges, and the repulsion of every atom, energies [atoms] kJ/mol overwritten. The first two atoms
     * found at the same place go into `coincident` if it is {-1, -1}.
     */
    void measure(const std::vector<double>& positions, const Box* box, int begin, int end, double* energies,
                 CoincidentAtoms& coincident) const;
    /** F5b: scratch.s and vMessage from the features before. */
    void message(int block, int begin, int end, Scratch& scratch) const;
    /** F6, on scratch.s in place, and from vMessage to the next block's v. */
    void update(int block, int begin, int end, Scratch& scratch) const;
    /** F5a of the next block, from scratch.s. */
    void context(int block, int begin, int end, Scratch& scratch) const;
    /** F7: add to the energies, from scratch.s. */
    void readout(int begin, int end, Scratch& scratch, double* energies) const;
    /** B7: s_adj and v_adj of the given parity are overwritten. */
    void readoutBackward(int parity, int begin, int end, Scratch& scratch) const;
    /** B6: adjoints behind the update to those behind the message, in place. */
    void updateBackward(int block, int begin, int end, Scratch& scratch) const;
    /** B5: from the adjoints of this block's parity to those of the other one, and the edges' geometry_adj. */
    void messageBackward(int block, int begin, int end, Scratch& scratch) const;
    /** B8, and B1 gathered: forces [atoms][3] kJ/mol/nm, overwritten. */
    void computeForces(int begin, int end, double* forces) const;

private:
    MessageInput messageInput(int block) const;
    UpdateInput updateInput(int block) const;
    EdgeRow edgeRow(int block, int atom) const;
    void contextBackward(int block, int begin, int end, Scratch& scratch, float* s_adj) const;
    const FastNetwork& network;
    const Kernels& kernels;
    Workspace& work;
    const std::vector<int>& elements;
    const EdgeList& candidates;
    Edges& edges;
    ZBLRepulsion repulsion;
};

} // namespace PaiNNPlugin

#endif
