// SPDX-License-Identifier: MIT
#ifndef PAINN_CUDA_LAUNCH_LIST_H_
#define PAINN_CUDA_LAUNCH_LIST_H_

#include "Device.h"
#include <cuda.h>
#include <utility>

namespace PaiNNPlugin {

/** Launches, each with its kernel. */
using KernelLaunches = std::vector<std::pair<CUfunction, Launch>>;

/** A launch as CUDA's driver takes it. */
struct LaunchConfig {
    LaunchConfig(const Launch& launch, CUstream stream);
    LaunchConfig(const LaunchConfig&) = delete;
    LaunchConfig& operator=(const LaunchConfig&) = delete;
    CUlaunchAttribute cluster{};
    CUlaunchConfig config{}; // holds the address of cluster
};

/**
 * Launches one after another: as a CUDA graph, or by itself if there is only one. The graph is built node by node and
 * not captured: the stream that OpenMM uses is mostly the legacy one, which cannot be captured, and capturing another
 * one forbids copies to every thread meanwhile.
 */
class CudaLaunchList : public LaunchList {
public:
    /** @param overlaps   kernels may start before those in front of them have ended (capability 9.0, CUDA 12.3) */
    CudaLaunchList(const KernelLaunches& launches, bool overlaps);
    ~CudaLaunchList() override;
    CudaLaunchList(const CudaLaunchList&) = delete;
    CudaLaunchList& operator=(const CudaLaunchList&) = delete;
    void run(CUstream stream);

private:
    void build(const KernelLaunches& launches, bool overlaps, CUgraph graph);
    KernelLaunches single;      // the only launch, if there is only one
    CUgraphExec exec = nullptr; // otherwise
};

} // namespace PaiNNPlugin

#endif
