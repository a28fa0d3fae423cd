// SPDX-License-Identifier: MIT
// The whole network: energies against the equations written a second time, forces against derivatives of the energy.
#include "PlainNetwork.h"
#include "StepScan.h"

using namespace PaiNNPlugin;

namespace {

class AllNetworks : public ::testing::TestWithParam<RandomNetworkOptions> {};

TEST_P(AllNetworks, EnergyAgreesWithTheEquationsInLongDouble) {
    auto parameters = randomNetwork(GetParam());
    const Atoms atoms = randomMolecule(9, 4, 11);
    const long double expected =
        PlainNetwork<long double>(*parameters).energy(atoms.elements, {atoms.positions.begin(), atoms.positions.end()});
    const Evaluation found = evaluate(ExactNetwork(parameters), atoms);
    EXPECT_LE(std::fabs(static_cast<double>(expected - found.energy)), 1e-13 * std::fabs(expected));
}

TEST_P(AllNetworks, ForcesAgreeWithTheComplexStep) {
    using Complex = std::complex<double>;
    auto parameters = randomNetwork(GetParam());
    const PlainNetwork<Complex> plain(*parameters);
    const Atoms atoms = randomMolecule(7, 4, 12);
    std::vector<double> expected;
    for (size_t k = 0; k < atoms.positions.size(); k++) {
        std::vector<Complex> x(atoms.positions.begin(), atoms.positions.end());
        x[k] += Complex(0, 1e-30);
        expected.push_back(-plain.energy(atoms.elements, x).imag() / 1e-30);
    }
    EXPECT_TRUE(arraysAgree(expected, evaluate(ExactNetwork(parameters), atoms).forces, 1e-12));
}

TEST_P(AllNetworks, ForcesAreDifferencesOfTheEnergy) {
    const ExactNetwork network(randomNetwork(GetParam()));
    Atoms atoms = moleculeWithGap(6, 4, 0.5, 0.025, 13);
    std::vector<double> gradient = evaluate(network, atoms).forces;
    for (double& g : gradient)
        g = -g;
    auto energy = [&](const std::vector<double>& x) { return energyOf(network, {atoms.elements, x}); };
    EXPECT_LE(gradientFloor(energy, atoms.positions, gradient), 1e-9);
}

TEST_P(AllNetworks, EnergyDoesNotDependOnWhetherForcesAreAsked) {
    const ExactNetwork network(randomNetwork(GetParam()));
    const Atoms atoms = randomMolecule(9, 4, 14);
    std::vector<double> alone;
    network.evaluate(atoms.elements, atoms.positions, nullptr, alone, nullptr);
    EXPECT_EQ(alone, evaluate(network, atoms).atomEnergies);
}

INSTANTIATE_TEST_SUITE_P(, AllNetworks, ::testing::ValuesIn(allNetworks()),
                         [](const auto& info) { return info.param.describe(); });

class BothFamilies : public ::testing::TestWithParam<Family> {
protected:
    RandomNetworkOptions options(uint64_t seed) const {
        RandomNetworkOptions o;
        o.family = GetParam();
        o.seed = seed;
        return o;
    }
};

/** Reliability row 5. */
TEST_P(BothFamilies, FiftyFramesAgreeWithDifferences) {
    double worst = 0;
    for (int frame = 0; frame < 50; frame++) {
        const ExactNetwork network(randomNetwork(options(100 + frame)));
        const Atoms atoms = moleculeWithGap(6, 4, 0.5, 0.025, 200 + frame);
        std::vector<double> gradient = evaluate(network, atoms).forces;
        for (double& g : gradient)
            g = -g;
        auto energy = [&](const std::vector<double>& x) { return energyOf(network, {atoms.elements, x}); };
        worst = std::max(worst, gradientFloor(energy, atoms.positions, gradient));
    }
    RecordProperty("worst", std::to_string(worst));
    printf("largest floor of 50 frames: %.2e of RMS(F)\n", worst);
    EXPECT_LE(worst, 1e-9);
}

TEST_P(BothFamilies, HessianIsSymmetric) {
    const ExactNetwork network(randomNetwork(options(3)));
    const Atoms atoms = moleculeWithGap(9, 4, 0.5, 0.025, 31);
    const size_t size = atoms.positions.size();
    const double floor = stepScanFloor([&](double h) {
        std::vector<std::vector<double>> hessian;
        for (size_t k = 0; k < size; k++) {
            std::vector<double> row(size, 0.0);
            for (int step : {-2, -1, 1, 2}) {
                Atoms moved = atoms;
                moved.positions[k] += step * h;
                const std::vector<double> forces = evaluate(network, moved).forces;
                const double weight = (step > 0 ? -1 : 1) * (std::abs(step) == 1 ? 8 : -1) / (12 * h);
                for (size_t m = 0; m < size; m++)
                    row[m] += weight * forces[m];
            }
            hessian.push_back(row);
        }
        double difference = 0, sum = 0;
        for (size_t k = 0; k < size; k++)
            for (size_t m = 0; m < size; m++) {
                difference += std::pow(hessian[k][m] - hessian[m][k], 2);
                sum += std::pow(hessian[k][m] + hessian[m][k], 2);
            }
        return std::sqrt(difference / sum);
    });
    printf("antisymmetric part of the Hessian: %.2e\n", floor);
    EXPECT_LE(floor, 1e-9);
}

/** Work along a closed smooth path; the trapezoidal rule converges faster than any power there. */
TEST_P(BothFamilies, ClosedLoopNeedsNoWork) {
    const ExactNetwork network(randomNetwork(options(4)));
    const Atoms atoms = moleculeWithGap(9, 4, 0.5, 0.025, 41);
    Random random(5);
    std::vector<double> amplitude, phase;
    for (size_t k = 0; k < atoms.positions.size(); k++) {
        amplitude.push_back(random.uniform(-0.004, 0.004));
        phase.push_back(random.uniform(0, 6.28));
    }
    double work = 0, scale = 0;
    const int points = 128;
    for (int n = 0; n < points; n++) {
        const double t = 2 * 3.14159265358979323846 * n / points;
        Atoms moved = atoms;
        for (size_t k = 0; k < amplitude.size(); k++)
            moved.positions[k] += amplitude[k] * std::sin(t + phase[k]);
        const std::vector<double> forces = evaluate(network, moved).forces;
        for (size_t k = 0; k < amplitude.size(); k++) {
            const double part = forces[k] * amplitude[k] * std::cos(t + phase[k]) / points;
            work += part;
            scale += std::fabs(part);
        }
    }
    EXPECT_LE(std::fabs(work), 1e-12 * scale);
}

INSTANTIATE_TEST_SUITE_P(, BothFamilies, ::testing::Values(Family::Student, Family::Canonical),
                         [](const auto& info) { return info.param == Family::Student ? "Student" : "Canonical"; });

} // namespace
