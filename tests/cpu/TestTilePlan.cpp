// SPDX-License-Identifier: MIT
// Tiles hold every active atom once, fit into the kernels' arrays, and are shared among the threads.
#include "FastTest.h"
#include "Kernels.h"
#include "TilePlan.h"

using namespace PaiNNPlugin;

namespace {

/** Checks a plan against the list that it was made for. */
void check(const TilePlan& plan, const std::vector<int>& starts, const std::vector<char>& active, const EdgeList& list,
           int numThreads) {
    std::vector<int> expected, found;
    for (size_t s = 0; s < active.size(); s++)
        for (int i = starts[s]; active[s] && i < starts[s + 1]; i++)
            expected.push_back(i);
    size_t pairs = 0, most = 0;
    for (const Tile& tile : plan.tiles) {
        EXPECT_TRUE(tile.begin < tile.end && tile.rows() <= TILE) << tile.rows();
        EXPECT_EQ(tile.firstPair, pairs);
        size_t room = 0;
        for (int i = tile.begin; i < tile.end; i++) {
            found.push_back(i);
            for (int k = list.first[i]; k < list.first[i + 1]; k++)
                room += list.neighbor[k] < tile.begin || list.neighbor[k] > i; // inside once, outside always
        }
        pairs += room;
        most = std::max(most, room);
    }
    EXPECT_EQ(found, expected);
    EXPECT_EQ(plan.numPairs, pairs);
    EXPECT_EQ(plan.mostPairs, most);
    EXPECT_TRUE(1 <= plan.numThreads() && plan.numThreads() <= numThreads);
    EXPECT_EQ(plan.first.front(), 0);
    EXPECT_EQ(plan.first.back(), static_cast<int>(plan.tiles.size()));
    EXPECT_TRUE(std::is_sorted(plan.first.begin(), plan.first.end()));
}

TEST(TilePlanTest, holdsEveryActiveAtomOnce) {
    Random random(1);
    for (int trial = 0; trial < 200; trial++) {
        std::vector<int> starts = {0};
        std::vector<char> active;
        std::vector<double> positions;
        for (int s = 1 + random.integer(8); s > 0; s--) {
            const Atoms atoms = liquid(1 + random.integer(trial % 2 == 0 ? 30 : 400), random.uniform(0.15, 0.6), trial);
            starts.push_back(starts.back() + atoms.size());
            active.push_back(random.integer(4) > 0);
            positions.insert(positions.end(), atoms.positions.begin(), atoms.positions.end());
        }
        EdgeList list(starts, 0.5, 0.06);
        list.update(positions, nullptr, active);
        for (int numThreads : {1, 2, 3, 16}) {
            const TilePlan plan = planTiles(starts, active, list, numThreads);
            check(plan, starts, active, list, numThreads);
            for (size_t s = 0; s < active.size() && numThreads == 1; s++) // a small molecule stays whole
                for (const Tile& tile : plan.tiles)
                    EXPECT_TRUE(starts[s + 1] - starts[s] > TILE || tile.end <= starts[s] ||
                                starts[s + 1] <= tile.begin || (tile.begin <= starts[s] && starts[s + 1] <= tile.end) ||
                                !active[s]);
        }
    }
}

// Atoms that have almost no work beside some with very much.
TEST(TilePlanTest, cutsUnevenWork) {
    const int numAtoms = 300, numBusy = 100, each = 10000;
    const std::vector<int> starts = {0, numAtoms};
    EdgeList list(starts, 0.5, 0.06);
    list.first.assign(numAtoms + 1, 0);
    for (int i = 0; i < numAtoms; i++)
        list.first[i + 1] = list.first[i] + (i < numBusy ? each : 0);
    list.neighbor.assign(numBusy * each, numAtoms - 1);
    for (int numThreads : {1, 2, 16})
        check(planTiles(starts, {1}, list, numThreads), starts, {1}, list, numThreads);
}

} // namespace
