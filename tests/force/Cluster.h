// SPDX-License-Identifier: MIT
#ifndef PAINN_TESTS_CLUSTER_H_
#define PAINN_TESTS_CLUSTER_H_

#include "../ModelBytes.h"
#include "ExactNetwork.h"
#include "OpenMM.h"
#include "OpenMMPaiNN.h"
#include <algorithm>
#include <random>
#include <vector>

/** What the tests of the Force evaluate: models, small clusters of atoms, and their energies past OpenMM. */
namespace PaiNNPlugin {

/**
 * A random model whose atoms have energies like those of a trained one (11 kJ/mol in the bundled model, RMS, without
 * atom references): 1 to 20 kJ/mol in the clusters of these tests, instead of hundreds. Errors of single precision are
 * in proportion, and reliability row 2 gives them in kJ/mol.
 */
inline PaiNNStudentModel makeModel(ModelOptions options = ModelOptions()) {
    options.readoutScale *= (options.family == "student" ? 0.01 : 0.1);
    return PaiNNStudentModel::fromBytes(makeModelBytes(options));
}

/** A model that MD is stable with for some thousand steps: small forces, and atoms that cannot meet. */
inline PaiNNStudentModel makeGentleModel() {
    ModelOptions options;
    options.weightScale = 0.5;
    options.envelope = R"({"type": "polynomial", "p": 3})";
    options.repulsion = R"({"type": "zbl", "p": 6})";
    return makeModel(options);
}

/** Atoms on a jittered grid, the nearest about 0.15 nm apart, with elements H, C, N, O in turn. */
struct Cluster {
    explicit Cluster(int numAtoms = 8, unsigned seed = 1) {
        std::mt19937 random(seed);
        auto jitter = [&] { return 0.03 * (random() / 4294967296.0 - 0.5); };
        const int known[] = {1, 6, 7, 8};
        for (int i = 0; i < numAtoms; i++) {
            double x = 0.16 * (i % 3), y = 0.16 * (i / 3 % 3), z = 0.16 * (i / 9);
            positions.emplace_back(x + jitter(), y + jitter(), z + jitter());
            elements.push_back(known[i % 4]);
        }
    }
    int size() const {
        return static_cast<int>(elements.size());
    }
    std::vector<int> elements;           // atomic numbers
    std::vector<OpenMM::Vec3> positions; // nm
};

inline void addParticles(OpenMM::System& system, int number) {
    for (int i = 0; i < number; i++)
        system.addParticle(12.0);
}

/** Set by the engine under test. */
inline PaiNNStudentForce::EvaluationMethod evaluationMethod = PaiNNStudentForce::Kernels;

/** A force without particles, of the engine under test. */
inline PaiNNStudentForce* newForce(const PaiNNStudentModel& model) {
    PaiNNStudentForce* force = new PaiNNStudentForce(model);
    force->setEvaluationMethod(evaluationMethod);
    return force;
}

/** A force with all atoms of a cluster in one subsystem. */
inline PaiNNStudentForce* makeForce(const PaiNNStudentModel& model, const Cluster& cluster, int first = 0,
                                    int subsystem = 0) {
    PaiNNStudentForce* force = newForce(model);
    for (int i = 0; i < cluster.size(); i++)
        force->addParticle(first + i, cluster.elements[i], subsystem);
    return force;
}

inline std::vector<double> flatten(const std::vector<OpenMM::Vec3>& vectors) {
    std::vector<double> result;
    for (const OpenMM::Vec3& v : vectors)
        result.insert(result.end(), {v[0], v[1], v[2]});
    return result;
}

/** Set by the platform under test: it holds positions in single precision, and Exact rounds them as it does. */
inline bool roundsPositions = false;

/** Energy (kJ/mol) and forces (kJ/mol/nm) by the network, past OpenMM. */
struct Exact {
    Exact(const PaiNNStudentModel& model, const Cluster& cluster, const OpenMM::Vec3* boxVectors = nullptr) {
        Box box;
        for (int i = 0; boxVectors != nullptr && i < 3; i++)
            box[i] = {boxVectors[i][0], boxVectors[i][1], boxVectors[i][2]};
        const std::vector<int>& known = model.getElements();
        std::vector<int> elements;
        for (int element : cluster.elements)
            elements.push_back(static_cast<int>(std::find(known.begin(), known.end(), element) - known.begin()));
        std::vector<double> positions = flatten(cluster.positions);
        for (double& x : positions)
            x = roundsPositions ? static_cast<float>(x) : x;
        ExactNetwork(model.getParameters())
            .evaluate(elements, positions, boxVectors == nullptr ? nullptr : &box, atomEnergies, &forces);
        for (double atomEnergy : atomEnergies)
            energy += atomEnergy;
    }
    double energy = 0;
    std::vector<double> atomEnergies, forces;
};

/** As makeModel(), with energies of 12 kJ/mol (RMS) for the atoms of this cluster. */
inline PaiNNStudentModel makeModelFor(const Cluster& cluster, ModelOptions options) {
    double squares = 0;
    for (double energy : Exact(makeModel(options), cluster).atomEnergies)
        squares += energy * energy;
    options.readoutScale *= 12 / std::sqrt(squares / cluster.size());
    return makeModel(options);
}

} // namespace PaiNNPlugin

#endif
