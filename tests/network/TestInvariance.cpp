// SPDX-License-Identifier: MIT
// Reliability rows 7 and 8: rotations, reflections, translations, permutations, molecules far from each other.
#include "StepScan.h"

using namespace PaiNNPlugin;

namespace {

using Matrix = std::array<std::array<double, 3>, 3>;

/** A random rotation, or a reflection for `mirror`. */
Matrix randomRotation(Random& random, bool mirror) {
    const auto a = random.direction();
    std::array<double, 3> b = {0, 0, 0};
    double along = 1, length = 0;
    while (std::fabs(along) > 0.9) {
        b = random.direction();
        along = a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
    }
    for (int k = 0; k < 3; k++)
        b[k] -= along * a[k];
    length = std::sqrt(b[0] * b[0] + b[1] * b[1] + b[2] * b[2]);
    for (double& x : b)
        x /= length;
    const double sign = mirror ? -1 : 1;
    return {
        {a,
         b,
         {sign * (a[1] * b[2] - a[2] * b[1]), sign * (a[2] * b[0] - a[0] * b[2]), sign * (a[0] * b[1] - a[1] * b[0])}}};
}

std::vector<double> rotate(const Matrix& R, const std::vector<double>& x) {
    std::vector<double> y(x.size());
    for (size_t k = 0; k < x.size(); k++)
        for (int m = 0; m < 3; m++)
            y[k] += R[k % 3][m] * x[k - k % 3 + m];
    return y;
}

std::vector<RandomNetworkOptions> canonicalNetworks() {
    std::vector<RandomNetworkOptions> result;
    for (const RandomNetworkOptions& options : allNetworks())
        if (options.family == Family::Canonical && options.envelope.has_value() == options.repulsion)
            result.push_back(options);
    return result;
}

TEST(Invariance, RotationsAndReflectionsOfCanonicalNetworks) {
    Random random(1);
    double worstEnergy = 0, worstForce = 0;
    const auto networks = canonicalNetworks();
    for (int n = 0; n < 1000; n++) {
        RandomNetworkOptions options = networks[n % networks.size()];
        options.seed = n / networks.size();
        const ExactNetwork network(randomNetwork(options));
        const Atoms atoms = randomMolecule(9, 4, n);
        const Matrix R = randomRotation(random, n % 2);
        const Evaluation before = evaluate(network, atoms),
                         after = evaluate(network, {atoms.elements, rotate(R, atoms.positions)});
        ASSERT_TRUE(std::isfinite(after.energy)); // std::max() would pass over NaN
        worstEnergy = std::max(worstEnergy, std::fabs(after.energy - before.energy) / std::fabs(before.energy));
        const Difference d = difference(rotate(R, before.forces), after.forces);
        ASSERT_TRUE(d.finite);
        worstForce = std::max(worstForce, d.max);
    }
    printf("1,000 rotations and reflections: energy %.2e, force %.2e of RMS\n", worstEnergy, worstForce);
    EXPECT_LE(worstEnergy, 1e-12);
    EXPECT_LE(worstForce, 1e-11);
}

/** The student's energy does change: its mixing acts on x, y and z. If it did not, the mixing would be missing. */
TEST(Invariance, TheStudentIsNotInvariant) {
    RandomNetworkOptions options;
    options.family = Family::Student;
    const ExactNetwork network(randomNetwork(options));
    const Atoms atoms = randomMolecule(9, 4, 1);
    Random random(2);
    const Matrix R = randomRotation(random, false);
    const double change = energyOf(network, {atoms.elements, rotate(R, atoms.positions)}) - energyOf(network, atoms);
    printf("the student's energy changes by %.2e kJ/mol\n", change);
    EXPECT_GT(std::fabs(change), 1e-3);
}

/**
 * To 1,000 nm. Positions that are multiples of 2^-40 nm can be moved by such multiples without rounding: the same bits
 * must come out. Any other translation rounds the positions themselves to 1e-13 nm; that times a curvature of 1e5
 * kJ/mol/nm^2 is 1e-8 kJ/mol/nm, 1e-11 of a typical force, and some times more where the curvature is high.
 */
TEST(Invariance, Translations) {
    Random random(3);
    for (Family family : {Family::Student, Family::Canonical})
        for (int n = 0; n < 500; n++) {
            RandomNetworkOptions options;
            options.family = family;
            options.seed = n % 10;
            const ExactNetwork network(randomNetwork(options));
            Atoms atoms = randomMolecule(9, 4, n), moved, movedRounded;
            for (double& x : atoms.positions)
                x = std::round(x * 0x1p40) * 0x1p-40;
            moved = movedRounded = atoms;
            for (int k = 0; k < 3; k++) {
                const double shift = random.uniform(-1000, 1000), exact = std::round(shift * 0x1p40) * 0x1p-40;
                for (int i = 0; i < atoms.size(); i++) {
                    moved.positions[3 * i + k] += exact;
                    movedRounded.positions[3 * i + k] += shift + 0.1;
                }
            }
            const Evaluation before = evaluate(network, atoms), after = evaluate(network, moved);
            EXPECT_EQ(before.atomEnergies, after.atomEnergies);
            EXPECT_EQ(before.forces, after.forces);
            const Evaluation rounded = evaluate(network, movedRounded);
            EXPECT_LE(std::fabs(rounded.energy - before.energy), 1e-10 * std::fabs(before.energy));
            EXPECT_TRUE(arraysAgree(before.forces, rounded.forces, 1e-9));
        }
}

TEST(Invariance, WholeBoxVectors) {
    const Box box = {{{1.5, 0, 0}, {0.5, 1.25, 0}, {-0.5, 0.25, 1.125}}}; // multiples of 2^-40 nm, as the positions
    Random random(4);
    for (int n = 0; n < 100; n++) {
        RandomNetworkOptions options;
        options.family = n % 2 ? Family::Student : Family::Canonical;
        const ExactNetwork network(randomNetwork(options));
        Atoms atoms;
        for (int i = 0; i < 20; i++)
            atoms.elements.push_back(random.integer(4));
        for (int k = 0; k < 60; k++)
            atoms.positions.push_back(std::round(random.uniform(-1, 2) * 0x1p40) * 0x1p-40);
        Atoms moved = atoms;
        for (int i = 0; i < 20; i++)
            for (int vector = 0; vector < 3; vector++) {
                const int times = random.integer(21) - 10;
                for (int k = 0; k < 3; k++)
                    moved.positions[3 * i + k] += times * box[vector][k];
            }
        const Evaluation before = evaluate(network, atoms, &box), after = evaluate(network, moved, &box);
        EXPECT_EQ(before.atomEnergies, after.atomEnergies);
        EXPECT_EQ(before.forces, after.forces);
    }
}

TEST(Invariance, NetForceAndTorqueVanish) {
    const auto networks = canonicalNetworks();
    for (int n = 0; n < 100; n++) {
        const ExactNetwork network(randomNetwork(networks[n % networks.size()]));
        const Atoms atoms = randomMolecule(12, 4, n);
        const Evaluation e = evaluate(network, atoms);
        double force[3] = {0, 0, 0}, torque[3] = {0, 0, 0};
        for (int i = 0; i < 12; i++)
            for (int k = 0; k < 3; k++) {
                const int a = (k + 1) % 3, b = (k + 2) % 3;
                force[k] += e.forces[3 * i + k];
                torque[k] +=
                    atoms.positions[3 * i + a] * e.forces[3 * i + b] - atoms.positions[3 * i + b] * e.forces[3 * i + a];
            }
        for (int k = 0; k < 3; k++) {
            EXPECT_NEAR(force[k], 0, 1e-12 * rms(e.forces));
            EXPECT_NEAR(torque[k], 0, 1e-12 * rms(e.forces));
        }
    }
}

TEST(Invariance, Permutations) {
    Random random(5);
    double worstEnergy = 0, worstForce = 0;
    for (int n = 0; n < 200; n++) {
        RandomNetworkOptions options;
        options.family = n % 2 ? Family::Student : Family::Canonical;
        options.seed = n;
        const ExactNetwork network(randomNetwork(options));
        const Atoms atoms = randomMolecule(12, 4, n);
        std::vector<int> order(12);
        std::iota(order.begin(), order.end(), 0);
        for (int k = 11; k > 0; k--)
            std::swap(order[k], order[random.integer(k + 1)]);
        const Evaluation before = evaluate(network, atoms);
        Atoms permuted;
        std::vector<double> forces;
        for (int i : order) {
            permuted.elements.push_back(atoms.elements[i]);
            for (int k = 0; k < 3; k++) {
                permuted.positions.push_back(atoms.positions[3 * i + k]);
                forces.push_back(before.forces[3 * i + k]);
            }
        }
        const Evaluation after = evaluate(network, permuted);
        ASSERT_TRUE(std::isfinite(after.energy)); // std::max() would pass over NaN
        worstEnergy = std::max(worstEnergy, std::fabs(after.energy - before.energy) / std::fabs(before.energy));
        const Difference d = difference(forces, after.forces);
        ASSERT_TRUE(d.finite);
        worstForce = std::max(worstForce, d.max);
    }
    printf("permutations: energy %.2e, force %.2e of RMS\n", worstEnergy, worstForce);
    EXPECT_LE(worstEnergy, 1e-13);
    EXPECT_LE(worstForce, 1e-13);
}

/** An atom's result is the same bits whatever other molecules there are, even with their atoms between its own. */
TEST(Invariance, OtherMoleculesDoNotMatter) {
    Random random(6);
    for (int n = 0; n < 200; n++) {
        RandomNetworkOptions options;
        options.family = n % 2 ? Family::Student : Family::Canonical;
        options.repulsion = n % 4 < 2;
        const ExactNetwork network(randomNetwork(options));
        Atoms parts[2] = {randomMolecule(7, 4, n), randomMolecule(10, 4, n + 1000)}, both;
        for (double& x : parts[1].positions)
            x += 8;
        int next[2] = {0, 0};
        std::vector<int> owner;
        while (both.size() < 17) {
            const int part = random.integer(2);
            if (next[part] == parts[part].size())
                continue;
            const int i = next[part]++;
            owner.push_back(part);
            both.elements.push_back(parts[part].elements[i]);
            for (int k = 0; k < 3; k++)
                both.positions.push_back(parts[part].positions[3 * i + k]);
        }
        const Evaluation together = evaluate(network, both),
                         alone[2] = {evaluate(network, parts[0]), evaluate(network, parts[1])};
        EXPECT_NEAR(together.energy, alone[0].energy + alone[1].energy, 1e-13 * (rms(together.atomEnergies) * 17));
        next[0] = next[1] = 0;
        for (int m = 0; m < 17; m++) {
            const int i = next[owner[m]]++;
            EXPECT_EQ(together.atomEnergies[m], alone[owner[m]].atomEnergies[i]);
            for (int k = 0; k < 3; k++)
                EXPECT_EQ(together.forces[3 * m + k], alone[owner[m]].forces[3 * i + k]);
        }
    }
}

} // namespace
