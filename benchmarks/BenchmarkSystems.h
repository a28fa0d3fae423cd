// SPDX-License-Identifier: MIT
#ifndef PAINN_BENCHMARK_SYSTEMS_H_
#define PAINN_BENCHMARK_SYSTEMS_H_

#include "ExactNetwork.h"
#include "RandomNetwork.h"
#include <cmath>
#include <map>

/** What is timed: the systems of openmmpainn.benchmark in spirit, random atoms at the density of a molecular liquid. */
namespace PaiNNPlugin {

/** The same atoms in every subsystem, but each copy is moved a little. */
struct BenchmarkSystem {
    Atoms atoms;    // of one subsystem
    int copies = 1; // subsystems
    bool periodic = false;
    Box box{};
};

namespace BenchmarkSystemDetail {

const double DENSITY = 72;   // atoms/nm^3: about 37,600 edges for 1000 atoms at 0.5 nm
const double CLOSEST = 0.14; // nm

/** Atoms at random, none too close to another: in a cube with periodic images, or in the ball within it. */
inline std::vector<double> strew(int size, double edge, bool periodic, Random& random) {
    const int cells = std::max(1, static_cast<int>(edge / CLOSEST));
    std::map<std::array<int, 3>, std::vector<int>> inside;
    std::vector<double> x;
    while (static_cast<int>(x.size()) < 3 * size) {
        std::array<double, 3> p;
        std::array<int, 3> home;
        double fromCenter = 0;
        for (int k = 0; k < 3; k++) {
            p[k] = random.uniform(0, edge);
            home[k] = std::min(static_cast<int>(p[k] / edge * cells), cells - 1);
            fromCenter += (p[k] - edge / 2) * (p[k] - edge / 2);
        }
        if (!periodic && fromCenter > edge * edge / 4)
            continue;
        bool isFree = true;
        for (int shift = 0; shift < 27 && isFree; shift++) {
            const std::array<int, 3> cell = {(home[0] + shift % 3 - 1 + cells) % cells,
                                             (home[1] + shift / 3 % 3 - 1 + cells) % cells,
                                             (home[2] + shift / 9 - 1 + cells) % cells};
            for (int other : inside[cell]) {
                double d2 = 0;
                for (int k = 0; k < 3; k++) {
                    double d = x[3 * other + k] - p[k];
                    d -= periodic ? edge * std::round(d / edge) : 0;
                    d2 += d * d;
                }
                isFree = isFree && d2 >= CLOSEST * CLOSEST;
            }
        }
        if (!isFree)
            continue;
        inside[home].push_back(static_cast<int>(x.size() / 3));
        x.insert(x.end(), p.begin(), p.end());
    }
    return x;
}

inline int countEdges(const std::vector<double>& x, double cutoff) {
    int edges = 0;
    for (size_t i = 0; i < x.size(); i += 3)
        for (size_t j = 0; j < x.size(); j += 3)
            edges += i != j && std::hypot(x[i] - x[j], x[i + 1] - x[j + 1], x[i + 2] - x[j + 2]) < cutoff;
    return edges;
}

} // namespace BenchmarkSystemDetail

/**
 * A system of some size: up to 50 atoms a chain molecule with as many edges as alanine dipeptide has for its size (354
 * for 22 atoms at 0.5 nm), up to 999 a drop, from 1000 on a periodic box.
 *
 * @param elements   how many the model knows
 */
inline BenchmarkSystem makeBenchmarkSystem(int size, int copies, int elements) {
    namespace Detail = BenchmarkSystemDetail;
    BenchmarkSystem system;
    system.copies = copies;
    Random random(1000 + size);
    if (size <= 50) {
        system.atoms = randomMolecule(size, elements, 3);
        const std::vector<double> compact = system.atoms.positions;
        for (double scale = 1; Detail::countEdges(system.atoms.positions, 0.5) > 354 * size / 22; scale += 0.01)
            for (size_t k = 0; k < compact.size(); k++)
                system.atoms.positions[k] = compact[k] * scale;
        return system;
    }
    system.periodic = size >= 1000;
    const double volume = size / Detail::DENSITY;
    const double edge = system.periodic ? std::cbrt(volume) : 2 * std::cbrt(0.75 * volume / 3.14159265358979);
    for (int i = 0; i < size; i++)
        system.atoms.elements.push_back(random.integer(elements));
    system.atoms.positions = Detail::strew(size, edge, system.periodic, random);
    for (int k = 0; k < 3; k++)
        system.box[k][k] = edge;
    return system;
}

/** All positions [copies][atoms][3], nm: the same ones with every coordinate off by up to 0.003 nm. */
inline std::vector<double> movePositions(const BenchmarkSystem& system, uint64_t seed) {
    Random random(seed);
    std::vector<double> x;
    for (int c = 0; c < system.copies; c++)
        for (double value : system.atoms.positions)
            x.push_back(value + random.uniform(-0.003, 0.003));
    return x;
}

} // namespace PaiNNPlugin

#endif
