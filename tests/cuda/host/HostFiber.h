// SPDX-License-Identifier: MIT
#ifndef PAINN_TESTS_HOST_FIBER_H_
#define PAINN_TESTS_HOST_FIBER_H_

#include <cstddef>
#include <memory>
#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace PaiNNPlugin {

/**
 * A line of execution with a small stack of its own that gives way only when it says so. One that never returns from
 * its entry may be left where it is and started again; nothing on its stack is destroyed then.
 */
class HostFiber {
public:
    /** One without a stack: it stands for whoever switches first. */
    HostFiber() = default;
    HostFiber(HostFiber&&) noexcept;
    ~HostFiber();
    /** The next switch to this fiber calls `entry`, which must not return. */
    void start(void (*entry)());
    /** Go on with `to`; returns when somebody switches back. */
    static void switchTo(HostFiber& from, HostFiber& to);
    /** To be called first in an entry. */
    static void arrive();

private:
    char* stack = nullptr; // the lowest page is forbidden, so that an overflow is noticed
#if defined(__x86_64__)
    void* pointer = nullptr; // registers are on the stack
#else
    std::unique_ptr<ucontext_t> context;
#endif
    const void* stackBottom = nullptr; // for AddressSanitizer
    size_t stackSize = 0;
};

} // namespace PaiNNPlugin

#endif
