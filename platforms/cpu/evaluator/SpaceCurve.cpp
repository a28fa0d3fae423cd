// SPDX-License-Identifier: MIT
#include "SpaceCurve.h"
#include "CellGrid.h"
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

namespace PaiNNPlugin {

namespace {

const int BITS = 20; // of a coordinate; the curve repeats after 2^20 cubes

/** The place of a cube on the curve: Skilling's transpose, then the bits of x, y, z in turn. */
uint64_t placeOnCurve(std::array<uint32_t, 3> X) {
    for (uint32_t Q = 1u << (BITS - 1); Q > 1; Q >>= 1)
        for (uint32_t& x : X)
            if ((x & Q) != 0)
                X[0] ^= Q - 1;
            else {
                const uint32_t t = (X[0] ^ x) & (Q - 1);
                X[0] ^= t;
                x ^= t;
            }
    X[1] ^= X[0];
    X[2] ^= X[1];
    uint32_t t = 0;
    for (uint32_t Q = 1u << (BITS - 1); Q > 1; Q >>= 1)
        if ((X[2] & Q) != 0)
            t ^= Q - 1;
    uint64_t place = 0;
    for (int bit = BITS - 1; bit >= 0; bit--)
        for (uint32_t x : X)
            place = place << 1 | ((x ^ t) >> bit & 1);
    return place;
}

/** Coordinates in the box, along its vectors but of the lengths of its diagonal. */
std::array<double, 3> wrap(const double* x, const Box& box) {
    std::array<double, 3> part = findBoxCoordinates(x, box);
    for (int k = 0; k < 3; k++)
        part[k] = (part[k] - std::floor(part[k])) * box[k][k];
    return part;
}

} // namespace

std::vector<int> sortAlongCurve(const double* positions, int numAtoms, const Box* box, double width) {
    std::vector<std::pair<uint64_t, int>> places(numAtoms);
    for (int i = 0; i < numAtoms; i++) {
        const double* p = positions + 3 * static_cast<size_t>(i);
        const std::array<double, 3> x = box == nullptr ? std::array{p[0], p[1], p[2]} : wrap(p, *box);
        std::array<uint32_t, 3> cube;
        for (int k = 0; k < 3; k++)
            cube[k] = static_cast<uint32_t>(static_cast<int64_t>(std::floor(x[k] / width)) & ((1 << BITS) - 1));
        places[i] = {placeOnCurve(cube), i};
    }
    std::sort(places.begin(), places.end());
    std::vector<int> order(numAtoms);
    for (int i = 0; i < numAtoms; i++)
        order[i] = places[i].second;
    return order;
}

} // namespace PaiNNPlugin
