// SPDX-License-Identifier: MIT
#ifndef PAINN_OWN_THREAD_H_
#define PAINN_OWN_THREAD_H_

#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <sys/types.h>
#include <thread>

namespace PaiNNPlugin {

/**
 * A thread for calls of PyTorch. What PyTorch and CUDA keep by thread is untouched in it, whatever the caller has set
 * for its own: gradients off, inference mode, autocast, OpenMM's CUcontext; and the caller's is left as it was.
 */
class OwnThread {
public:
    OwnThread();
    /** Only where the thread is: in a forked process this would wait for ever. */
    ~OwnThread();
    OwnThread(const OwnThread&) = delete;
    OwnThread& operator=(const OwnThread&) = delete;
    /**
     * Have a job done, and wait for its end. One caller at a time.
     *
     * @throws what the job throws; std::runtime_error in a process that was forked from that of the thread
     */
    void run(const std::function<void()>& job);
    /** Whether this process is the one that the thread belongs to. */
    bool isHere() const;

private:
    void work();
    const pid_t process;
    std::mutex lock;
    std::condition_variable change;
    const std::function<void()>* job = nullptr; // that waits or is being done
    std::exception_ptr failure;
    bool ends = false;
    std::thread thread; // starts after all it needs
};

} // namespace PaiNNPlugin

#endif
