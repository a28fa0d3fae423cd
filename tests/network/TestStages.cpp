// SPDX-License-Identifier: MIT
// Each stage alone: forward against plain loops, backward against differences of a random linear function of the
// output.
#include "Message.h"
#include "PlainNetwork.h"
#include "Readout.h"
#include "StepScan.h"
#include "Update.h"

using namespace PaiNNPlugin;

namespace {

std::vector<double> randomArray(Random& random, size_t size, double range = 1) {
    std::vector<double> x(size);
    for (double& value : x)
        value = random.uniform(-range, range);
    return x;
}

double dot(const std::vector<double>& x, const std::vector<double>& y) {
    double sum = 0;
    for (size_t k = 0; k < x.size(); k++)
        sum += x[k] * y[k];
    return sum;
}

TEST(Dense, AgreesWithPlainSums) {
    Random random(1);
    for (int numIn : {1, 7, 8, 20})
        for (int numOut : {1, 3, 8, 17, 48})
            for (int rows : {1, 2, 4, 7}) {
                const LinearLayer layer = RandomNetworkDetail::linear(random, numIn, numOut, 1, 0.5);
                const Dense dense(layer);
                const std::vector<double> x = randomArray(random, rows * numIn),
                                          y_adj = randomArray(random, rows * numOut);
                std::vector<double> y(rows * numOut), dy(y.size()), x_adj(rows * numIn), expected, expectedAdj;
                dense.forward(rows, x.data(), y.data());
                dense.tangent(rows, x.data(), dy.data());
                dense.backward(rows, y_adj.data(), x_adj.data());
                for (int r = 0; r < rows; r++) {
                    const std::vector<double> row(&x[r * numIn], &x[r * numIn] + numIn);
                    for (double value : PlainNetwork<double>::linear(layer, row))
                        expected.push_back(value);
                    for (int k = 0; k < numIn; k++) {
                        double sum = 0;
                        for (int o = 0; o < numOut; o++)
                            sum += layer.weight[o * numIn + k] * y_adj[r * numOut + o];
                        expectedAdj.push_back(sum);
                    }
                }
                EXPECT_TRUE(arraysAgree(expected, y, 1e-14));
                EXPECT_TRUE(arraysAgree(expectedAdj, x_adj, 1e-14));
                for (size_t k = 0; k < y.size(); k++)
                    EXPECT_NEAR(y[k] - dy[k], layer.bias[k % numOut], 1e-14);
            }
}

TEST(Perceptron, ForwardTangentAndBackward) {
    Random random(2);
    const int rows = 5;
    for (int hidden = 0; hidden < 3; hidden++) {
        MLP layers = {RandomNetworkDetail::linear(random, 6, 9, 1.5, 0.5)};
        for (int k = 0; k < hidden; k++)
            layers.push_back(RandomNetworkDetail::linear(random, 9, 9, 1.5, 0.5));
        layers.push_back(RandomNetworkDetail::linear(random, 9, 4, 1.5, 0.5));
        const Perceptron network(layers);
        const std::vector<double> x = randomArray(random, rows * 6), dx = randomArray(random, rows * 6);
        const std::vector<double> y_adj = randomArray(random, rows * 4);
        std::vector<double> y(rows * 4), yAgain(y.size()), dy(y.size()), x_adj(x.size()), expected;
        Perceptron::Tape tape;
        network.forward(rows, x.data(), y.data(), &tape);
        network.forwardWithTangent(rows, x.data(), dx.data(), yAgain.data(), dy.data());
        network.backward(rows, tape, y_adj.data(), x_adj.data());
        EXPECT_EQ(y, yAgain);
        for (int r = 0; r < rows; r++)
            for (double value : PlainNetwork<double>::mlp(layers, {&x[r * 6], &x[r * 6] + 6}))
                expected.push_back(value);
        EXPECT_TRUE(arraysAgree(expected, y, 1e-14));
        auto function = [&](const std::vector<double>& x) {
            std::vector<double> y(rows * 4);
            network.forward(rows, x.data(), y.data(), nullptr);
            return dot(y, y_adj);
        };
        EXPECT_LE(gradientFloor(function, x, x_adj), 1e-10);
        EXPECT_NEAR(dot(dy, y_adj), dot(dx, x_adj), 1e-13 * rms(dx) * rms(x_adj) * x.size());
    }
}

TEST(Perceptron, ExtremeInputsStayFinite) {
    MLP layers(2);
    for (LinearLayer& layer : layers) {
        layer.numIn = layer.numOut = 1;
        layer.weight = {1};
    }
    const Perceptron network(layers);
    for (double x : {-1e300, -800.0, -40.0, 0.0, 40.0, 800.0, 1e300}) {
        double y, x_adj, one = 1;
        Perceptron::Tape tape;
        network.forward(1, &x, &y, &tape);
        network.backward(1, tape, &one, &x_adj);
        EXPECT_NEAR(y, std::max(x, 0.0), 1e-12);
        EXPECT_NEAR(x_adj, x > 0 ? 1 : x == 0 ? 0.5 : 0, 1e-12);
    }
}

class Stages : public ::testing::TestWithParam<RandomNetworkOptions> {
protected:
    static constexpr int N = 5, H = 16;
    std::shared_ptr<NetworkParameters> parameters = randomNetwork(GetParam());
    Random random{3};
};

/** Everything the message depends on in one vector: s, v, the pairs' d and u. */
TEST_P(Stages, MessageBackward) {
    const Message message(*parameters, 1);
    const NeighborList list = findNeighbors(moleculeWithGap(N, 4, 0.5, 0.03, 21).positions, nullptr, 0.5);
    const size_t P = list.numPairs();
    ASSERT_GE(P, 6u);
    const std::vector<double> s_adj = randomArray(random, N * H), v_adj = randomArray(random, 3 * N * H);
    std::vector<double> x = randomArray(random, 4 * N * H);
    x.insert(x.end(), list.d.begin(), list.d.end());
    x.resize(x.size() + 3 * P);
    for (int i = 0; i < N; i++)
        for (int e = list.first[i]; e < list.first[i + 1]; e++)
            for (int k = 0; k < 3 && list.neighbor[e] > i; k++)
                x[4 * N * H + P + 3 * list.pair[e] + k] = list.u[3 * e + k];
    auto unpack = [&](const std::vector<double>& x, NeighborList& list, Features& features) {
        features.s.assign(x.begin(), x.begin() + N * H);
        features.v.assign(x.begin() + N * H, x.begin() + 4 * N * H);
        list.d.assign(x.begin() + 4 * N * H, x.begin() + 4 * N * H + P);
        for (int i = 0; i < N; i++)
            for (int e = list.first[i]; e < list.first[i + 1]; e++)
                for (int k = 0; k < 3; k++)
                    list.u[3 * e + k] = (list.neighbor[e] > i ? 1 : -1) * x[4 * N * H + P + 3 * list.pair[e] + k];
    };
    auto function = [&](const std::vector<double>& x) {
        NeighborList moved = list;
        Features features;
        unpack(x, moved, features);
        message.forward(moved, features, nullptr);
        return dot(features.s, s_adj) + dot(features.v, v_adj);
    };
    NeighborList same = list;
    Features features, adjoint = {s_adj, v_adj};
    unpack(x, same, features);
    Message::Tape tape;
    GeometryAdjoint geometry(list);
    message.forward(same, features, &tape);
    message.backward(same, tape, adjoint, geometry);
    std::vector<double> gradient = adjoint.s;
    gradient.insert(gradient.end(), adjoint.v.begin(), adjoint.v.end());
    gradient.insert(gradient.end(), geometry.d_adj.begin(), geometry.d_adj.end());
    gradient.insert(gradient.end(), geometry.u_adj.begin(), geometry.u_adj.end());
    EXPECT_LE(gradientFloor(function, x, gradient), 1e-10);
}

TEST_P(Stages, UpdateAgreesWithPlainLoops) {
    for (int block = 0; block < 3; block++) {
        Features features = {randomArray(random, N * H), randomArray(random, 3 * N * H)};
        std::vector<double> s, v;
        for (int i = 0; i < N; i++) {
            std::vector<double> si(&features.s[i * H], &features.s[i * H] + H), vi[3];
            for (int k = 0; k < 3; k++)
                vi[k].assign(&features.v[(3 * i + k) * H], &features.v[(3 * i + k) * H] + H);
            const std::vector<double> before[3] = {vi[0], vi[1], vi[2]};
            PlainNetwork<double>(*parameters).update(parameters->blocks[block], block == 2, si, vi);
            s.insert(s.end(), si.begin(), si.end());
            for (int k = 0; k < 3; k++) // the last block leaves the vectors alone
                v.insert(v.end(), (block == 2 ? before : vi)[k].begin(), (block == 2 ? before : vi)[k].end());
        }
        Update(*parameters, block).forward(features, nullptr);
        EXPECT_TRUE(arraysAgree(s, features.s, 1e-14));
        EXPECT_TRUE(arraysAgree(v, features.v, 1e-14));
    }
}

TEST_P(Stages, UpdateBackward) {
    for (int block = 0; block < 3; block++) {
        const Update update(*parameters, block);
        const std::vector<double> x = randomArray(random, 4 * N * H);
        const Features weights = {randomArray(random, N * H), randomArray(random, 3 * N * H)};
        auto unpack = [&](const std::vector<double>& x) {
            return Features{{x.begin(), x.begin() + N * H}, {x.begin() + N * H, x.end()}};
        };
        auto function = [&](const std::vector<double>& x) {
            Features features = unpack(x);
            update.forward(features, nullptr);
            return dot(features.s, weights.s) + dot(features.v, weights.v);
        };
        Update::Tape tape;
        Features features = unpack(x), adjoint = weights;
        update.forward(features, &tape);
        update.backward(tape, adjoint);
        std::vector<double> gradient = adjoint.s;
        gradient.insert(gradient.end(), adjoint.v.begin(), adjoint.v.end());
        EXPECT_LE(gradientFloor(function, x, gradient), 1e-9);
    }
}

/** The norm of a zero vector has no derivative in the student; ours is zero, so nothing is spoilt. */
TEST_P(Stages, UpdateOfZeroVectorsIsFinite) {
    const Update update(*parameters, 0);
    Features features = {randomArray(random, N * H), std::vector<double>(3 * N * H, 0.0)};
    Update::Tape tape;
    update.forward(features, &tape);
    Features adjoint = {randomArray(random, N * H), std::vector<double>(3 * N * H, 0.0)};
    update.backward(tape, adjoint);
    for (double x : adjoint.s)
        EXPECT_TRUE(std::isfinite(x));
    for (double x : adjoint.v)
        EXPECT_EQ(x, 0);
}

TEST_P(Stages, Readout) {
    const Readout readout(*parameters);
    const std::vector<double> s = randomArray(random, N * H);
    std::vector<double> energies, expected;
    Perceptron::Tape tape;
    Features adjoint;
    readout.forward({s, {}}, energies, &tape);
    readout.backward(N, tape, adjoint);
    for (int i = 0; i < N; i++)
        expected.push_back(PlainNetwork<double>::mlp(parameters->readout, {&s[i * H], &s[i * H] + H})[0]);
    EXPECT_TRUE(arraysAgree(expected, energies, 1e-13));
    auto function = [&](const std::vector<double>& s) {
        std::vector<double> energies;
        readout.forward({s, {}}, energies, nullptr);
        return total(energies);
    };
    EXPECT_LE(gradientFloor(function, s, adjoint.s), 1e-10);
    EXPECT_EQ(adjoint.v, std::vector<double>(3 * N * H, 0.0));
}

std::vector<RandomNetworkOptions> stageNetworks() {
    std::vector<RandomNetworkOptions> result(2);
    result[0].family = Family::Student;
    return result;
}

INSTANTIATE_TEST_SUITE_P(, Stages, ::testing::ValuesIn(stageNetworks()),
                         [](const auto& info) { return info.param.describe(); });

/** B1: the energy is a random function of all distances and directions. */
TEST(Geometry, ForcesFromTheAdjoints) {
    const Atoms atoms = moleculeWithGap(7, 4, 0.5, 0.03, 22);
    const NeighborList list = findNeighbors(atoms.positions, nullptr, 0.5);
    Random random(4);
    GeometryAdjoint adjoint(list);
    adjoint.d_adj = randomArray(random, list.d.size());
    adjoint.u_adj = randomArray(random, 3 * list.d.size());
    auto function = [&](const std::vector<double>& x) {
        const NeighborList moved = findNeighbors(x, nullptr, 0.5);
        double sum = dot(moved.d, adjoint.d_adj);
        for (int i = 0; i < moved.numAtoms(); i++)
            for (int e = moved.first[i]; e < moved.first[i + 1]; e++)
                for (int k = 0; k < 3 && moved.neighbor[e] > i; k++)
                    sum += moved.u[3 * e + k] * adjoint.u_adj[3 * moved.pair[e] + k];
        return sum;
    };
    std::vector<double> forces;
    computeForces(list, adjoint, forces);
    for (double& f : forces)
        f = -f;
    EXPECT_LE(gradientFloor(function, atoms.positions, forces), 1e-10);
}

} // namespace
