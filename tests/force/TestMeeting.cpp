// SPDX-License-Identifier: MIT
// Threads that meet, with all that can go wrong: nobody waits for ever, and everybody gets what is his.
#include "../LongTests.h"
#include "ForceTest.h"
#include "internal/Meeting.h"
#include <atomic>
#include <random>
#include <set>
#include <thread>
#include <unistd.h>

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

namespace {

/** What a Context is to the kernels of these tests: a number, and what is to go wrong with it. */
struct Place {
    int value = 0;
    bool fails = false;
};

struct Failure {
    int value;
};

ContextImpl& asContext(Place& place) {
    return *reinterpret_cast<ContextImpl*>(&place);
}

double answer(ContextImpl& context) {
    const Place& place = *reinterpret_cast<Place*>(&context);
    if (place.fails)
        throw Failure{place.value};
    return 3.0 * place.value;
}

/** Answers with the number of its Context, times 3. */
class NumberKernel : public CalcPaiNNStudentForceKernel {
public:
    NumberKernel(int company, atomic<int>& shares)
        : CalcPaiNNStudentForceKernel(Name(), Platform::getPlatform("Reference")), company(company), shares(shares) {}
    void initialize(const System&, const PaiNNStudentForce&) override {}
    double execute(ContextImpl& context, bool, bool) override {
        return answer(context);
    }
    void copyParametersToContext(ContextImpl&, const PaiNNStudentForce&) override {}
    void computeParticleEnergies(ContextImpl&, vector<double>&) override {}
    pair<const void*, int> getCompany() const override {
        return {company < 0 ? nullptr : &shares, company};
    }
    unique_ptr<SharedEvaluation> share(const vector<CalcPaiNNStudentForceKernel*>& kernels,
                                       shared_ptr<ThreadPool>) override {
        struct Shared : SharedEvaluation {
            Shared(size_t number, atomic<int>& shares) : number(number), shares(shares) {}
            void execute(vector<SharedQuery>& queries) override {
                EXPECT_EQ(queries.size(), number);
                shares++;
                for (SharedQuery& query : queries)
                    try {
                        query.energy = answer(*query.context);
                    }
                    catch (...) {
                        query.error = current_exception();
                    }
            }
            size_t number;
            atomic<int>& shares;
        };
        set<CalcPaiNNStudentForceKernel*> different(kernels.begin(), kernels.end());
        EXPECT_EQ(different.size(), kernels.size());
        if (company == 2)
            throw OpenMMException("no memory for a batch");
        return make_unique<Shared>(kernels.size(), shares);
    }

private:
    const int company; // -1: cannot be shared, 2: share() fails
    atomic<int>& shares;
};

/** Ends the program with a message if something takes too long: a test that hangs says nothing. */
void watch() {
    alarm(60);
}

} // namespace

/** Schedules by chance: numbers of evaluations, kinds of kernels, members that fail, leave early or come late. */
TEST(Meeting, nobodyWaitsForEver) {
    const int schedules = repeats(3000, 100000);
    for (int seed = 0; seed < schedules; seed++) {
        watch();
        mt19937 random(seed);
        const int numMembers = 1 + static_cast<int>(random() % 5);
        const bool baton = random() % 2 == 0;
        atomic<int> shares = 0;
        vector<unique_ptr<NumberKernel>> kernels;
        for (int i = 0; i < 2 * numMembers; i++)
            kernels.push_back(
                make_unique<NumberKernel>(static_cast<int>(random() % 8 ? 0 : random() % 4) - (seed % 2), shares));
        Meeting meeting(numMembers, nullptr, random() % 2 == 0);
        meeting.setTimeout(baton ? 100 : 1e-4 * (random() % 8));
        for (int round = 0; round < 2; round++) {
            meeting.open(baton ? Meeting::Order::Baton : Meeting::Order::Parallel);
            atomic<int> working = 0;
            vector<thread> threads;
            for (int i = 0; i < numMembers; i++)
                threads.emplace_back([&, i, seed = random()] {
                    mt19937 mine(seed);
                    try {
                        Meeting::Seat seat(meeting, i);
                        const int evaluations = static_cast<int>(mine() % 5);
                        for (int n = 0; n < evaluations; n++) {
                            if (mine() % 3 == 0)
                                seat.endStep();
                            EXPECT_TRUE(!baton || ++working == 1);
                            if (mine() % 16 == 0 && !baton)
                                this_thread::sleep_for(chrono::microseconds(mine() % 1000));
                            Place place{1000 * i + n, mine() % 10 == 0};
                            const bool leaves = mine() % 20 == 0;
                            working--;
                            if (leaves)
                                throw Failure{place.value};
                            CalcPaiNNStudentForceKernel& kernel = *kernels[2 * i + mine() % 2];
                            try {
                                EXPECT_EQ(seat.execute(kernel, asContext(place), true, true), 3.0 * place.value);
                                EXPECT_FALSE(place.fails);
                            }
                            catch (const Failure& failure) {
                                EXPECT_TRUE(place.fails);
                                EXPECT_EQ(failure.value, place.value);
                            }
                        }
                    }
                    catch (const Failure&) {
                    }
                });
            for (thread& one : threads)
                one.join();
        }
        EXPECT_GE(meeting.getNumBatches(), shares);
        if (HasFailure())
            FAIL() << "seed " << seed;
    }
    alarm(0);
}

