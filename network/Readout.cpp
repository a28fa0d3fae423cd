// SPDX-License-Identifier: MIT
#include "Readout.h"

namespace PaiNNPlugin {

Readout::Readout(const NetworkParameters& parameters) : network(parameters.readout) {}

void Readout::forward(const Features& features, std::vector<double>& energies, Perceptron::Tape* tape) const {
    const size_t numAtoms = features.s.size() / network.getNumIn();
    energies.resize(numAtoms);
    network.forward(static_cast<int>(numAtoms), features.s.data(), energies.data(), tape);
}

void Readout::backward(int numAtoms, const Perceptron::Tape& tape, Features& adjoint) const {
    const size_t size = static_cast<size_t>(numAtoms) * network.getNumIn();
    adjoint.s.resize(size);
    adjoint.v.assign(3 * size, 0.0);
    const std::vector<double> energies_adj(numAtoms, 1.0);
    network.backward(numAtoms, tape, energies_adj.data(), adjoint.s.data());
}

} // namespace PaiNNPlugin
