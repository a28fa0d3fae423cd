// SPDX-License-Identifier: MIT
#include "NeighborList.h"
#include "Stages.h"
#include <algorithm>

namespace PaiNNPlugin {

void Stages::measure(const std::vector<double>& positions, const Box* box, int begin, int end, double* energies,
                     CoincidentAtoms& coincident) const {
    const double cutoff = network.parameters->cutoff;
    for (int i = begin; i < end; i++) {
        energies[i] = 0;
        int e = candidates.first[i];
        for (int k = candidates.first[i]; k < candidates.first[i + 1]; k++) {
            const int j = candidates.neighbor[k];
            double d;
            std::array<double, 3> u;
            if (!measurePair(&positions[3 * i], &positions[3 * j], box, d, u)) {
                if (coincident.atom1 < 0)
                    coincident = {std::min(i, j), std::max(i, j)};
                continue;
            }
            if (!(d < cutoff))
                continue;
            edges.atom[e] = j;
            edges.element[e] = elements[j];
            edges.slot[e] = k;
            edges.d[e] = d;
            double t, factor, slope;
            network.grid.find(d, edges.cell[e], t);
            edges.t[e] = static_cast<float>(t);
            evaluateDirectionFactor(network.isStudent, d, factor, slope);
            for (int x = 0; x < 3; x++) {
                edges.u[3 * e + x] = u[x];
                edges.towards[3 * e + x] = static_cast<float>(factor * u[x]);
            }
            if (network.parameters->repulsion) {
                double V, dV;
                repulsion.evaluate(elements[i], elements[j], d, V, dV);
                energies[i] += 0.5 * V;
            }
            e++;
        }
        edges.count[i] = e - candidates.first[i];
    }
}

void Stages::computeForces(int begin, int end, double* forces) const {
    for (int i = begin; i < end; i++) {
        double force[3] = {0, 0, 0};
        for (int e = candidates.first[i]; e < candidates.first[i] + edges.count[i]; e++) {
            const double d = edges.d[e], *u = &edges.u[3 * e];
            const int slot = edges.slot[e];
            const double* out = &edges.geometry_adj[4 * static_cast<size_t>(slot)];                   // j <- i
            const double* in = &edges.geometry_adj[4 * static_cast<size_t>(candidates.mirror[slot])]; // i <- j
            double factor, slope, V, d_adj = 0;
            evaluateDirectionFactor(network.isStudent, d, factor, slope);
            if (network.parameters->repulsion)
                repulsion.evaluate(elements[i], elements[edges.atom[e]], d, V, d_adj);
            d_adj += (out[0] + in[0]) / network.grid.cellWidth;
            // u points from i to j, as in i <- j; in j <- i it points the other way.
            const double w_adj[3] = {in[1] - out[1], in[2] - out[2], in[3] - out[3]};
            const double along = w_adj[0] * u[0] + w_adj[1] * u[1] + w_adj[2] * u[2];
            d_adj += along * slope;
            for (int x = 0; x < 3; x++)
                force[x] += d_adj * u[x] + factor * (w_adj[x] - along * u[x]) / d;
        }
        std::copy(force, force + 3, forces + 3 * i);
    }
}

} // namespace PaiNNPlugin
