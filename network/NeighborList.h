// SPDX-License-Identifier: MIT
#ifndef PAINN_NEIGHBOR_LIST_H_
#define PAINN_NEIGHBOR_LIST_H_

#include "ExactNetwork.h"
#include <vector>

namespace PaiNNPlugin {

/**
 * F1: every ordered pair of atoms (an edge: receiver i, neighbour j) with 0 < d < cutoff, sorted by receiver, then by
 * neighbour. Both edges of two atoms share one unordered pair, which holds the distance.
 */
struct NeighborList {
    std::vector<int> first;    ///< [numAtoms + 1]: the edges of receiver i are first[i] <= e < first[i + 1]
    std::vector<int> neighbor; ///< [numEdges] j
    std::vector<int> pair;     ///< [numEdges] index of the unordered pair
    std::vector<double> u;     ///< [numEdges][3] (x_j - x_i + shift) / d, from the receiver to the neighbour
    std::vector<std::array<int, 2>> atoms; ///< [numPairs] lower and higher atom, sorted
    std::vector<double> d;                 ///< [numPairs] nm
    int numAtoms() const {
        return static_cast<int>(first.size()) - 1;
    }
    int numPairs() const {
        return static_cast<int>(d.size());
    }
};

/**
 * F1 for two atoms: u [3] from xi to xj (positions, nm) and d (nm). Exchanging the atoms gives the same d and exactly
 * -u.
 *
 * @return false, and nothing is set, if they are at the same place
 */
bool measurePair(const double* xi, const double* xj, const Box* box, double& d, std::array<double, 3>& u);

/** Adjoints of the geometry: how the energy changes with each pair's distance and direction. */
struct GeometryAdjoint {
    explicit GeometryAdjoint(const NeighborList& list) : d_adj(list.d.size(), 0.0), u_adj(3 * list.d.size(), 0.0) {}
    std::vector<double> d_adj; ///< [numPairs] kJ/mol/nm
    std::vector<double> u_adj; ///< [numPairs][3] kJ/mol, for u from the lower to the higher atom
};

/**
 * Make the list; the time grows as numAtoms log(numAtoms), whatever the extent of the positions.
 *
 * @param positions  [numAtoms][3] nm, finite
 * @param box        nullptr, or box vectors in reduced form, every diagonal component at least twice the cutoff: then
 * no lattice vector is shorter, and the minimum image is the only one within the cutoff
 * @param cutoff     nm
 * @throws CoincidentAtoms for the first pair with a distance of zero
 */
NeighborList findNeighbors(const std::vector<double>& positions, const Box* box, double cutoff);

/** B1: forces [numAtoms][3] kJ/mol/nm, overwritten, from the adjoints of the geometry. */
void computeForces(const NeighborList& list, const GeometryAdjoint& adjoint, std::vector<double>& forces);

} // namespace PaiNNPlugin

#endif
