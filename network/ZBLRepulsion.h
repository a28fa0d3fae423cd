// SPDX-License-Identifier: MIT
#ifndef PAINN_ZBL_REPULSION_H_
#define PAINN_ZBL_REPULSION_H_

#include "NeighborList.h"

namespace PaiNNPlugin {

/** What F8 needs to know of two elements. */
struct ZBLPair {
    double range;   ///< nm, where the repulsion ends
    double length;  ///< a, nm
    double coulomb; ///< k Z_i Z_j, kJ/mol nm
};

/** F8 and B8: what keeps two nuclei apart where the network has no data. Does nothing for a model without repulsion. */
class ZBLRepulsion {
public:
    explicit ZBLRepulsion(const NetworkParameters& parameters);
    /** Add half of each pair's energy, kJ/mol, to either atom. */
    void forward(const NeighborList& list, const std::vector<int>& elements, std::vector<double>& energies) const;
    /** Add the derivative of each pair's energy, kJ/mol/nm, to d_adj. */
    void backward(const NeighborList& list, const std::vector<int>& elements, GeometryAdjoint& geometry) const;
    /** The energy of two nuclei of these elements (kJ/mol) at d > 0 (nm), and its derivative by d. */
    void evaluate(int element1, int element2, double d, double& energy, double& slope) const;
    ZBLPair getPair(int element1, int element2) const;

private:
    std::vector<int> atomicNumbers;
    std::optional<Repulsion> repulsion;
};

} // namespace PaiNNPlugin

#endif
