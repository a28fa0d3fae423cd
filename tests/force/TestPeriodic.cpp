// SPDX-License-Identifier: MIT
// Periodic boundary conditions: nearest images, derivatives by the box, barostats, and boxes that are refused.
#include "ForceTest.h"

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

class Periodic : public PlatformTest {
protected:
    /** Particles all over a box of about 1.1 nm (the cutoff is 0.5 nm). */
    static Cluster makeLiquid() {
        Cluster cluster(27);
        for (Vec3& p : cluster.positions)
            p *= 2.2;
        return cluster;
    }
    static vector<Vec3> makeBox(bool triclinic) {
        if (triclinic)
            return {Vec3(1.1, 0, 0), Vec3(0.3, 1.05, 0), Vec3(-0.4, 0.5, 1.15)};
        return {Vec3(1.1, 0, 0), Vec3(0, 1.1, 0), Vec3(0, 0, 1.1)};
    }
    static PaiNNStudentForce* addForce(System& system, const PaiNNStudentModel& model, const Cluster& cluster,
                                       const vector<Vec3>& box) {
        addParticles(system, cluster.size());
        system.setDefaultPeriodicBoxVectors(box[0], box[1], box[2]);
        PaiNNStudentForce* force = makeForce(model, cluster);
        force->setUsesPeriodicBoundaryConditions(true);
        system.addForce(force);
        return force;
    }
};

TEST_P(Periodic, matchesTheNetworkWhateverTheImages) {
    PaiNNStudentModel model = makeModel();
    for (bool triclinic : {false, true}) {
        Cluster cluster = makeLiquid();
        vector<Vec3> box = makeBox(triclinic);
        Exact exact(model, cluster, box.data());
        EXPECT_NE(Exact(model, cluster).energy, exact.energy); // images matter here
        System system;
        addForce(system, model, cluster, box);
        VerletIntegrator integrator(0.001);
        auto context = makeContext(system, integrator);
        for (int shift = 0; shift < 3; shift++) {
            context->setPositions(cluster.positions);
            EXPECT_NEAR(exact.energy, getEnergy(*context), getTolerance(cluster.size(), 1e-11 * fabs(exact.energy)));
            // Far images are rounded where positions are in single precision: the same change again is left to
            // distances.
            const Exact here(model, cluster, box.data());
            const Difference rounding = difference(exact.forces, here.forces);
            EXPECT_TRUE(forcesAgree(here.forces, getForces(*context), 1e-11, rounding.max * rounding.rms));
            EXPECT_LT(rounding.max, isSingle() ? 1e-4 : 1e-11);
            for (int i = 0; i < cluster.size(); i++)
                cluster.positions[i] += box[0] * (i % 3 - 1) + box[1] * (i % 2) + box[2] * (i % 5 - 2);
        }
    }
}

// The pressure hangs on this: all coordinates and the box are scaled together, the forces give the derivative.
TEST_P(Periodic, derivativeByTheBoxIsThatOfTheEnergy) {
    if (!isOnHost())
        GTEST_SKIP() << "the forces of one evaluation are compared, which are in steps of 2^-32 on this platform";
    ModelOptions options;
    options.envelope = R"({"type": "polynomial", "p": 6})";
    PaiNNStudentModel model = makeModel(options);
    for (bool triclinic : {false, true}) {
        // All atoms in the middle of the box: every pair is its own nearest image, so dE/ds = -sum x f.
        Cluster cluster(12);
        vector<Vec3> box = makeBox(triclinic);
        System system;
        addForce(system, model, cluster, box);
        LangevinMiddleIntegrator integrator(300, 1, 0.001);
        auto context = makeContext(system, integrator);
        auto energyAt = [&](double s) {
            vector<Vec3> scaled = cluster.positions;
            for (Vec3& p : scaled)
                p *= s;
            context->setPeriodicBoxVectors(box[0] * s, box[1] * s, box[2] * s);
            context->setPositions(scaled);
            return getEnergy(*context);
        };
        const double h = 1e-3;
        double found =
            (8 * (energyAt(1 + h) - energyAt(1 - h)) - (energyAt(1 + 2 * h) - energyAt(1 - 2 * h))) / (12 * h);
        energyAt(1);
        vector<double> forces = getForces(*context), x = flatten(cluster.positions);
        double expected = 0;
        for (size_t i = 0; i < x.size(); i++)
            expected -= x[i] * forces[i];
        // dE/dV = (dE/ds) / (3 V); the difference quotient enlarges errors of the energy.
        EXPECT_NEAR(expected, found, getTolerance(cluster.size() * 18 / (12 * h), 1e-8 * fabs(expected)));
    }
}

