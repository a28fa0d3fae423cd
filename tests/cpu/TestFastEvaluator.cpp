// SPDX-License-Identifier: MIT
// The fast evaluator against the exact network (reliability row 2), its derivative, and what it refuses.
#include "FastTest.h"

using namespace PaiNNPlugin;

namespace {

const Box CUBIC = {{{1.3, 0, 0}, {0, 1.2, 0}, {0, 0, 1.25}}};
const Box TRICLINIC = {{{1.4, 0, 0}, {0.5, 1.3, 0}, {-0.4, 0.3, 1.2}}};

struct LevelCase {
    SimdLevel level;
    RandomNetworkOptions model;
};

class FastModelTest : public ::testing::TestWithParam<LevelCase> {
protected:
    void SetUp() override {
        const auto available = availableSimdLevels();
        if (std::find(available.begin(), available.end(), GetParam().level) == available.end())
            GTEST_SKIP() << "this processor has no " << nameOf(GetParam().level);
        options.level = GetParam().level;
    }
    FastEvaluatorOptions options;
};

std::vector<LevelCase> cases() {
    std::vector<LevelCase> result;
    for (SimdLevel level : {SimdLevel::Portable, SimdLevel::AVX2, SimdLevel::AVX512})
        for (const RandomNetworkOptions& model : fastModels())
            result.push_back({level, model});
    return result;
}

TEST_P(FastModelTest, agreesWithExactNetwork) {
    for (const Box* box : std::vector<const Box*>{nullptr, &CUBIC, &TRICLINIC})
        for (int size : {1, 2, 3, 8, 22, 60, 64}) {
            std::vector<Atoms> systems; // fewer atoms, more systems: a median of 100 forces or more
            for (uint64_t seed = 1; seed <= 1 + 60u / size; seed++)
                systems.push_back(size == 64 ? liquid(size, 0.3, seed) : randomMolecule(size, 4, seed));
            const auto parameters = trainedLikeNetwork(GetParam().model, systems, box);
            const auto network = FastNetwork::create(parameters);
            Agreement agreement(std::to_string(size) + " atoms");
            for (const Atoms& atoms : systems)
                agreement.add(evaluateExactly(parameters, atoms, box),
                              Batch(network, {atoms}, size < 60 ? 1 : 3, options).evaluate(box), // 3: with borders
                              size == 2 ? forceScaleOfPair(parameters, atoms, box) : 0);
            agreement.check();
        }
}

// Features of every size, up to those that single precision cannot hold: what is finite is right.
TEST_P(FastModelTest, hugeFeaturesAreRightOrRefused) {
    const Atoms atoms = randomMolecule(6, 4, 1);
    int right = 0, refused = 0;
    for (bool ofReadout : {false, true})
        for (int exponent = 0; exponent <= 38; exponent += 2) {
            const auto parameters = randomNetwork(GetParam().model);
            parameters->repulsion.reset();
            parameters->atomReferences.assign(4, 0.0);
            for (double& x : ofReadout ? parameters->readout.back().weight : parameters->embedding)
                x = static_cast<float>(x * std::pow(10.0, exponent));
            const Result exact = evaluateExactly(parameters, atoms, nullptr);
            const Result fast = Batch(FastNetwork::create(parameters), {atoms}, 1, options).evaluate();
            const Difference energies = difference(exact.energies, fast.energies),
                             forces = difference(exact.forces, fast.forces);
            if (!energies.finite || !forces.finite) {
                refused++;
                continue;
            }
            right++;
            EXPECT_LE(energies.max, 1e-4) << "1e" << exponent;
            if (forces.rms > 1e-20) { // smaller ones are lost among adjoints that underflow
                EXPECT_LE(forces.max, 1e-4) << "1e" << exponent;
            }
        }
    EXPECT_GE(right, 20);
    EXPECT_TRUE(refused >= 1 || GetParam().model.numChannels == 1); // the only channel just fits
}

INSTANTIATE_TEST_SUITE_P(Levels, FastModelTest, ::testing::ValuesIn(cases()), [](const auto& info) {
    return nameOf(info.param.level) + info.param.model.describe() + "H" + std::to_string(info.param.model.numChannels);
});

TEST(FastEvaluatorTest, publishedSize) {
    std::vector<Atoms> systems;
    for (uint64_t seed : {1, 2, 3})
        systems.push_back(randomMolecule(22, 4, seed));
    for (Family family : {Family::Student, Family::Canonical}) {
        RandomNetworkOptions model;
        model.family = family;
        model.numChannels = 128;
        model.numBasis = 20;
        const auto parameters = trainedLikeNetwork(model, systems);
        const auto network = FastNetwork::create(parameters);
        for (SimdLevel level : availableSimdLevels()) {
            FastEvaluatorOptions options;
            options.level = level;
            Agreement agreement(model.describe() + nameOf(level));
            for (const Atoms& atoms : systems)
                agreement.add(evaluateExactly(parameters, atoms, nullptr),
                              Batch(network, {atoms}, 1, options).evaluate());
            agreement.check();
        }
    }
}

TEST(FastEvaluatorTest, thousandAtomsWithLargeReferences) {
    for (Family family : {Family::Student, Family::Canonical}) {
        RandomNetworkOptions options;
        options.family = family;
        options.numChannels = 32;
        options.references = true;
        const Atoms atoms = liquid(1000, 0.22, 11);
        const auto parameters = trainedLikeNetwork(options, {atoms});
        Agreement agreement(options.describe());
        agreement.add(evaluateExactly(parameters, atoms, nullptr),
                      Batch(FastNetwork::create(parameters), {atoms}, 2).evaluate());
        agreement.check();
    }
}

TEST(FastEvaluatorTest, forcesAreTheDerivative) {
    RandomNetworkOptions options;
    options.repulsion = true;
    for (Family family : {Family::Student, Family::Canonical}) {
        options.family = family;
        Batch batch(FastNetwork::create(randomNetwork(options)), {randomMolecule(12, 4, 2)});
        const std::vector<double> start = batch.positions;
        const Result result = batch.evaluate();
        double power = 0;
        for (double f : result.forces)
            power += f * f;
        const double length = std::sqrt(power), step = 2e-5;
        double energy[2];
        for (int side = 0; side < 2; side++) {
            for (size_t k = 0; k < start.size(); k++)
                batch.positions[k] = start[k] + (side == 0 ? -step : step) * result.forces[k] / length;
            energy[side] = 0;
            for (double e : batch.evaluate().energies)
                energy[side] += e;
        }
        EXPECT_NEAR((energy[0] - energy[1]) / (2 * step), length, 1e-4 * length) << options.describe();
    }
}

TEST(FastEvaluatorTest, namesAtomsAtTheSamePlace) {
    const auto network = FastNetwork::create(randomNetwork({}));
    for (int size : {10, 100}) {
        Batch batch(network, {randomMolecule(5, 4, 1), liquid(size, 0.25, 2)}, 2);
        batch.evaluate();
        std::copy(&batch.positions[3 * 8], &batch.positions[3 * 9], &batch.positions[3 * 13]);
        for (int turn = 0; turn < 2; turn++)
            try {
                batch.evaluate();
                ADD_FAILURE() << "no exception";
            }
            catch (const CoincidentAtoms& e) {
                EXPECT_EQ(e.atom1, 8);
                EXPECT_EQ(e.atom2, 13);
            }
        batch.active[1] = 0; // nobody looks at them
        batch.evaluate();
        batch.active[1] = 1;
        batch.positions[3 * 13] += 0.1;
        batch.evaluate();
    }
}

TEST(FastEvaluatorTest, takesNewElements) {
    const auto network = FastNetwork::create(randomNetwork({}));
    Atoms atoms = randomMolecule(20, 4, 1);
    Batch batch(network, {atoms});
    const Result before = batch.evaluate();
    for (int& e : atoms.elements)
        e = (e + 1) % 4;
    batch.evaluator->setElements(atoms.elements);
    const Result after = batch.evaluate();
    EXPECT_FALSE(before == after);
    EXPECT_TRUE(after == Batch(network, {atoms}).evaluate());
}

/**
 * Three atoms in a line, the two outer ones alike. A student's norm |V| has no epsilon, so that where V is 0 it has a
 * kink: the energy is continuous there, the force is not. In the first block the middle atom's V cancels exactly and
 * the derivative is taken as 0. In later blocks V is what rounding left of two sums that cancel, so its direction, and
 * with it the share of the force that comes through |V|, is that of the rounding errors, in double precision too: two
 * right answers differ there by as much as the force jumps. So at the place itself the energy is judged, that the force
 * is finite, and that all forces add up to nothing; with one block also that none points out of the line (with more
 * they do: a student's mixing turns vectors). V grows from there to its usual size within about 0.05 nm, and its
 * rounding errors are a few 1e-7 of that: 0.01 nm beside the place they are some 1e-6 of V, which leaves room in the
 * 3e-5 of row 2.
 */
TEST(FastEvaluatorTest, symmetricPlace) {
    RandomNetworkOptions options;
    options.family = Family::Student;
    for (int numBlocks : {1, 3})
        for (uint64_t seed = 1; seed <= 10; seed++) {
            options.numBlocks = numBlocks;
            options.seed = seed;
            Atoms line;
            line.elements = {1, 1, 1};
            line.positions = {-0.125, 0, 0, 0, 0, 0, 0.125, 0, 0};
            const auto parameters = trainedLikeNetwork(options, {line});
            const auto network = FastNetwork::create(parameters);
            const Result exact = evaluateExactly(parameters, line, nullptr), fast = Batch(network, {line}).evaluate();
            double error = 0, sum[3] = {}, size = 0;
            for (int i = 0; i < 3; i++) {
                error += (fast.energies[i] - exact.energies[i]) / 3;
                for (int k = 0; k < 3; k++) {
                    ASSERT_TRUE(std::isfinite(fast.forces[3 * i + k]));
                    sum[k] += fast.forces[3 * i + k];
                    size = std::max(size, std::fabs(fast.forces[3 * i + k]));
                    if (k > 0 && numBlocks == 1) {
                        EXPECT_EQ(fast.forces[3 * i + k], 0.0) << "out of the line";
                    }
                }
            }
            EXPECT_LE(std::fabs(error), 2e-5);
            for (int k = 0; k < 3; k++)
                EXPECT_LE(std::fabs(sum[k]), 1e-14 * size);
            Agreement agreement("beside the middle of a line");
            if (numBlocks == 1)
                agreement.add(exact, fast);
            for (double shift : {-0.02, -0.01, 0.01, 0.02})
                for (int axis = 0; axis < 3; axis++) {
                    Atoms moved = line;
                    moved.positions[3 + axis] += shift;
                    agreement.add(evaluateExactly(parameters, moved, nullptr), Batch(network, {moved}).evaluate());
                }
            agreement.check();
        }
}

#if defined(__x86_64__)
TEST(FastEvaluatorTest, leavesTheControlRegister) {
    Batch batch(FastNetwork::create(randomNetwork({})), {randomMolecule(20, 4, 1)});
    const unsigned before = __builtin_ia32_stmxcsr();
    batch.evaluate();
    EXPECT_EQ(__builtin_ia32_stmxcsr() & ~0x3fu, before & ~0x3fu); // the lowest bits only say what has happened
}
#endif

} // namespace
