// SPDX-License-Identifier: MIT
// Contexts that have their forces evaluated together give the bits that they give alone.
#include "ReplicasTest.h"
#include <mutex>
#include <thread>

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

class Replicas : public ReplicasTest {};

TEST_P(Replicas, dynamicsHasTheBitsOfContextsAlone) {
    // Stochastic integrators of Reference draw from one generator for the process.
    const bool ownNumbers = platform->getName() != "Reference";
    auto makeIntegrator = [&](int i) -> unique_ptr<Integrator> {
        if (i % 2 == 0 || !ownNumbers)
            return verlet();
        auto langevin = make_unique<LangevinMiddleIntegrator>(300, 1, 0.0005);
        langevin->setRandomNumberSeed(i);
        return langevin;
    };
    Group apart = makeClusters(sizes, makeIntegrator);
    apart.stepAlone(40);
    const auto expected = apart.getPositions();
    for (Mode mode : {PaiNNReplicaContexts::Baton, PaiNNReplicaContexts::Parallel}) {
        Group together = makeClusters(sizes, makeIntegrator);
        together.contexts->setMode(mode);
        together.contexts->setTimeout(60);
        together.contexts->step(25);
        together.contexts->step(15);
        EXPECT_EQ(together.getPositions(), expected) << "mode " << mode;
        if (hasNative()) {
            EXPECT_GE(together.contexts->getNumBatches(), 40);
            EXPECT_GE(together.contexts->getNumBatchedEvaluations(), 40 * together.size());
        }
        for (int i = 0; i < together.size(); i++) // evaluated by itself after all
            EXPECT_EQ(getEnergy(together[i]), getEnergy(apart[i])) << i;
    }
}

/** On Reference and CPU this integrator draws from the generator of the process, before and after forces. */
TEST_P(Replicas, batonDoesNotDependOnHowManyStepsAreMadeAtATime) {
    auto makeIntegrator = [](int i) {
        auto integrator = make_unique<CustomIntegrator>(0.0005);
        integrator->addComputePerDof("v", "v + 0.01*gaussian");
        integrator->addComputePerDof("x", "x + 0.5*dt*v");
        integrator->addComputePerDof("v", "v + dt*f/m");
        integrator->addComputePerDof("x", "x + 0.5*dt*v");
        integrator->addComputePerDof("v", "v + 0.01*gaussian");
        integrator->setRandomNumberSeed(3 + i);
        return integrator;
    };
    vector<vector<double>> expected;
    for (const vector<int>& pieces : {vector<int>{6}, {1, 2, 3}, {4, 1, 1}}) {
        Group group = makeClusters({5, 8, 13}, makeIntegrator);
        EXPECT_EQ(group.contexts->getMode(), PaiNNReplicaContexts::Baton);
        for (int steps : pieces)
            group.contexts->step(steps);
        if (expected.empty())
            expected = group.getPositions();
        EXPECT_EQ(group.getPositions(), expected) << pieces.size();
    }
}

TEST_P(Replicas, eachHasItsOwnBox) {
    const PaiNNStudentModel model = makeGentleModel();
    auto make = [&] {
        Group group;
        for (int i = 0; i < 4; i++) {
            auto system = make_unique<System>();
            const Cluster cluster(50, static_cast<unsigned>(i + 1));
            addParticles(*system, cluster.size());
            PaiNNStudentForce* force = makeForce(model, cluster);
            force->setUsesPeriodicBoundaryConditions(true);
            system->addForce(force);
            const double width = 2.1 * model.getCutoff() + 0.05 * i;
            system->setDefaultPeriodicBoxVectors(Vec3(width, 0, 0), Vec3(0.1 * i, width, 0), Vec3(0, 0.1, width));
            system->addForce(new MonteCarloBarostat(1.0, 300, 3));
            dynamic_cast<MonteCarloBarostat&>(system->getForce(1)).setRandomNumberSeed(7 + i);
            group.add(move(system), force, verlet());
        }
        makeContexts(group);
        for (int i = 0; i < group.size(); i++)
            group[i].setPositions(Cluster(50, static_cast<unsigned>(i + 1)).positions);
        return group;
    };
    Group group = make();
    EXPECT_EQ(group.contexts->getMode(), PaiNNReplicaContexts::Baton);
    group.contexts->step(20);
    for (int i = 0; i < group.size(); i++) {
        // An evaluation by itself, where the last batch left it.
        auto system = make_unique<System>();
        addParticles(*system, 50);
        system->addForce(new PaiNNStudentForce(*group.forces[i]));
        VerletIntegrator integrator(0.001);
        const State now = group[i].getState(State::Positions | State::Forces | State::Energy);
        Vec3 box[3];
        now.getPeriodicBoxVectors(box[0], box[1], box[2]);
        system->setDefaultPeriodicBoxVectors(box[0], box[1], box[2]);
        auto context = makeContext(*system, integrator);
        context->setPositions(now.getPositions());
        EXPECT_EQ(getEnergy(*context), now.getPotentialEnergy()) << i;
        EXPECT_EQ(getForces(*context), flatten(now.getForces())) << i;
        for (int j = 0; j < i; j++) {
            Vec3 other[3];
            group[j].getState(0).getPeriodicBoxVectors(other[0], other[1], other[2]);
            EXPECT_NE(other[0][0], box[0][0]);
        }
    }
    if (hasNative()) {
        EXPECT_GT(group.contexts->getNumBatches(), 20);
    }
}

