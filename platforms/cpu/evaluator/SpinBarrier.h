// SPDX-License-Identifier: MIT
#ifndef PAINN_SPIN_BARRIER_H_
#define PAINN_SPIN_BARRIER_H_

#include <atomic>
#include <thread>

namespace PaiNNPlugin {

/** Where threads wait for each other for a short time: they look for a while before they give up the processor. */
class SpinBarrier {
public:
    explicit SpinBarrier(int numThreads) : numThreads(numThreads) {}
    void wait() {
        const unsigned before = generation.load(std::memory_order_acquire);
        if (waiting.fetch_add(1, std::memory_order_acq_rel) + 1 == numThreads) {
            waiting.store(0, std::memory_order_relaxed);
            generation.store(before + 1, std::memory_order_release);
            return;
        }
        for (int turn = 0; generation.load(std::memory_order_acquire) == before; turn++)
            if (turn > LOOKS)
                std::this_thread::yield();
            else
                relax();
    }

private:
    /** Leave the core to its other thread for a moment. */
    static void relax() {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
    }
    static constexpr int LOOKS = 2000; // some tens of microseconds
    const int numThreads;
    std::atomic<int> waiting{0};
    std::atomic<unsigned> generation{0};
};

} // namespace PaiNNPlugin

#endif
