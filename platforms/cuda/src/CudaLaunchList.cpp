// SPDX-License-Identifier: MIT
#include "CudaLaunchList.h"
#include "CudaError.h"
#include <dlfcn.h>

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

namespace {

using AddDependencies = CUresult (*)(CUgraph, const CUgraphNode*, const CUgraphNode*, const CUgraphEdgeData*, size_t);

/** What makes kernels overlap; nullptr where the driver is of CUDA before 12.3. */
AddDependencies findAddDependencies() {
    void* driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
    if (driver == nullptr)
        return nullptr;
    void* function = dlsym(driver, "cuGraphAddDependencies_v2");
    dlclose(driver); // it stays loaded: this library needs it
    return reinterpret_cast<AddDependencies>(function);
}

/** The second kernel may start before the first one has ended. */
void addOverlap(AddDependencies addDependencies, CUgraph graph, CUgraphNode from, CUgraphNode to) {
    CUgraphEdgeData edge{};
    edge.from_port = CU_GRAPH_KERNEL_NODE_PORT_PROGRAMMATIC;
    edge.type = CU_GRAPH_DEPENDENCY_TYPE_PROGRAMMATIC;
    PAINN_CUDA(addDependencies(graph, &from, &to, &edge, 1));
}

/**
 * @param last       the node that has to be done before; overwritten by the new one
 * @param overlaps   kernels wait themselves for those in front of them: waitForPrevious() in Ptx.cuh
 */
void addNode(CUgraph graph, CUfunction function, Launch launch, bool overlaps, CUgraphNode& last) {
    void* arguments[] = {&launch.arrays, &launch.argument}; // CUDA copies what they point to
    CUDA_KERNEL_NODE_PARAMS parameters{};
    parameters.func = function;
    parameters.gridDimX = static_cast<unsigned int>(launch.gridX);
    parameters.gridDimY = static_cast<unsigned int>(launch.gridY);
    parameters.gridDimZ = 1;
    parameters.blockDimX = static_cast<unsigned int>(launch.threads);
    parameters.blockDimY = parameters.blockDimZ = 1;
    parameters.sharedMemBytes = static_cast<unsigned int>(launch.sharedBytes);
    parameters.kernelParams = arguments;
    static const AddDependencies addDependencies = findAddDependencies();
    const CUgraphNode before = last;
    const bool overlap = before != nullptr && overlaps && addDependencies != nullptr;
    PAINN_CUDA(cuGraphAddKernelNode(&last, graph, &before, before == nullptr || overlap ? 0 : 1, &parameters));
    if (overlap)
        addOverlap(addDependencies, graph, before, last);
}

} // namespace

LaunchConfig::LaunchConfig(const Launch& launch, CUstream stream) {
    cluster.id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION;
    cluster.value.clusterDim.x = static_cast<unsigned int>(launch.cluster);
    cluster.value.clusterDim.y = cluster.value.clusterDim.z = 1;
    config.gridDimX = static_cast<unsigned int>(launch.gridX);
    config.gridDimY = static_cast<unsigned int>(launch.gridY);
    config.gridDimZ = 1;
    config.blockDimX = static_cast<unsigned int>(launch.threads);
    config.blockDimY = config.blockDimZ = 1;
    config.sharedMemBytes = static_cast<unsigned int>(launch.sharedBytes);
    config.hStream = stream;
    config.attrs = &cluster;
    config.numAttrs = (launch.cluster > 1 ? 1 : 0);
}

CudaLaunchList::CudaLaunchList(const KernelLaunches& launches, bool overlaps) {
    if (launches.size() < 2) {
        single = launches;
        return;
    }
    CUgraph graph = nullptr;
    PAINN_CUDA(cuGraphCreate(&graph, 0));
    try {
        build(launches, overlaps, graph);
    }
    catch (...) {
        cuGraphDestroy(graph);
        throw;
    }
    cuGraphDestroy(graph);
}

void CudaLaunchList::build(const KernelLaunches& launches, bool overlaps, CUgraph graph) {
    CUgraphNode last = nullptr;
    for (const auto& [function, launch] : launches)
        addNode(graph, function, launch, overlaps, last);
    PAINN_CUDA(cuGraphInstantiateWithFlags(&exec, graph, 0));
}

CudaLaunchList::~CudaLaunchList() {
    if (exec != nullptr)
        cuGraphExecDestroy(exec); // what is under way is finished before it goes
}

void CudaLaunchList::run(CUstream stream) {
    if (exec != nullptr) {
        PAINN_CUDA(cuGraphLaunch(exec, stream));
        return;
    }
    for (auto& [function, launch] : single) {
        void* arguments[] = {&launch.arrays, &launch.argument};
        const LaunchConfig alone(launch, stream);
        PAINN_CUDA(cuLaunchKernelEx(&alone.config, function, arguments, nullptr));
    }
}

} // namespace PaiNNPlugin