TEST_P(Replicas, stateEnergiesAreThoseOfEachState) {
    Group group = makeClusters(sizes, [](int) { return verlet(); });
    for (int i = 0; i < group.size(); i++)
        group[i].setParameter("s", 0.1 * (i + 1));
    const vector<map<string, double>> states = {{{"s", 0.0}}, {{"s", 0.25}}, {{"s", 1.0}}, {}, {{"s", 0.25}}};
    for (int round = 0; round < 2; round++) {
        vector<vector<double>> energies;
        group.contexts->computeStateEnergies(states, energies);
        ASSERT_EQ(energies.size(), sizes.size());
        for (int i = 0; i < group.size(); i++) {
            ASSERT_EQ(energies[i].size(), states.size());
            EXPECT_EQ(group[i].getParameter("s"), 0.1 * (i + 1));
            for (size_t s = 0; s < states.size(); s++) {
                group[i].setParameter("s", states[s].empty() ? 0.1 * (i + 1) : states[s].at("s"));
                EXPECT_EQ(energies[i][s], getEnergy(group[i])) << i << ", " << s;
            }
            EXPECT_NE(energies[i][2], 0);
            EXPECT_EQ(energies[i][0], 0);
            group[i].setParameter("s", 0.1 * (i + 1));
        }
        group.contexts->step(1);
    }
    vector<vector<double>> energies;
    EXPECT_MESSAGE(group.contexts->computeStateEnergies({{{"s", 0.5}}, {{"t", 1.0}}}, energies), "replica 0: ");
    EXPECT_EQ(group[0].getParameter("s"), 0.1);
    group.contexts->computeStateEnergies(states, energies, 2);
    EXPECT_EQ(energies[1][2], 0) << "no force is in that group";
}

/** A replica that fails says which one it is, and the others have their right bits. */
TEST_P(Replicas, oneThatFailsLeavesTheOthersAlone) {
    auto makeIntegrator = [](int) { return verlet(); };
    Group apart = makeClusters(sizes, makeIntegrator);
    apart.stepAlone(6);
    const auto expected = apart.getPositions();
    for (Mode mode : {PaiNNReplicaContexts::Baton, PaiNNReplicaContexts::Parallel}) {
        Group group = makeClusters(sizes, makeIntegrator);
        group.contexts->setMode(mode);
        group.contexts->step(3);
        vector<Vec3> positions = group[2].getState(State::Positions).getPositions();
        positions[4] = positions[3]; // the same place
        group[2].setPositions(positions);
        // A GPU may report it some steps later, but has when it has been waited for.
        string message;
        for (int steps : {2, 1}) {
            try {
                group.contexts->step(steps);
            }
            catch (const OpenMMException& e) {
                message = message.empty() ? e.what() : message;
            }
            group.getPositions();
        }
        EXPECT_EQ(message.find("replica 2: "), 0) << message;
        auto found = group.getPositions();
        for (int i = 0; i < group.size(); i++)
            if (i != 2) {
                EXPECT_EQ(found[i], expected[i]) << i << ", mode " << mode;
            }
        group[2].setPositions(Cluster(sizes[2], 3).positions);
        if (isCuda())
            try { // what was reported of the old positions after the last exception is told at the next evaluation
                getForces(group[2]);
            }
            catch (const OpenMMException&) {
            }
        group.contexts->step(2);
    }
}

/** Row 31: groups in threads of their own, made and destroyed while others run, give the bits of Contexts alone. */
TEST_P(Replicas, groupsComeAndGoInThreads) {
    if (!hasNative())
        GTEST_SKIP() << "replicas share nothing on this platform";
    auto makeIntegrator = [](int) { return verlet(); };
    vector<vector<vector<double>>> expected;
    for (int first : {0, 1, 2}) {
        Group apart = makeClusters({sizes[first], sizes[first + 1], sizes[first + 2]}, makeIntegrator);
        apart.stepAlone(20);
        expected.push_back(apart.getPositions());
    }
    mutex lock; // OpenMM does not guard making and destroying Contexts
    vector<vector<vector<double>>> found(expected.size());
    vector<thread> threads;
    for (int first = 0; first < static_cast<int>(expected.size()); first++)
        threads.emplace_back([&, first] {
            for (int round = 0; round < 2; round++) {
                unique_lock<mutex> guard(lock);
                Group group = makeClusters({sizes[first], sizes[first + 1], sizes[first + 2]}, makeIntegrator);
                guard.unlock();
                group.contexts->setMode(first == 1 ? PaiNNReplicaContexts::Baton : PaiNNReplicaContexts::Parallel);
                group.contexts->setTimeout(60);
                group.contexts->step(13);
                group.contexts->step(7);
                found[first] = group.getPositions();
                guard.lock();
                group = Group();
            }
        });
    for (thread& t : threads)
        t.join();
    EXPECT_EQ(found, expected);
}