/** With a baton everything happens in one order. */
TEST(Meeting, batonGoesAroundInOrder) {
    watch();
    for (int repeat = 0; repeat < 200; repeat++) {
        atomic<int> shares = 0;
        const int n = 4;
        vector<unique_ptr<NumberKernel>> kernels;
        for (int i = 0; i < n; i++)
            kernels.push_back(make_unique<NumberKernel>(0, shares));
        Meeting meeting(n);
        meeting.open(Meeting::Order::Baton);
        vector<int> order;
        vector<thread> threads;
        for (int i = n - 1; i >= 0; i--)
            threads.emplace_back([&, i] {
                Meeting::Seat seat(meeting, i);
                for (int k = 0; k < 3 + i; k++) {
                    order.push_back(i);
                    Place place{k};
                    EXPECT_EQ(seat.execute(*kernels[i], asContext(place), true, true), 3.0 * k);
                }
                order.push_back(10 + i);
            });
        for (thread& one : threads)
            one.join();
        const vector<int> expected = {0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 10, 1, 2, 3, 11, 2, 3, 12, 3, 13};
        ASSERT_EQ(order, expected);
        EXPECT_EQ(shares, 3) << "all four, three times; those who are left each meet once, which makes no batch";
    }
    alarm(0);
}

/** One who does not come keeps the others no longer than the timeout. */
TEST(Meeting, oneWhoDoesNotComeIsNotWaitedFor) {
    watch();
    atomic<int> shares = 0;
    NumberKernel first(0, shares), second(0, shares);
    Meeting meeting(3);
    meeting.setTimeout(0.05);
    meeting.open(Meeting::Order::Parallel);
    atomic<bool> over = false;
    auto evaluate = [&](int member, NumberKernel& kernel) {
        Meeting::Seat seat(meeting, member);
        for (int n = 0; n < 3; n++) {
            Place place{n};
            EXPECT_EQ(seat.execute(kernel, asContext(place), true, true), 3.0 * n);
        }
    };
    const auto start = chrono::steady_clock::now();
    thread missing([&] {
        Meeting::Seat seat(meeting, 2);
        while (!over)
            this_thread::sleep_for(chrono::milliseconds(1));
    });
    thread one([&] { evaluate(0, first); }), two([&] { evaluate(1, second); });
    one.join();
    two.join();
    over = true;
    missing.join();
    const double seconds = chrono::duration<double>(chrono::steady_clock::now() - start).count();
    EXPECT_GE(seconds, 0.1);
    EXPECT_LT(seconds, 10);
    EXPECT_GE(shares, 1) << "those who meet again are evaluated together";
    alarm(0);
}

/** A kernel that is gone takes its batches with it, also if another one gets its address. */
TEST(Meeting, kernelsMayGo) {
    watch();
    atomic<int> shares = 0;
    Meeting meeting(2);
    for (int round = 0; round < 20; round++) {
        vector<unique_ptr<NumberKernel>> kernels;
        for (int i = 0; i < 2; i++)
            kernels.push_back(make_unique<NumberKernel>(0, shares));
        meeting.open(Meeting::Order::Parallel);
        vector<thread> threads;
        for (int i = 0; i < 2; i++)
            threads.emplace_back([&, i] {
                Meeting::Seat seat(meeting, i);
                Place place{i};
                EXPECT_EQ(seat.execute(*kernels[i], asContext(place), true, true), 3.0 * i);
            });
        for (thread& one : threads)
            one.join();
    }
    EXPECT_EQ(shares, 20);
    alarm(0);
}

} // namespace PaiNNPlugin
