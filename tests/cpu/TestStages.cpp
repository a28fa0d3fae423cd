// SPDX-License-Identifier: MIT
// Every stage of every instruction set, forward and backward, against the exact stage with the same inputs.
#include "FastTest.h"
#include "Message.h"
#include "Readout.h"
#include "Stages.h"
#include "Update.h"

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
    Edges edges;
    edges.resize(candidates);
    Workspace work;
    work.resize(*network, N);
    Scratch scratch(*network);
    scratch.geometry_adj.resize(4 * N);
    const Stages stages(*network, getKernels(GetParam().level), work, atoms.elements, candidates, edges);

    std::vector<double> energies(N), exactEnergies;
    CoincidentAtoms coincident = {-1, -1};
    stages.measure(atoms.positions, nullptr, 0, N, energies.data(), coincident);
    EXPECT_EQ(coincident.atom1, -1);
    for (int i = 0; i < N; i++) {
        ASSERT_EQ(edges.count[i], list.first[i + 1] - list.first[i]);
        for (int e = 0; e < edges.count[i]; e++) {
            const int fast = candidates.first[i] + e, exact = list.first[i] + e;
            EXPECT_EQ(edges.atom[fast], list.neighbor[exact]);
            EXPECT_EQ(edges.d[fast], list.d[list.pair[exact]]);
            for (int x = 0; x < 3; x++)
                EXPECT_EQ(edges.u[3 * fast + x], list.u[3 * exact + x]);
        }
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
        stages.message(l, 0, N, scratch);
        EXPECT_TRUE(arraysAgree(features.s, unpad(scratch.s.data(), N), TOLERANCE)) << "s of message " << l;
        EXPECT_TRUE(arraysAgree(features.v, unpad(work.blocks[l].vMessage.data(), 3 * N), TOLERANCE))
            << "v of message " << l;
        updates[l].forward(features, &updateTapes[l]);
        stages.update(l, 0, N, scratch);
        EXPECT_TRUE(arraysAgree(features.s, unpad(scratch.s.data(), N), TOLERANCE)) << "s of update " << l;
        if (l + 1 < L) {
            EXPECT_TRUE(arraysAgree(features.v, unpad(work.blocks[l + 1].v.data(), 3 * N), TOLERANCE))
                << "v of update " << l;
            stages.context(l + 1, 0, N, scratch);
        }
        for (size_t k = 0; k < N * H; k++)
            if (k % H >= width) {
                EXPECT_EQ(scratch.s[k], 0.0f) << "padding";
            }
    }
    const Readout readout(*parameters);
    Perceptron::Tape readoutTape;
    readout.forward(features, exactEnergies, &readoutTape);
    stages.readout(0, N, scratch, energies.data());
    EXPECT_TRUE(arraysAgree(exactEnergies, energies, TOLERANCE)) << "readout";

    readout.backward(N, readoutTape, adjoint);
    stages.readoutBackward((L - 1) % 2, 0, N, scratch);
    auto compare = [&](int parity, const std::string& what) {
        EXPECT_TRUE(arraysAgree(adjoint.s, unpad(work.s_adj[parity].data(), N), TOLERANCE)) << "s_adj " << what;
        EXPECT_TRUE(arraysAgree(adjoint.v, unpad(work.v_adj[parity].data(), 3 * N), TOLERANCE)) << "v_adj " << what;
    };
    compare((L - 1) % 2, "of readout");
    GeometryAdjoint geometry(list);
    for (int l = L - 1; l >= 0; l--) {
        updates[l].backward(updateTapes[l], adjoint);
        stages.updateBackward(l, 0, N, scratch);
        compare(l % 2, "of update " + std::to_string(l));
        messages[l].backward(list, messageTapes[l], adjoint, geometry);
        stages.messageBackward(l, 0, N, scratch);
        if (l > 0)
            compare((l - 1) % 2, "of message " + std::to_string(l));
    }
    std::vector<double> exactForces, forces(3 * N);
    computeForces(list, geometry, exactForces);
    stages.computeForces(0, N, forces.data());
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
