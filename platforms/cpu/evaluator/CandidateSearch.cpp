// SPDX-License-Identifier: MIT
#include "CandidateSearch.h"
#include "CellGrid.h"
#include <algorithm>
#include <limits>
#include <new>

namespace PaiNNPlugin {

namespace {

/** The range is wider by this part, so that no rounding error can lose a pair. */
const double MARGIN = 1e-6;
/** Adding and subtracting it rounds to an integer. */
const double ROUND = 6755399441055744.0; // 1.5 2^52

/** Squares of distances from one point to many, whose coordinates are x[0], x[1], x[2]; minimum image in a box. */
void measureSquares(const double* from, const std::array<std::vector<double>, 3>& x, const Box* box, double* squares) {
    const size_t count = x[0].size();
    if (box == nullptr) {
        for (size_t n = 0; n < count; n++) {
            const double rx = x[0][n] - from[0], ry = x[1][n] - from[1], rz = x[2][n] - from[2];
            squares[n] = rx * rx + ry * ry + rz * rz;
        }
        return;
    }
    const auto& [a, b, c] = *box;
    const double perA = 1 / a[0], perB = 1 / b[1], perC = 1 / c[2];
    for (size_t n = 0; n < count; n++) {
        double rx = x[0][n] - from[0], ry = x[1][n] - from[1], rz = x[2][n] - from[2];
        const double k = (rz * perC + ROUND) - ROUND;
        rx -= k * c[0];
        ry -= k * c[1];
        rz -= k * c[2];
        const double j = (ry * perB + ROUND) - ROUND;
        rx -= j * b[0];
        ry -= j * b[1];
        rx -= ((rx * perA + ROUND) - ROUND) * a[0];
        squares[n] = rx * rx + ry * ry + rz * rz;
    }
}

} // namespace

Candidates findCandidates(const std::vector<double>& positions, const Box* box, double range) {
    const int numAtoms = static_cast<int>(positions.size() / 3);
    const double limit = range * (1 + MARGIN);
    std::vector<int> found;               // neighbours in the order of the cells
    std::array<std::vector<double>, 3> x; // coordinates of the atoms around a cell
    std::vector<double> squares;
    std::vector<size_t> start(numAtoms); // in `found`
    Candidates result;
    result.first.assign(numAtoms + 1, 0);
    CellGrid(positions, box, range).forCells([&](const std::vector<int>& inside, const std::vector<int>& near) {
        squares.resize(near.size());
        for (int k = 0; k < 3; k++) {
            x[k].resize(near.size());
            for (size_t n = 0; n < near.size(); n++)
                x[k][n] = positions[3 * near[n] + k];
        }
        for (int i : inside) {
            measureSquares(&positions[3 * i], x, box, squares.data());
            start[i] = found.size();
            for (size_t n = 0; n < near.size(); n++)
                if (squares[n] <= limit * limit && near[n] != i)
                    found.push_back(near[n]);
            result.first[i + 1] = static_cast<int>(found.size() - start[i]);
        }
        if (found.size() > static_cast<size_t>(std::numeric_limits<int>::max()))
            throw std::bad_alloc(); // more than an index can count: atoms far too close together
    });
    for (int i = 0; i < numAtoms; i++)
        result.first[i + 1] += result.first[i];
    result.neighbor.resize(found.size());
    for (int i = 0; i < numAtoms; i++)
        std::copy_n(found.begin() + start[i], result.first[i + 1] - result.first[i],
                    result.neighbor.begin() + result.first[i]);
    return result;
}

} // namespace PaiNNPlugin
