// SPDX-License-Identifier: MIT
// What only the CUDA platform does: it moves atoms to other places in its arrays, splits positions in two numbers, and
// does not survive a fork. Where there is no GPU these tests say that they were skipped.
#include "ForceTest.h"
#include <csignal>
#include <mutex>
#include <sstream>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

class Cuda : public PlatformTest {
protected:
    /** A part of a Context's results. */
    struct Result {
        double energy;
        vector<double> forces;
        bool operator==(const Result& other) const {
            return energy == other.energy && forces == other.forces;
        }
    };
    static constexpr int GROUP = 1; ///< the force group of the network
    static Result evaluate(Context& context) {
        const State state = context.getState(State::Energy | State::Forces, false, 1 << GROUP);
        return {state.getPotentialEnergy(), flatten(state.getForces())};
    }
};

/**
 * Molecules that look all the same to OpenMM, every third of them a subsystem of the network, in a box with a
 * NonbondedForce of charges 0: it does nothing, but because of it OpenMM sorts atoms anew every 250 steps.
 */
struct Molecules {
    static constexpr int SIDE = 6, NUMBER = SIDE * SIDE * SIDE, SIZE = 3;
    explicit Molecules(const PaiNNStudentModel& model, int group) {
        NonbondedForce* nonbonded = new NonbondedForce();
        nonbonded->setNonbondedMethod(NonbondedForce::PME);
        nonbonded->setCutoffDistance(1.0);
        HarmonicBondForce* bonds = new HarmonicBondForce();
        network = new PaiNNStudentForce(model);
        network->setForceGroup(group);
        mt19937 random(3);
        auto uniform = [&] { return random() / 2147483648.0 - 1; };
        for (int m = 0; m < NUMBER; m++) {
            // Far enough from the faces of the box that nothing is wrapped, which would round positions.
            const Vec3 center(0.8 + 0.4 * (m % SIDE), 0.8 + 0.4 * (m / SIDE % SIDE), 0.8 + 0.4 * (m / SIDE / SIDE));
            const bool inNetwork = (m % 3 == 0);
            for (int k = 0; k < SIZE; k++) {
                const int particle = system.addParticle(12.0);
                nonbonded->addParticle(0, 1, 0);
                positions.push_back(center + Vec3(k == 1 ? 0.11 : 0, k == 2 ? 0.12 : 0, 0.01 * k) +
                                    Vec3(uniform(), uniform(), uniform()) * 0.01);
                velocities.push_back(Vec3(uniform(), uniform(), uniform()) * 1.0);
                if (k > 0)
                    bonds->addBond(particle - 1, particle, 0.14, 2e4);
                if (inNetwork)
                    network->addParticle(particle, ELEMENTS[k], m / 3);
            }
        }
        system.setDefaultPeriodicBoxVectors(Vec3(3.6, 0, 0), Vec3(0, 3.6, 0), Vec3(0, 0, 3.6));
        for (Force* force : initializer_list<Force*>{nonbonded, bonds, network})
            system.addForce(force);
    }
    /** Energy and forces by the exact network, of all particles. */
    pair<double, vector<double>> evaluateExactly(const PaiNNStudentModel& model, const vector<Vec3>& now) const {
        double energy = 0;
        vector<double> forces(3 * now.size());
        for (int m = 0; m < NUMBER; m += 3) {
            Cluster cluster(0);
            cluster.elements.assign(ELEMENTS, ELEMENTS + SIZE);
            cluster.positions.assign(now.begin() + m * SIZE, now.begin() + (m + 1) * SIZE);
            const Exact exact(model, cluster);
            energy += exact.energy;
            copy(exact.forces.begin(), exact.forces.end(), forces.begin() + 3 * m * SIZE);
        }
        return {energy, forces};
    }
    static constexpr int ELEMENTS[SIZE] = {8, 1, 6};
    System system;
    PaiNNStudentForce* network;
    vector<Vec3> positions, velocities;
};

