// SPDX-License-Identifier: MIT
// Reliability rows 30 and 31: Contexts that are gone leave nothing behind, and many threads with Contexts of their own
// do not disturb each other.
#include "../LongTests.h"
#include "ForceTest.h"
#include "ProcessResources.h"
#include <mutex>
#include <thread>

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

/** What a process holds, and whether a number of cycles changes it. */
class Holdings {
public:
    explicit Holdings(const string& what) : what(what) {}
    /** Row 30: less than 100 bytes a cycle, not one thread, not one file. */
    void expectUnchanged(int numCycles) const {
        const double slope = (getResidentMemory() - memory) / numCycles;
        EXPECT_LT(slope, 100) << what << ", bytes a cycle";
        EXPECT_EQ(threads, countOf("/proc/self/task")) << what;
        EXPECT_EQ(files, countOf("/proc/self/fd")) << what;
        cout << what << ": " << slope << " bytes a cycle" << endl;
    }

private:
    string what;
    double memory = getResidentMemory();
    long threads = countOf("/proc/self/task"), files = countOf("/proc/self/fd");
};

/** Leaks.* stays out of sanitizers, which hold memory back. */
class Leaks : public PlatformTest {
protected:
    void SetUp() override {
        PlatformTest::SetUp();
        if (!IsSkipped() && !isOnHost())
            GTEST_SKIP() << "OpenMM's own Contexts on this platform leave memory behind";
    }
    /** Warm up, then look at what a number of cycles leaves. */
    template <class Function> static void run(const string& what, int numCycles, Function cycle) {
        for (int i = 0; i < 500; i++)
            cycle(i);
        const Holdings before(what);
        for (int i = 0; i < numCycles; i++)
            cycle(i);
        before.expectUnchanged(numCycles);
    }
};

TEST_P(Leaks, contextsThatAreGone) {
    const PaiNNStudentModel shared = makeModel();
    run("Contexts", repeats(10000, 100000), [&](int i) {
        ModelOptions options;
        options.seed = 2 + i;
        // A model of the cycle's own takes its tables with it.
        const PaiNNStudentModel own = i % 10 == 0 ? makeModel(options) : shared;
        auto simulation = simulate(own, Cluster(4 + i % 3));
        simulation->integrator->step(1);
        simulation->context->reinitialize(true);
    });
}

/** A creation that fails, and what its message holds. */
struct Fault {
    const char* message;
    void (*spoil)(PaiNNStudentForce& force, System& system);
};

class FailedCreations : public Leaks {
protected:
    void fail(const PaiNNStudentModel& model, const Fault& fault) const {
        System system;
        addParticles(system, 4);
        PaiNNStudentForce* force = makeForce(model, Cluster(4));
        system.addForce(force);
        fault.spoil(*force, system);
        VerletIntegrator integrator(0.001);
        EXPECT_MESSAGE(makeContext(system, integrator), fault.message);
    }
};

TEST_P(FailedCreations, leaveNothing) {
    const PaiNNStudentModel model = makeModel();
    const Fault faults[] = {
        {"was added twice", [](PaiNNStudentForce& f, System&) { f.addParticle(0, 1); }},
        {"not a global parameter", [](PaiNNStudentForce& f, System&) { f.setSubsystemScale(0, "absent"); }},
        {"no particle belongs to it",
         [](PaiNNStudentForce& f, System&) {
             f.addGlobalParameter("lambda", 1);
             f.setSubsystemScale(5, "lambda");
         }},
        {"the derivative by 'a' was requested",
         [](PaiNNStudentForce& f, System&) {
             f.addGlobalParameter("a", 1);
             f.addEnergyParameterDerivative("a");
             f.setGlobalParameterName(0, "b");
         }},
    };
    for (const Fault& fault : faults)
        run(fault.message, repeats(2500, 25000), [&](int) { fail(model, fault); });
}

