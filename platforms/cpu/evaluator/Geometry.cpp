// SPDX-License-Identifier: MIT
#include "NeighborList.h"
#include "Stages.h"
#include <algorithm>
#include <cmath>

namespace PaiNNPlugin {

namespace {

/**
 * Sort a tile's pairs by cell, and within a cell by their atoms: what an atom's terms are added in the order of depends
 * on its neighbours alone, and a cell's coefficients are read once.
 */
void sortPairs(Scratch& scratch) {
    std::fill(scratch.cellStart.begin(), scratch.cellStart.end(), 0);
    for (const Scratch::Measured& pair : scratch.measured)
        scratch.cellStart[pair.cell + 1]++;
    for (size_t cell = 1; cell < scratch.cellStart.size(); cell++)
        scratch.cellStart[cell] += scratch.cellStart[cell - 1];
    scratch.order.resize(scratch.measured.size());
    for (size_t n = 0; n < scratch.measured.size(); n++) // moves every start to the next one's place
        scratch.order[scratch.cellStart[scratch.measured[n].cell]++] = static_cast<int>(n);
    int start = 0;
    for (size_t cell = 0; cell + 1 < scratch.cellStart.size(); cell++) {
        const int end = scratch.cellStart[cell];
        std::sort(scratch.order.begin() + start, scratch.order.begin() + end,
                  [&](int m, int n) { return scratch.measured[m].atoms < scratch.measured[n].atoms; });
        start = end;
    }
}

/** F8 and B8: V, kJ/mol, and V', kJ/mol/nm, of a pair at d, nm; the same bits whichever atom comes first. */
void evaluateRepulsion(const ZBLRepulsion& repulsion, int element1, int element2, double d, double& V, double& dV) {
    repulsion.evaluate(std::min(element1, element2), std::max(element1, element2), d, V, dV);
}

/** measurePair(), with the usual cases at hand; returns 1, or 0 at the same place, or -1 if further apart than `limit`.
 */
inline int measureQuickly(const double* xi, const double* xj, const Box* box, double limit, double& d,
                          std::array<double, 3>& u) {
    const double r[3] = {xj[0] - xi[0], xj[1] - xi[1], xj[2] - xi[2]};
    for (int k = 0; k < 3 && box != nullptr; k++)
        if (std::fabs(r[k]) > 0.49 * (*box)[k][k])
            return measurePair(xi, xj, box, d, u) ? 1 : 0;
    const double square = r[0] * r[0] + r[1] * r[1] + r[2] * r[2];
    if (square > limit * limit)
        return -1;
    if (square < 1e-200)
        return measurePair(xi, xj, box, d, u) ? 1 : 0;
    d = std::sqrt(square);
    u = {r[0] / d, r[1] / d, r[2] / d};
    return 1;
}

} // namespace

/** The atoms at two places as the caller numbers them, the lower one first. */
std::array<int, 2> Stages::sortedAtoms(int i, int j) const {
    const int atom1 = candidates.order[i], atom2 = candidates.order[j];
    return {std::min(atom1, atom2), std::max(atom1, atom2)};
}

void Stages::measure(const std::vector<double>& positions, const Boxes& boxes, Tile& tile, Scratch& scratch,
                     double* energies, CoincidentAtoms& coincident) const {
    const double cutoff = network.parameters->cutoff, limit = cutoff * (1 + 1e-6);
    scratch.measured.clear();
    for (int i = tile.begin; i < tile.end; i++) {
        energies[i] = 0;
        const Box* box = boxes.of(i);
        for (int k = candidates.first[i]; k < candidates.first[i + 1]; k++) {
            const int j = candidates.neighbor[k];
            if (j >= tile.begin && j < i)
                continue; // stands as the pair j, i
            Scratch::Measured pair;
            const int found = measureQuickly(&positions[3 * i], &positions[3 * j], box, limit, pair.d, pair.u);
            if (found == 0) {
                const std::array both = sortedAtoms(i, j);
                if (coincident.atom1 < 0 || both < std::array{coincident.atom1, coincident.atom2})
                    coincident = {both[0], both[1]};
                continue;
            }
            if (found < 0 || !(pair.d < cutoff))
                continue;
            pair.a = i;
            pair.b = j;
            pair.candidate = k;
            pair.atoms = sortedAtoms(i, j);
            network.grid.find(pair.d, pair.cell, pair.t);
            scratch.measured.push_back(pair);
        }
    }
    sortPairs(scratch);
    tile.numPairs = static_cast<int>(scratch.order.size());
    for (size_t n = 0; n < scratch.order.size(); n++) {
        const Scratch::Measured& pair = scratch.measured[scratch.order[n]];
        const size_t to = tile.firstPair + n;
        pairs.a[to] = pair.a;
        pairs.b[to] = pair.b;
        pairs.candidate[to] = pair.candidate;
        pairs.cell[to] = pair.cell;
        pairs.t[to] = static_cast<float>(pair.t);
        double factor, slope;
        evaluateDirectionFactor(network.isStudent, pair.d, factor, slope);
        for (int x = 0; x < 3; x++)
            pairs.towards[3 * to + x] = static_cast<float>(factor * pair.u[x]);
        if (!network.parameters->repulsion)
            continue;
        double V, dV;
        evaluateRepulsion(repulsion, elements[pair.a], elements[pair.b], pair.d, V, dV);
        energies[pair.a] += 0.5 * V;
        if (pair.b >= tile.begin && pair.b < tile.end)
            energies[pair.b] += 0.5 * V;
    }
}

void Stages::computeForces(const std::vector<double>& positions, const Boxes& boxes, const Tile& tile,
                           double* forces) const {
    for (size_t n = tile.firstPair; n < tile.firstPair + tile.numPairs; n++) {
        const int i = pairs.a[n], j = pairs.b[n], candidate = pairs.candidate[n];
        double d = 0;
        std::array<double, 3> u = {};
        measureQuickly(&positions[3 * i], &positions[3 * j], boxes.of(i), HUGE_VAL, d, u);
        const float* out = &pairs.geometry_adj[4 * static_cast<size_t>(candidate)];                   // j <- i
        const float* in = &pairs.geometry_adj[4 * static_cast<size_t>(candidates.mirror[candidate])]; // i <- j
        double factor, slope, V, d_adj = 0;
        evaluateDirectionFactor(network.isStudent, d, factor, slope);
        if (network.parameters->repulsion)
            evaluateRepulsion(repulsion, elements[i], elements[j], d, V, d_adj);
        d_adj += (static_cast<double>(out[0]) + in[0]) / network.grid.cellWidth;
        // u points from i to j, as in i <- j; in j <- i it points the other way.
        const double w_adj[3] = {static_cast<double>(in[1]) - out[1], static_cast<double>(in[2]) - out[2],
                                 static_cast<double>(in[3]) - out[3]};
        const double along = w_adj[0] * u[0] + w_adj[1] * u[1] + w_adj[2] * u[2];
        d_adj += along * slope;
        for (int x = 0; x < 3; x++) {
            const double force = d_adj * u[x] + factor * (w_adj[x] - along * u[x]) / d;
            forces[3 * i + x] += force;
            if (j >= tile.begin && j < tile.end)
                forces[3 * j + x] -= force;
        }
    }
}

} // namespace PaiNNPlugin
