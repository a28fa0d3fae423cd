// SPDX-License-Identifier: MIT
// The same bits again: repeated evaluations with any number of threads, and restarts.
#include "../LongTests.h"
#include "ForceTest.h"
#include <sstream>

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

class Restart : public PlatformTest {};

static unique_ptr<System> makeSystem(const Cluster& cluster, const PaiNNStudentModel& model) {
    auto system = make_unique<System>();
    addParticles(*system, cluster.size());
    system->addForce(makeForce(model, cluster));
    return system;
}

// Row 20: 1,000 evaluations with each number of threads, with and without DeterministicForces, in Contexts of their
// own. test_determinism.py does the same in two processes.
TEST_P(Restart, sameInputSameBits) {
    PAINN_NEEDS_BITS();
    PAINN_SLOW_WITH_TORCH();
    // Atoms for several blocks of work, and subsystems of unequal sizes.
    Cluster cluster(61);
    auto system = make_unique<System>();
    addParticles(*system, cluster.size());
    PaiNNStudentForce* force = newForce(makeModel());
    for (int i = 0; i < cluster.size(); i++)
        force->addParticle(i, cluster.elements[i], i < 40 ? 1 : i < 49 ? 0 : i - 47);
    system->addForce(force);
    vector<map<string, string>> allProperties = {getProperties()};
    if (hasThreads()) {
        allProperties.clear();
        for (const char* threads : {"1", "2", "7"})
            for (const char* deterministic : {"false", "true"})
                allProperties.push_back({{"Threads", threads}, {"DeterministicForces", deterministic}});
    }
    double energy = 0;
    vector<double> forces;
    for (const auto& properties : allProperties) {
        VerletIntegrator integrator(0.001);
        Context context(*system, integrator, *platform, properties);
        for (int i = 0; i < repeats(1000, 1000); i++) {
            context.setPositions(cluster.positions);
            State state = context.getState(State::Energy | State::Forces);
            if (forces.empty()) {
                energy = state.getPotentialEnergy();
                forces = flatten(state.getForces());
            }
            ASSERT_EQ(energy, state.getPotentialEnergy());
            ASSERT_EQ(forces, flatten(state.getForces()));
        }
    }
}

TEST_P(Restart, checkpointContinuesExactly) {
    PAINN_NEEDS_BITS();
    PAINN_SLOW_WITH_TORCH();
    Cluster cluster(8);
    auto system = makeSystem(cluster, makeGentleModel());
    for (int i = 0; i < 2; i++) {
        auto makeIntegrator = [&]() -> unique_ptr<Integrator> {
            if (i == 0)
                return make_unique<VerletIntegrator>(0.0002);
            auto langevin = make_unique<LangevinMiddleIntegrator>(300, 1, 0.0002);
            langevin->setRandomNumberSeed(11);
            return langevin;
        };
        auto integrator = makeIntegrator();
        auto context = makeContext(*system, *integrator);
        context->setPositions(cluster.positions);
        context->setVelocitiesToTemperature(300, 5);
        integrator->step(333);
        stringstream checkpoint;
        context->createCheckpoint(checkpoint);
        State saved = context->getState(State::Positions | State::Velocities | State::Parameters);
        integrator->step(667);
        auto finish = [](Context& c) {
            State state = c.getState(State::Positions | State::Velocities);
            vector<double> result = flatten(state.getPositions()), v = flatten(state.getVelocities());
            result.insert(result.end(), v.begin(), v.end());
            return result;
        };
        vector<double> expected = finish(*context);
        context->loadCheckpoint(checkpoint);
        integrator->step(667);
        EXPECT_EQ(expected, finish(*context)) << "in the same Context";
        auto integrator2 = makeIntegrator();
        auto context2 = makeContext(*system, *integrator2);
        checkpoint.clear();
        checkpoint.seekg(0);
        context2->loadCheckpoint(checkpoint);
        integrator2->step(667);
        EXPECT_EQ(expected, finish(*context2)) << "in another Context";
        if (i == 1)
            continue; // a State holds no random numbers
        stringstream xml;
        XmlSerializer::serialize(&saved, "State", xml);
        unique_ptr<State> loaded(XmlSerializer::deserialize<State>(xml));
        context2->setState(*loaded);
        integrator2->step(667);
        EXPECT_EQ(expected, finish(*context2)) << "from a State";
    }
}

PAINN_ALL_PLATFORMS(Restart);
PAINN_TORCH_PLATFORMS(Restart);

} // namespace PaiNNPlugin
