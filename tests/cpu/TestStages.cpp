// SPDX-License-Identifier: MIT
// Every stage of every instruction set, forward and backward, against the exact one. All atoms are in one tile: pairs
// across a border are judged by the bits of TestIndependence.cpp.
#include "FastTest.h"
#include "Message.h"
#include "Readout.h"
#include "Stages.h"
#include "Update.h"
#include <algorithm>

using namespace PaiNNPlugin;

namespace {

// Both sides run the whole chain, so rounding errors of float features pile up a little.
const double TOLERANCE = 3e-5; // of the RMS

struct Case {
    SimdLevel level;
    Family family;
};

class StageTest : public ::testing::TestWithParam<Case> {
protected:
    /** Without padding, as the exact stages have it: [rows][width] of an array with rows of H. */
    std::vector<double> unpad(const float* x, size_t rows) const {
        std::vector<double> result;
        for (size_t r = 0; r < rows; r++)
            result.insert(result.end(), x + r * network->H, x + r * network->H + width);
        return result;
    }
    std::shared_ptr<NetworkParameters> parameters;
    std::shared_ptr<const FastNetwork> network;
    size_t width = 0;
};

TEST_P(StageTest, agreesWithExactStage) {
    RandomNetworkOptions options;
    options.family = GetParam().family;
    options.numChannels = 37;
    parameters = randomNetwork(options);
    network = FastNetwork::create(parameters);
    width = options.numChannels;
    const Atoms atoms = randomMolecule(30, 4, 4);
    const int N = atoms.size(), L = static_cast<int>(network->blocks.size());
    const size_t H = network->H;

    const NeighborList list = findNeighbors(atoms.positions, nullptr, parameters->cutoff);
    EdgeList candidates({0, N}, parameters->cutoff, 0.05);
    candidates.update(atoms.positions, nullptr, {1});
    Pairs pairs;
    pairs.resize(candidates.neighbor.size(), candidates.neighbor.size());
    Workspace work;
    work.resize(*network, N);
    Scratch scratch(*network);
    scratch.reserve(candidates.neighbor.size());
    Tile tile = {0, N, 0, 0};
    const Stages stages(*network, getKernels(GetParam().level), work, atoms.elements, candidates, pairs);

    std::vector<double> energies(N), exactEnergies;
    CoincidentAtoms coincident = {-1, -1};
    stages.measure(atoms.positions, Boxes{}, tile, scratch, energies.data(), coincident);
    EXPECT_EQ(coincident.atom1, -1);
    ASSERT_EQ(tile.numPairs, list.numPairs()); // one tile: every pair once
    for (int n = 0, last = 0; n < tile.numPairs; last = pairs.cell[n++]) {
        const std::array<int, 2> both = {pairs.a[n], pairs.b[n]};
        const size_t p = std::find(list.atoms.begin(), list.atoms.end(), both) - list.atoms.begin();
        ASSERT_LT(p, list.atoms.size());
        EXPECT_LE(last, pairs.cell[n]) << "sorted";
        int cell;
        double t;
        network->grid.find(list.d[p], cell, t);
        EXPECT_EQ(pairs.cell[n], cell);
        EXPECT_EQ(pairs.t[n], static_cast<float>(t));
        EXPECT_EQ(candidates.neighbor[pairs.candidate[n]], both[1]);
        int edge = list.first[both[0]]; // a <- b
        while (list.neighbor[edge] != both[1])
            edge++;
        double factor, slope;
        evaluateDirectionFactor(network->isStudent, list.d[p], factor, slope);
        for (int x = 0; x < 3; x++)
            EXPECT_EQ(pairs.towards[3 * n + x], static_cast<float>(factor * list.u[3 * edge + x]));
    }

    Features features, adjoint;
    for (int element : atoms.elements)
        features.s.insert(features.s.end(), &parameters->embedding[element * width],
                          &parameters->embedding[element * width] + width);
    features.v.assign(3 * features.s.size(), 0.0);
    std::vector<Message> messages;
    std::vector<Update> updates;
    std::vector<Message::Tape> messageTapes(L);
    std::vector<Update::Tape> updateTapes(L);
    for (int l = 0; l < L; l++) {
        messages.emplace_back(*parameters, l);
        updates.emplace_back(*parameters, l);
        messages[l].forward(list, features, &messageTapes[l]);
        stages.message(l, tile, scratch);
        EXPECT_TRUE(arraysAgree(features.s, unpad(scratch.s.data(), N), TOLERANCE)) << "s of message " << l;
        EXPECT_TRUE(arraysAgree(features.v, unpad(work.blocks[l].vMessage.data(), 3 * N), TOLERANCE))
            << "v of message " << l;
        updates[l].forward(features, &updateTapes[l]);
        stages.update(l, tile, scratch);
        EXPECT_TRUE(arraysAgree(features.s, unpad(scratch.s.data(), N), TOLERANCE)) << "s of update " << l;
        if (l + 1 < L) {
            EXPECT_TRUE(arraysAgree(features.v, unpad(scratch.v.data(), 3 * N), TOLERANCE)) << "v of update " << l;
            stages.context(l + 1, tile, scratch);
        }
        for (size_t k = 0; k < N * H; k++)
            if (k % H >= width) {
                EXPECT_EQ(scratch.s[k], 0.0f) << "padding";
            }
    }
    const Readout readout(*parameters);
    Perceptron::Tape readoutTape;
    readout.forward(features, exactEnergies, &readoutTape);
    stages.readout(tile, scratch, energies.data());
    EXPECT_TRUE(arraysAgree(exactEnergies, energies, TOLERANCE)) << "readout";

    readout.backward(N, readoutTape, adjoint);
    stages.readoutBackward(tile, scratch);
    auto compare = [&](const std::string& what) {
        EXPECT_TRUE(arraysAgree(adjoint.s, unpad(scratch.s_adj.data(), N), TOLERANCE)) << "s_adj " << what;
        EXPECT_TRUE(arraysAgree(adjoint.v, unpad(scratch.v_adj.data(), 3 * N), TOLERANCE)) << "v_adj " << what;
    };
    compare("of readout");
    GeometryAdjoint geometry(list);
    for (int l = L - 1; l >= 0; l--) {
        updates[l].backward(updateTapes[l], adjoint);
        stages.updateBackward(l, tile, scratch);
        compare("of update " + std::to_string(l));
        messages[l].backward(list, messageTapes[l], adjoint, geometry);
        stages.messageBackward(l, tile, scratch);
        if (l > 0)
            compare("of message " + std::to_string(l));
    }
    std::vector<double> exactForces, forces(3 * N);
    computeForces(list, geometry, exactForces);
    stages.computeForces(atoms.positions, Boxes{}, tile, forces.data());
    EXPECT_TRUE(arraysAgree(exactForces, forces, TOLERANCE)) << "forces";
}

std::vector<Case> cases() {
    std::vector<Case> result;
    for (SimdLevel level : availableSimdLevels())
        for (Family family : {Family::Student, Family::Canonical})
            result.push_back({level, family});
    return result;
}

INSTANTIATE_TEST_SUITE_P(Levels, StageTest, ::testing::ValuesIn(cases()), [](const auto& info) {
    return nameOf(info.param.level) + (info.param.family == Family::Student ? "Student" : "Canonical");
});

} // namespace
