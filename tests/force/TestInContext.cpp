// SPDX-License-Identifier: MIT
// Changes in an existing Context, and the force inside other forces.
#include "ForceTest.h"

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

class InContext : public PlatformTest {};

TEST_P(InContext, updatesElements) {
    PaiNNStudentModel model = makeModel();
    Cluster cluster(6);
    auto simulation = simulate(model, cluster);
    PaiNNStudentForce* force = simulation->force;
    const auto& context = simulation->context;
    double before = getEnergy(*context);
    cluster.elements[2] = 6;
    cluster.elements[5] = 8;
    for (int i = 0; i < 6; i++)
        force->setParticleParameters(i, i, cluster.elements[i]);
    EXPECT_NEAR(before, getEnergy(*context), getNoise(8));
    force->updateParametersInContext(*context);
    Exact exact(model, cluster);
    EXPECT_NE(before, exact.energy);
    EXPECT_NEAR(exact.energy, getEnergy(*context), getTolerance(6, 1e-12 * fabs(exact.energy)));
    EXPECT_TRUE(forcesAgree(exact.forces, getForces(*context)));
}

TEST_P(InContext, refusesToUpdateAnythingElse) {
    PaiNNStudentModel model = makeModel();
    Cluster cluster(4);
    System system;
    addParticles(system, 6);
    PaiNNStudentForce* force = makeForce(model, cluster);
    force->addGlobalParameter("lambda", 1.0);
    system.addForce(force);
    VerletIntegrator integrator(0.001);
    auto context = makeContext(system, integrator);
    vector<Vec3> positions = cluster.positions;
    positions.resize(6, Vec3(9, 9, 9));
    context->setPositions(positions);
    double before = getEnergy(*context);
    auto expectRefusal = [&](const string& change) {
        EXPECT_MESSAGE(force->updateParametersInContext(*context), change);
        EXPECT_NEAR(before, getEnergy(*context), getNoise(8));
    };
    force->setParticleParameters(1, 5, 6);
    expectRefusal("the particle of entry 1 (from 1 to 5)");
    force->setParticleParameters(1, 1, 6, 2);
    expectRefusal("the subsystem of entry 1 (from 0 to 2)");
    force->setParticleParameters(1, 1, 6);
    force->setSubsystemScale(0, "lambda");
    expectRefusal("the scale of subsystem 0");
    force->setSubsystemScale(0, "");
    force->setUsesPeriodicBoundaryConditions(true);
    expectRefusal("the use of periodic boundary conditions");
    force->setUsesPeriodicBoundaryConditions(false);
    force->setGlobalParameterName(0, "mu");
    expectRefusal("the name of global parameter 0");
    force->setGlobalParameterName(0, "lambda");
    force->addEnergyParameterDerivative("lambda");
    expectRefusal("the number of energy parameter derivatives");
    force->addBond(0, 1);
    expectRefusal("the number of bonds");
    force->addParticle(4, 1);
    expectRefusal("the number of particles (from 4 to 5)");
    PaiNNStudentForce stranger(model);
    EXPECT_MESSAGE(stranger.updateParametersInContext(*context), "not present in the Context");
}

TEST_P(InContext, worksInsideCustomCVForce) {
    PaiNNStudentModel model = makeModel();
    Cluster cluster(6);
    Exact exact(model, cluster);
    System system;
    addParticles(system, 6);
    PaiNNStudentForce* force = makeForce(model, cluster);
    force->addGlobalParameter("inner", 1.0);
    force->setSubsystemScale(0, "inner");
    CustomCVForce* outer = new CustomCVForce("outer*v + 0.5*v^2");
    outer->addGlobalParameter("outer", 3.0);
    outer->addCollectiveVariable("v", force);
    system.addForce(outer);
    LangevinMiddleIntegrator integrator(300, 1, 0.001);
    auto context = makeContext(system, integrator);
    context->setPositions(cluster.positions);
    for (double scale : {1.0, 0.5, 0.0}) {
        context->setParameter("inner", scale);
        double v = scale * exact.energy;
        vector<double> expected = exact.forces;
        for (double& f : expected)
            f *= scale * (3.0 + v);
        EXPECT_NEAR(3.0 * v + 0.5 * v * v, getEnergy(*context),
                    getTolerance(6 * fabs(3.0 + v), 1e-11 * (1 + fabs(v) + v * v)));
        // On a GPU the inner Context has forces in steps of 2^-32, which the outer one multiplies.
        EXPECT_TRUE(forcesAgree(expected, getForces(*context), 1e-11, isOnHost() ? 0 : 5e-10 * fabs(3.0 + v)));
    }
}

