// SPDX-License-Identifier: MIT
// Functions of one distance: cutoff functions, bases, filters, repulsion, and their derivatives.
#include "Cutoff.h"
#include "PlainNetwork.h"
#include "RadialBasis.h"
#include "RadialFilter.h"
#include "StepScan.h"
#include "ZBLRepulsion.h"

using namespace PaiNNPlugin;

namespace {

using Complex = std::complex<double>;
const double STEP = 1e-30; // of the complex step

TEST(Cutoff, CosineAgreesWithLongDouble) {
    const long double pi = std::acos(-1.0L), rc = 0.52;
    for (int k = 0; k <= 1000; k++) {
        const double d = 0.52 * k / 1000;
        const long double a = pi / rc * d;
        const CutoffValue g = evaluateCutoff({CutoffFunction::Type::Cosine, 3}, 0.52, d);
        EXPECT_NEAR(g.value, (std::cos(a) + 1) / 2, 1e-15);
        EXPECT_NEAR(g.first, -std::sin(a) * pi / rc / 2, 1e-14);
        EXPECT_NEAR(g.second, -std::cos(a) * pi * pi / rc / rc / 2, 1e-12);
    }
}

TEST(Cutoff, PolynomialAgreesWithLongDouble) {
    for (int p = 2; p <= 12; p++)
        for (int k = 0; k <= 1000; k++) {
            const double d = 0.52 * k / 1000;
            const long double t = d / 0.52L, rc = 0.52;
            const long double a = (p + 1) * (p + 2) / 2, b = p * (p + 2), c = p * (p + 1) / 2;
            const CutoffValue g = evaluateCutoff({CutoffFunction::Type::Polynomial, p}, 0.52, d);
            EXPECT_NEAR(g.value, 1 - a * std::pow(t, p) + b * std::pow(t, p + 1) - c * std::pow(t, p + 2), 1e-14);
            EXPECT_NEAR(
                g.first,
                (-a * p * std::pow(t, p - 1) + b * (p + 1) * std::pow(t, p) - c * (p + 2) * std::pow(t, p + 1)) / rc,
                1e-12);
            EXPECT_NEAR(g.second,
                        (-a * p * (p - 1) * std::pow(t, p - 2) + b * (p + 1) * p * std::pow(t, p - 1) -
                         c * (p + 2) * (p + 1) * std::pow(t, p)) /
                            rc / rc,
                        1e-10);
        }
}

TEST(Cutoff, EndsAreExact) {
    for (int p = 1; p <= 12; p++) {
        const CutoffFunction f = {p == 1 ? CutoffFunction::Type::Cosine : CutoffFunction::Type::Polynomial, p};
        EXPECT_EQ(evaluateCutoff(f, 0.5, 0).value, 1);
        EXPECT_NEAR(evaluateCutoff(f, 0.5, 0).first, 0, 1e-14);
        EXPECT_EQ(evaluateCutoff(f, 0.5, 0.5).value, 0);
        EXPECT_EQ(evaluateCutoff(f, 0.5, 0.5).first, 0);
        const CutoffValue beyond = evaluateCutoff(f, 0.5, std::nextafter(0.5, 1));
        EXPECT_EQ(std::fabs(beyond.value) + std::fabs(beyond.first) + std::fabs(beyond.second), 0);
    }
}

/** Near the cutoff the relative error counts too: there the energy of a pair vanishes like the function. */
TEST(Cutoff, NearTheEndTheRelativeErrorIsSmall) {
    for (double rest : {1e-3, 1e-5, 1e-7}) {
        const double d = 0.5 * (1 - rest), t = (0.5 - d) / 0.5;
        const CutoffValue cosine = evaluateCutoff({CutoffFunction::Type::Cosine, 3}, 0.5, d);
        EXPECT_NEAR(cosine.value / std::pow(1.5707963267948966 * t, 2), 1, t * t + 1e-14);
        const CutoffValue polynomial = evaluateCutoff({CutoffFunction::Type::Polynomial, 3}, 0.5, d);
        EXPECT_NEAR(polynomial.value / (10 * t * t * t), 1, 2 * t);
    }
}

TEST(Basis, ValueAndDerivativeAgreeWithTheComplexStep) {
    for (RadialBasis::Type type : {RadialBasis::Type::Gaussian, RadialBasis::Type::Bessel}) {
        RandomNetworkOptions options;
        options.basis = type;
        options.numBasis = 20;
        const RadialBasis basis = randomNetwork(options)->basis;
        for (double d = 1e-3; d < 0.5; d += 1e-3) {
            std::vector<double> phi(20), dphi(20), expected, derivative;
            evaluateBasis(basis, d, phi.data(), dphi.data());
            for (const Complex& z : PlainNetwork<Complex>::basis(basis, {d, STEP})) {
                expected.push_back(z.real());
                derivative.push_back(z.imag() / STEP);
            }
            EXPECT_TRUE(arraysAgree(expected, phi, 1e-14));
            EXPECT_TRUE(arraysAgree(derivative, dphi, 1e-11));
        }
    }
}

/** sin(f d)/d = f (1 - x^2/6 + x^4/120), x = f d; its derivative f^2 (-x/3 + x^3/30 - x^5/840). */
TEST(Basis, BesselIsAccurateAtTinyDistances) {
    RadialBasis basis;
    basis.type = RadialBasis::Type::Bessel;
    basis.frequencies = {6.0, 60.0};
    basis.scale = 0.1;
    for (double d : {0.0, 1e-300, 1e-160, 1e-30, 1e-10, 1e-6, 1e-4}) {
        double phi[2], dphi[2];
        evaluateBasis(basis, d, phi, dphi);
        for (int k = 0; k < 2; k++) {
            const double f = basis.frequencies[k], x = f * d;
            EXPECT_NEAR(phi[k], 0.1 * f * (1 - x * x / 6 + x * x * x * x / 120), 1e-14 * f);
            EXPECT_NEAR(dphi[k], 0.1 * f * f * (-x / 3 + x * x * x / 30 - std::pow(x, 5) / 840), 1e-13 * f * f * x);
        }
    }
}

class AllFilters : public ::testing::TestWithParam<RandomNetworkOptions> {};

TEST_P(AllFilters, ValueAndDerivativeAgreeWithTheComplexStep) {
    auto parameters = randomNetwork(GetParam());
    const PlainNetwork<Complex> plain(*parameters);
    const PlainNetwork<long double> precise(*parameters);
    for (int block = 0; block < 3; block++) {
        const RadialFilter filter(*parameters, block);
        const size_t width = filter.getWidth();
        ASSERT_EQ(width, 48u);
        std::vector<double> d, expected, derivative;
        for (double x = 0.003; x < 0.5; x += 0.0049) {
            d.push_back(x);
            for (const Complex& z : plain.filter(block, {x, STEP}))
                derivative.push_back(z.imag() / STEP);
            for (long double value : precise.filter(block, x))
                expected.push_back(static_cast<double>(value));
        }
        std::vector<double> f(width * d.size()), df(f.size()), alone(f.size());
        filter.evaluate(static_cast<int>(d.size()), d.data(), f.data(), df.data());
        filter.evaluate(static_cast<int>(d.size()), d.data(), alone.data(), nullptr);
        EXPECT_TRUE(arraysAgree(expected, f, 1e-14));
        EXPECT_TRUE(arraysAgree(derivative, df, 1e-12));
        EXPECT_EQ(f, alone);
        // A distance's filter is the same bits whatever the others are.
        std::vector<double> one(width), dOne(width);
        filter.evaluate(1, &d[7], one.data(), dOne.data());
        EXPECT_TRUE(std::equal(one.begin(), one.end(), &f[7 * width]));
        EXPECT_TRUE(std::equal(dOne.begin(), dOne.end(), &df[7 * width]));
    }
}

TEST_P(AllFilters, VanishesAtTheCutoffUnlessTheBiasesStay) {
    auto parameters = randomNetwork(GetParam());
    const RadialFilter filter(*parameters, 0);
    std::vector<double> f(filter.getWidth()), df(f.size());
    filter.evaluate(1, &parameters->cutoff, f.data(), df.data());
    if (GetParam().family == Family::Canonical || GetParam().envelope) {
        EXPECT_EQ(rms(f), 0);
        EXPECT_EQ(rms(df), 0);
    }
    else
        EXPECT_GT(rms(f), 0.01);
}

INSTANTIATE_TEST_SUITE_P(, AllFilters, ::testing::ValuesIn(allNetworks()),
                         [](const auto& info) { return info.param.describe(); });

TEST(Repulsion, ValueAndDerivativeAgreeWithTheComplexStep) {
    RandomNetworkOptions options;
    options.repulsion = true;
    auto parameters = randomNetwork(options);
    const PlainNetwork<Complex> plain(*parameters);
    const ZBLRepulsion repulsion(*parameters);
    for (int e1 = 0; e1 < 4; e1++)
        for (int e2 = 0; e2 < 4; e2++) {
            const double range = parameters->repulsion->radii[e1] + parameters->repulsion->radii[e2];
            for (double d : {1e-6, 1e-3, 0.01, 0.05, 0.09, 0.99 * range}) {
                double energy, slope;
                repulsion.evaluate(e1, e2, d, energy, slope);
                const Complex expected = plain.repulsion(e1, e2, {d, STEP});
                EXPECT_NEAR(energy / expected.real(), 1, 1e-9);
                EXPECT_NEAR(slope / (expected.imag() / STEP), 1, 1e-9);
                EXPECT_GT(energy, 0);
                EXPECT_LT(slope, 0);
            }
            double energy, slope;
            repulsion.evaluate(e1, e2, range, energy, slope);
            EXPECT_EQ(energy, 0);
            EXPECT_EQ(slope, 0);
        }
}

/** Two protons at the screening length 0.8854 a0 / 2: the screening function there is a number anyone can add up. */
TEST(Repulsion, GoldenNumber) {
    RandomNetworkOptions options;
    options.repulsion = true;
    auto parameters = randomNetwork(options);
    parameters->repulsion->radii = {1e6, 1e6, 1e6, 1e6}; // the envelope is 1
    double energy, slope;
    const double d = 0.8854 * 0.0529177210903 / 2;
    ZBLRepulsion(*parameters).evaluate(0, 0, d, energy, slope);
    const double screening = 0.1818 * 0.0407622039783662 + 0.5099 * 0.3897304237561481 + 0.2802 * 0.6684457751105581 +
                             0.02817 * 0.8174218312897243;
    EXPECT_NEAR(energy, 138.9354576443816 / d * screening, 1e-10 * energy);
}

} // namespace
