// SPDX-License-Identifier: MIT
#ifndef PAINN_TESTS_RANDOM_NETWORK_H_
#define PAINN_TESTS_RANDOM_NETWORK_H_

#include "NetworkParameters.h"
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <ostream>
#include <random>
#include <string>
#include <vector>

namespace PaiNNPlugin {

/** Random numbers that are the same with every compiler and library. */
class Random {
public:
    explicit Random(uint64_t seed) : generator(seed) {}
    double uniform(double low, double high) {
        return low + (high - low) * (static_cast<double>(generator() >> 11) * 0x1p-53);
    }
    int integer(int count) {
        return static_cast<int>(generator() % static_cast<uint64_t>(count));
    }
    /** A random direction, unit length. */
    std::array<double, 3> direction() {
        for (;;) {
            std::array<double, 3> x = {uniform(-1, 1), uniform(-1, 1), uniform(-1, 1)};
            const double r = std::sqrt(x[0] * x[0] + x[1] * x[1] + x[2] * x[2]);
            if (r > 0.1 && r <= 1)
                return {x[0] / r, x[1] / r, x[2] / r};
        }
    }

private:
    std::mt19937_64 generator;
};

/** What randomNetwork() makes. */
struct RandomNetworkOptions {
    Family family = Family::Canonical;
    int numChannels = 16, numBlocks = 3, numBasis = 8;
    RadialBasis::Type basis = RadialBasis::Type::Gaussian;
    CutoffFunction cutoffFunction;
    std::optional<CutoffFunction> envelope;
    bool repulsion = false;
    bool references = false; ///< large atom references, as from quantum chemistry
    double cutoff = 0.5;     ///< nm
    std::vector<int> atomicNumbers = {1, 6, 7, 8};
    uint64_t seed = 1;
    /** For test names and messages. */
    std::string describe() const {
        auto name = [](const CutoffFunction& f) {
            return f.type == CutoffFunction::Type::Cosine ? std::string("Cosine") : "Polynomial" + std::to_string(f.p);
        };
        return std::string(family == Family::Student ? "Student" : "Canonical") +
               (basis == RadialBasis::Type::Gaussian ? "Gaussian" : "Bessel") + name(cutoffFunction) +
               (envelope ? "Envelope" + name(*envelope) : "") + (repulsion ? "Repulsion" : "");
    }
};

/** For GoogleTest's messages. */
inline std::ostream& operator<<(std::ostream& out, const RandomNetworkOptions& options) {
    return out << options.describe() << " seed " << options.seed;
}

namespace RandomNetworkDetail {

/** Weights are multiples of single-precision numbers, so that a model file can hold them. */
inline LinearLayer linear(Random& random, int numIn, int numOut, double gain, double bias) {
    LinearLayer layer;
    layer.numIn = numIn;
    layer.numOut = numOut;
    const double range = gain * std::sqrt(3.0 / numIn);
    for (int k = 0; k < numIn * numOut; k++)
        layer.weight.push_back(static_cast<float>(random.uniform(-range, range)));
    for (int k = 0; k < numOut && bias > 0; k++)
        layer.bias.push_back(static_cast<float>(random.uniform(-bias, bias)));
    return layer;
}

} // namespace RandomNetworkDetail

/** A network with random weights and biases none of which is zero, in nm and kJ/mol. */
inline std::shared_ptr<NetworkParameters> randomNetwork(const RandomNetworkOptions& options) {
    using RandomNetworkDetail::linear;
    Random random(options.seed);
    auto result = std::make_shared<NetworkParameters>();
    NetworkParameters& n = *result;
    const int H = options.numChannels, K = options.numBasis, E = static_cast<int>(options.atomicNumbers.size());
    const bool student = options.family == Family::Student;
    n.family = options.family;
    n.numChannels = H;
    n.cutoff = options.cutoff;
    n.basis.type = options.basis;
    for (int k = 0; k < K; k++)
        if (options.basis == RadialBasis::Type::Gaussian) {
            n.basis.centers.push_back(static_cast<float>(options.cutoff * k / std::max(K - 1, 1)));
            n.basis.widths.push_back(static_cast<float>(options.cutoff / K));
        }
        else
            n.basis.frequencies.push_back(static_cast<float>(3.14159265358979323846 * (k + 1) / options.cutoff));
    n.basis.exponent = student ? 1.0 : 0.5;
    n.basis.scale = options.basis == RadialBasis::Type::Bessel ? 0.1 : 1.0; // frequencies meant for angstrom
    n.cutoffFunction = options.cutoffFunction;
    n.envelope = options.envelope;
    n.normEpsilon = student ? 0.0 : 1e-8;
    n.atomicNumbers = options.atomicNumbers;
    for (int k = 0; k < E * H; k++)
        n.embedding.push_back(static_cast<float>(random.uniform(-1.5, 1.5)));
    for (int e = 0; e < E; e++)
        n.atomReferences.push_back(options.references ? -1e4 * options.atomicNumbers[e] - random.uniform(0, 100) : 0.0);
    for (int l = 0; l < options.numBlocks; l++) {
        InteractionBlock block;
        block.mixing.fill(0);
        if (student) {
            block.filter = {linear(random, K, H, 1.5, 0.3), linear(random, H, 3 * H, 0.7, 0.1)};
            for (int k = 0; k < 9; k++)
                block.mixing[k] = static_cast<float>((k % 4 == 0 ? 1 : 0) + random.uniform(-0.3, 0.3));
        }
        else {
            block.filter = {linear(random, K, 3 * H, 0.7, 0.1)};
            block.context = {linear(random, H, H, 1.5, 0.3), linear(random, H, 3 * H, 0.6, 0.2)};
            block.vectorMix = linear(random, H, 2 * H, 0.6, 0);
        }
        block.update = {linear(random, 2 * H, H, 1.0, 0.3), linear(random, H, 3 * H, student ? 0.7 : 0.4, 0.2)};
        n.blocks.push_back(block);
    }
    const int middle = std::max(H / 2, 1);
    n.readout = {linear(random, H, middle, 1.0, 0.3), linear(random, middle, 1, 20.0, 1.0)};
    if (student) {
        const int last = std::max(H / 4, 1);
        n.readout.insert(n.readout.begin() + 1, linear(random, middle, last, 1.5, 0.3));
        n.readout.back() = linear(random, last, 1, 20.0, 1.0);
    }
    if (options.repulsion) {
        n.repulsion.emplace();
        for (int e = 0; e < E; e++)
            n.repulsion->radii.push_back(static_cast<float>(0.05 + 0.005 * options.atomicNumbers[e]));
    }
    return result;
}

/** Atoms for a test: elements as indices into NetworkParameters::atomicNumbers, positions in nm. */
struct Atoms {
    std::vector<int> elements;     ///< [numAtoms]
    std::vector<double> positions; ///< [numAtoms][3]
    int size() const {
        return static_cast<int>(elements.size());
    }
};

/** A made-up molecule: each atom 0.1 to 0.15 nm from an earlier one and at least 0.095 nm from all of them. */
inline Atoms randomMolecule(int numAtoms, int numElements, uint64_t seed) {
    Random random(seed);
    Atoms atoms;
    while (atoms.size() < numAtoms) {
        std::array<double, 3> x = {0, 0, 0};
        if (atoms.size() > 0) {
            const int anchor = random.integer(atoms.size());
            const auto u = random.direction();
            const double bond = random.uniform(0.1, 0.15);
            for (int k = 0; k < 3; k++)
                x[k] = atoms.positions[3 * anchor + k] + bond * u[k];
        }
        bool isFree = true;
        for (int i = 0; i < atoms.size(); i++)
            isFree = isFree && std::hypot(x[0] - atoms.positions[3 * i], x[1] - atoms.positions[3 * i + 1],
                                          x[2] - atoms.positions[3 * i + 2]) >= 0.095;
        if (!isFree)
            continue;
        atoms.elements.push_back(random.integer(numElements));
        atoms.positions.insert(atoms.positions.end(), x.begin(), x.end());
    }
    return atoms;
}

/** Atoms on a jittered lattice with this spacing, nm. */
inline Atoms liquid(int numAtoms, double spacing, uint64_t seed) {
    Random random(seed);
    Atoms atoms;
    int side = 1;
    while (side * side * side < numAtoms)
        side++;
    for (int n = 0; n < numAtoms; n++) {
        atoms.elements.push_back(random.integer(4));
        for (int k : {n % side, n / side % side, n / side / side})
            atoms.positions.push_back(spacing * (k + random.uniform(-0.25, 0.25)));
    }
    return atoms;
}

} // namespace PaiNNPlugin

#endif
