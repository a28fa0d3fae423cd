// SPDX-License-Identifier: MIT
#include "StepScan.h"
#include <thread>

using namespace PaiNNPlugin;

namespace {

class EdgeCases : public ::testing::TestWithParam<Family> {
protected:
    RandomNetworkOptions options() const {
        RandomNetworkOptions o;
        o.family = GetParam();
        return o;
    }
    ExactNetwork network{randomNetwork(options())};
};

TEST_P(EdgeCases, NoAtoms) {
    const Evaluation e = evaluate(network, {});
    EXPECT_TRUE(e.atomEnergies.empty());
    EXPECT_TRUE(e.forces.empty());
}

TEST_P(EdgeCases, OneAtomHasItsOwnEnergyAndNoForce) {
    for (int element = 0; element < 4; element++) {
        const Evaluation here = evaluate(network, {{element}, {0, 0, 0}});
        const Evaluation there = evaluate(network, {{element}, {1e5, -1e7, 3}});
        EXPECT_TRUE(std::isfinite(here.energy));
        EXPECT_EQ(here.energy, there.energy);
        EXPECT_EQ(there.forces, std::vector<double>(3, 0.0));
    }
}

TEST_P(EdgeCases, AnAtomThatFliesAway) {
    const Atoms molecule = randomMolecule(8, 4, 1);
    const Evaluation before = evaluate(network, molecule);
    for (double far : {1e1, 1e5, 1e7, 1e300}) {
        Atoms atoms = molecule;
        atoms.elements.push_back(2);
        atoms.positions.insert(atoms.positions.end(), {far, 0, -far});
        const Evaluation e = evaluate(network, atoms);
        EXPECT_EQ(e.atomEnergies.back(), energyOf(network, {{2}, {0, 0, 0}}));
        EXPECT_TRUE(std::equal(before.forces.begin(), before.forces.end(), e.forces.begin()));
        for (int k = 24; k < 27; k++)
            EXPECT_EQ(e.forces[k], 0);
    }
}

TEST_P(EdgeCases, CoincidentAtomsThrow) {
    std::vector<double> energies, forces;
    EXPECT_THROW(network.evaluate({0, 1, 2}, {0, 0, 0, 0.1, 0, 0, 0, 0, 0}, nullptr, energies, &forces),
                 CoincidentAtoms);
    EXPECT_THROW(network.evaluate({0, 1}, {1, 1, 1, 1, 1, 1}, nullptr, energies, nullptr), CoincidentAtoms);
}

/** The energy of two atoms tends to a limit; with repulsion it grows as 1/d until it overflows, never to a finite wrong
 * value. */
TEST_P(EdgeCases, TinyDistances) {
    RandomNetworkOptions repelled = options();
    repelled.repulsion = true;
    const ExactNetwork repulsive(randomNetwork(repelled));
    const double limit = energyOf(network, {{1, 2}, {0, 0, 0, 1e-16, 0, 0}}); // far below F4's epsilon
    for (double d : {1e-18, 1e-19, 1e-38, 1e-100, 1e-160, 1e-250}) {
        const Evaluation e = evaluate(network, {{1, 2}, {0, 0, 0, d, 0, 0}});
        EXPECT_NEAR(e.energy, limit, 1e-5 * std::fabs(limit));
        const Evaluation r = evaluate(repulsive, {{1, 2}, {0, 0, 0, d, 0, 0}});
        const double expected = 138.9354576 * 6 * 7 / d; // carbon and nitrogen, no screening left
        EXPECT_NEAR(r.energy / expected, 1, 1e-3);
        if (d < 1e-155) {
            EXPECT_FALSE(std::isfinite(r.forces[3]));
        }
        else {
            EXPECT_NEAR(r.forces[3] / (expected / d), 1, 1e-3);
        }
    }
}

/** Symmetric sites: the vectors cancel. Linear and centrosymmetric molecules, and a tetrahedron as in methane. */
TEST_P(EdgeCases, SymmetricMolecules) {
    const double a = 0.063;
    const std::vector<Atoms> molecules = {{{3, 1, 3}, {-0.116, 0, 0, 0, 0, 0, 0.116, 0, 0}},
                                          {{1, 0, 0, 0, 0}, {0, 0, 0, a, a, a, -a, -a, a, -a, a, -a, a, -a, -a}}};
    for (const Atoms& atoms : molecules) {
        const Evaluation e = evaluate(network, atoms);
        EXPECT_TRUE(std::isfinite(e.energy));
        for (double f : e.forces)
            EXPECT_TRUE(std::isfinite(f));
        if (GetParam() == Family::Canonical) {
            const int center = atoms.size() == 3 ? 1 : 0;
            for (int k = 0; k < 3; k++)
                EXPECT_NEAR(e.forces[3 * center + k], 0, 1e-10 * rms(e.forces));
        }
    }
}

/** The last mixing matrix of a student is no part of the model: whatever is there is not read. */
TEST_P(EdgeCases, LastMixingIsUnused) {
    auto parameters = randomNetwork(options());
    parameters->blocks.back().mixing.fill(std::numeric_limits<double>::quiet_NaN());
    const Atoms atoms = randomMolecule(8, 4, 2);
    const Evaluation e = evaluate(network, atoms), again = evaluate(ExactNetwork(parameters), atoms);
    EXPECT_EQ(e.energy, again.energy);
    EXPECT_EQ(e.forces, again.forces);
}

TEST_P(EdgeCases, ReferencesAreAddedLast) {
    RandomNetworkOptions o = options();
    o.references = true;
    auto parameters = randomNetwork(o);
    const Evaluation with = evaluate(ExactNetwork(parameters), randomMolecule(8, 4, 3));
    std::vector<double> references = parameters->atomReferences;
    parameters->atomReferences.assign(4, 0.0);
    const Evaluation without = evaluate(ExactNetwork(parameters), randomMolecule(8, 4, 3));
    EXPECT_EQ(with.forces, without.forces);
    const Atoms atoms = randomMolecule(8, 4, 3);
    for (int i = 0; i < 8; i++)
        EXPECT_EQ(with.atomEnergies[i], without.atomEnergies[i] + references[atoms.elements[i]]);
}

/** A box that holds the molecule with room to spare changes nothing but rounding; a molecule across the border is
 * whole. */
TEST_P(EdgeCases, BoxAndNoBoxAgree) {
    const Atoms atoms = randomMolecule(12, 4, 4);
    const Box box = {{{6, 0, 0}, {1, 5, 0}, {-2, 1, 7}}};
    const Evaluation free = evaluate(network, atoms), boxed = evaluate(network, atoms, &box);
    EXPECT_EQ(free.atomEnergies, boxed.atomEnergies);
    EXPECT_EQ(free.forces, boxed.forces);
    Atoms torn = atoms;
    for (int i = 0; i < 12; i += 2)
        for (int k = 0; k < 3; k++)
            torn.positions[3 * i + k] += box[1][k] - 3 * box[2][k];
    EXPECT_TRUE(arraysAgree(free.forces, evaluate(network, torn, &box).forces, 1e-11));
}

TEST_P(EdgeCases, ThreadsShareOneNetwork) {
    const Atoms atoms = randomMolecule(12, 4, 5);
    const Evaluation expected = evaluate(network, atoms);
    std::vector<int> wrong(4, 0);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; t++)
        threads.emplace_back([&, t] {
            for (int n = 0; n < 50; n++)
                wrong[t] += evaluate(network, atoms).forces != expected.forces;
        });
    for (std::thread& thread : threads)
        thread.join();
    EXPECT_EQ(wrong, std::vector<int>(4, 0));
}

/** Sizes that no loop is made for: one channel, one block, one basis function, one element. */
TEST_P(EdgeCases, SmallestNetwork) {
    for (int H : {1, 2, 3, 5, 9}) {
        RandomNetworkOptions o = options();
        o.numChannels = H;
        o.numBlocks = o.numBasis = 1;
        o.atomicNumbers = {118};
        const ExactNetwork tiny(randomNetwork(o));
        const Atoms atoms = moleculeWithGap(5, 1, 0.5, 0.03, 6);
        std::vector<double> gradient = evaluate(tiny, atoms).forces;
        for (double& g : gradient)
            g = -g;
        auto energy = [&](const std::vector<double>& x) { return energyOf(tiny, {atoms.elements, x}); };
        EXPECT_LE(gradientFloor(energy, atoms.positions, gradient), 1e-9);
    }
}

INSTANTIATE_TEST_SUITE_P(, EdgeCases, ::testing::Values(Family::Student, Family::Canonical),
                         [](const auto& info) { return info.param == Family::Student ? "Student" : "Canonical"; });

} // namespace
