// SPDX-License-Identifier: MIT
#ifndef PAINN_CELL_GRID_H_
#define PAINN_CELL_GRID_H_

#include "ExactNetwork.h"
#include <array>
#include <functional>
#include <vector>

namespace PaiNNPlugin {

/** Coordinates along the box vectors, as parts of them, between 0 and 1 in the box. */
std::array<double, 3> findBoxCoordinates(const double* x, const Box& box);

/**
 * Atoms in cells that are at least as wide as a range: whatever is within the range of an atom is in its cell or in one
 * that touches it. The time to make it grows as numAtoms log(numAtoms), whatever the extent of the positions.
 */
class CellGrid {
public:
    /**
     * @param positions  [numAtoms][3] nm, finite
     * @param box        nullptr, or box vectors in reduced form; must live as long as this object
     * @param range      nm
     */
    CellGrid(const std::vector<double>& positions, const Box* box, double range);
    /** Call a function with the atoms of every cell that has some, and those of it and all that touch it, ascending. */
    void
    forCells(const std::function<void(const std::vector<int>& inside, const std::vector<int>& near)>& function) const;

private:
    using Cell = std::array<int, 3>;
    Cell findCell(const double* x) const;
    std::vector<int> around(int n, int k) const;
    const Box* box;
    double width;                            // nm
    Cell size = {0, 0, 0};                   // with a box
    std::vector<std::pair<Cell, int>> atoms; // by cell
};

} // namespace PaiNNPlugin

#endif
