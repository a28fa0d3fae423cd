// SPDX-License-Identifier: MIT
#include "HostFiber.h"
#include <cstdint>
#include <stdexcept>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#if defined(__x86_64__)
// Save the registers that a called function must keep, change the stack, restore them. swapcontext() would ask the
// system for the signal mask each time.
asm(R"(
    .text
    .p2align 4
    .type painnSwitchStack, @function
painnSwitchStack:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .size painnSwitchStack, .-painnSwitchStack
)");
extern "C" void painnSwitchStack(void** from, void* to);
#endif

namespace PaiNNPlugin {

namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr size_t STACK = 256 * 1024; // its frames are larger
HostFiber* lastFiber = nullptr;
#else
constexpr size_t STACK = 64 * 1024;
#endif

} // namespace

HostFiber::HostFiber(HostFiber&& other) noexcept
    : stack(std::exchange(other.stack, nullptr)),
#if defined(__x86_64__)
      pointer(other.pointer),
#else
      context(std::move(other.context)),
#endif
      stackBottom(other.stackBottom), stackSize(other.stackSize) {
}

HostFiber::~HostFiber() {
    if (stack != nullptr)
        munmap(stack, STACK);
}

void HostFiber::start(void (*entry)()) {
    if (stack == nullptr) {
        void* memory = mmap(nullptr, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED || mprotect(memory, sysconf(_SC_PAGESIZE), PROT_NONE) != 0)
            throw std::runtime_error("no memory for the stack of a thread");
        stack = static_cast<char*>(memory);
    }
    const size_t page = sysconf(_SC_PAGESIZE);
    stackBottom = stack + page;
    stackSize = STACK - page;
#if defined(__SANITIZE_ADDRESS__)
    __asan_unpoison_memory_region(stackBottom, stackSize); // of a fiber that was left where it was
#endif
#if defined(__x86_64__)
    // As if `entry` had been called: 6 registers, its address, and the place of its return address, 8 below a multiple
    // of 16.
    auto top = reinterpret_cast<uintptr_t*>(stack + STACK) - 1;
    *top = 0;
    *--top = reinterpret_cast<uintptr_t>(entry);
    for (int k = 0; k < 6; k++)
        *--top = 0;
    pointer = top;
#else
    context = std::make_unique<ucontext_t>();
    getcontext(context.get());
    context->uc_stack.ss_sp = stack + page;
    context->uc_stack.ss_size = stackSize;
    makecontext(context.get(), entry, 0);
#endif
}

void HostFiber::switchTo(HostFiber& from, HostFiber& to) {
#if defined(__SANITIZE_ADDRESS__)
    void* fakeStack = nullptr;
    lastFiber = &from;
    __sanitizer_start_switch_fiber(&fakeStack, to.stackBottom, to.stackSize);
#endif
#if defined(__x86_64__)
    painnSwitchStack(&from.pointer, to.pointer);
#else
    if (from.context == nullptr)
        from.context = std::make_unique<ucontext_t>();
    swapcontext(from.context.get(), to.context.get());
#endif
#if defined(__SANITIZE_ADDRESS__)
    HostFiber* last = lastFiber;
    __sanitizer_finish_switch_fiber(fakeStack, &last->stackBottom, &last->stackSize);
#endif
}

void HostFiber::arrive() {
#if defined(__SANITIZE_ADDRESS__)
    HostFiber* last = lastFiber;
    __sanitizer_finish_switch_fiber(nullptr, &last->stackBottom, &last->stackSize);
#endif
}

} // namespace PaiNNPlugin
