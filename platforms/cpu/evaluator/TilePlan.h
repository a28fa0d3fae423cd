// SPDX-License-Identifier: MIT
#ifndef PAINN_TILE_PLAN_H_
#define PAINN_TILE_PLAN_H_

#include "EdgeList.h"
#include <vector>

namespace PaiNNPlugin {

/** Atoms begin <= i < end, all active, and where their pairs stand in Pairs. */
struct Tile {
    int begin, end;
    size_t firstPair; ///< room for all candidates
    int numPairs;     ///< of this evaluation
    int rows() const {
        return end - begin;
    }
};

/** The atoms of the active subsystems in tiles, and the tiles shared among threads, each of which gets neighbouring
 * ones. */
struct TilePlan {
    std::vector<Tile> tiles;
    std::vector<int> first; ///< [threads + 1] the tiles of each thread
    size_t numPairs = 0;    ///< room for the pairs of all tiles
    size_t mostPairs = 0;   ///< room for the pairs of any one tile
    int numThreads() const {
        return static_cast<int>(first.size()) - 1;
    }
};

/**
 * Small subsystems stay whole where they can, because a pair within a tile is cheaper than one across its border; large
 * ones are cut into parts of equal work, as many for each thread.
 */
TilePlan planTiles(const std::vector<int>& starts, const std::vector<char>& active, const EdgeList& candidates,
                   int numThreads);

} // namespace PaiNNPlugin

#endif
