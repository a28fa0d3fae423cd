// SPDX-License-Identifier: MIT
#include "OwnThread.h"
#include <stdexcept>
#include <unistd.h>
#include <utility>

namespace PaiNNPlugin {

OwnThread::OwnThread() : process(getpid()) {
    thread = std::thread([this] { work(); });
}

OwnThread::~OwnThread() {
    {
        std::lock_guard<std::mutex> guard(lock);
        ends = true;
    }
    change.notify_all();
    thread.join();
}

bool OwnThread::isHere() const {
    return getpid() == process;
}

void OwnThread::run(const std::function<void()>& newJob) {
    if (!isHere())
        throw std::runtime_error("PaiNNStudentForce: LibTorch: this Context belongs to the process that this one was "
                                 "forked from, and PyTorch does not work in forked processes; start new ones, in "
                                 "Python by multiprocessing.set_start_method('spawn')");
    std::unique_lock<std::mutex> guard(lock);
    failure = nullptr;
    job = &newJob;
    change.notify_all();
    change.wait(guard, [this] { return job == nullptr; });
    if (failure != nullptr)
        std::rethrow_exception(std::exchange(failure, nullptr));
}

void OwnThread::work() {
    std::unique_lock<std::mutex> guard(lock);
    for (;;) {
        change.wait(guard, [this] { return job != nullptr || ends; });
        if (job == nullptr)
            return;
        try {
            (*job)();
        }
        catch (...) {
            failure = std::current_exception();
        }
        job = nullptr;
        change.notify_all();
    }
}

} // namespace PaiNNPlugin
