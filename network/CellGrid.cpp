// SPDX-License-Identifier: MIT
#include "CellGrid.h"
#include <algorithm>
#include <cmath>

namespace PaiNNPlugin {

namespace {

/** Cells are wider than the range by this part of it, so that no rounding of a cell index can separate a pair. */
const double MARGIN = 1e-6;
/** Largest cell index; atoms beyond share the outermost cells, which costs time but no pair. */
const double MAX_CELL = 1 << 30;

} // namespace

std::array<double, 3> findBoxCoordinates(const double* x, const Box& box) {
    const auto& [a, b, c] = box;
    std::array<double, 3> part;
    part[2] = x[2] / c[2];
    part[1] = (x[1] - part[2] * c[1]) / b[1];
    part[0] = (x[0] - part[1] * b[0] - part[2] * c[0]) / a[0];
    return part;
}

CellGrid::CellGrid(const std::vector<double>& positions, const Box* box, double range)
    : box(box), width(range * (1 + MARGIN)) {
    if (box != nullptr) {
        const auto& [a, b, c] = *box;
        // Distances between opposite faces: the volume over the area of the face.
        const double faceBC = std::hypot(b[1] * c[2], b[0] * c[2], b[0] * c[1] - b[1] * c[0]),
                     faceCA = a[0] * std::hypot(c[2], c[1]), volume = a[0] * b[1] * c[2];
        const double height[3] = {volume / faceBC, volume / faceCA, c[2]};
        for (int k = 0; k < 3; k++)
            size[k] = static_cast<int>(std::clamp(std::floor(height[k] / width), 1.0, MAX_CELL));
    }
    const int numAtoms = static_cast<int>(positions.size() / 3);
    for (int i = 0; i < numAtoms; i++)
        atoms.push_back({findCell(&positions[3 * i]), i});
    std::sort(atoms.begin(), atoms.end());
}

CellGrid::Cell CellGrid::findCell(const double* x) const {
    Cell cell;
    if (box == nullptr) {
        for (int k = 0; k < 3; k++)
            cell[k] = static_cast<int>(std::clamp(std::floor(x[k] / width), -MAX_CELL, MAX_CELL));
        return cell;
    }
    const std::array<double, 3> part = findBoxCoordinates(x, *box);
    for (int k = 0; k < 3; k++)
        cell[k] = std::min(static_cast<int>((part[k] - std::floor(part[k])) * size[k]), size[k] - 1);
    return cell;
}

/** The indices along axis k of the cells that touch index n, each once. */
std::vector<int> CellGrid::around(int n, int k) const {
    if (box == nullptr)
        return {n - 1, n, n + 1};
    if (size[k] <= 2)
        return size[k] == 1 ? std::vector<int>{0} : std::vector<int>{0, 1};
    return {(n + size[k] - 1) % size[k], n, (n + 1) % size[k]};
}

void CellGrid::forCells(
    const std::function<void(const std::vector<int>& inside, const std::vector<int>& near)>& function) const {
    std::vector<int> inside, near;
    for (auto entry = atoms.begin(); entry != atoms.end();) {
        const Cell cell = entry->first;
        inside.clear();
        for (; entry != atoms.end() && entry->first == cell; ++entry)
            inside.push_back(entry->second);
        near.clear();
        for (int x : around(cell[0], 0))
            for (int y : around(cell[1], 1))
                for (int z : around(cell[2], 2)) {
                    const Cell other = {x, y, z};
                    auto found = std::lower_bound(atoms.begin(), atoms.end(), std::pair<Cell, int>(other, -1));
                    for (; found != atoms.end() && found->first == other; ++found)
                        near.push_back(found->second);
                }
        std::sort(near.begin(), near.end());
        function(inside, near);
    }
}

} // namespace PaiNNPlugin
