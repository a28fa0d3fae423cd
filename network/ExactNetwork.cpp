// SPDX-License-Identifier: MIT
#include "ExactNetwork.h"
#include "Message.h"
#include "Readout.h"
#include "Update.h"
#include "ZBLRepulsion.h"

namespace PaiNNPlugin {

/** The network as a list of stages; each holds its forward and backward side by side (docs/equations.md). */
struct ExactNetwork::Stages {
    explicit Stages(const NetworkParameters& parameters) : readout(parameters), repulsion(parameters) {
        for (size_t l = 0; l < parameters.blocks.size(); l++) {
            message.emplace_back(parameters, l);
            update.emplace_back(parameters, l);
        }
    }
    std::vector<Message> message;
    std::vector<Update> update;
    Readout readout;
    ZBLRepulsion repulsion;
};

namespace {

/** F9: the features that an atom starts with. */
Features embed(const NetworkParameters& parameters, const std::vector<int>& elements) {
    const size_t H = parameters.numChannels;
    Features features;
    for (int element : elements)
        features.s.insert(features.s.end(), &parameters.embedding[element * H], &parameters.embedding[element * H] + H);
    features.v.assign(3 * features.s.size(), 0.0);
    return features;
}

/** F9: large numbers, added last. */
void addReferences(const NetworkParameters& parameters, const std::vector<int>& elements,
                   std::vector<double>& energies) {
    for (size_t i = 0; i < elements.size(); i++)
        energies[i] += parameters.atomReferences[elements[i]];
}

} // namespace

ExactNetwork::ExactNetwork(std::shared_ptr<const NetworkParameters> parameters)
    : parameters(parameters), stages(std::make_shared<Stages>(*parameters)) {}

void ExactNetwork::evaluate(const std::vector<int>& elements, const std::vector<double>& positions, const Box* box,
                            std::vector<double>& atomEnergies, std::vector<double>* forces) const {
    const int L = static_cast<int>(parameters->blocks.size());
    const bool backward = forces != nullptr;
    std::vector<Message::Tape> messageTapes(backward ? L : 0);
    std::vector<Update::Tape> updateTapes(backward ? L : 0);
    Perceptron::Tape readoutTape;

    const NeighborList list = findNeighbors(positions, box, parameters->cutoff);
    Features features = embed(*parameters, elements);
    for (int l = 0; l < L; l++) {
        stages->message[l].forward(list, features, backward ? &messageTapes[l] : nullptr);
        stages->update[l].forward(features, backward ? &updateTapes[l] : nullptr);
    }
    stages->readout.forward(features, atomEnergies, backward ? &readoutTape : nullptr);
    stages->repulsion.forward(list, elements, atomEnergies);
    addReferences(*parameters, elements, atomEnergies);
    if (!backward)
        return;

    Features adjoint;
    GeometryAdjoint geometry(list);
    stages->repulsion.backward(list, elements, geometry);
    stages->readout.backward(list.numAtoms(), readoutTape, adjoint);
    for (int l = L - 1; l >= 0; l--) {
        stages->update[l].backward(updateTapes[l], adjoint);
        stages->message[l].backward(list, messageTapes[l], adjoint, geometry);
    }
    computeForces(list, geometry, *forces);
}

} // namespace PaiNNPlugin
