// SPDX-License-Identifier: MIT
#include "ReplicaThreads.h"

using namespace std;

namespace PaiNNPlugin {

ReplicaThreads::ReplicaThreads(int number) : errors(number) {
    threads.reserve(number);
    try {
        for (int n = 0; n < number; n++)
            threads.emplace_back([this, n] { work(n); });
    }
    catch (...) {
        stop();
        throw;
    }
}

ReplicaThreads::~ReplicaThreads() {
    stop();
}

void ReplicaThreads::stop() {
    {
        lock_guard<mutex> guard(lock);
        isOver = true;
    }
    begin.notify_all();
    for (thread& one : threads)
        one.join();
}

vector<exception_ptr> ReplicaThreads::run(const function<void(int)>& newJob) {
    unique_lock<mutex> guard(lock);
    errors.assign(threads.size(), nullptr);
    job = &newJob;
    numBusy = static_cast<int>(threads.size());
    round++;
    begin.notify_all();
    end.wait(guard, [this] { return numBusy == 0; });
    return errors;
}

void ReplicaThreads::work(int number) {
    unique_lock<mutex> guard(lock);
    for (long long done = 0;; done = round) {
        begin.wait(guard, [&] { return isOver || round != done; });
        if (isOver)
            return;
        guard.unlock();
        exception_ptr error;
        try {
            (*job)(number);
        }
        catch (...) {
            error = current_exception();
        }
        guard.lock();
        errors[number] = error;
        if (--numBusy == 0)
            end.notify_one();
    }
}

} // namespace PaiNNPlugin