TEST_P(Replicas, unlikeIntegratorsInnerContextsAndUnequalForces) {
    const PaiNNStudentModel model = makeGentleModel();
    ModelOptions options;
    options.weightScale = 0.5;
    options.family = "student";
    const PaiNNStudentModel other = makeModel(options);
    auto make = [&] {
        Group group;
        for (int i = 0; i < 5; i++) {
            const Cluster cluster(8 + i, static_cast<unsigned>(i));
            auto system = make_unique<System>();
            addParticles(*system, cluster.size());
            PaiNNStudentForce* force = makeForce(i == 4 ? other : model, cluster);
            if (i == 1 && platform->getName() != "OpenCL") {
                auto outer = new CustomCVForce("2*v");
                outer->addCollectiveVariable("v", force);
                system->addForce(outer);
            }
            else
                system->addForce(force);
            if (i == 2) { // evaluates twice as often
                PaiNNStudentForce* second = makeForce(model, cluster);
                second->setForceGroup(1);
                system->addForce(second);
            }
            group.add(move(system), force, verlet());
        }
        makeContexts(group);
        for (int i = 0; i < group.size(); i++)
            group[i].setPositions(Cluster(8 + i, static_cast<unsigned>(i)).positions);
        return group;
    };
    Group apart = make();
    apart.stepAlone(12);
    for (Mode mode : {PaiNNReplicaContexts::Baton, PaiNNReplicaContexts::Parallel}) {
        Group group = make();
        group.contexts->setMode(mode);
        group.contexts->setTimeout(0.2); // with unequal numbers of evaluations somebody is always late
        group.contexts->step(12);
        EXPECT_EQ(group.getPositions(), apart.getPositions()) << "mode " << mode;
    }
}

TEST_P(Replicas, reinitializedAndChangedContexts) {
    Group group = makeClusters(sizes, [](int) { return verlet(); });
    group.contexts->step(2);
    // Another element for one particle of one replica: the batch takes it over.
    int particle, element, subsystem;
    group.forces[1]->getParticleParameters(0, particle, element, subsystem);
    group.forces[1]->setParticleParameters(0, particle, element == 1 ? 6 : 1, subsystem);
    group.forces[1]->updateParametersInContext(group[1]);
    group.contexts->step(2);
    const State now = group[1].getState(State::Positions | State::Energy);
    auto system = make_unique<System>();
    addParticles(*system, sizes[1]);
    system->addForce(new PaiNNStudentForce(*group.forces[1]));
    VerletIntegrator integrator(0.001);
    auto context = makeContext(*system, integrator);
    context->setPositions(now.getPositions());
    EXPECT_EQ(getEnergy(*context), now.getPotentialEnergy());
    if (!isOnHost())
        return; // a linked Context cannot be reinitialized as one
    group[3].reinitialize(true);
    group.contexts->step(2);
    EXPECT_GT(group.contexts->getNumBatches(), 5);
}

TEST_P(Replicas, refusesWhatCannotBe) {
    System system;
    addParticles(system, 2);
    VerletIntegrator one(0.001), two(0.001);
    EXPECT_MESSAGE(PaiNNReplicaContexts({}, {}, *platform), "at least one");
    EXPECT_MESSAGE(PaiNNReplicaContexts({&system, &system}, {&one}, *platform), "2 Systems and 1 Integrators");
    EXPECT_MESSAGE(PaiNNReplicaContexts({&system, &system}, {&one, &one}, *platform), "replicas 0 and 1 have the same");
    EXPECT_MESSAGE(PaiNNReplicaContexts({&system, nullptr}, {&one, &two}, *platform), "replica 1 is a null pointer");
    EXPECT_MESSAGE(PaiNNReplicaContexts({&system}, {&one}, *platform, {{"DeviceIndex", "0,1"}}), "one device");
    PaiNNReplicaContexts contexts({&system, &system}, {&one, &two}, *platform, getProperties());
    EXPECT_EQ(contexts.getNumContexts(), 2);
    EXPECT_MESSAGE(contexts.getContext(2), "there is no replica 2; there are 2");
    EXPECT_MESSAGE(contexts.getContext(-1), "there is no replica -1");
    EXPECT_MESSAGE(contexts.step(-1), "must not be negative");
    EXPECT_MESSAGE(contexts.setTimeout(nan("")), "must be at least 0");
    EXPECT_MESSAGE(contexts.step(1), "replica 0: ") << "no positions yet";
}

PAINN_ALL_PLATFORMS(Replicas);

} // namespace PaiNNPlugin
