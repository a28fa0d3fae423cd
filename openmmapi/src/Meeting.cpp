// SPDX-License-Identifier: MIT
#include "internal/Meeting.h"
#include "openmm/OpenMMException.h"
#include <algorithm>
#include <map>
#include <tuple>

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

namespace {

/** Companies that are remembered: more than a step has in any integrator and barostat that we know of. */
const size_t MOST_COMPANIES = 16;

/** Longer than the steps of others on a device take, shorter than what anybody would notice. */
const auto LOOK_OUT = chrono::microseconds(500);

thread_local Meeting::Seat* seatOfThisThread = nullptr;

} // namespace

Meeting::Seat::Seat(Meeting& meeting, int member) : meeting(meeting), member(member), outer(seatOfThisThread) {
    meeting.sit(member);
    seatOfThisThread = this;
}

Meeting::Seat::~Seat() {
    seatOfThisThread = outer;
    meeting.leave(member);
}

Meeting::Seat* Meeting::Seat::ofThisThread() {
    return seatOfThisThread;
}

double Meeting::Seat::execute(CalcPaiNNStudentForceKernel& kernel, ContextImpl& context, bool includeForces,
                              bool includeEnergy) {
    Arrival mine{member, &kernel, {&context, includeForces, includeEnergy}};
    return meeting.execute(mine);
}

void Meeting::Seat::endStep() {
    meeting.endStep(member);
}

bool Meeting::Company::isAlive() const {
    return none_of(lives.begin(), lives.end(), [](const weak_ptr<const int>& life) { return life.expired(); });
}

Meeting::Meeting(int numMembers, shared_ptr<ThreadPool> threads, bool looksOut)
    : threads(move(threads)), looksOut(looksOut), members(numMembers) {}

Meeting::~Meeting() = default;

void Meeting::open(Order newOrder) {
    Guard guard(lock);
    order = newOrder;
    numPresent = static_cast<int>(members.size());
    baton = 0;
    for (Member& member : members)
        member.isPresent = true;
}

void Meeting::setTimeout(double seconds) {
    if (!(seconds >= 0 && seconds <= 1e6))
        throw OpenMMException("PaiNNReplicaContexts: the timeout is " + to_string(seconds) +
                              " seconds; it must be at least 0 and at most 1e6");
    Guard guard(lock);
    timeout = chrono::duration_cast<chrono::nanoseconds>(chrono::duration<double>(seconds));
}

double Meeting::getTimeout() const {
    Guard guard(lock);
    return chrono::duration<double>(timeout).count();
}

void Meeting::sit(int member) {
    Guard guard(lock);
    members[member].wake.wait(guard, [&] { return order == Order::Parallel || baton == member; });
}

void Meeting::leave(int member) {
    Guard guard(lock);
    members[member].isPresent = false;
    numPresent--;
    if (order == Order::Baton)
        passBaton(member);
    else if (haveAllArrived())
        callLeader();
}

double Meeting::execute(Arrival& mine) {
    mine.kernel->beginSharing();
    Guard guard(lock);
    if (arrivals.empty())
        deadline = Clock::now() + timeout;
    arrivals.push_back(&mine);
    if (haveAllArrived())
        close(guard);
    else if (order == Order::Baton)
        passBaton(mine.member);
    lookOut(guard, mine);
    wait(guard, mine);
    guard.unlock();
    if (mine.query.error)
        rethrow_exception(mine.query.error);
    if (mine.isAlone)
        return mine.kernel->execute(*mine.query.context, mine.query.includeForces, mine.query.includeEnergy);
    mine.kernel->finishSharing();
    return mine.query.energy;
}

void Meeting::endStep(int member) {
    Guard guard(lock);
    if (order == Order::Parallel)
        return;
    members[member].rests = true;
    numResting++;
    passBaton(member);
    members[member].wake.wait(guard, [&] { return !members[member].rests && baton == member; });
}

/** All who are present have ended their steps: the first may go on. */
void Meeting::beginStep() {
    numResting = 0;
    baton = -1;
    for (size_t i = 0; i < members.size(); i++) {
        if (!members[i].rests)
            continue;
        members[i].rests = false;
        if (baton < 0)
            baton = static_cast<int>(i);
    }
    if (baton >= 0)
        members[baton].wake.notify_one();
}

bool Meeting::haveAllArrived() const {
    return !arrivals.empty() && static_cast<int>(arrivals.size()) + numResting == numPresent;
}

/** To be woken by the system takes longer than a step of OpenMM on a GPU. */
void Meeting::lookOut(Guard& guard, const Arrival& mine) const {
    if (!looksOut || order == Order::Baton || mine.isAnswered)
        return;
    guard.unlock();
    const Clock::time_point until = Clock::now() + LOOK_OUT;
    while (!mine.isAnswered && Clock::now() < until)
        for (int k = 0; k < 50 && !mine.isAnswered; k++)
            atomic_signal_fence(memory_order_seq_cst);
    guard.lock();
}

/**
 * Wait until this member's query is answered and, with a baton, it is its turn again. Whoever is called to lead does so
 * meanwhile; without a baton also whoever has waited long enough.
 */
