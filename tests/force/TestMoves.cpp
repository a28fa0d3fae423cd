// SPDX-License-Identifier: MIT
// Neighbours that a platform keeps between evaluations: after any move, a Context that has seen others gives the bits
// of one that is new, and no pair is missed.
#include "ForceTest.h"

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

class Moves : public PlatformTest {
protected:
    struct Case {
        const char *name, *family;
        vector<Vec3> box; // empty without periodic boundary conditions
    };
    static vector<Case> getCases() {
        return {{"vacuum", "canonical", {}},
                {"rectangular", "student", {Vec3(1.2, 0, 0), Vec3(0, 1.1, 0), Vec3(0, 0, 1.15)}},
                {"triclinic", "canonical", {Vec3(1.2, 0, 0), Vec3(0.3, 1.1, 0), Vec3(-0.4, 0.5, 1.15)}}};
    }
    /** Two subsystems of atoms that fill the space of a box. */
    static Cluster makeAtoms() {
        Cluster cluster(27);
        for (Vec3& p : cluster.positions)
            p *= 2.2;
        return cluster;
    }
    static void fill(System& system, const PaiNNStudentModel& model, const Cluster& cluster, const vector<Vec3>& box) {
        addParticles(system, cluster.size());
        PaiNNStudentForce* force = newForce(model);
        for (int i = 0; i < cluster.size(); i++)
            force->addParticle(i, cluster.elements[i], i % 9 == 0 ? 1 : 0);
        if (!box.empty()) {
            force->setUsesPeriodicBoundaryConditions(true);
            system.setDefaultPeriodicBoxVectors(box[0], box[1], box[2]);
        }
        system.addForce(force);
    }
    static Exact evaluateExactly(const PaiNNStudentModel& model, const Cluster& cluster, const vector<Vec3>& box) {
        Cluster parts[2] = {Cluster(0), Cluster(0)};
        for (int i = 0; i < cluster.size(); i++) {
            parts[i % 9 == 0].elements.push_back(cluster.elements[i]);
            parts[i % 9 == 0].positions.push_back(cluster.positions[i]);
        }
        Exact result(model, parts[0], box.empty() ? nullptr : box.data());
        const Exact other(model, parts[1], box.empty() ? nullptr : box.data());
        vector<double> forces;
        size_t next[2] = {0, 0};
        for (int i = 0; i < cluster.size(); i++)
            for (int k = 0; k < 3; k++)
                forces.push_back((i % 9 == 0 ? other : result).forces[next[i % 9 == 0]++]);
        result.forces = forces;
        result.energy += other.energy;
        return result;
    }
};

