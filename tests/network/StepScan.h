// SPDX-License-Identifier: MIT
#ifndef PAINN_TESTS_STEP_SCAN_H_
#define PAINN_TESTS_STEP_SCAN_H_

#include "../RandomNetwork.h"
#include "Compare.h"
#include "ExactNetwork.h"
#include <limits>
#include <numeric>

namespace PaiNNPlugin {

/** Steps from 1e-6 to 1e-2, four in a decade. */
inline std::vector<double> scanSteps() {
    std::vector<double> steps;
    for (int k = 0; k <= 16; k++)
        steps.push_back(1e-6 * std::pow(10.0, k / 4.0));
    return steps;
}

/** The smallest over all steps of an error that rounding spoils at small steps and truncation at large ones. NaN is
 * infinity. */
template <class Error> double stepScanFloor(Error&& error, const std::vector<double>& steps = scanSteps()) {
    double floor = std::numeric_limits<double>::infinity();
    for (double h : steps) {
        const double e = error(h);
        if (e < floor)
            floor = e;
    }
    return floor;
}

/** Five-point stencil: derivative of f at 0. */
template <class F> double stencil(F&& f, double h) {
    return (8 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12 * h);
}

/**
 * How well a gradient agrees with differences of f in every coordinate of x: the largest deviation over the gradient's
 * RMS, at the best step.
 */
template <class F> double gradientFloor(F&& f, std::vector<double> x, const std::vector<double>& gradient) {
    return stepScanFloor([&](double h) {
        std::vector<double> found(x.size());
        for (size_t k = 0; k < x.size(); k++) {
            const double x0 = x[k];
            found[k] = stencil(
                [&](double t) {
                    x[k] = x0 + t;
                    return f(x);
                },
                h);
            x[k] = x0;
        }
        const Difference d = difference(gradient, found);
        return d.finite ? d.max : std::numeric_limits<double>::infinity();
    });
}

inline double total(const std::vector<double>& x) {
    return std::accumulate(x.begin(), x.end(), 0.0);
}

inline double rms(const std::vector<double>& x) {
    double sum = 0;
    for (double value : x)
        sum += value * value;
    return x.empty() ? 0 : std::sqrt(sum / x.size());
}

struct Evaluation {
    std::vector<double> atomEnergies, forces;
    double energy;
};

inline Evaluation evaluate(const ExactNetwork& network, const Atoms& atoms, const Box* box = nullptr) {
    Evaluation result;
    network.evaluate(atoms.elements, atoms.positions, box, result.atomEnergies, &result.forces);
    result.energy = total(result.atomEnergies);
    return result;
}

inline double energyOf(const ExactNetwork& network, const Atoms& atoms, const Box* box = nullptr) {
    std::vector<double> atomEnergies;
    network.evaluate(atoms.elements, atoms.positions, box, atomEnergies, nullptr);
    return total(atomEnergies);
}

/** A molecule none of whose pairs is within `gap` (nm) of the cutoff, where the energy of some networks is not smooth.
 */
inline Atoms moleculeWithGap(int numAtoms, int numElements, double cutoff, double gap, uint64_t seed) {
    for (;; seed += 1000) {
        Atoms atoms = randomMolecule(numAtoms, numElements, seed);
        bool good = true;
        for (int i = 0; i < numAtoms; i++)
            for (int j = 0; j < i; j++) {
                const double* x = &atoms.positions[3 * i];
                const double* y = &atoms.positions[3 * j];
                good = good && std::fabs(std::hypot(x[0] - y[0], x[1] - y[1], x[2] - y[2]) - cutoff) > gap;
            }
        if (good)
            return atoms;
    }
}

/** All options of both families: basis, cutoff function, envelope, repulsion. */
inline std::vector<RandomNetworkOptions> allNetworks() {
    std::vector<RandomNetworkOptions> all;
    const CutoffFunction cosine = {CutoffFunction::Type::Cosine, 3}, polynomial = {CutoffFunction::Type::Polynomial, 5};
    for (Family family : {Family::Student, Family::Canonical})
        for (RadialBasis::Type basis : {RadialBasis::Type::Gaussian, RadialBasis::Type::Bessel})
            for (const CutoffFunction& cutoffFunction : {cosine, polynomial})
                for (int envelope = 0; envelope < 3; envelope++)
                    for (bool repulsion : {false, true}) {
                        RandomNetworkOptions options;
                        options.family = family;
                        options.basis = basis;
                        options.cutoffFunction = cutoffFunction;
                        if (envelope > 0)
                            options.envelope = envelope == 1 ? cosine : polynomial;
                        options.repulsion = repulsion;
                        options.seed = all.size() + 1;
                        all.push_back(options);
                    }
    return all;
}

} // namespace PaiNNPlugin

#endif
