// SPDX-License-Identifier: MIT
#include "FilterTable.h"
#include <algorithm>
#include <cmath>

namespace PaiNNPlugin {

namespace {

/** The first cell begins at this part of the cutoff: at 0 the student's direction factor cannot be divided out. */
const double FIRST = 1e-3;

} // namespace

void evaluateDirectionFactor(bool isStudent, double d, double& factor, double& slope) {
    factor = 1;
    slope = 0;
    if (!isStudent)
        return;
    const double sum = d + RadialFilter::DIRECTION_EPSILON;
    factor = d / sum;
    slope = RadialFilter::DIRECTION_EPSILON / (sum * sum);
}

TableGrid FilterTable::makeGrid(const NetworkParameters& parameters, int numCells) {
    return {numCells, FIRST * parameters.cutoff, parameters.cutoff * (1 - FIRST) / numCells};
}

FilterTable::FilterTable(const NetworkParameters& parameters, int block, int numCells)
    : filter(parameters, block), isStudent(parameters.family == Family::Student), grid(makeGrid(parameters, numCells)) {
    const double cellWidth = grid.cellWidth;
    const size_t width = filter.getWidth();
    std::vector<double> d, f, df; // at the ends and middles of all cells
    for (int k = 0; k <= 2 * numCells; k++)
        d.push_back(k == 2 * numCells ? parameters.cutoff : grid.first + 0.5 * k * cellWidth);
    evaluateExact(d, f, df);
    terms.resize(numCells * TERMS * width);
    for (int cell = 0; cell < numCells; cell++)
        for (size_t h = 0; h < width; h++) {
            const size_t left = 2 * cell * width + h, middle = left + width, right = middle + width;
            double* c = &terms[cell * TERMS * width + h];
            const double c0 = f[middle], c1 = df[middle] * cellWidth;
            // The even and the odd part of the polynomial minus these terms: value and slope by t at t = 1/2.
            const double even = 0.5 * (f[right] + f[left]) - c0, odd = 0.5 * (f[right] - f[left]) - 0.5 * c1;
            const double evenSlope = 0.5 * (df[right] - df[left]) * cellWidth,
                         oddSlope = 0.5 * (df[right] + df[left]) * cellWidth - c1;
            c[0] = c0;
            c[width] = c1;
            c[2 * width] = 8 * even - evenSlope;
            c[3 * width] = 20 * odd - 2 * oddSlope;
            c[4 * width] = 4 * evenSlope - 16 * even;
            c[5 * width] = 8 * oddSlope - 48 * odd;
        }
}

void FilterTable::evaluateExact(const std::vector<double>& d, std::vector<double>& f, std::vector<double>& df) const {
    const size_t width = filter.getWidth();
    f.resize(d.size() * width);
    df.resize(f.size());
    filter.evaluate(static_cast<int>(d.size()), d.data(), f.data(), df.data());
    for (size_t n = 0; n < d.size() && isStudent; n++) {
        double factor, slope;
        evaluateDirectionFactor(isStudent, d[n], factor, slope);
        for (size_t k = n * width + width / 3 * 2; k < (n + 1) * width; k++) {
            f[k] /= factor;
            df[k] = (df[k] - f[k] * slope) / factor;
        }
    }
}

void FilterTable::evaluate(double d, double* f, double* df) const {
    int cell;
    double t;
    grid.find(d, cell, t);
    const int width = filter.getWidth();
    const double* c = getTerms(cell);
    for (int h = 0; h < width; h++) {
        double value = 0, slope = 0;
        for (int k = TERMS - 1; k >= 0; k--) {
            slope = slope * t + value;
            value = value * t + c[k * width + h];
        }
        f[h] = value;
        df[h] = slope / grid.cellWidth;
    }
}

TableBars FilterTable::measureErrors() const {
    const size_t width = filter.getWidth();
    std::vector<double> d, f, df, value(width), slope(width);
    for (int cell = 0; cell < grid.numCells; cell++)
        for (double t : {0.15, 0.29, -0.44}) // near the extremes of the errors of slope and value
            d.push_back(grid.first + (cell + 0.5 + t) * grid.cellWidth);
    evaluateExact(d, f, df);
    double largest[3] = {}, largestSlope[3] = {}, error[3] = {}, slopeError[3] = {}; // of the parts
    for (size_t n = 0; n < d.size(); n++) {
        evaluate(d[n], value.data(), slope.data());
        for (size_t h = 0; h < width; h++) {
            const size_t part = h / (width / 3);
            largest[part] = std::max(largest[part], std::fabs(f[n * width + h]));
            largestSlope[part] = std::max(largestSlope[part], std::fabs(df[n * width + h]));
            error[part] = std::max(error[part], std::fabs(f[n * width + h] - value[h]));
            slopeError[part] = std::max(slopeError[part], std::fabs(df[n * width + h] - slope[h]));
        }
    }
    TableBars worst = {0, 0};
    for (int part = 0; part < 3; part++) {
        worst.value = std::max(worst.value, largest[part] > 0 ? error[part] / largest[part] : 0);
        worst.derivative =
            std::max(worst.derivative, largestSlope[part] > 0 ? slopeError[part] / largestSlope[part] : 0);
    }
    return worst;
}

int FilterTable::chooseNumCells(const NetworkParameters& parameters, const TableBars& bars) {
    int numCells = 48;
    for (size_t block = 0; block < parameters.blocks.size(); block++)
        for (;;) {
            const TableBars errors = FilterTable(parameters, static_cast<int>(block), numCells).measureErrors();
            if ((errors.value <= bars.value && errors.derivative <= bars.derivative) || numCells == MAX_CELLS)
                break;
            // The errors go as the 6th and 5th power of the cell width; a little more, and at least one step of 8.
            const double factor = std::max(std::pow(errors.value / bars.value, 1.0 / 6),
                                           std::pow(errors.derivative / bars.derivative, 1.0 / 5));
            const double wanted = std::min(1.05 * factor * numCells, static_cast<double>(MAX_CELLS));
            numCells = std::min(std::max(static_cast<int>(wanted), numCells + 8), MAX_CELLS);
        }
    return numCells;
}

} // namespace PaiNNPlugin