TEST_P(Moves, oldContextGivesTheBitsOfANewOne) {
    PAINN_NEEDS_BITS();
    PAINN_SLOW_WITH_TORCH();
    map<string, string> properties = getProperties();
    if (hasThreads())
        properties["Threads"] = "1"; // new Contexts are made quickly
    for (const Case& c : getCases()) {
        ModelOptions options;
        options.family = c.family;
        const PaiNNStudentModel model = makeModel(options);
        Cluster cluster = makeAtoms();
        vector<Vec3> box = c.box;
        System system;
        fill(system, model, cluster, box);
        VerletIntegrator integrator(0.001);
        auto context = makeContext(system, integrator);
        mt19937 random(9);
        auto uniform = [&] { return 2 * (random() / 4294967296.0) - 1; };
        auto step = [&](double size) { return Vec3(uniform(), uniform(), uniform()) * size; };
        for (int move = 0; move < (isOnHost() ? 300 : 3); move++) {
            const unsigned kind = random() % 8;
            const Vec3 all = step(3.0);
            for (int i = 0; i < cluster.size(); i++) {
                Vec3& p = cluster.positions[i];
                if (kind < 4)
                    p += step(kind == 0 ? 1e-4 : kind == 1 ? 0.005 : kind == 2 ? 0.02 : 0.05);
                else if (kind == 4)
                    p += all; // all together
                else if (kind == 5 && random() % 9 == 0)
                    p += step(0.6); // a few, far
                else if (kind == 6 && !box.empty() && random() % 3 == 0)
                    p += box[random() % 3] * (random() % 2 == 0 ? 1.0 : -1.0); // into another image
            }
            if (kind == 7) { // as a barostat does
                const double s = 1 + 0.02 * uniform();
                bool fits = true;
                for (Vec3& v : box)
                    fits = fits && v.dot(v) * s * s > 1.05 * 1.05 && v.dot(v) * s * s < 2.5;
                for (int k = 0; k < static_cast<int>(box.size()) && fits; k++)
                    fits = box[k][k] * s > 1.02;
                for (Vec3& v : box)
                    v *= fits ? s : 1;
                for (Vec3& p : cluster.positions)
                    p *= fits ? s : 1;
            }
            if (move % 50 == 49) // atoms do not drift apart for ever
                cluster.positions = makeAtoms().positions;
            VerletIntegrator integrator2(0.001);
            Context fresh(system, integrator2, *platform, properties);
            for (Context* each : {context.get(), &fresh}) {
                if (!box.empty())
                    each->setPeriodicBoxVectors(box[0], box[1], box[2]);
                each->setPositions(cluster.positions);
            }
            const string where = string(c.name) + ", move " + to_string(move) + " of kind " + to_string(kind);
            const bool energyAlone = random() % 4 == 0; // the first question after a move is not always the same
            const double before = energyAlone ? getEnergy(*context) : 0;
            State now = context->getState(State::Energy | State::Forces);
            State anew = fresh.getState(State::Energy | State::Forces);
            ASSERT_EQ(anew.getPotentialEnergy(), now.getPotentialEnergy()) << where;
            ASSERT_EQ(flatten(anew.getForces()), flatten(now.getForces())) << where;
            ASSERT_TRUE(!energyAlone || before == now.getPotentialEnergy()) << where;
            const Exact exact = evaluateExactly(model, cluster, box);
            ASSERT_NEAR(exact.energy, now.getPotentialEnergy(), getTolerance(27, 1e-11 * fabs(exact.energy))) << where;
            ASSERT_TRUE(forcesAgree(exact.forces, flatten(now.getForces()), 1e-11)) << where;
        }
    }
}

// At the cutoff itself a pair counts or not, which makes no difference when the network is smooth there.
TEST_P(Moves, atomsAtTheCutoff) {
    ModelOptions options;
    options.envelope = R"({"type": "polynomial", "p": 6})";
    const PaiNNStudentModel model = makeModel(options);
    Cluster cluster(4);
    cluster.positions = {Vec3(0, 0, 0), Vec3(0.12, 0, 0), Vec3(0, 0.13, 0), Vec3(0.5, 0, 0)};
    System system;
    fill(system, model, cluster, {});
    VerletIntegrator integrator(0.001);
    auto context = makeContext(system, integrator);
    for (double d : {0.4999999999, nextafter(0.5, 0.0), 0.5, nextafter(0.5, 1.0), 0.5000000001, 0.6, 0.5, 0.4, 0.5}) {
        cluster.positions[3] = cluster.positions[1] + Vec3(d, 0, 0);
        context->setPositions(cluster.positions);
        const Exact exact = evaluateExactly(model, cluster, {});
        EXPECT_NEAR(exact.energy, getEnergy(*context), getTolerance(4, 1e-12 * fabs(exact.energy))) << d;
        const vector<double> forces = getForces(*context);
        EXPECT_TRUE(forcesAgree(exact.forces, forces, 1e-11)) << d;
        for (int k = 9; k < 12 && d >= 0.5; k++) // now it is alone
            EXPECT_EQ(0.0, forces[k]) << d;
    }
}

PAINN_ALL_PLATFORMS(Moves);
PAINN_TORCH_PLATFORMS(Moves);

} // namespace PaiNNPlugin