TEST_P(Cuda, atomsThatChangePlaces) {
    const PaiNNStudentModel model = makeGentleModel();
    Molecules molecules(model, GROUP);
    VerletIntegrator integrator(0.0005), integrator2(0.0005);
    auto context = makeContext(molecules.system, integrator), fresh = makeContext(molecules.system, integrator2);
    context->setPositions(molecules.positions);
    context->setVelocities(molecules.velocities);
    for (int steps : {1, 248, 1, 1, 1, 248, 300, 400}) {
        integrator.step(steps);
        const vector<Vec3> now = context->getState(State::Positions).getPositions();
        const auto [energy, forces] = molecules.evaluateExactly(model, now);
        const Result found = evaluate(*context);
        const int atoms = Molecules::NUMBER * Molecules::SIZE / 3;
        // Where atoms repel each other, distances that are rounded to single precision show.
        double slack = 0;
        for (double force : forces)
            slack += 1e-8 * fabs(force); // nm
        EXPECT_NEAR(energy, found.energy, getTolerance(atoms, 0) + slack) << steps;
        EXPECT_TRUE(forcesAgree(forces, found.forces)) << steps;
        fresh->setPositions(now);
        EXPECT_EQ(evaluate(*fresh), found) << "where atoms stand in the arrays must not matter";
        vector<double> subsystems;
        molecules.network->getSubsystemEnergies(*context, subsystems);
        double sum = 0;
        for (double each : subsystems)
            sum += each;
        EXPECT_EQ(sum, found.energy);
    }
}

TEST_P(Cuda, checkpointAcrossChangesOfPlaces) {
    const PaiNNStudentModel model = makeGentleModel();
    Molecules molecules(model, GROUP);
    auto finish = [](Context& context) {
        const State state = context.getState(State::Positions | State::Velocities);
        vector<double> result = flatten(state.getPositions()), v = flatten(state.getVelocities());
        result.insert(result.end(), v.begin(), v.end());
        return result;
    };
    VerletIntegrator integrator(0.0005), integrator2(0.0005);
    auto context = makeContext(molecules.system, integrator), other = makeContext(molecules.system, integrator2);
    context->setPositions(molecules.positions);
    context->setVelocities(molecules.velocities);
    integrator.step(333);
    stringstream checkpoint;
    context->createCheckpoint(checkpoint);
    integrator.step(667);
    const vector<double> expected = finish(*context);
    context->loadCheckpoint(checkpoint);
    integrator.step(667);
    EXPECT_EQ(expected, finish(*context)) << "in the same Context";
    checkpoint.clear();
    checkpoint.seekg(0);
    other->loadCheckpoint(checkpoint);
    integrator2.step(667);
    EXPECT_EQ(expected, finish(*other)) << "in another Context";
}

// Mixed precision has the rest of a position in a second array.
TEST_P(Cuda, farFromTheOrigin) {
    const PaiNNStudentModel model = makeModel();
    System system;
    addParticles(system, 8);
    system.addForce(makeForce(model, Cluster(8)));
    VerletIntegrator integrator(0.001);
    auto context = makeContext(system, integrator);
    for (double distance : {1e2, 1e3, 1e4}) {
        if (isSingle() && distance > 1e3)
            continue; // neighbouring numbers are 0.001 nm apart, and atoms may fall together
        Cluster cluster(8);
        for (Vec3& p : cluster.positions)
            p += Vec3(distance, -0.7 * distance, 0.3 * distance);
        context->setPositions(cluster.positions);
        const Exact exact(model, cluster);
        EXPECT_NEAR(exact.energy, getEnergy(*context), getTolerance(8, 0)) << distance;
        EXPECT_TRUE(forcesAgree(exact.forces, getForces(*context))) << distance;
    }
}

TEST_P(Cuda, deterministicWhetherAskedOrNot) {
    const Cluster cluster(40);
    System system;
    addParticles(system, cluster.size());
    PaiNNStudentForce* force = makeForce(makeModel(), cluster);
    force->setForceGroup(GROUP);
    system.addForce(force);
    vector<Result> results;
    for (const char* asked : {"true", "false"}) {
        VerletIntegrator integrator(0.001);
        map<string, string> properties = getProperties();
        properties["DeterministicForces"] = asked;
        Context context(system, integrator, *platform, properties);
        for (int i = 0; i < 50; i++) {
            context.setPositions(cluster.positions);
            results.push_back(evaluate(context));
            ASSERT_EQ(results[0], results.back());
        }
    }
}