TEST_P(InContext, worksInsideATMForce) {
    PaiNNStudentModel model = makeModel();
    Cluster cluster(6);
    Cluster moved = cluster;
    Vec3 displacement(0.05, -0.02, 0.03);
    for (int i : {1, 4})
        moved.positions[i] += displacement;
    Exact exact0(model, cluster), exact1(model, moved);
    System system;
    addParticles(system, 6);
    const double lambda = 0.3;
    ATMForce* atm = new ATMForce("(1-weight)*u0 + weight*u1");
    atm->addGlobalParameter("weight", lambda);
    for (int i = 0; i < 6; i++)
        atm->addParticle(i == 1 || i == 4 ? displacement : Vec3());
    atm->addForce(makeForce(model, cluster));
    system.addForce(atm);
    VerletIntegrator integrator(0.001);
    auto context = makeContext(system, integrator);
    context->setPositions(cluster.positions);
    vector<double> expected;
    for (size_t i = 0; i < exact0.forces.size(); i++)
        expected.push_back((1 - lambda) * exact0.forces[i] + lambda * exact1.forces[i]);
    EXPECT_NEAR((1 - lambda) * exact0.energy + lambda * exact1.energy, getEnergy(*context),
                getTolerance(6, 1e-12 * fabs(exact0.energy)));
    EXPECT_TRUE(forcesAgree(expected, getForces(*context), 1e-11));
}

TEST_P(InContext, isOneMoleculeUnlessPeriodic) {
    Cluster cluster(6);
    for (bool periodic : {false, true}) {
        System system;
        addParticles(system, 8);
        system.setDefaultPeriodicBoxVectors(Vec3(2, 0, 0), Vec3(0, 2, 0), Vec3(0, 0, 2));
        PaiNNStudentForce* force = newForce(makeModel());
        for (int i = 0; i < 6; i++)
            force->addParticle(7 - i, cluster.elements[i], i % 2);
        force->addBond(2, 5);
        force->setUsesPeriodicBoundaryConditions(periodic);
        system.addForce(force);
        VerletIntegrator integrator(0.001);
        auto context = makeContext(system, integrator);
        vector<vector<int>> expected = {{0}, {1}, {2, 4, 6}, {3, 5, 7}};
        if (periodic)
            expected = {{0}, {1}, {2, 5}, {3}, {4}, {6}, {7}};
        EXPECT_EQ(expected, context->getMolecules());
    }
}

TEST_P(InContext, reinitializes) {
    auto simulation = simulate(makeModel(), Cluster(6));
    const auto& context = simulation->context;
    simulation->force->addGlobalParameter("lambda", 0.5);
    simulation->force->setSubsystemScale(0, "lambda");
    double before = getEnergy(*context);
    context->reinitialize(true);
    EXPECT_NEAR(0.5 * before, getEnergy(*context), 1e-12 * fabs(before) + getNoise(6));
}

TEST_P(InContext, minimizes) {
    auto simulation = simulate(makeGentleModel(), Cluster(6));
    double before = getEnergy(*simulation->context);
    LocalEnergyMinimizer::minimize(*simulation->context, 10, 50);
    EXPECT_LT(getEnergy(*simulation->context), before);
}

PAINN_ALL_PLATFORMS(InContext);
PAINN_TORCH_PLATFORMS(InContext);
PAINN_TORCH_COPY_PLATFORMS(InContext);

} // namespace PaiNNPlugin
