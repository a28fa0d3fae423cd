// SPDX-License-Identifier: MIT
#ifndef PAINN_FILTER_TABLE_H_
#define PAINN_FILTER_TABLE_H_

#include "RadialFilter.h"

namespace PaiNNPlugin {

/** What a table may differ from the exact filter by, relative to the largest value or slope of the same part. */
struct TableBars {
    double value = 1e-9, derivative = 1e-7;
};

/** The cells of a table. Below the first cell its polynomial goes on. */
struct TableGrid {
    int numCells;
    double first, cellWidth; ///< nm
    /** Find where a distance lies: in the cell, t goes from -1/2 to 1/2. */
    void find(double d, int& cell, double& t) const {
        const double x = (d - first) / cellWidth;
        cell = x < 1 ? 0 : x < numCells ? static_cast<int>(x) : numCells - 1;
        t = x - cell - 0.5;
    }
};

/**
 * The filter of one block (F4) as polynomials of degree 5, one per cell of d and channel. In each cell the polynomial
 * has the exact value and slope at both ends and in the middle, so that value and slope are continuous everywhere. The
 * force of an evaluator is the exact derivative of the polynomial. The student's factor d / (d + epsilon) of the
 * direction rows, which no polynomial can follow near 0, is left out: evaluators put it into the direction.
 */
class FilterTable {
public:
    static constexpr int TERMS = 6;
    FilterTable(const NetworkParameters& parameters, int block, int numCells);
    static TableGrid makeGrid(const NetworkParameters& parameters, int numCells);
    /** Find how many cells bring the tables of all blocks within the bars; MAX_CELLS if so many do not. */
    static int chooseNumCells(const NetworkParameters& parameters, const TableBars& bars = TableBars());
    /** Get the largest errors against the exact filter at points between the nodes, relative as in TableBars. */
    TableBars measureErrors() const;
    const TableGrid& getGrid() const {
        return grid;
    }
    int getWidth() const {
        return filter.getWidth();
    }
    /** Get the coefficients of t^0 ... t^5 of a cell: [6][3H], rows as in RadialFilter. */
    const double* getTerms(int cell) const {
        return &terms[static_cast<size_t>(cell) * TERMS * filter.getWidth()];
    }
    /** Interpolate: f [3H], df [3H] 1/nm, both overwritten. */
    void evaluate(double d, double* f, double* df) const;

    static constexpr int MAX_CELLS = 2048;

private:
    /** The exact filter without the direction's factor. */
    void evaluateExact(const std::vector<double>& d, std::vector<double>& f, std::vector<double>& df) const;
    RadialFilter filter;
    bool isStudent;
    TableGrid grid;
    std::vector<double> terms;
};

/** The student's factor of a direction at d (1 otherwise), and its derivative, 1/nm (F4). */
void evaluateDirectionFactor(bool isStudent, double d, double& factor, double& slope);

} // namespace PaiNNPlugin

#endif
