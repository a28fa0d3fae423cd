// SPDX-License-Identifier: MIT
// Reliability rows 10 and 12: atoms that cross the cutoff, and bonds from 0.001 nm to the cutoff.
#include "PlainNetwork.h"
#include "StepScan.h"

using namespace PaiNNPlugin;

namespace {

const double CUTOFF = 0.5;

bool isSmooth(const RandomNetworkOptions& options) {
    return options.family == Family::Canonical || options.envelope;
}

/** One atom at distance d along x from another; with `third`, a further atom that both see. */
Atoms pairOfAtoms(double d, bool third, int element1 = 1, int element2 = 3) {
    Atoms atoms = {{element1, element2}, {0, 0, 0, d, 0, 0}};
    if (third) {
        atoms.elements.push_back(2);
        atoms.positions.insert(atoms.positions.end(), {0.27, 0.13, 0.08});
    }
    return atoms;
}

class AllNetworksSmoothness : public ::testing::TestWithParam<RandomNetworkOptions> {};

TEST_P(AllNetworksSmoothness, NothingJumpsAtTheCutoff) {
    const ExactNetwork network(randomNetwork(GetParam()));
    for (bool third : {false, true}) {
        const Evaluation inside = evaluate(network, pairOfAtoms(std::nextafter(CUTOFF, 0), third));
        const Evaluation at = evaluate(network, pairOfAtoms(CUTOFF, third));
        const Evaluation beyond = evaluate(network, pairOfAtoms(std::nextafter(CUTOFF, 1), third));
        EXPECT_LE(std::fabs(at.energy - beyond.energy), 1e-13 * std::fabs(at.energy));
        if (!third) {
            EXPECT_EQ(rms(at.forces), 0);
        }
        if (isSmooth(GetParam())) {
            EXPECT_LE(std::fabs(inside.energy - at.energy), 1e-12);
            const double scale = std::max(rms(evaluate(network, pairOfAtoms(0.2, third)).forces), rms(at.forces));
            for (size_t k = 0; k < at.forces.size(); k++)
                EXPECT_LE(std::fabs(inside.forces[k] - at.forces[k]), 1e-10 * scale);
        }
        else {
            EXPECT_GT(std::fabs(inside.energy - at.energy), 1e-3); // the filter's biases: what the user is warned of
        }
    }
}

/** Steps of 1e-6 nm: the energy follows the force on both sides and across. */
TEST_P(AllNetworksSmoothness, ScanAcrossTheCutoff) {
    const ExactNetwork network(randomNetwork(GetParam()));
    const double step = 1e-6;
    for (bool third : {false, true}) {
        Evaluation last = evaluate(network, pairOfAtoms(CUTOFF - 100.5 * step, third));
        for (int n = -99; n <= 100; n++) {
            const Evaluation now = evaluate(network, pairOfAtoms(CUTOFF + (n - 0.5) * step, third));
            if (n == 1 && !isSmooth(GetParam())) { // the energy of this network jumps here
                last = now;
                continue;
            }
            EXPECT_NEAR(now.energy - last.energy, -0.5 * step * (now.forces[3] + last.forces[3]), 1e-10);
            EXPECT_NEAR(now.forces[3], last.forces[3], 0.1); // 1e5 kJ/mol/nm^2 times the step
            last = now;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(, AllNetworksSmoothness, ::testing::ValuesIn(allNetworks()),
                         [](const auto& info) { return info.param.describe(); });

/**
 * Close to the cutoff E = E0 + A g(d) with the cutoff function g. The curvature jumps by A g''(cutoff): A (pi /
 * cutoff)^2 / 2 for the cosine, nothing for the polynomial. A comes from the same weights with the other cutoff
 * function.
 */
TEST(Smoothness, CurvatureAtTheCutoff) {
    for (uint64_t seed = 1; seed <= 5; seed++) {
        RandomNetworkOptions options;
        options.seed = seed;
        const ExactNetwork cosine(randomNetwork(options));
        options.cutoffFunction = {CutoffFunction::Type::Polynomial, 3};
        const ExactNetwork polynomial(randomNetwork(options));
        const double t = 1e-6; // (cutoff - d) / cutoff; the polynomial's slope there is -30 t^2 / cutoff
        const double A = evaluate(polynomial, pairOfAtoms(CUTOFF * (1 - t), false)).forces[3] / (30 * t * t / CUTOFF);
        auto curvature = [](const ExactNetwork& network, double distance) { // E' is 0 at the cutoff
            return evaluate(network, pairOfAtoms(CUTOFF - distance, false)).forces[3] / distance;
        };
        const double expected = 0.5 * std::pow(3.14159265358979323846 / CUTOFF, 2);
        EXPECT_NEAR(curvature(cosine, 1e-6) / A, expected, 0.01 * expected) << "seed " << seed;
        for (int p : {3, 6, 12}) {
            options.cutoffFunction.p = p;
            const ExactNetwork network(randomNetwork(options));
            EXPECT_LE(std::fabs(curvature(network, 1e-12) / A), 1e-6) << "p " << p;
        }
    }
}

/** Row 12: every force is finite and the derivative (complex step) of the energy, for all pairs of elements. */
TEST(Smoothness, BondScans) {
    for (int variant = 0; variant < 4; variant++) {
        RandomNetworkOptions options;
        options.family = variant % 2 ? Family::Student : Family::Canonical;
        options.basis = variant < 2 ? RadialBasis::Type::Gaussian : RadialBasis::Type::Bessel;
        options.repulsion = variant >= 2;
        options.numChannels = 8;
        options.numBlocks = 2;
        auto parameters = randomNetwork(options);
        const ExactNetwork network(parameters);
        const PlainNetwork<std::complex<double>> plain(*parameters);
        double worst = 0;
        for (int e1 = 0; e1 < 4; e1++)
            for (int e2 = e1; e2 < 4; e2++)
                for (int n = 10; n < 5000; n++) {
                    const double d = 1e-4 * n;
                    const Evaluation e = evaluate(network, pairOfAtoms(d, false, e1, e2));
                    ASSERT_TRUE(std::isfinite(e.energy) && std::isfinite(rms(e.forces)));
                    const double expected = -plain.energy({e1, e2}, {0, 0, 0, {d, 1e-30}, 0, 0}).imag() / 1e-30;
                    ASSERT_TRUE(std::isfinite(expected)); // std::max() would pass over NaN
                    worst = std::max(worst, std::fabs(e.forces[3] - expected) / std::max(1.0, std::fabs(expected)));
                }
        printf("%s: largest deviation of the force along a bond %.2e\n", options.describe().c_str(), worst);
        EXPECT_LE(worst, 1e-9);
    }
}

} // namespace
