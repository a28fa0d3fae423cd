// SPDX-License-Identifier: MIT
#include "ZBLRepulsion.h"
#include "Cutoff.h"
#include <cmath>

namespace PaiNNPlugin {

namespace {

const double BOHR = 0.0529177210903;           // nm, CODATA 2018
const double COULOMB = 2625.4996394799 * BOHR; // kJ/mol nm / e^2: the energy of two unit charges is hartree bohr / d
/** The universal screening function: the sum of A exp(-B x), x = d / screening length. */
const struct {
    double A, B;
} SCREENING[4] = {{0.1818, 3.2}, {0.5099, 0.9423}, {0.2802, 0.4028}, {0.02817, 0.2016}};

} // namespace

ZBLRepulsion::ZBLRepulsion(const NetworkParameters& parameters)
    : atomicNumbers(parameters.atomicNumbers), repulsion(parameters.repulsion) {}

ZBLPair ZBLRepulsion::getPair(int element1, int element2) const {
    const double Z1 = atomicNumbers[element1], Z2 = atomicNumbers[element2];
    return {repulsion->radii[element1] + repulsion->radii[element2],
            0.8854 * BOHR / (std::pow(Z1, 0.23) + std::pow(Z2, 0.23)), COULOMB * Z1 * Z2};
}

void ZBLRepulsion::evaluate(int element1, int element2, double d, double& energy, double& slope) const {
    energy = slope = 0;
    if (d >= repulsion->radii[element1] + repulsion->radii[element2])
        return;
    const ZBLPair pair = getPair(element1, element2);
    const double length = pair.length;
    double screening = 0, screeningSlope = 0;
    for (const auto& [A, B] : SCREENING) {
        const double term = A * std::exp(-B / length * d);
        screening += term;
        screeningSlope -= B / length * term;
    }
    const CutoffValue g = evaluateCutoff({CutoffFunction::Type::Polynomial, repulsion->p}, pair.range, d);
    const double coulomb = pair.coulomb / d;
    energy = coulomb * screening * g.value;
    slope = coulomb * ((screeningSlope - screening / d) * g.value + screening * g.first);
}

void ZBLRepulsion::forward(const NeighborList& list, const std::vector<int>& elements,
                           std::vector<double>& energies) const {
    for (int p = 0; repulsion && p < list.numPairs(); p++) {
        double energy, slope;
        evaluate(elements[list.atoms[p][0]], elements[list.atoms[p][1]], list.d[p], energy, slope);
        for (int atom : list.atoms[p])
            energies[atom] += 0.5 * energy;
    }
}

void ZBLRepulsion::backward(const NeighborList& list, const std::vector<int>& elements,
                            GeometryAdjoint& geometry) const {
    for (int p = 0; repulsion && p < list.numPairs(); p++) {
        double energy, slope;
        evaluate(elements[list.atoms[p][0]], elements[list.atoms[p][1]], list.d[p], energy, slope);
        geometry.d_adj[p] += slope;
    }
}

} // namespace PaiNNPlugin
