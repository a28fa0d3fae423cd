// SPDX-License-Identifier: MIT
#include "CudaLaunchList.h"
#include "CudaError.h"

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

namespace {

CUlaunchAttribute makeClusterAttribute(int cluster) {
    CUlaunchAttribute attribute{};
    attribute.id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION;
    attribute.value.clusterDim.x = static_cast<unsigned int>(cluster);
    attribute.value.clusterDim.y = 1;
    attribute.value.clusterDim.z = 1;
    return attribute;
}

void launchAlone(CUfunction function, Launch& launch, CUstream stream) {
    CUlaunchAttribute attribute = makeClusterAttribute(launch.cluster);
    CUlaunchConfig config{};
    config.gridDimX = static_cast<unsigned int>(launch.gridX);
    config.gridDimY = static_cast<unsigned int>(launch.gridY);
    config.gridDimZ = 1;
    config.blockDimX = static_cast<unsigned int>(launch.threads);
    config.blockDimY = config.blockDimZ = 1;
    config.sharedMemBytes = static_cast<unsigned int>(launch.sharedBytes);
    config.hStream = stream;
    config.attrs = &attribute;
    config.numAttrs = (launch.cluster > 1 ? 1 : 0);
    void* arguments[] = {&launch.arrays, &launch.argument};
    PAINN_CUDA(cuLaunchKernelEx(&config, function, arguments, nullptr));
}

void addEdge(CUgraph graph, CUgraphNode from, CUgraphNode to, bool overlaps) {
    CUgraphEdgeData edge{};
    if (overlaps) {
        edge.from_port = CU_GRAPH_KERNEL_NODE_PORT_PROGRAMMATIC;
        edge.type = CU_GRAPH_DEPENDENCY_TYPE_PROGRAMMATIC;
    }
    PAINN_CUDA(cuGraphAddDependencies_v2(graph, &from, &to, &edge, 1));
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
    const CUgraphNode before = last;
    PAINN_CUDA(cuGraphAddKernelNode(&last, graph, nullptr, 0, &parameters));
    if (before != nullptr)
        addEdge(graph, before, last, overlaps);
    if (launch.cluster > 1) {
        const CUlaunchAttribute attribute = makeClusterAttribute(launch.cluster);
        PAINN_CUDA(cuGraphKernelNodeSetAttribute(last, attribute.id, &attribute.value));
    }
}

} // namespace

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
    for (auto& [function, launch] : single)
        launchAlone(function, launch, stream);
}

} // namespace PaiNNPlugin
