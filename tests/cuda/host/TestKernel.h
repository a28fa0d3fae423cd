// SPDX-License-Identifier: MIT
// How the tests of the emulator launch their own kernels.
#ifndef PAINN_TESTS_HOST_TEST_KERNEL_H_
#define PAINN_TESTS_HOST_TEST_KERNEL_H_

#include "KernelCall.h"
#include <gtest/gtest.h>
// After all else, for it has macros:
#include "HostKernel.h"

namespace PaiNNPlugin {

constexpr unsigned FULL = 0xffffffff;

struct Data {
    const float* in;
    float* out;
    int* counts;
};

template <void (*KERNEL)(const Data, int)>
void run(const Data& data, HostLaunch launch, uint64_t seed, int argument = 0) {
    HostGpu gpu;
    gpu.seed = seed;
    launch.name = "kernel";
    launch.kernel = callKernel<Data, KERNEL>;
    launch.arguments = &data;
    launch.argument = argument;
    gpu.run(launch);
}

inline HostLaunch launchOf(int gridX, int threads, size_t sharedBytes = 0, int cluster = 1, int gridY = 1) {
    HostLaunch launch;
    launch.gridX = gridX;
    launch.gridY = gridY;
    launch.threads = threads;
    launch.sharedBytes = sharedBytes;
    launch.cluster = cluster;
    return launch;
}

} // namespace PaiNNPlugin

#endif