TEST_P(Periodic, refusesBoxes) {
    PaiNNStudentModel model = makeModel();
    Cluster cluster = makeLiquid();
    struct {
        Vec3 a, b, c;
        string message;
    } cases[] = {
        {Vec3(0.9, 0, 0), Vec3(0, 1.1, 0), Vec3(0, 0, 1.1), "every width must be at least 1 nm"},
        {Vec3(1.1, 0, 0), Vec3(0, 0.99, 0), Vec3(0, 0, 1.1), "every width must be at least 1 nm"},
        {Vec3(1.1, 0, 0), Vec3(0.5, 1.1, 0), Vec3(0, 0.5, 0.999), "every width must be at least 1 nm"},
        {Vec3(NAN, 0, 0), Vec3(0, 1.1, 0), Vec3(0, 0, 1.1), "are not finite"},
        {Vec3(1.1, 0, 0), Vec3(NAN, 1.1, 0), Vec3(0, 0, 1.1), "are not finite"},
        {Vec3(1.1, 0, 0), Vec3(0, 1.1, 0), Vec3(0, 0, INFINITY), "are not finite"},
        {Vec3(1.1, 0, 0), Vec3(0, 0, 0), Vec3(0, 0, 1.1), "reduced form"},
        {Vec3(1.1, 0, 0), Vec3(0, 1.1, 0), Vec3(0, 0, -1.1), "reduced form"},
        {Vec3(1.1, 0, 0), Vec3(0.7, 1.1, 0), Vec3(0, 0, 1.1), "reduced form"},
    };
    for (auto& bad : cases) {
        System system;
        EXPECT_MESSAGE(
            {
                addForce(system, model, cluster, {bad.a, bad.b, bad.c});
                VerletIntegrator integrator(0.001);
                makeContext(system, integrator);
            },
            bad.message);
        // The same in a Context that was good at first, and is good again after.
        System good;
        vector<Vec3> box = makeBox(false);
        addForce(good, model, cluster, box);
        VerletIntegrator integrator(0.001);
        auto context = makeContext(good, integrator);
        context->setPositions(cluster.positions);
        double energy = getEnergy(*context);
        EXPECT_MESSAGE(
            {
                context->setPeriodicBoxVectors(bad.a, bad.b, bad.c);
                getEnergy(*context);
            },
            isOnHost() ? bad.message : ""); // GPU platforms meet NaN, and boxes that become triclinic, before we do
        context->setPeriodicBoxVectors(box[0], box[1], box[2]);
        context->setPositions(cluster.positions);
        EXPECT_NEAR(energy, getEnergy(*context), getNoise(8));
    }
}

TEST_P(Periodic, shrinkingBoxIsRefusedWhenItGetsTooSmall) {
    Cluster cluster = makeLiquid();
    System system;
    addForce(system, makeGentleModel(), cluster, makeBox(false));
    system.addForce(new MonteCarloBarostat(1e7, 300, 1));
    LangevinMiddleIntegrator integrator(300, 1, 0.0001);
    auto context = makeContext(system, integrator);
    context->setPositions(cluster.positions);
    EXPECT_MESSAGE(integrator.step(3000), "every width must be at least 1 nm");
}

