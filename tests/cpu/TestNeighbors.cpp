// SPDX-License-Identifier: MIT
// Reliability row 13: the list of neighbours that is kept between evaluations misses no pair, by brute force, and its
// age changes no bit of the forces.
#include "EdgeList.h"
#include "FastTest.h"
#include "LongTests.h"
#include "NeighborList.h"
#include <utility>

using namespace PaiNNPlugin;

namespace {

const double CUTOFF = 0.5, SKIN = 0.06; // nm

/** Without a box, in a rectangular one and in a triclinic one, of atoms that fill about a box. */
const std::vector<Box> BOXES = {Box{}, Box{{{1.21, 0, 0}, {0, 1.13, 0}, {0, 0, 1.27}}},
                                Box{{{1.25, 0, 0}, {0.55, 1.2, 0}, {-0.45, 0.5, 1.22}}},
                                Box{{{1.02, 0, 0}, {-0.3, 1.04, 0}, {0.2, -0.4, 1.03}}}}; // too narrow for the skin

/**
 * Distance (nm) of the nearest images by looking at 125 of them, in extended precision. Shares nothing with the
 * library's own way to find it.
 */
long double nearestDistance(const double* xi, const double* xj, const Box* box) {
    long double r[3], best = INFINITY;
    for (int k = 0; k < 3; k++)
        r[k] = static_cast<long double>(xj[k]) - xi[k];
    if (box == nullptr)
        return std::sqrt(r[0] * r[0] + r[1] * r[1] + r[2] * r[2]);
    for (int k = 2; k >= 0; k--) {
        const long double n = std::floor(r[k] / (*box)[k][k]);
        for (int m = 0; m <= k; m++)
            r[m] -= n * (*box)[k][m];
    }
    for (int a = -2; a <= 2; a++)
        for (int b = -2; b <= 2; b++)
            for (int c = -2; c <= 2; c++) {
                long double square = 0;
                for (int k = 0; k < 3; k++) {
                    const long double y = r[k] + a * (*box)[0][k] + b * (*box)[1][k] + c * (*box)[2][k];
                    square += y * y;
                }
                best = std::min(best, square);
            }
    return std::sqrt(best);
}

/** Moves atoms as dynamics, barostats, users and other programs do. */
class Mover {
public:
    Mover(uint64_t seed, const Box* box) : random(seed), box(box) {}
    /** One move; a new box if it is a barostat's. */
    void move(std::vector<double>& x, Box& boxNow) {
        const int kind = random.integer(12), atoms = static_cast<int>(x.size() / 3);
        if (std::exchange(isNew, false)) {
            approach(x, box == nullptr ? nullptr : &boxNow);
            return;
        }
        auto shift = [&](int i, double size) {
            const auto u = random.direction();
            for (int k = 0; k < 3; k++)
                x[3 * i + k] += size * u[k];
        };
        if (kind < 6) // steps of dynamics, of which some add up to half the skin
            for (int i = 0; i < atoms; i++)
                shift(i, random.uniform(0, kind < 3 ? 0.002 : 0.012));
        else if (kind < 8) { // a fast one, through others
            shift(random.integer(atoms), random.uniform(0.1, 2));
            separate(x, box == nullptr ? nullptr : &boxNow);
            isNew = true;
        }
        else if (kind == 8 && box != nullptr) { // some wrapped into other images
            for (int i = 0; i < atoms; i++)
                for (int v = 0; v < 3 && random.integer(3) == 0; v++) {
                    const double n = random.integer(5) - 2;
                    for (int k = 0; k < 3; k++)
                        x[3 * i + k] += n * boxNow[v][k];
                }
        }
        else if (kind == 9) // all together
            for (int k = 0; k < 3; k++) {
                const double all = random.uniform(-3, 3);
                for (int i = 0; i < atoms; i++)
                    x[3 * i + k] += all;
            }
        else if (kind == 10 && box != nullptr) { // a barostat, or a user who sets another box and moves no atom
            const double scale = random.uniform(1.0, 1.08) * (*box)[0][0] / boxNow[0][0];
            for (auto& v : boxNow)
                for (double& y : v)
                    y *= scale;
            if (random.integer(2) == 0)
                for (double& y : x)
                    y *= scale;
        }
        else // an atom exactly at the cutoff of another, or next to it by one unit in the last place
            putAtCutoff(x, random.integer(atoms), random.integer(atoms));
    }
    Random random;

private:
    /** Calls a function with pairs at this distance, each atom in one of them at most: atoms, u from i to j, distance.
     */
    template <class Function>
    void forPairs(const std::vector<double>& x, const Box* boxNow, double low, double high, Function function) {
        const int atoms = static_cast<int>(x.size() / 3);
        std::vector<char> used(atoms, 0);
        for (int trial = 0; trial < 3000; trial++) {
            const int i = random.integer(atoms), j = random.integer(atoms);
            double d;
            std::array<double, 3> u;
            if (used[i] || used[j] || !measurePair(&x[3 * i], &x[3 * j], boxNow, d, u) || d < low || d > high)
                continue;
            used[i] = used[j] = 1;
            function(3 * i, 3 * j, u, d);
        }
    }
    /** The worst for a list that is about to be made: atoms just beyond the cutoff and the skin, so not in it. */
    void separate(std::vector<double>& x, const Box* boxNow) {
        const double wanted = CUTOFF + SKIN * (1 + 2e-6);
        forPairs(x, boxNow, CUTOFF, CUTOFF + 1.5 * SKIN, [&](int, int j, const auto& u, double d) {
            for (int k = 0; k < 3; k++)
                x[j + k] += (wanted - d) * u[k];
        });
    }
    /** And then: they come straight towards each other, by less than half of the skin, about half of it, or more. */
    void approach(std::vector<double>& x, const Box* boxNow) {
        const double parts[] = {0.3, 0.5 * (1 - 1e-7), 0.5 * (1 + 1e-7), 0.5 * (1 + 1e-4), random.uniform(0.5, 0.8)};
        const double part = parts[random.integer(5)];
        forPairs(x, boxNow, CUTOFF + SKIN, CUTOFF + 1.5 * SKIN, [&](int i, int j, const auto& u, double) {
            for (int k = 0; k < 3; k++) {
                x[i + k] += part * SKIN * u[k];
                x[j + k] -= part * SKIN * u[k];
            }
        });
    }
    void putAtCutoff(std::vector<double>& x, int i, int j) {
        if (i == j)
            return;
        const int axis = random.integer(3), side = random.integer(3);
        for (int k = 0; k < 3; k++) // on a grid, so that differences are exact
            x[3 * i + k] = std::round(x[3 * i + k] * 0x1p20) * 0x1p-20;
        std::copy(&x[3 * i], &x[3 * i] + 3, &x[3 * j]);
        double& moved = x[3 * j + axis];
        moved += CUTOFF;
        moved = side == 0 ? moved : std::nextafter(moved, side == 1 ? 100.0 : -100.0);
    }
    const Box* box;
    bool isNew = false; // after this move the list must be made anew
};

/** Checks every pair of every active subsystem; how many. */
long checkPairs(const EdgeList& list, const std::vector<int>& starts, const std::vector<char>& active,
                const std::vector<double>& unsorted, const Box* box) {
    std::vector<double> x; // in the order of the list
    for (int atom : list.order)
        x.insert(x.end(), &unsorted[3 * atom], &unsorted[3 * atom] + 3);
    EXPECT_EQ(x.size(), unsorted.size());
    long checks = 0;
    for (size_t s = 0; s < active.size(); s++) {
        std::vector<int> atoms(list.order.begin() + starts[s], list.order.begin() + starts[s + 1]);
        std::sort(atoms.begin(), atoms.end());
        for (int i = starts[s]; i < starts[s + 1]; i++)
            EXPECT_EQ(atoms[i - starts[s]], i); // each atom of the subsystem at one place
        for (int i = starts[s]; i < starts[s + 1]; i++) {
            const int first = list.first[i], last = list.first[i + 1];
            if (!active[s]) {
                EXPECT_EQ(first, last);
                continue;
            }
            for (int e = first; e < last; e++) {
                EXPECT_TRUE(e == first || list.neighbor[e - 1] < list.neighbor[e]); // sorted, each once
                const int mirror = list.mirror[e];
                EXPECT_EQ(list.neighbor[mirror], i);
                EXPECT_TRUE(list.first[list.neighbor[e]] <= mirror && mirror < list.first[list.neighbor[e] + 1]);
            }
            for (int j = i + 1; j < starts[s + 1]; j++) {
                checks++;
                const long double d = nearestDistance(&x[3 * i], &x[3 * j], box);
                const bool listed = std::binary_search(list.neighbor.data() + first, list.neighbor.data() + last, j);
                EXPECT_TRUE(listed || d >= CUTOFF) << i << " " << j << " at " << static_cast<double>(d) << " nm";
                // What counts in the end is the distance that the evaluator measures: beyond the cutoff another image.
                double measured = 0;
                std::array<double, 3> u;
                EXPECT_TRUE(measurePair(&x[3 * i], &x[3 * j], box, measured, u));
                const double rounding = 1e-13 * (1 + std::fabs(x[3 * i]));
                if (d < CUTOFF)
                    EXPECT_NEAR(measured, static_cast<double>(d), rounding);
                else
                    EXPECT_GE(measured, CUTOFF - rounding);
            }
        }
    }
    return checks;
}

TEST(NeighborsTest, noPairIsMissed) {
    long checks = 0, kept = 0, made = 0;
    const std::vector<int> starts = {0, 60, 75, 160}; // one that takes all its pairs, two that have lists
    for (size_t b = 0; b < BOXES.size(); b++) {
        Box box = BOXES[b];
        const Box* used = b == 0 ? nullptr : &box;
        Mover mover(b, used == nullptr ? nullptr : &BOXES[b]);
        std::vector<double> x;
        auto start = [&] { // one atom of each subsystem on a site of a lattice, far enough apart
            x.clear();
            for (size_t s = 0; s + 1 < starts.size(); s++) {
                const Atoms atoms = liquid(starts[s + 1] - starts[s], 0.26, 7 * s + b);
                x.insert(x.end(), atoms.positions.begin(), atoms.positions.end());
            }
        };
        start();
        EdgeList list(starts, CUTOFF, SKIN);
        std::vector<char> active = {1, 1, 1};
        for (int move = 0; move < repeats(100, 1000); move++) {
            if (move % 40 == 39) // atoms do not drift apart for ever
                start();
            mover.move(x, box);
            if (move % 25 == 24)
                active[mover.random.integer(3)] ^= 1;
            try {
                const std::vector<Box> boxes(active.size(), box);
                (list.update(x, used == nullptr ? nullptr : boxes.data(), active) ? made : kept)++;
            }
            catch (const CoincidentAtoms&) {
                ADD_FAILURE() << "atoms at the same place";
            }
            checks += checkPairs(list, starts, active, x, used);
            if (HasFailure())
                return;
        }
    }
    EXPECT_GE(checks, 1000000);
    EXPECT_GE(kept, 20);
    EXPECT_GE(made, 20);
    std::cout << checks << " pairs, list kept " << kept << " times, made anew " << made << " times" << std::endl;
}

class SkinTest : public ::testing::TestWithParam<RandomNetworkOptions> {};

// Bit for bit: an evaluator with a skin that has seen all moves, and one that makes its list for every evaluation.
TEST_P(SkinTest, changesNoBit) {
    const auto network = FastNetwork::create(randomNetwork(GetParam()));
    FastEvaluatorOptions noSkin;
    noSkin.skin = 0;
    for (size_t b = 0; b < BOXES.size(); b++) {
        Box box = BOXES[b];
        const Box* used = b == 0 ? nullptr : &box;
        const std::vector<Atoms> molecules = {liquid(90, 0.26, 7), randomMolecule(10, 4, 1)};
        Batch kept(network, molecules, 2), fresh(network, molecules, 1, noSkin);
        const std::vector<double> start = kept.positions;
        Mover mover(b + 10, used == nullptr ? nullptr : &BOXES[b]);
        for (int move = 0; move < repeats(60, 1000); move++) {
            if (move % 40 == 39)
                kept.positions = start;
            mover.move(kept.positions, box);
            if (move % 30 == 29)
                kept.active[1] = fresh.active[1] ^= 1;
            fresh.positions = kept.positions;
            ASSERT_TRUE(kept.evaluate(used) == fresh.evaluate(used)) << "box " << b << ", move " << move;
        }
    }
}

PAINN_FAST_MODELS(SkinTest);

} // namespace
