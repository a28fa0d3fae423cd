// SPDX-License-Identifier: MIT
// Runs CUDA kernels that were compiled for the host: every thread is a fiber, and fibers take turns at barriers.
#ifndef PAINN_TESTS_HOST_GPU_H_
#define PAINN_TESTS_HOST_GPU_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace PaiNNPlugin {

/** A kernel and its two arguments; `arguments` points to the first, a struct by value. */
struct HostLaunch {
    std::string name;
    void (*kernel)(const void* arguments, int argument) = nullptr;
    const void* arguments = nullptr;
    int argument = 0;
    int gridX = 1, gridY = 1; ///< blocks
    int threads = 32;         ///< of a block
    size_t sharedBytes = 0;   ///< of a block
    int cluster = 1;          ///< blocks along x that make a cluster
};

struct HostCluster;

/**
 * The emulator. Clusters run one after another, so a kernel must not wait for another cluster; shared memory is full of
 * NaN at first. What CUDA leaves undefined and can be noticed here is an exception: lanes missing at a warp's
 * operation, threads missing at __syncthreads(), writes beyond shared memory, barriers that nobody has initialised,
 * deadlocks.
 */
class HostGpu {
public:
    HostGpu();
    ~HostGpu();
    /**
     * 0: everything in order, copies at once. Another number: blocks and warps take turns in an order that depends on
     * it, the lanes of a warp run backwards between its barriers, and asynchronous copies happen as late as they may;
     * so do stores into other blocks if it is odd. Results must be the same bits, or a barrier or a wait is missing.
     */
    uint64_t seed = 0;
    /** @throws std::runtime_error which says what is wrong and where each warp stands */
    void run(const HostLaunch& launch);

private:
    std::unique_ptr<HostCluster> cluster;
};

} // namespace PaiNNPlugin

#endif
