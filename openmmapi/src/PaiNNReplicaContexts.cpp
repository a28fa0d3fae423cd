// SPDX-License-Identifier: MIT
#include "PaiNNReplicaContexts.h"
#include "PaiNNStudentKernels.h"
#include "ReplicaThreads.h"
#include "SharedRandomNumbers.h"
#include "internal/Meeting.h"
#include "openmm/Kernel.h"
#include "openmm/OpenMMException.h"
#include "openmm/VerletIntegrator.h"
#include "openmm/internal/ContextImpl.h"
#include "openmm/internal/ThreadPool.h"
#include <algorithm>
#include <atomic>
#include <functional>
#include <thread>
#include <unistd.h>

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

namespace {

/** Where Contexts can share the memory of a device. */
bool hasLinkedContexts(const Platform& platform) {
    const string& name = platform.getName();
    return name == "CUDA" || name == "HIP" || name == "OpenCL";
}

/** Makes Contexts that share the device of another one; what is needed for that is open to a Force only. */
class Linker : public Force {
public:
    static ContextImpl& open(Context& context) {
        return Linker().getContextImpl(context);
    }
    Context* link(Context& host, const System& system, Integrator& integrator) const {
        return getContextImpl(host).createLinkedContext(system, integrator);
    }

protected:
    ForceImpl* createImpl() const override {
        return nullptr;
    }
};

[[noreturn]] void fail(const string& fault) {
    throw OpenMMException("PaiNNReplicaContexts: " + fault);
}

/** Throw the first exception of all replicas, if there is one, and name those that have failed too. */
void throwFirst(const vector<exception_ptr>& errors) {
    const auto first = find_if(errors.begin(), errors.end(), [](const exception_ptr& e) { return e != nullptr; });
    if (first == errors.end())
        return;
    string others;
    for (auto other = first + 1; other != errors.end(); other++)
        if (*other)
            others += (others.empty() ? " (failed too: replica " : ", ") + to_string(other - errors.begin());
    others += others.empty() ? "" : ")";
    try {
        rethrow_exception(*first);
    }
    catch (const exception& e) {
        throw OpenMMException("replica " + to_string(first - errors.begin()) + ": " + e.what() + others);
    }
}

} // namespace

class PaiNNReplicaContexts::Impl {
public:
    Impl(const vector<System*>& systems, const vector<Integrator*>& integrators, Platform* platform,
         map<string, string> properties);
    ~Impl();
    void addContext(System& system, Integrator& integrator, Platform& platform, const map<string, string>& properties);
    /** Have each replica do a job in its own thread, with a seat in the meeting. */
    void run(Mode howToWork, const function<void(int, Meeting::Seat&)>& job) {
        if (getpid() != process)
            fail("this object belongs to the process that this one was forked from; its threads are not here");
        if (isBusy.exchange(true))
            fail("the replicas are being advanced or evaluated, by another thread or by the call that this one is made "
                 "from; wait for its end");
        struct Release {
            atomic<bool>& isBusy;
            ~Release() {
                isBusy = false;
            }
        } release{isBusy};
        meeting->open(howToWork == Baton ? Meeting::Order::Baton : Meeting::Order::Parallel);
        throwFirst(threads->run([&](int i) {
            Meeting::Seat seat(*meeting, i);
            job(i, seat);
        }));
    }

    const vector<Integrator*> integrators;
    const pid_t process = getpid();
    Mode mode = Parallel;
    bool hasStepped = false;
    atomic<bool> isBusy{false};
    // What stands further down goes first. The host has to go last, see openmm-internals: Contexts that are linked to
    // it use what it owns.
    System hostSystem;
    unique_ptr<Integrator> hostIntegrator;
    unique_ptr<Context> host; // nullptr where Contexts are not linked
    vector<Kernel> queues;    // of the Contexts, where they have their own
    vector<unique_ptr<Context>> contexts;
    unique_ptr<Meeting> meeting; // its batches use the Contexts
    unique_ptr<ReplicaThreads> threads;
};

PaiNNReplicaContexts::Impl::Impl(const vector<System*>& systems, const vector<Integrator*>& integrators,
                                 Platform* platform, map<string, string> properties)
    : integrators(integrators), hostIntegrator(make_unique<VerletIntegrator>(0.001)) {
    if (systems.empty())
        fail("there are no Systems; there must be at least one");
    if (systems.size() != integrators.size())
        fail("there are " + to_string(systems.size()) + " Systems and " + to_string(integrators.size()) +
             " Integrators; every System needs an Integrator of its own");
    for (size_t i = 0; i < integrators.size(); i++) {
        if (systems[i] == nullptr || integrators[i] == nullptr)
            fail("the System or the Integrator of replica " + to_string(i) + " is a null pointer");
        const auto same = find(integrators.begin(), integrators.begin() + i, integrators[i]);
        if (*same == integrators[i] && same != integrators.begin() + i)
            fail("replicas " + to_string(same - integrators.begin()) + " and " + to_string(i) +
                 " have the same Integrator; every replica needs one of its own");
    }
    for (const char* name : {"DeviceIndex", "CudaDeviceIndex"})
        if (properties.count(name) != 0 && properties[name].find(',') != string::npos)
            fail("the property " + string(name) + " is '" + properties[name] +
                 "', but all replicas of one object work on one device; make an object for each device");
    hostSystem.addParticle(1.0);
    if (platform == nullptr) { // the one that a Context for the first System would choose
        VerletIntegrator integrator(0.001);
        platform = &Context(*systems[0], integrator).getPlatform();
    }
    host = make_unique<Context>(hostSystem, *hostIntegrator, *platform, properties);
    shared_ptr<ThreadPool> pool;
    if (platform->getName() == "CPU") {
        pool = make_shared<ThreadPool>(stoi(platform->getPropertyValue(*host, "Threads")));
        properties["Threads"] = "1"; // the network has all of them, for all replicas
    }
    if (!hasLinkedContexts(*platform))
        host.reset();
    for (size_t i = 0; i < systems.size(); i++)
        addContext(*systems[i], *integrators[i], *platform, properties);
    const int number = static_cast<int>(systems.size());
    const bool hasCores = static_cast<int>(thread::hardware_concurrency()) >= number;
    meeting = make_unique<Meeting>(number, pool, host != nullptr && hasCores);
    threads = make_unique<ReplicaThreads>(number);
    if (!platform->supportsKernels({ownQueueKernelName()}))
        mode = Baton; // everything is computed on the host
    for (size_t i = 0; i < systems.size(); i++)
        if (sharesRandomNumbers(*systems[i]) || sharesRandomNumbers(*integrators[i]))
            mode = Baton;
}