void Meeting::wait(Guard& guard, Arrival& mine) {
    const bool inTurn = (order == Order::Baton);
    auto mayGo = [&] { return mine.isAnswered && (!inTurn || baton == mine.member); };
    auto isCalled = [&] { return mayGo() || mine.leads; };
    condition_variable& wake = members[mine.member].wake;
    while (!mayGo()) {
        if (inTurn || !hasArrived(mine.member)) // somebody evaluates it just now
            wake.wait(guard, isCalled);
        else if (const Clock::time_point until = deadline; !wake.wait_until(guard, until, isCalled))
            mine.leads = true;
        if (mine.leads && hasArrived(mine.member)) // and nobody has been faster
            close(guard);
        mine.leads = false;
    }
}

bool Meeting::hasArrived(int member) const {
    return any_of(arrivals.begin(), arrivals.end(), [&](const Arrival* a) { return a->member == member; });
}

/**
 * Let the next member work that does not wait. If none is left, the first of those who wait to be evaluated leads; if
 * nobody does, all have ended their steps.
 */
void Meeting::passBaton(int from) {
    const int n = static_cast<int>(members.size());
    for (int k = 1; k <= n; k++) {
        const int next = (from + k) % n;
        if (!members[next].isPresent || members[next].rests || hasArrived(next))
            continue;
        baton = next;
        members[next].wake.notify_one();
        return;
    }
    if (arrivals.empty())
        beginStep();
    else
        callLeader();
}

void Meeting::callLeader() {
    if (arrivals.empty())
        return;
    arrivals.front()->leads = true;
    members[arrivals.front()->member].wake.notify_one();
}

/** Evaluate for all who have arrived, then let them go on. The lock is not held meanwhile. */
void Meeting::close(Guard& guard) {
    vector<Arrival*> together;
    together.swap(arrivals);
    sort(together.begin(), together.end(), [](const Arrival* a, const Arrival* b) { return a->member < b->member; });
    guard.unlock();
    try {
        evaluate(together);
    }
    catch (...) {
        for (Arrival* arrival : together)
            arrival->query.error = current_exception();
    }
    guard.lock();
    baton = together.front()->member;
    for (Arrival* arrival : together) {
        const int member = arrival->member;
        arrival->isAnswered = true;
        members[member].wake.notify_one();
    }
}

void Meeting::evaluate(const vector<Arrival*>& together) {
    lock_guard<mutex> guard(evaluating);
    map<tuple<const Platform*, const void*, int>, vector<Arrival*>> parties;
    for (Arrival* arrival : together) {
        const auto [company, kind] = arrival->kernel->getCompany();
        parties[{&arrival->kernel->getPlatform(), company, kind}].push_back(arrival);
    }
    for (auto& [key, party] : parties)
        if (get<1>(key) != nullptr && (party.size() > 1 || threads != nullptr))
            evaluateCompany(party);
        else
            for (Arrival* arrival : party)
                arrival->isAlone = true;
}

void Meeting::evaluateCompany(const vector<Arrival*>& company) {
    vector<SharedQuery> queries;
    for (const Arrival* arrival : company)
        queries.push_back(arrival->query);
    try {
        SharedEvaluation* shared = findShared(company);
        if (shared == nullptr) {
            for (Arrival* arrival : company)
                arrival->isAlone = true;
            return;
        }
        shared->execute(queries);
    }
    catch (...) {
        for (SharedQuery& query : queries)
            query.error = current_exception();
    }
    for (size_t n = 0; n < company.size(); n++)
        company[n]->query = queries[n];
    if (company.size() == 1)
        return; // no batch to speak of, but it has all threads
    numBatches++;
    numShared += static_cast<long long>(company.size());
}

/** @return nullptr if these kernels meet for the first time and are not all there are: they may not do so again */
SharedEvaluation* Meeting::findShared(const vector<Arrival*>& company) {
    vector<CalcPaiNNStudentForceKernel*> kernels;
    for (const Arrival* arrival : company)
        kernels.push_back(arrival->kernel);
    companies.remove_if([](const Company& known) { return !known.isAlive(); });
    auto found = find_if(companies.begin(), companies.end(), [&](const Company& c) { return c.kernels == kernels; });
    const bool isNew = (found == companies.end());
    if (isNew) {
        companies.emplace_front();
        companies.front().kernels = kernels;
        for (const CalcPaiNNStudentForceKernel* kernel : kernels)
            companies.front().lives.push_back(kernel->getLife());
    }
    else
        companies.splice(companies.begin(), companies, found);
    Company& now = companies.front();
    if (companies.size() > MOST_COMPANIES)
        companies.pop_back();
    if (now.shared == nullptr && !now.cannotShare && (!isNew || kernels.size() == members.size()))
        try {
            now.shared = kernels[0]->share(kernels, threads);
        }
        catch (const exception&) { // each has what it needs by itself
            now.cannotShare = true;
        }
    return now.shared.get();
}

} // namespace PaiNNPlugin