// Two subsystems of unbonded atoms fly through many boxes while a barostat works and (OpenCL) the order of atoms
// changes. The energy stays that of the network at the positions that OpenMM reports, and a non-periodic subsystem is
// never torn apart.
TEST_P(Periodic, barostatAndReordering) {
    PAINN_SLOW_WITH_TORCH();
    ModelOptions options;
    options.weightScale = 0.05;
    PaiNNStudentModel model = makeModel(options);
    for (bool periodic : {false, true}) {
        System system;
        system.setDefaultPeriodicBoxVectors(Vec3(2.2, 0, 0), Vec3(0.4, 2.2, 0), Vec3(0, -0.5, 2.2));
        NonbondedForce* nonbonded = new NonbondedForce();
        nonbonded->setNonbondedMethod(NonbondedForce::CutoffPeriodic);
        nonbonded->setCutoffDistance(0.9);
        vector<Vec3> positions, velocities;
        mt19937 random(5);
        auto uniform = [&] { return random() / 4294967296.0; };
        auto add = [&](double mass, const Vec3& position, const Vec3& velocity) {
            nonbonded->addParticle(0, 1, 0);
            positions.push_back(position);
            velocities.push_back(velocity);
            return system.addParticle(mass);
        };
        for (int i = 0; i < 200; i++) // an ideal gas around them
            add(40, Vec3(uniform(), uniform(), uniform()) * 2.2,
                Vec3(uniform(), uniform(), uniform()) - Vec3(1, 1, 1) * 0.5);
        PaiNNStudentForce* force = newForce(model);
        vector<Cluster> clusters = {Cluster(9, 1), Cluster(9, 2)};
        vector<vector<int>> particles(2);
        for (int i = 0; i < 9; i++)
            for (int j = 0; j < 2; j++) {
                Vec3 origin = (j == 0 ? Vec3(1.0, 1.9, 0.2) : Vec3(0.1, 0.5, 1.5));
                int particle = add(12, clusters[j].positions[i] + origin, Vec3(9, -7, 11) * (j == 0 ? 1 : -1));
                force->addParticle(particle, clusters[j].elements[i], j);
                particles[j].push_back(particle);
            }
        force->setUsesPeriodicBoundaryConditions(periodic);
        system.addForce(force);
        system.addForce(nonbonded);
        MonteCarloBarostat* barostat = new MonteCarloBarostat(100, 300, 5);
        barostat->setRandomNumberSeed(3);
        system.addForce(barostat);
        VerletIntegrator integrator(0.001);
        auto context = makeContext(system, integrator);
        context->setPositions(positions);
        context->setVelocities(velocities);
        double volume = context->getState(0).getPeriodicBoxVolume(), largestChange = 0, largestStretch = 0;
        for (int i = 0; i < 10; i++) {
            integrator.step(120);
            State state =
                context->getState(State::Positions | State::Energy | State::Forces, false, 1 << force->getForceGroup());
            largestChange = max(largestChange, fabs(state.getPeriodicBoxVolume() / volume - 1));
            Vec3 box[3];
            state.getPeriodicBoxVectors(box[0], box[1], box[2]);
            double energy = 0;
            vector<double> expected, found;
            for (int j = 0; j < 2; j++) {
                Cluster now = clusters[j];
                for (int k = 0; k < 9; k++) {
                    now.positions[k] = state.getPositions()[particles[j][k]];
                    Vec3 stretch =
                        now.positions[k] - now.positions[0] - clusters[j].positions[k] + clusters[j].positions[0];
                    largestStretch = max(largestStretch, sqrt(stretch.dot(stretch)));
                    for (int m = 0; m < 3; m++)
                        found.push_back(state.getForces()[particles[j][k]][m]);
                }
                Exact exact(model, now, periodic ? box : nullptr);
                energy += exact.energy;
                expected.insert(expected.end(), exact.forces.begin(), exact.forces.end());
            }
            EXPECT_NEAR(energy, state.getPotentialEnergy(), getTolerance(18, 1e-9 * fabs(energy)));
            EXPECT_TRUE(forcesAgree(expected, found, 1e-9));
        }
        EXPECT_GT(largestChange, 0.01);
        EXPECT_TRUE(periodic || largestStretch < 0.01) << largestStretch;
    }
}

PAINN_ALL_PLATFORMS(Periodic);
PAINN_TORCH_PLATFORMS(Periodic);

} // namespace PaiNNPlugin
