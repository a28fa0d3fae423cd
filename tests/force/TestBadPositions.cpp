// SPDX-License-Identifier: MIT
// Positions that have no energy or a hardly representable one: an exception that names the particle, and a Context that
// goes on.
#include "ForceTest.h"

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

class BadPositions : public PlatformTest {
protected:
    /** Steps evaluate forces alone, whose problems CUDA reports at the next evaluation after the device got there. */
    void stepUntilReported(Context& context, Integrator& integrator) const {
        integrator.step(1);
        if (!isCuda())
            return;
        context.getState(State::Positions); // waits for the device
        integrator.step(1);
    }
};

TEST_P(BadPositions, notFiniteOrHugeNamesTheParticle) {
    Cluster cluster(5);
    System system;
    addParticles(system, 7);
    system.addForce(makeForce(makeModel(), cluster, 2));
    VerletIntegrator integrator(0.001);
    auto context = makeContext(system, integrator);
    vector<Vec3> good(2, Vec3(3, 3, 3));
    good.insert(good.end(), cluster.positions.begin(), cluster.positions.end());
    context->setPositions(good);
    double energy = getEnergy(*context);
    vector<double> forces = getForces(*context);
    for (int atom = 2; atom < 7; atom++)
        for (int component = 0; component < 3; component++)
            for (double bad : {(double)NAN, (double)INFINITY, -(double)INFINITY, 1e30}) {
                vector<Vec3> positions = good;
                positions[atom][component] = bad;
                context->setPositions(positions);
                // OpenMM's CPU platform looks for NaN itself, and first.
                string expected = platform->getName() == "CPU" && bad != 1e30
                                      ? "article"
                                      : "the position of particle " + to_string(atom) + " is";
                EXPECT_MESSAGE(getEnergy(*context), expected);
                EXPECT_MESSAGE(getCheckedForces(*context), expected);
                EXPECT_MESSAGE(stepUntilReported(*context, integrator), expected);
                context->setPositions(good);
                EXPECT_NEAR(energy, getEnergy(*context), getNoise(8));
                EXPECT_TRUE(arraysAgree(forces, getForces(*context), repeatsBits() ? 0 : GetParam().bars.largest));
            }
}

// Down to a distance of 0: either an exception, or a force that is the derivative of the energy; in single precision,
// where a difference quotient says little, also the energy and the forces of the exact network. What turns the two
// atoms about each other is a difference of two sums, over their distance. Rounding leaves 3e-6 of it in the canonical
// network with the third atom where it is, and 3e-5, as much as is allowed, at (0, 0.14, 0), where the sums are almost
// equal.
TEST_P(BadPositions, overlapsAreRightOrRefused) {
    for (const char* repulsion : {"", R"({"type": "zbl", "p": 6})"})
        for (const char* family : {"canonical", "student"}) {
            ModelOptions options;
            options.repulsion = repulsion;
            options.family = family;
            System system;
            addParticles(system, 3);
            PaiNNStudentModel model = makeModel(options);
            Cluster cluster(3);
            cluster.elements = {6, 8, 6};
            system.addForce(makeForce(model, cluster));
            LangevinMiddleIntegrator integrator(300, 1, 0.001);
            auto context = makeContext(system, integrator);
            auto energyAt = [&](double d) {
                cluster.positions = {Vec3(0, 0, 0), Vec3(d, 0, 0), Vec3(0.1, 0.1, 0)};
                context->setPositions(cluster.positions);
                return getEnergy(*context);
            };
            EXPECT_MESSAGE(energyAt(0.0), "particles 0 and 1 are at the same place, (0, 0, 0) nm");
            int refused = 0, checked = 0;
            for (double d = 1e-2; d > 1e-39; d /= 10) {
                const double h = 1e-3;
                try {
                    double above = energyAt(d * (1 + h)), below = energyAt(d * (1 - h));
                    double expected = -(above - below) / (2 * h * d), energy = energyAt(d);
                    vector<double> forces = getCheckedForces(*context);
                    double found = forces[3];
                    ASSERT_TRUE(isfinite(energy) && isfinite(found)) << "at " << d;
                    // What the rounding of the energies and the step leave of the difference quotient.
                    double rounding = getTolerance(3, 1e-14 * fabs(energy));
                    if (!isExact()) {
                        Exact exact(model, cluster);
                        rounding += 1e-6 * fabs(exact.energy);
                        EXPECT_NEAR(exact.energy, energy, rounding) << "at " << d;
                        // What turns the close pair is a small difference of energies, divided by d: here 0.1 kJ/mol
                        // are left of 290. Changing all weights by half a unit in their last place (2^-24) changes
                        // the exact forces by up to 4.5e-5 of their RMS, 5e-6 kJ/mol / d.
                        const double slack = GetParam().bars.largest / 6 / d; // 5e-6 in single precision
                        EXPECT_TRUE(forcesAgree(exact.forces, forces, 0, slack)) << "at " << d;
                    }
                    EXPECT_NEAR(expected, found, 1e-9 + rounding / (h * d) + 1e-5 * fabs(expected)) << "at " << d;
                    EXPECT_TRUE(isOnHost() || fabs(found) < (1 << 30));
                    checked++;
                }
                catch (const OpenMMException& e) {
                    EXPECT_NE(string(e.what()).find("too close"), string::npos) << e.what();
                    refused++;
                }
            }
            EXPECT_GE(checked, 1);
            // Where atoms repel each other the force would not fit into the platform's numbers.
            EXPECT_TRUE(isOnHost() || *repulsion == 0 || refused > 20) << refused;
            EXPECT_TRUE(isfinite(energyAt(0.1)));
        }
}

