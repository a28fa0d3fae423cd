// SPDX-License-Identifier: MIT
#include "NeighborList.h"
#include "StepScan.h"
#include <map>

using namespace PaiNNPlugin;

namespace {

/** Every pair by looking at all of them: nearest of the 125 images around the one that minimum image finds. */
std::map<std::array<int, 2>, long double> allDistances(const std::vector<double>& x, const Box* box) {
    std::map<std::array<int, 2>, long double> result;
    const int N = static_cast<int>(x.size() / 3), images = box == nullptr ? 0 : 2;
    for (int i = 0; i < N; i++)
        for (int j = i + 1; j < N; j++) {
            long double r[3], best = INFINITY;
            for (int k = 0; k < 3; k++)
                r[k] = static_cast<long double>(x[3 * j + k]) - x[3 * i + k];
            for (int k = 2; k >= 0 && box != nullptr; k--) {
                const long double n = std::floor(r[k] / (*box)[k][k]);
                for (int m = 0; m <= k; m++)
                    r[m] -= n * (*box)[k][m];
            }
            for (int a = -images; a <= images; a++)
                for (int b = -images; b <= images; b++)
                    for (int c = -images; c <= images; c++) {
                        long double square = 0;
                        for (int k = 0; k < 3; k++) {
                            long double y = r[k];
                            if (box != nullptr)
                                y += a * (*box)[0][k] + b * (*box)[1][k] + c * (*box)[2][k];
                            square += y * y;
                        }
                        best = std::min(best, square);
                    }
            result[{i, j}] = std::sqrt(best);
        }
    return result;
}

/** Number of pairs checked. */
size_t compareWithAllPairs(const std::vector<double>& x, const Box* box, double cutoff) {
    const NeighborList list = findNeighbors(x, box, cutoff);
    const auto expected = allDistances(x, box);
    std::map<std::array<int, 2>, double> found;
    for (int p = 0; p < list.numPairs(); p++) {
        EXPECT_TRUE(found.insert({list.atoms[p], list.d[p]}).second) << "a pair stands twice";
        EXPECT_LT(list.d[p], cutoff);
    }
    for (const auto& [atoms, d] : expected) {
        const bool has = found.count(atoms) > 0;
        if (std::fabs(static_cast<double>(d) - cutoff) > 1e-9) {
            EXPECT_EQ(has, d < cutoff) << atoms[0] << " " << atoms[1] << " at " << static_cast<double>(d);
        }
        if (has) {
            EXPECT_NEAR(found[atoms], static_cast<double>(d), 1e-11);
        }
    }
    return expected.size();
}

/** The layout that the other stages rely on. */
void checkLayout(const NeighborList& list) {
    EXPECT_EQ(list.neighbor.size(), 2 * list.d.size());
    for (int i = 0; i < list.numAtoms(); i++)
        for (int e = list.first[i]; e < list.first[i + 1]; e++) {
            if (e > list.first[i]) {
                EXPECT_LT(list.neighbor[e - 1], list.neighbor[e]);
            }
            const std::array<int, 2> atoms = {std::min(i, list.neighbor[e]), std::max(i, list.neighbor[e])};
            EXPECT_EQ(list.atoms[list.pair[e]], atoms);
            const double* u = &list.u[3 * e];
            EXPECT_NEAR(u[0] * u[0] + u[1] * u[1] + u[2] * u[2], 1, 1e-15);
        }
}

std::vector<double> randomPositions(Random& random, int numAtoms, double extent) {
    std::vector<double> x;
    for (int k = 0; k < 3 * numAtoms; k++)
        x.push_back(random.uniform(-extent, extent));
    return x;
}

TEST(NeighborList, FindsAllPairsWithoutABox) {
    Random random(1);
    size_t checks = 0;
    for (int n = 0; n < 30; n++) {
        const std::vector<double> x = randomPositions(random, 150, random.uniform(0.2, 3));
        checks += compareWithAllPairs(x, nullptr, 0.5);
        checkLayout(findNeighbors(x, nullptr, 0.5));
    }
    EXPECT_GE(checks, 300000u);
}

/** Reduced triclinic boxes down to twice the cutoff; atoms inside, and atoms moved by whole box vectors. */
TEST(NeighborList, FindsAllPairsInTriclinicBoxes) {
    Random random(2);
    size_t checks = 0;
    for (int n = 0; n < 160; n++) {
        const double cutoff = 0.5, a = random.uniform(1.0001, n % 2 ? 1.3 : 3),
                     b = random.uniform(1.0001, n % 3 ? 1.3 : 3), c = random.uniform(1.0001, n % 5 ? 2.2 : 4);
        const double skew = n % 4 == 0 ? 0 : 0.5;
        const Box box = {{{a, 0, 0},
                          {random.uniform(-skew, skew) * a, b, 0},
                          {random.uniform(-skew, skew) * a, random.uniform(-skew, skew) * b, c}}};
        std::vector<double> x;
        for (int i = 0; i < 100; i++) {
            double part[3];
            for (double& f : part)
                f = random.uniform(0, 1) + (n % 2 == 0 ? 0 : random.integer(11) - 5);
            for (int k = 0; k < 3; k++)
                x.push_back(part[0] * box[0][k] + part[1] * box[1][k] + part[2] * box[2][k]);
        }
        checks += compareWithAllPairs(x, &box, cutoff);
        checkLayout(findNeighbors(x, &box, cutoff));
    }
    EXPECT_GE(checks, 700000u);
}

/** The direction goes to the image that was taken: moving the receiver along u by d meets an image of the neighbour. */
TEST(NeighborList, DirectionsPointToTheImage) {
    const Box box = {{{1.2, 0, 0}, {0.4, 1.1, 0}, {-0.5, 0.3, 1.3}}};
    Random random(3);
    const std::vector<double> x = randomPositions(random, 60, 4);
    const NeighborList list = findNeighbors(x, &box, 0.5);
    for (int i = 0; i < list.numAtoms(); i++)
        for (int e = list.first[i]; e < list.first[i + 1]; e++) {
            double rest[3];
            for (int k = 0; k < 3; k++)
                rest[k] = x[3 * i + k] + list.u[3 * e + k] * list.d[list.pair[e]] - x[3 * list.neighbor[e] + k];
            for (int k = 2; k >= 0; k--) {
                const double n = std::round(rest[k] / box[k][k]);
                for (int m = 0; m <= k; m++)
                    rest[m] -= n * box[k][m];
                EXPECT_NEAR(rest[k], 0, 1e-13);
            }
        }
}

TEST(NeighborList, APairAtTheCutoffIsNoEdge) {
    const Box box = {{{4, 0, 0}, {0, 4, 0}, {0, 0, 4}}};
    for (const Box* b : {static_cast<const Box*>(nullptr), &box})
        for (int axis = 0; axis < 3; axis++)
            for (double cutoff : {0.5, 0.52, 0.3141592653589793}) {
                auto edges = [&](double d) {
                    std::vector<double> x(6, 0.0);
                    x[3 + axis] = d;
                    return findNeighbors(x, b, cutoff).neighbor.size();
                };
                for (double sign : {-1.0, 1.0}) {
                    EXPECT_EQ(edges(sign * cutoff), 0u);
                    EXPECT_EQ(edges(sign * std::nextafter(cutoff, 1)), 0u);
                    EXPECT_EQ(edges(sign * std::nextafter(cutoff, 0)), 2u);
                }
            }
}

/** Whole lines of atoms on cell borders: a rounded cell index must not separate a pair. */
TEST(NeighborList, AtomsOnCellBorders) {
    for (double start : {0.0, -1.0, 1e3, -1e5}) {
        std::vector<double> x;
        for (int n = 0; n < 40; n++)
            for (double shift : {0.0, 1e-9})
                x.insert(x.end(), {start + n * 0.5 * (1 + 1e-6) + shift, 0.25 * n, 0.1 * n});
        compareWithAllPairs(x, nullptr, 0.5);
    }
}

TEST(NeighborList, AnyExtent) {
    for (double far : {1e2, 1e5, 1e7, 1e12, 1e100, 1e300}) {
        const std::vector<double> x = {0, 0, 0, 0.1, 0, 0, far, -far, far, -far, 0, far};
        const NeighborList list = findNeighbors(x, nullptr, 0.5);
        EXPECT_EQ(list.neighbor, (std::vector<int>{1, 0}));
        EXPECT_NEAR(list.d[0], 0.1, 1e-16);
    }
    const Box box = {{{1e7, 0, 0}, {0, 1e7, 0}, {0, 0, 1e7}}};
    EXPECT_EQ(findNeighbors({0, 0, 0, 0.1, 0, 0, 1e6, 0, 0}, &box, 0.5).numPairs(), 1);
}

TEST(NeighborList, TinyDistancesDoNotUnderflow) {
    for (double d : {1e-300, 1e-200, 1e-160, 1e-150, 1e-100, 1e-38, 1e-19}) {
        const NeighborList list = findNeighbors({0, 0, 0, 0.6 * d, 0, 0.8 * d}, nullptr, 0.5);
        ASSERT_EQ(list.numPairs(), 1);
        EXPECT_NEAR(list.d[0] / d, 1, 1e-15);
        EXPECT_NEAR(list.u[0], 0.6, 1e-15);
        EXPECT_NEAR(list.u[2], 0.8, 1e-15);
        EXPECT_NEAR(list.u[3], -0.6, 1e-15);
    }
}

TEST(NeighborList, CoincidentAtomsAreNamed) {
    const Box box = {{{2, 0, 0}, {0, 2, 0}, {0, 0, 2}}};
    const std::vector<double> x = {0, 0, 0, 1, 1, 1, 0.5, 0, 0, 1, 1, 1, 0.5, 0, 0};
    for (const Box* b : {static_cast<const Box*>(nullptr), &box})
        try {
            findNeighbors(x, b, 0.5);
            FAIL() << "no exception";
        }
        catch (const CoincidentAtoms& e) {
            EXPECT_EQ(e.atom1, 1);
            EXPECT_EQ(e.atom2, 3);
        }
    EXPECT_THROW(findNeighbors({0, 0, 0, 2, 0, -2}, &box, 0.5), CoincidentAtoms); // one atom on the other's image
}

} // namespace
