// SPDX-License-Identifier: MIT
#ifndef PAINN_REPLICA_THREADS_H_
#define PAINN_REPLICA_THREADS_H_

#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace PaiNNPlugin {

/** Threads that stay, one for each replica. */
class ReplicaThreads {
public:
    explicit ReplicaThreads(int number);
    ReplicaThreads(const ReplicaThreads&) = delete;
    ReplicaThreads& operator=(const ReplicaThreads&) = delete;
    ~ReplicaThreads();
    /**
     * Have every thread do a job, and wait for all of them.
     *
     * @param job   is given the thread's number
     * @return what each thread has thrown, if anything
     */
    std::vector<std::exception_ptr> run(const std::function<void(int)>& job);

private:
    void work(int number);
    void stop();
    std::mutex lock; // of all below
    std::condition_variable begin, end;
    const std::function<void(int)>* job = nullptr;
    long long round = 0; // of jobs
    int numBusy = 0;
    bool isOver = false;
    std::vector<std::exception_ptr> errors;
    std::vector<std::thread> threads;
};

} // namespace PaiNNPlugin

#endif