// A trained network may explode where it saw no data: what does not fit into the platform's numbers is refused.
TEST_P(BadPositions, explodingEnergiesAreRightOrRefused) {
    const PaiNNStudentModel model(string(PAINN_MODELS) + "/alanine-dipeptide.safetensors");
    Cluster cluster(2);
    cluster.elements = {6, 1};
    cluster.positions[1] = Vec3(0.1, 0, 0);
    auto simulation = simulate(model, cluster);
    const auto& context = simulation->context;
    int refused = 0;
    double largest = 0;
    for (double d = 0.001; d < 0.5; d *= 1.03) {
        cluster.positions = {Vec3(0, 0, 0), Vec3(d, 0, 0)};
        context->setPositions(cluster.positions);
        const Exact exact(model, cluster);
        try {
            const double energy = getEnergy(*context);
            const vector<double> forces = getForces(*context);
            largest = max(largest, fabs(forces[0]));
            EXPECT_NEAR(exact.energy, energy,
                        getTolerance(2, 1e-12 * fabs(exact.energy)) + (isExact() ? 0 : 1e-4 * fabs(exact.energy)))
                << "at " << d;
            // Between steep walls the force goes through zero, and there its rounding is that of the walls.
            const double scale = max(fabs(exact.forces[0]), 1e3);
            for (int k = 0; k < 6; k++)
                EXPECT_NEAR(exact.forces[k], forces[k], (isExact() ? 1e-12 : 1e-3) * scale) << "at " << d;
        }
        catch (const OpenMMException& e) {
            EXPECT_NE(string(e.what()).find("too close"), string::npos) << e.what();
            refused++;
        }
    }
    EXPECT_GT(largest, 1e6);
    const bool isDouble = isOnHost() && GetParam().bars.largest < SINGLE.largest;
    EXPECT_EQ(isDouble, refused == 0) << refused;
}

TEST_P(BadPositions, isolatedAtomsFeelNothing) {
    ModelOptions options;
    options.atomReferences = {-1, -2, -3, -4};
    PaiNNStudentModel model = makeModel(options);
    Cluster cluster(5);
    auto simulation = simulate(model, cluster);
    const auto& context = simulation->context;
    Cluster alone(1), rest = cluster;
    rest.elements.erase(rest.elements.begin());
    rest.positions.erase(rest.positions.begin());
    double expected = Exact(model, alone).energy + Exact(model, rest).energy;
    for (double far : {2.0, 1e5}) {
        cluster.positions[0] = Vec3(far, 0, 0);
        context->setPositions(cluster.positions);
        EXPECT_NEAR(expected, getEnergy(*context), getTolerance(5, 1e-12 * fabs(expected)));
        vector<double> forces = getForces(*context);
        for (int k = 0; k < 3; k++)
            EXPECT_EQ(0.0, forces[k]);
    }
    for (int i = 0; i < 5; i++)
        cluster.positions[i] = Vec3(10 * i, 0, 0);
    context->setPositions(cluster.positions);
    for (double f : getForces(*context))
        EXPECT_EQ(0.0, f);
}

TEST_P(BadPositions, oneAtomAlone) {
    PaiNNStudentModel model = makeModel();
    System system;
    // OpenMM with one particle alone crashes in the OpenCL library PoCL.
    addParticles(system, isOnHost() || isCuda() ? 1 : 2);
    system.addForce(makeForce(model, Cluster(1)));
    VerletIntegrator integrator(0.001);
    auto context = makeContext(system, integrator);
    context->setPositions(vector<Vec3>(system.getNumParticles(), Vec3(1, 2, 3)));
    EXPECT_NEAR(Exact(model, Cluster(1)).energy, getEnergy(*context), getTolerance(1, 0));
    for (double f : getForces(*context))
        EXPECT_EQ(0.0, f);
}

PAINN_ALL_PLATFORMS(BadPositions);
PAINN_TORCH_PLATFORMS(BadPositions);

} // namespace PaiNNPlugin
