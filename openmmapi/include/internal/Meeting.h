// SPDX-License-Identifier: MIT
#ifndef PAINN_MEETING_H_
#define PAINN_MEETING_H_

#include "PaiNNStudentKernels.h"
#include "internal/windowsExportPaiNN.h"
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <vector>

namespace PaiNNPlugin {

/**
 * Where threads that each work on a Context meet, so that their forces are evaluated as one batch. Members are threads,
 * not Contexts: what a member's Context does in inner Contexts is its own too. A member that evaluates a force waits
 * until all others do so or have left, or for a limited time; the one who comes last evaluates for everybody. Members
 * wait for each other, for a device only where it has reported a problem or memory is taken for a new batch. What each
 * is given does not depend on the company, bit for bit.
 */
class OPENMM_EXPORT_PAINN Meeting {
public:
    /** Parallel: all members work at once. Baton: one at a time, in the order of their numbers. */
    enum class Order { Parallel, Baton };
    /** @param threads      that evaluate, see CalcPaiNNStudentForceKernel::share(); nullptr on platforms with a device
     *  @param looksOut     with Order::Parallel, members look for their answers for a while before they sleep: for
     * devices, which have it within microseconds, and machines with a core for every member */
    explicit Meeting(int numMembers, std::shared_ptr<OpenMM::ThreadPool> threads = nullptr, bool looksOut = false);
    Meeting(const Meeting&) = delete;
    Meeting& operator=(const Meeting&) = delete;
    ~Meeting();
    /** Begin: all members count as present from now on, so each must take a Seat. None may be present. */
    void open(Order order);
    /** Set how many seconds members wait for one that does not come; with Baton they wait for ever. */
    void setTimeout(double seconds);
    double getTimeout() const;
    /** Get the number of batches so far. */
    long long getNumBatches() const {
        return numBatches;
    }
    /** Get the number of evaluations in all batches so far. */
    long long getNumShared() const {
        return numShared;
    }

    /** A member's presence in its own thread. Leaving is automatic: nobody waits for who has gone. */
    class OPENMM_EXPORT_PAINN Seat {
    public:
        Seat(Meeting& meeting, int member);
        Seat(const Seat&) = delete;
        Seat& operator=(const Seat&) = delete;
        ~Seat();
        /** Get that of the calling thread, nullptr if it has none. */
        static Seat* ofThisThread();
        /** Do what the kernel's execute() does. */
        double execute(CalcPaiNNStudentForceKernel& kernel, OpenMM::ContextImpl& context, bool includeForces,
                       bool includeEnergy);
        /**
         * To be called after every step of an integrator. With a baton, nobody begins the next step before all have
         * ended this one, so that the order of all that members do does not depend on how many steps are made at a
         * time.
         */
        void endStep();

    private:
        Meeting& meeting;
        const int member;
        Seat* const outer;
    };

private:
    struct Arrival {
        int member;
        CalcPaiNNStudentForceKernel* kernel;
        SharedQuery query;
        bool isAlone = false; ///< nobody has evaluated it: its own thread has to
        bool leads = false;   ///< the others wait for this one to evaluate
        /** Query and isAlone may be read, and if nobody has a baton this object may go at any time. */
        std::atomic<bool> isAnswered{false};
    };
    struct Member {
        bool isPresent = false;
        bool rests = false; ///< has ended its step, and waits for the others to do so
        std::condition_variable wake;
    };
    /** Kernels that have met, and what executes them together if they have done so twice. */
    struct Company {
        std::vector<CalcPaiNNStudentForceKernel*> kernels;
        std::vector<std::weak_ptr<const int>> lives;
        std::unique_ptr<SharedEvaluation> shared;
        bool cannotShare = false; ///< there was not enough memory for it
        bool isAlive() const;
    };
    using Guard = std::unique_lock<std::mutex>;
    using Clock = std::chrono::steady_clock;
    void sit(int member);
    void leave(int member);
    double execute(Arrival& mine);
    void endStep(int member);
    void lookOut(Guard& guard, const Arrival& mine) const;
    void wait(Guard& guard, Arrival& mine);
    bool hasArrived(int member) const;
    void passBaton(int from);
    void callLeader();
    void beginStep();
    bool haveAllArrived() const;
    void close(Guard& guard);
    void evaluate(const std::vector<Arrival*>& together);
    void evaluateCompany(const std::vector<Arrival*>& company);
    SharedEvaluation* findShared(const std::vector<Arrival*>& company);

    const std::shared_ptr<OpenMM::ThreadPool> threads;
    const bool looksOut;
    mutable std::mutex lock; // of all but companies and counts
    std::vector<Member> members;
    Order order = Order::Parallel;
    int numPresent = 0, numResting = 0;
    int baton = -1; // who may work, with Order::Baton
    std::vector<Arrival*> arrivals;
    Clock::time_point deadline; // of those who have arrived
    std::chrono::nanoseconds timeout = std::chrono::seconds(1);
    std::atomic<long long> numBatches{0}, numShared{0};
    std::mutex evaluating;        // of companies
    std::list<Company> companies; // the one used last in front
};

} // namespace PaiNNPlugin

#endif