PaiNNReplicaContexts::Impl::~Impl() = default;

void PaiNNReplicaContexts::Impl::addContext(System& system, Integrator& integrator, Platform& platform,
                                            const map<string, string>& properties) {
    if (host == nullptr) {
        contexts.push_back(make_unique<Context>(system, integrator, platform, properties));
        return;
    }
    queues.reserve(queues.size() + 1);
    contexts.reserve(contexts.size() + 1);
    contexts.emplace_back(Linker().link(*host, system, integrator));
    if (platform.supportsKernels({ownQueueKernelName()}))
        queues.push_back(platform.createKernel(ownQueueKernelName(), Linker::open(*contexts.back())));
}

PaiNNReplicaContexts::PaiNNReplicaContexts(const vector<System*>& systems, const vector<Integrator*>& integrators)
    : impl(make_unique<Impl>(systems, integrators, nullptr, map<string, string>())) {}

PaiNNReplicaContexts::PaiNNReplicaContexts(const vector<System*>& systems, const vector<Integrator*>& integrators,
                                           Platform& platform, const map<string, string>& properties)
    : impl(make_unique<Impl>(systems, integrators, &platform, properties)) {}

PaiNNReplicaContexts::~PaiNNReplicaContexts() {
    if (getpid() != impl->process)
        impl.release(); // in a forked process there are no threads to join, and CUDA may not be touched
}

int PaiNNReplicaContexts::getNumContexts() const {
    return static_cast<int>(impl->contexts.size());
}

Context& PaiNNReplicaContexts::getContext(int index) {
    if (index < 0 || index >= getNumContexts())
        fail("there is no replica " + to_string(index) + "; there are " + to_string(getNumContexts()) +
             ", counted from 0");
    return *impl->contexts[index];
}

void PaiNNReplicaContexts::step(int steps) {
    if (steps < 0)
        fail("the number of steps is " + to_string(steps) + "; it must not be negative");
    auto advance = [this](Mode mode, int steps) {
        impl->run(mode, [&](int i, Meeting::Seat& seat) {
            if (mode == Parallel)
                impl->integrators[i]->step(steps);
            for (int n = 0; mode == Baton && n < steps; n++) {
                impl->integrators[i]->step(1);
                seat.endStep();
            }
        });
    };
    if (!impl->hasStepped && steps > 0) {
        advance(Baton, 1); // OpenMM sets up at the first step, not all of it fit for several threads at once
        impl->hasStepped = true;
        steps--;
    }
    if (steps > 0)
        advance(impl->mode, steps);
}

void PaiNNReplicaContexts::computeStateEnergies(const vector<map<string, double>>& states,
                                                vector<vector<double>>& energies, int groups) {
    energies.assign(getNumContexts(), vector<double>(states.size()));
    auto compute = [&](int i, Meeting::Seat&) {
        Context& context = *impl->contexts[i];
        const map<string, double> before = context.getParameters();
        map<map<string, double>, double> known; // states that do not differ are evaluated once
        auto evaluate = [&](const map<string, double>& state) {
            for (auto& [name, value] : state)
                context.setParameter(name, value);
            const map<string, double> all = context.getParameters();
            auto found = known.find(all);
            if (found == known.end())
                found = known.emplace(all, context.getState(State::Energy, false, groups).getPotentialEnergy()).first;
            for (auto& [name, value] : state)
                context.setParameter(name, before.at(name));
            return found->second;
        };
        try {
            for (size_t s = 0; s < states.size(); s++)
                energies[i][s] = evaluate(states[s]);
        }
        catch (...) {
            for (auto& [name, value] : before)
                context.setParameter(name, value);
            throw;
        }
    };
    impl->run(impl->hasStepped ? impl->mode : Baton, compute);
}

PaiNNReplicaContexts::Mode PaiNNReplicaContexts::getMode() const {
    return impl->mode;
}

void PaiNNReplicaContexts::setMode(Mode mode) {
    if (mode != Parallel && mode != Baton)
        fail("the mode is " + to_string(static_cast<int>(mode)) + "; it must be Parallel or Baton");
    impl->mode = mode;
}

double PaiNNReplicaContexts::getTimeout() const {
    return impl->meeting->getTimeout();
}

void PaiNNReplicaContexts::setTimeout(double seconds) {
    impl->meeting->setTimeout(seconds);
}

long long PaiNNReplicaContexts::getNumBatches() const {
    return impl->meeting->getNumBatches();
}

long long PaiNNReplicaContexts::getNumBatchedEvaluations() const {
    return impl->meeting->getNumShared();
}

} // namespace PaiNNPlugin