// What can only be checked against the System is found late: then OpenMM (8.6.1) leaves behind the whole Context, which
// is not ours to mend, and after that new Contexts work. As many threads and files stay as with a force of OpenMM's
// own.
TEST_P(FailedCreations, lateOnesLeaveWhatOpenMMLeaves) {
    const PaiNNStudentModel model = makeModel();
    const Fault faults[] = {
        {"the System has only", [](PaiNNStudentForce& f, System&) { f.addParticle(9, 1); }},
        {"an end of bond 0", [](PaiNNStudentForce& f, System&) { f.addBond(0, 9); }},
        {"every width must be at least",
         [](PaiNNStudentForce& f, System& s) {
             f.setUsesPeriodicBoundaryConditions(true);
             s.setDefaultPeriodicBoxVectors(Vec3(0.9, 0, 0), Vec3(0, 2, 0), Vec3(0, 0, 2));
         }},
    };
    auto count = [](auto cycle) {
        const long threads = countOf("/proc/self/task"), files = countOf("/proc/self/fd");
        for (int i = 0; i < 20; i++)
            cycle();
        return pair(countOf("/proc/self/task") - threads, countOf("/proc/self/fd") - files);
    };
    const auto expected = count([&] {
        System system;
        addParticles(system, 4);
        HarmonicBondForce* force = new HarmonicBondForce();
        force->addBond(0, 9, 0.1, 1);
        system.addForce(force);
        VerletIntegrator integrator(0.001);
        EXPECT_MESSAGE(makeContext(system, integrator), "particle");
    });
    for (const Fault& fault : faults)
        EXPECT_EQ(expected, count([&] { fail(model, fault); })) << fault.message;
    EXPECT_TRUE(isfinite(getEnergy(*simulate(model, Cluster(4))->context)));
}

PAINN_ALL_PLATFORMS(Leaks);
PAINN_ALL_PLATFORMS(FailedCreations);

class Threads : public PlatformTest {
protected:
    static constexpr int NUMBER = 16;
    /** The models are made anew for every test: the first Context of each makes its tables, whoever that is. */
    vector<PaiNNStudentModel> makeModels() const {
        ModelOptions student;
        student.family = "student";
        student.weightScale = 0.5;
        return {makeGentleModel(), makeModel(student), makeModel()};
    }
    /** Positions and forces after some steps from rest, for the cluster of this number. */
    vector<double> run(Simulation& simulation, int number, int steps) const {
        const Cluster cluster = makeCluster(number);
        simulation.context->setPositions(cluster.positions);
        simulation.context->setVelocities(vector<Vec3>(cluster.size()));
        simulation.integrator->step(steps);
        const State state = simulation.context->getState(State::Positions | State::Forces);
        vector<double> result = flatten(state.getPositions()), forces = flatten(state.getForces());
        result.insert(result.end(), forces.begin(), forces.end());
        return result;
    }
    static Cluster makeCluster(int number) {
        return Cluster(4 + 3 * number, number); // to 49 atoms: with and without a list of neighbours
    }
    unique_ptr<Simulation> make(const vector<PaiNNStudentModel>& models, int number) const {
        return simulate(models[number % models.size()], makeCluster(number), make_unique<VerletIntegrator>(0.0001));
    }
    static void inThreads(const function<void(int)>& work) {
        vector<thread> threads;
        for (int i = 0; i < NUMBER; i++)
            threads.emplace_back(work, i);
        for (thread& t : threads)
            t.join();
    }
};

// OpenMM guards no random numbers against several threads, hence Verlet; and its register of the CPU platform's
// Contexts is not guarded either, hence the lock around making and destroying them. Everything else runs at once.
TEST_P(Threads, contextsComeAndGoWhileOthersRun) {
    const int steps = isOnHost() ? repeats(20, 200) : 5, rounds = isOnHost() ? repeats(4, 32) : 2;
    vector<vector<double>> serial(NUMBER), parallel(NUMBER);
    {
        const auto models = makeModels();
        for (int i = 0; i < NUMBER; i++)
            serial[i] = run(*make(models, i), i, steps);
    }
    const auto models = makeModels();
    mutex lock;
    for (int round = 0; round < rounds; round++) {
        inThreads([&](int i) {
            unique_lock<mutex> guard(lock);
            auto simulation = make(models, i);
            guard.unlock();
            parallel[i] = run(*simulation, i, steps);
            guard.lock();
            simulation.reset();
        });
        ASSERT_EQ(serial, parallel) << "round " << round;
    }
}

TEST_P(Threads, contextsThatStay) {
    const auto models = makeModels();
    vector<unique_ptr<Simulation>> simulations;
    vector<vector<double>> serial(NUMBER), parallel(NUMBER);
    const int steps = isOnHost() ? repeats(200, 200) : 20;
    for (int i = 0; i < NUMBER; i++) {
        simulations.push_back(make(models, i));
        serial[i] = run(*simulations[i], i, steps);
    }
    inThreads([&](int i) { parallel[i] = run(*simulations[i], i, steps); });
    EXPECT_EQ(serial, parallel);
}

PAINN_ALL_PLATFORMS(Threads);

} // namespace PaiNNPlugin
