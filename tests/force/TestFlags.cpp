// SPDX-License-Identifier: MIT
// What is asked for in which combination: force groups, energy and forces alone and together, under several
// integrators.
#include "ForceTest.h"

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

class Flags : public PlatformTest {};

TEST_P(Flags, obeysForceGroups) {
    PaiNNStudentModel model = makeModel();
    Cluster cluster(8);
    Exact exact(model, cluster);
    System system;
    addParticles(system, 8);
    for (int group : {31, 5}) { // two forces on the same particles, with two kernels
        PaiNNStudentForce* force = makeForce(model, cluster);
        force->setForceGroup(group);
        system.addForce(force);
    }
    VerletIntegrator integrator(0.001);
    auto context = makeContext(system, integrator);
    context->setPositions(cluster.positions);
    EXPECT_EQ(0.0, getEnergy(*context, 1 << 4));
    for (double f : getForces(*context, 1 << 4))
        EXPECT_EQ(0.0, f);
    for (unsigned groups : {1u << 5, 1u << 31}) {
        EXPECT_NEAR(exact.energy, getEnergy(*context, static_cast<int>(groups)),
                    getTolerance(8, 1e-12 * fabs(exact.energy)));
        EXPECT_TRUE(forcesAgree(exact.forces, getForces(*context, static_cast<int>(groups))));
    }
    vector<double> twice = exact.forces;
    for (double& f : twice)
        f *= 2;
    EXPECT_NEAR(2 * exact.energy, getEnergy(*context), getTolerance(16, 1e-12 * fabs(exact.energy)));
    EXPECT_TRUE(forcesAgree(twice, getForces(*context)));
}

// Verlet computes forces whenever energy is asked for, the Langevin integrators do not: all ways give the same bits.
TEST_P(Flags, energyAndForcesDoNotDependOnWhatElseIsAsked) {
    PAINN_NEEDS_BITS();
    PaiNNStudentModel model = makeModel();
    Cluster cluster(8);
    vector<double> energies;
    vector<vector<double>> forces;
    for (int i = 0; i < 2; i++) {
        auto simulation =
            simulate(model, cluster, i == 0 ? nullptr : make_unique<LangevinMiddleIntegrator>(300, 1, 0.001));
        const auto& context = simulation->context;
        energies.push_back(getEnergy(*context));
        forces.push_back(getForces(*context));
        energies.push_back(getEnergy(*context)); // now the forces of the call before must survive
        State both = context->getState(State::Energy | State::Forces);
        energies.push_back(both.getPotentialEnergy());
        forces.push_back(flatten(both.getForces()));
    }
    for (double energy : energies)
        EXPECT_EQ(energies[0], energy);
    for (const vector<double>& f : forces)
        EXPECT_EQ(forces[0], f);
}

// The energies of the entries are a question on the side: a trajectory with it is the same as one without.
TEST_P(Flags, entryEnergiesLeaveTheStateUntouched) {
    PAINN_NEEDS_BITS();
    PaiNNStudentModel model = makeGentleModel();
    Cluster cluster(8);
    vector<double> positions[2];
    for (int ask = 0; ask < 2; ask++) {
        auto simulation = simulate(model, cluster, make_unique<VerletIntegrator>(0.0005));
        PaiNNStudentForce* force = simulation->force;
        const auto& context = simulation->context;
        for (int i = 0; i < 20; i++) {
            simulation->integrator->step(1);
            if (ask == 1) {
                vector<double> particleEnergies, subsystemEnergies;
                force->getParticleEnergies(*context, particleEnergies);
                force->getSubsystemEnergies(*context, subsystemEnergies);
                ASSERT_EQ(8u, particleEnergies.size());
                ASSERT_EQ(1u, subsystemEnergies.size());
                double sum = 0;
                for (double energy : particleEnergies)
                    sum += energy;
                EXPECT_NEAR(sum, subsystemEnergies[0], isOnHost() ? 0 : 1e-14 * fabs(sum));
                Cluster now = cluster;
                now.positions = context->getState(State::Positions).getPositions();
                Exact exact(model, now);
                for (int j = 0; j < 8; j++)
                    EXPECT_NEAR(exact.atomEnergies[j], particleEnergies[j],
                                getTolerance(1, 1e-13 * fabs(exact.energy)));
            }
        }
        positions[ask] = flatten(context->getState(State::Positions).getPositions());
    }
    EXPECT_EQ(positions[0], positions[1]);
}

TEST_P(Flags, conservesEnergy) {
    Cluster cluster(8);
    auto simulation = simulate(makeGentleModel(), cluster, make_unique<VerletIntegrator>(0.0002));
    Integrator& integrator = *simulation->integrator;
    integrator.step(10);
    State start = simulation->context->getState(State::Energy);
    double total = start.getKineticEnergy() + start.getPotentialEnergy(), moved = 0;
    for (int i = 0; i < 20; i++) {
        integrator.step(10);
        State now = simulation->context->getState(State::Energy);
        moved = max(moved, fabs(now.getKineticEnergy() - start.getKineticEnergy()));
        EXPECT_NEAR(total, now.getKineticEnergy() + now.getPotentialEnergy(), 0.01 * max(moved, 1.0));
    }
    EXPECT_GT(moved, 0.1); // something happened at all
}

PAINN_ALL_PLATFORMS(Flags);
PAINN_TORCH_PLATFORMS(Flags);
PAINN_TORCH_COPY_PLATFORMS(Flags);

} // namespace PaiNNPlugin
