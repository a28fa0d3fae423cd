// SPDX-License-Identifier: MIT
#include "TilePlan.h"
#include "Kernels.h"
#include <algorithm>
#include <cmath>

namespace PaiNNPlugin {

namespace {

/** The work of an atom, in that of a candidate in another tile; and the work of a pair of candidates within a tile. */
const double ATOM_COST = 20, PAIR_COST = 1.3;
/** Atoms of a tile at least, where threads share a small system. */
const int FEWEST = 8;

class Planner {
public:
    Planner(const EdgeList& candidates, int numThreads, int limit)
        : candidates(candidates), numThreads(numThreads), limit(limit) {}
    /** Add a subsystem, to the last tile if that ends there and has room. */
    void add(int begin, int end) {
        if (end - begin > limit)
            cut(begin, end);
        else if (!ends.empty() && last == begin && end - beginnings.back() <= limit)
            ends.back() = end;
        else
            addTile(begin, end);
        last = end;
    }
    TilePlan finish();

private:
    void addTile(int begin, int end) {
        beginnings.push_back(begin);
        ends.push_back(end);
    }
    void cut(int begin, int end);
    const EdgeList& candidates;
    int numThreads, limit, last = -1;  // limit: atoms of a tile; last: where the subsystem before ends
    std::vector<int> beginnings, ends; // of the tiles
};

void Planner::cut(int begin, int end) {
    const int size = end - begin;
    std::vector<double> cost = {0}; // of the atoms before
    for (int i = begin; i < end; i++)
        cost.push_back(cost.back() + candidates.first[i + 1] - candidates.first[i] + ATOM_COST);
    for (int parts = (size + limit - 1) / limit;; parts++) {
        parts = std::min((parts + numThreads - 1) / numThreads * numThreads, size);
        std::vector<int> border = {begin};
        for (int part = 1; part <= parts; part++)
            border.push_back(begin + static_cast<int>(std::lower_bound(cost.begin(), cost.end(),
                                                                       cost.back() * (part / (parts + 1e-9))) -
                                                      cost.begin()));
        border.back() = end;
        bool fits = true;
        for (int part = 0; part < parts; part++)
            fits = fits && border[part + 1] - border[part] <= TILE;
        if (!fits && parts < size)
            continue;
        for (int part = 0; part < parts; part++) // one may have too many atoms yet, if others have most of the work
            for (int first = border[part]; first < border[part + 1]; first += TILE)
                addTile(first, std::min(first + TILE, border[part + 1]));
        return;
    }
}

TilePlan Planner::finish() {
    TilePlan plan;
    std::vector<double> cost = {0}; // of the tiles before
    for (size_t n = 0; n < ends.size(); n++) {
        const Tile tile = {beginnings[n], ends[n], plan.numPairs, 0};
        int inside = 0; // candidates, each from both sides
        for (int k = candidates.first[tile.begin]; k < candidates.first[tile.end]; k++)
            inside += candidates.neighbor[k] >= tile.begin && candidates.neighbor[k] < tile.end;
        const int outside = candidates.first[tile.end] - candidates.first[tile.begin] - inside;
        plan.tiles.push_back(tile);
        const size_t room = outside + inside / 2;
        plan.numPairs += room;
        plan.mostPairs = std::max(plan.mostPairs, room);
        cost.push_back(cost.back() + outside + PAIR_COST * inside / 2 + ATOM_COST * tile.rows());
    }
    const int used = std::max(1, std::min(numThreads, static_cast<int>(plan.tiles.size())));
    plan.first.assign(1, 0);
    for (int t = 1; t < used; t++) { // the border nearest to an equal share
        const double share = cost.back() * t / used;
        int n = static_cast<int>(std::lower_bound(cost.begin(), cost.end(), share) - cost.begin());
        if (n > 0 && share - cost[n - 1] < cost[n] - share)
            n--;
        plan.first.push_back(std::max(n, plan.first.back()));
    }
    plan.first.push_back(static_cast<int>(plan.tiles.size()));
    return plan;
}

} // namespace

TilePlan planTiles(const std::vector<int>& starts, const std::vector<char>& active, const EdgeList& candidates,
                   int numThreads) {
    int numAtoms = 0;
    for (size_t s = 0; s < active.size(); s++)
        numAtoms += active[s] ? starts[s + 1] - starts[s] : 0;
    Planner planner(candidates, numThreads, std::clamp((numAtoms + numThreads - 1) / numThreads, FEWEST, TILE));
    for (size_t s = 0; s < active.size(); s++)
        if (active[s])
            planner.add(starts[s], starts[s + 1]);
    return planner.finish();
}

} // namespace PaiNNPlugin