// Contexts of one model, each with a CUcontext of its own: taking turns, and when the first of them has gone.
TEST_P(Cuda, twoContexts) {
    const PaiNNStudentModel model = makeGentleModel();
    vector<vector<double>> together, alone;
    auto prepare = [&](int i, System& system, Integrator& integrator) {
        const Cluster cluster(6 + 3 * i, i);
        addParticles(system, cluster.size());
        system.addForce(makeForce(model, cluster));
        auto context = makeContext(system, integrator);
        context->setPositions(cluster.positions);
        return context;
    };
    auto getPositions = [](Context& context) { return flatten(context.getState(State::Positions).getPositions()); };
    for (int i = 0; i < 2; i++) {
        System system;
        VerletIntegrator integrator(0.0002);
        auto context = prepare(i, system, integrator);
        integrator.step(80);
        alone.push_back(getPositions(*context));
    }
    System systems[2];
    VerletIntegrator integrators[2] = {VerletIntegrator(0.0002), VerletIntegrator(0.0002)};
    unique_ptr<Context> contexts[2];
    for (int i = 0; i < 2; i++)
        contexts[i] = prepare(i, systems[i], integrators[i]);
    for (int turn = 0; turn < 8; turn++)
        for (VerletIntegrator& integrator : integrators)
            integrator.step(turn < 4 || &integrator == &integrators[0] ? 10 : 5);
    EXPECT_EQ(alone[0], getPositions(*contexts[0]));
    contexts[0].reset();
    integrators[1].step(20);
    EXPECT_EQ(alone[1], getPositions(*contexts[1]));
}

// OpenMM asks for Contexts to be made one by one; they run and go at any time.
TEST_P(Cuda, contextsComeAndGoWhileOthersRun) {
    const PaiNNStudentModel models[] = {makeGentleModel(), makeModel()};
    mutex making;
    auto run = [&](int i) {
        const Cluster cluster(4 + i, i);
        System system;
        addParticles(system, cluster.size());
        system.addForce(makeForce(models[i % 2], cluster));
        VerletIntegrator integrator(0.0001);
        unique_ptr<Context> context;
        {
            lock_guard<mutex> guard(making);
            context = makeContext(system, integrator);
        }
        context->setPositions(cluster.positions);
        integrator.step(10);
        return flatten(context->getState(State::Positions).getPositions());
    };
    const int numThreads = 6;
    vector<vector<double>> alone;
    for (int i = 0; i < numThreads; i++)
        alone.push_back(run(i));
    vector<string> faults(numThreads);
    vector<thread> threads;
    for (int i = 0; i < numThreads; i++)
        threads.emplace_back([&, i] {
            try {
                for (int cycle = 0; cycle < 4; cycle++)
                    if (run((i + cycle) % numThreads) != alone[(i + cycle) % numThreads])
                        faults[i] += "other bits in cycle " + to_string(cycle) + "; ";
            }
            catch (const exception& e) {
                faults[i] = e.what();
            }
        });
    for (thread& t : threads)
        t.join();
    EXPECT_EQ(vector<string>(numThreads), faults);
}

// CUDA does not work in a forked process: there an exception says so, other platforms work, and nothing hangs.
TEST_P(Cuda, forkedProcess) {
    const Cluster cluster(5);
    System system;
    addParticles(system, cluster.size());
    PaiNNStudentForce* force = makeForce(makeModel(), cluster);
    force->setForceGroup(GROUP);
    system.addForce(force);
    VerletIntegrator integrator(0.001);
    auto context = makeContext(system, integrator);
    context->setPositions(cluster.positions);
    const Result before = evaluate(*context);
    for (int trial = 0; trial < 5; trial++) {
        const pid_t child = fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            alarm(20);
            int verdict = 1;
            try {
                vector<double> energies;
                force->getSubsystemEnergies(*context, energies);
            }
            catch (const OpenMMException& e) {
                verdict = (string(e.what()).find("forked") == string::npos ? 2 : 0);
            }
            catch (...) {
                verdict = 3;
            }
            if (verdict == 0) {
                VerletIntegrator integrator2(0.001);
                Context onHost(system, integrator2, Platform::getPlatform("Reference"));
                onHost.setPositions(cluster.positions);
                verdict = (isfinite(getEnergy(onHost)) ? 0 : 4);
            }
            _exit(verdict);
        }
        int status = -1;
        ASSERT_EQ(child, waitpid(child, &status, 0));
        ASSERT_TRUE(WIFEXITED(status)) << (WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "");
        ASSERT_EQ(0, WEXITSTATUS(status));
    }
    EXPECT_EQ(before, evaluate(*context));
}

PAINN_CUDA_PLATFORMS(Cuda);

} // namespace PaiNNPlugin
