// SPDX-License-Identifier: MIT
// The same bits again: repeated evaluations, restarts, threads; and nothing left behind by Contexts that are gone.
#include "ForceTest.h"
#include <sstream>
#include <thread>
#include <unistd.h>

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

/** The numbers of threads that a platform can be asked for; "" where it cannot. */
static vector<string> getThreads(bool hasThreads) {
    return hasThreads ? vector<string>{"1", "2", "7"} : vector<string>{""};
}

TEST_P(Restart, sameInputSameBits) {
    // Atoms for several blocks of work, and subsystems of unequal sizes.
    Cluster cluster(61);
    auto system = make_unique<System>();
    addParticles(*system, cluster.size());
    PaiNNStudentForce* force = new PaiNNStudentForce(makeModel());
    for (int i = 0; i < cluster.size(); i++)
        force->addParticle(i, cluster.elements[i], i < 40 ? 1 : i < 49 ? 0 : i - 47);
    system->addForce(force);
    double energy = 0;
    vector<double> forces;
    for (const string& threads : getThreads(hasThreads())) {
        VerletIntegrator integrator(0.001);
        map<string, string> properties = getProperties();
        if (hasThreads()) {
            properties["Threads"] = threads;
            properties["DeterministicForces"] = threads == "2" ? "true" : "false";
        }
        Context context(*system, integrator, *platform, properties);
        for (int i = 0; i < (isExact() ? 200 : 350); i++) {
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

// OpenMM guards no random numbers and no first use against several threads: hence Verlet, and Contexts made one by one.
TEST_P(Restart, threadsWithOwnContexts) {
    const int numThreads = 16;
    vector<vector<double>> serial(numThreads), parallel(numThreads);
    vector<unique_ptr<System>> systems;
    vector<unique_ptr<Integrator>> integrators;
    vector<unique_ptr<Context>> contexts;
    PaiNNStudentModel models[] = {makeGentleModel(), makeModel()};
    for (int i = 0; i < numThreads; i++) {
        Cluster cluster(4 + i, i);
        systems.push_back(makeSystem(cluster, models[i % 2]));
        integrators.push_back(make_unique<VerletIntegrator>(0.0001));
        contexts.push_back(makeContext(*systems[i], *integrators[i]));
        contexts[i]->setPositions(cluster.positions);
    }
    auto run = [&](int i, vector<double>& result) {
        Cluster cluster(4 + i, i);
        contexts[i]->setPositions(cluster.positions);
        contexts[i]->setVelocities(vector<Vec3>(4 + i));
        integrators[i]->step(isOnHost() ? 200 : 20);
        result = flatten(contexts[i]->getState(State::Positions).getPositions());
    };
    for (int i = 0; i < numThreads; i++)
        run(i, serial[i]);
    vector<thread> threads;
    for (int i = 0; i < numThreads; i++)
        threads.emplace_back(run, i, ref(parallel[i]));
    for (thread& t : threads)
        t.join();
    EXPECT_EQ(serial, parallel);
}

/** Resident memory of this process, bytes. */
static double getResidentMemory() {
    long total = 0, resident = 0;
    FILE* file = fopen("/proc/self/statm", "r");
    if (file == nullptr || fscanf(file, "%ld %ld", &total, &resident) != 2)
        ADD_FAILURE() << "cannot read /proc/self/statm";
    if (file != nullptr)
        fclose(file);
    return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

/** The threads, or the open files, of this process. */
static long countOf(const char* folder) {
    return distance(filesystem::directory_iterator(folder), filesystem::directory_iterator());
}

TEST_P(Restart, contextsThatAreGoneLeaveNothing) {
    if (!isOnHost())
        GTEST_SKIP() << "OpenMM's own Contexts on this platform leave memory behind";
    Cluster cluster(4);
    PaiNNStudentModel model = makeModel();
    auto cycle = [&] {
        auto system = makeSystem(cluster, model);
        VerletIntegrator integrator(0.0001);
        {
            auto context = makeContext(*system, integrator);
            context->setPositions(cluster.positions);
            integrator.step(1);
        }
        // A creation that fails as early as ours do.
        dynamic_cast<PaiNNStudentForce&>(system->getForce(0)).addParticle(0, 1);
        VerletIntegrator integrator2(0.0001);
        EXPECT_MESSAGE(makeContext(*system, integrator2), "was added twice");
    };
    for (int i = 0; i < 500; i++)
        cycle();
    const double before = getResidentMemory();
    const long threads = countOf("/proc/self/task"), files = countOf("/proc/self/fd");
    const int number = 1500;
    for (int i = 0; i < number; i++)
        cycle();
    double slope = (getResidentMemory() - before) / number;
    RecordProperty("bytesPerCycle", static_cast<int>(slope));
    EXPECT_LT(slope, 100);
    EXPECT_EQ(threads, countOf("/proc/self/task"));
    EXPECT_EQ(files, countOf("/proc/self/fd"));
}

PAINN_ALL_PLATFORMS(Restart);

} // namespace PaiNNPlugin
