// SPDX-License-Identifier: MIT
#include "CandidateSearch.h"
#include <algorithm>
#include <array>
#include <cmath>

namespace PaiNNPlugin {

namespace {

/** The range and the cells are wider by this part, so that no rounding error can lose a pair. */
const double MARGIN = 1e-6;
/** Largest cell index; atoms beyond share the outermost cells, which costs time but no pair. */
const double MAX_CELL = 1 << 30;
/** Adding and subtracting it rounds to an integer. */
const double ROUND = 6755399441055744.0; // 1.5 2^52

using Cell = std::array<int, 3>;

/** Cells at least one range wide. */
class CellGrid {
public:
    CellGrid(const Box* box, double range) : box(box), width(range * (1 + MARGIN)) {
        if (box == nullptr)
            return;
        const auto& [a, b, c] = *box;
        // Distances between opposite faces: the volume over the area of the face.
        const double faceBC = std::hypot(b[1] * c[2], b[0] * c[2], b[0] * c[1] - b[1] * c[0]),
                     faceCA = a[0] * std::hypot(c[2], c[1]), volume = a[0] * b[1] * c[2];
        const double height[3] = {volume / faceBC, volume / faceCA, c[2]};
        for (int k = 0; k < 3; k++)
            size[k] = static_cast<int>(std::clamp(std::floor(height[k] / width), 1.0, MAX_CELL));
    }
    Cell cellOf(const double* x) const {
        Cell cell;
        if (box == nullptr) {
            for (int k = 0; k < 3; k++)
                cell[k] = static_cast<int>(std::clamp(std::floor(x[k] / width), -MAX_CELL, MAX_CELL));
            return cell;
        }
        const auto& [a, b, c] = *box;
        double part[3]; // coordinates along the box vectors
        part[2] = x[2] / c[2];
        part[1] = (x[1] - part[2] * c[1]) / b[1];
        part[0] = (x[0] - part[1] * b[0] - part[2] * c[0]) / a[0];
        for (int k = 0; k < 3; k++)
            cell[k] = std::min(static_cast<int>((part[k] - std::floor(part[k])) * size[k]), size[k] - 1);
        return cell;
    }
    /** The indices along axis k of the cells that touch index n, each once. */
    std::vector<int> around(int n, int k) const {
        if (box == nullptr)
            return {n - 1, n, n + 1};
        if (size[k] <= 2)
            return size[k] == 1 ? std::vector<int>{0} : std::vector<int>{0, 1};
        return {(n + size[k] - 1) % size[k], n, (n + 1) % size[k]};
    }

private:
    const Box* box;
    double width; // nm
    Cell size = {0, 0, 0};
};

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
    const CellGrid grid(box, range);
    const int numAtoms = static_cast<int>(positions.size() / 3);
    std::vector<std::pair<Cell, int>> sorted; // the atoms by cell
    for (int i = 0; i < numAtoms; i++)
        sorted.push_back({grid.cellOf(&positions[3 * i]), i});
    std::sort(sorted.begin(), sorted.end());

    const double limit = range * (1 + MARGIN);
    std::vector<int> found, near;         // neighbours in the order of the cells; atoms of the cells around
    std::array<std::vector<double>, 3> x; // their coordinates
    std::vector<double> squares;
    std::vector<size_t> start(numAtoms); // in `found`
    Candidates result;
    result.first.assign(numAtoms + 1, 0);
    for (auto begin = sorted.begin(); begin != sorted.end();) {
        const Cell cell = begin->first;
        const auto end = std::find_if(begin, sorted.end(), [&](const auto& entry) { return entry.first != cell; });
        near.clear();
        for (int cx : grid.around(cell[0], 0))
            for (int cy : grid.around(cell[1], 1))
                for (int cz : grid.around(cell[2], 2)) {
                    const Cell other = {cx, cy, cz};
                    auto entry = std::lower_bound(sorted.begin(), sorted.end(), std::pair<Cell, int>(other, -1));
                    for (; entry != sorted.end() && entry->first == other; ++entry)
                        near.push_back(entry->second);
                }
        std::sort(near.begin(), near.end());
        squares.resize(near.size());
        for (int k = 0; k < 3; k++) {
            x[k].resize(near.size());
            for (size_t n = 0; n < near.size(); n++)
                x[k][n] = positions[3 * near[n] + k];
        }
        for (; begin != end; ++begin) {
            const int i = begin->second;
            measureSquares(&positions[3 * i], x, box, squares.data());
            start[i] = found.size();
            for (size_t n = 0; n < near.size(); n++)
                if (squares[n] <= limit * limit && near[n] != i)
                    found.push_back(near[n]);
            result.first[i + 1] = static_cast<int>(found.size() - start[i]);
        }
    }
    for (int i = 0; i < numAtoms; i++)
        result.first[i + 1] += result.first[i];
    result.neighbor.resize(found.size());
    for (int i = 0; i < numAtoms; i++)
        std::copy_n(found.begin() + start[i], result.first[i + 1] - result.first[i],
                    result.neighbor.begin() + result.first[i]);
    return result;
}

} // namespace PaiNNPlugin
