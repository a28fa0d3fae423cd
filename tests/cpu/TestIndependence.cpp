// SPDX-License-Identifier: MIT
// Nothing but a subsystem itself has an influence on its bits: neither companions (reliability row 9) nor threads (row
// 20).
#include "FastTest.h"
#include "LongTests.h"

using namespace PaiNNPlugin;

namespace {

class IndependenceTest : public ::testing::TestWithParam<RandomNetworkOptions> {};

// Row 9: no bit differs in 10,000 random batches of 1 to 64 molecules, the eight models together.
TEST_P(IndependenceTest, companionsChangeNoBit) {
    const auto network = FastNetwork::create(randomNetwork(GetParam()));
    std::vector<Atoms> molecules;
    std::vector<Result> alone;
    for (int size : {1, 2, 3, 5, 7, 8, 9, 12, 16, 17, 22, 41}) { // 41: with a neighbour list of its own
        molecules.push_back(randomMolecule(size, 4, size));      // all at about the same place
        alone.push_back(Batch(network, {molecules.back()}).evaluate());
    }
    Random random(1);
    for (int trial = 0; trial < repeats(1250, 12500); trial++) {
        std::vector<Atoms> chosen;
        std::vector<int> which;
        for (int n = 1 + random.integer(64); n > 0; n--) {
            which.push_back(random.integer(static_cast<int>(molecules.size())));
            chosen.push_back(molecules[which.back()]);
        }
        Batch batch(network, chosen, 1 + trial % 3);
        const bool someAbsent = trial % 2 == 0;
        for (char& a : batch.active)
            a = !someAbsent || random.integer(4) > 0;
        const Result all = batch.evaluate();
        for (size_t m = 0; m < which.size(); m++) {
            const Result part = batch.partOf(all, static_cast<int>(m));
            if (batch.active[m])
                ASSERT_TRUE(part == alone[which[m]]) << "trial " << trial << ", slot " << m;
            else
                ASSERT_TRUE(part.energies == std::vector<double>(part.energies.size(), 0.0) &&
                            part.forces == std::vector<double>(part.forces.size(), 0.0));
        }
    }
}

TEST_P(IndependenceTest, threadsChangeNoBit) {
    const auto network = FastNetwork::create(randomNetwork(GetParam()));
    const std::vector<Atoms> molecules = {randomMolecule(22, 4, 1), liquid(300, 0.22, 2), randomMolecule(3, 4, 3),
                                          randomMolecule(90, 4, 4)};
    FastEvaluatorOptions options;
    for (SimdLevel level : availableSimdLevels()) {
        options.level = level;
        Result expected;
        for (int numThreads : {1, 2, 7}) {
            Batch batch(network, molecules, numThreads, options);
            const Result found = batch.evaluate();
            if (numThreads == 1)
                expected = found;
            EXPECT_TRUE(found == expected) << nameOf(level) << ", " << numThreads << " threads";
            EXPECT_TRUE(batch.evaluate() == expected) << nameOf(level) << ", again with " << numThreads << " threads";
            std::vector<double> energies;
            batch.evaluator->evaluate(batch.positions, nullptr, batch.active, energies, nullptr);
            EXPECT_EQ(energies, expected.energies) << nameOf(level) << ", energies alone";
        }
    }
}

PAINN_FAST_MODELS(IndependenceTest);

} // namespace
