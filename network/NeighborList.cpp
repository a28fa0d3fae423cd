// SPDX-License-Identifier: MIT
#include "NeighborList.h"
#include "CellGrid.h"
#include <algorithm>
#include <cmath>

namespace PaiNNPlugin {

namespace {

using Vec = std::array<double, 3>;

struct Pair {
    std::array<int, 2> atoms;
    double d;
    Vec u;
};

/** r_ij = x_j - x_i + shift, nm. With a diagonal of at least twice the cutoff, an image within the cutoff is the one
 * found here. */
Vec displacement(const double* xi, const double* xj, const Box* box) {
    Vec r = {xj[0] - xi[0], xj[1] - xi[1], xj[2] - xi[2]};
    if (box != nullptr)
        for (int k = 2; k >= 0; k--) {
            const double n = std::round(r[k] / (*box)[k][k]);
            for (int x = 0; x <= k; x++)
                r[x] -= n * (*box)[k][x];
        }
    return r;
}

/** F1: length and direction. Tiny vectors are scaled first, or their squares would underflow. */
void measure(const Vec& r, double& d, Vec& u) {
    const double largest = std::max({std::fabs(r[0]), std::fabs(r[1]), std::fabs(r[2])});
    const double scale = largest < 1e-140 ? largest : 1.0;
    Vec x = {r[0] / scale, r[1] / scale, r[2] / scale};
    const double length = std::sqrt(x[0] * x[0] + x[1] * x[1] + x[2] * x[2]);
    d = length * scale;
    u = {x[0] / length, x[1] / length, x[2] / length};
}

/** All pairs within the cutoff, sorted by their atoms. */
std::vector<Pair> findPairs(const std::vector<double>& positions, const Box* box, double cutoff) {
    std::vector<Pair> pairs;
    CoincidentAtoms coincident(-1, -1);
    auto visit = [&](int i, int j) {
        Pair pair = {{i, j}, 0, {}};
        if (!measurePair(&positions[3 * i], &positions[3 * j], box, pair.d, pair.u)) {
            if (coincident.atom1 < 0 || std::array{i, j} < std::array{coincident.atom1, coincident.atom2})
                coincident = {i, j};
            return;
        }
        if (pair.d < cutoff)
            pairs.push_back(pair);
    };
    CellGrid(positions, box, cutoff).forCells([&](const std::vector<int>& inside, const std::vector<int>& near) {
        for (int i : inside)
            for (auto j = std::upper_bound(near.begin(), near.end(), i); j != near.end(); ++j)
                visit(i, *j);
    });
    if (coincident.atom1 >= 0)
        throw coincident;
    std::sort(pairs.begin(), pairs.end(), [](const Pair& a, const Pair& b) { return a.atoms < b.atoms; });
    return pairs;
}

} // namespace

bool measurePair(const double* xi, const double* xj, const Box* box, double& d, Vec& u) {
    const Vec r = displacement(xi, xj, box);
    if (r[0] == 0 && r[1] == 0 && r[2] == 0)
        return false;
    measure(r, d, u);
    return true;
}

NeighborList findNeighbors(const std::vector<double>& positions, const Box* box, double cutoff) {
    const std::vector<Pair> pairs = findPairs(positions, box, cutoff);
    NeighborList list;
    list.first.assign(positions.size() / 3 + 1, 0);
    for (const Pair& pair : pairs)
        for (int atom : pair.atoms)
            list.first[atom + 1]++;
    for (size_t i = 1; i < list.first.size(); i++)
        list.first[i] += list.first[i - 1];
    list.neighbor.resize(list.first.back());
    list.pair.resize(list.neighbor.size());
    list.u.resize(3 * list.neighbor.size());

    // The pairs are sorted, so a receiver meets its lower neighbours first and all of them in ascending order.
    std::vector<int> next(list.first.begin(), list.first.end() - 1);
    for (size_t p = 0; p < pairs.size(); p++) {
        list.atoms.push_back(pairs[p].atoms);
        list.d.push_back(pairs[p].d);
        for (int side = 0; side < 2; side++) {
            const int e = next[pairs[p].atoms[side]]++;
            list.neighbor[e] = pairs[p].atoms[1 - side];
            list.pair[e] = static_cast<int>(p);
            for (int x = 0; x < 3; x++)
                list.u[3 * e + x] = side == 0 ? pairs[p].u[x] : -pairs[p].u[x];
        }
    }
    return list;
}

void computeForces(const NeighborList& list, const GeometryAdjoint& adjoint, std::vector<double>& forces) {
    forces.assign(3 * static_cast<size_t>(list.numAtoms()), 0.0);
    for (int i = 0; i < list.numAtoms(); i++)
        for (int e = list.first[i]; e < list.first[i + 1]; e++) {
            if (list.neighbor[e] < i)
                continue; // the edge of the higher atom tells the same as that of the lower one
            const int p = list.pair[e];
            const double *u = &list.u[3 * e], *u_adj = &adjoint.u_adj[3 * p];
            const double along = u[0] * u_adj[0] + u[1] * u_adj[1] + u[2] * u_adj[2];
            for (int x = 0; x < 3; x++) {
                const double r_adj = adjoint.d_adj[p] * u[x] + (u_adj[x] - along * u[x]) / list.d[p];
                forces[3 * i + x] += r_adj;
                forces[3 * list.neighbor[e] + x] -= r_adj;
            }
        }
}

} // namespace PaiNNPlugin
