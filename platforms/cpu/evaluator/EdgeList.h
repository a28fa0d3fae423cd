// SPDX-License-Identifier: MIT
#ifndef PAINN_EDGE_LIST_H_
#define PAINN_EDGE_LIST_H_

#include "ExactNetwork.h"
#include <vector>

namespace PaiNNPlugin {

/**
 * Candidates for edges: all ordered pairs of atoms of one subsystem that may be within the cutoff, sorted by receiver,
 * then by neighbour. Kept until an atom has moved by half the skin, the box or the set of active subsystems has
 * changed. Who uses them measures every candidate anew, so that results do not depend on when the list was made.
 * The atoms of large subsystems are sorted in space; everything but the positions given to update() is in this order.
 */
class EdgeList {
public:
    /**
     * @param starts   [subsystems + 1] first atom of every subsystem, and the number of atoms
     * @param cutoff   nm
     * @param skin     nm, how much further than the cutoff candidates may be; less where the box is too small for it
     */
    EdgeList(const std::vector<int>& starts, double cutoff, double skin);
    /**
     * Make the list anew if it must be.
     *
     * @param boxes   nullptr without periodic boundaries; otherwise [subsystems]
     * @return whether it was
     */
    bool update(const std::vector<double>& positions, const Box* boxes, const std::vector<char>& active);

    std::vector<int> order;    ///< [atoms] which atom stands at each place
    std::vector<int> first;    ///< [atoms + 1]: the candidates of receiver i are first[i] <= k < first[i + 1]
    std::vector<int> neighbor; ///< [candidates] j
    std::vector<int> mirror;   ///< [candidates] the candidate from j to i

private:
    /** Subsystems up to this size take all pairs as candidates: nothing to check and nothing to make anew. */
    static constexpr int ALL_PAIRS = 40;
    bool isCurrent(const std::vector<double>& positions, const Box* boxes, const std::vector<char>& active) const;
    void build(const std::vector<double>& positions, const Box* boxes);
    void checkRoom(size_t more) const;
    void addAllPairs(int begin, int end);
    void addNeighbors(int begin, int end, const std::vector<double>& positions, const Box* box);
    std::vector<int> starts;
    double cutoff, wantedSkin, skin; // nm
    // What the list was made for; empty positions: none.
    std::vector<double> referencePositions;
    std::vector<char> referenceActive;
    std::vector<Box> referenceBoxes; // empty without periodic boundaries
};

} // namespace PaiNNPlugin

#endif
