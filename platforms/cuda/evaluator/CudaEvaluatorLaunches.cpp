// SPDX-License-Identifier: MIT
#include "CudaEvaluatorState.h"
#include <algorithm>
#include <climits>
#include <stdexcept>
#include <string>

namespace PaiNNPlugin {

namespace {

// As the kernels have them.
const int CELL_THREADS = 1024, FINISH_THREADS = 128;
/** From so many atoms on a message block keeps its part of the filter table in shared memory; if it waits for it. */
const int ATOMS_FOR_SHARED_TABLE = 32, ATOMS_TO_WAIT_FOR_TABLE = 256;
/** From so many atoms on all multiprocessors work on one slice of the channels, so that the cache holds its features.
 */
const int ATOMS_TO_SLICE = 16384;
/** A node block takes as long for reading the weights as for so many of its columns. */
const int COLUMNS_OF_WEIGHTS = 24;
/** Small molecules have a cluster of blocks each if the device is through with all of them in so many rounds. */
const int ROUNDS_OF_CLUSTERS = 2;

int divideUp(int n, int by) {
    return (n + by - 1) / by;
}

} // namespace

Launch CudaEvaluator::State::makeLaunch(const char* kernel, int gridX, int gridY, int threads, size_t sharedBytes,
                                        int argument) const {
    Launch launch;
    launch.kernel = kernel;
    launch.gridX = gridX;
    launch.gridY = gridY;
    launch.threads = threads;
    launch.sharedBytes = sharedBytes;
    launch.arrays = arrays;
    launch.argument = argument;
    return launch;
}

void CudaEvaluator::State::addMessage(std::vector<Launch>& list, bool backward, int l) const {
    const DeviceLimits& limits = device.getLimits();
    const int slices = network->shape.H / SLICE, N = arrays.numAtoms;
    const size_t tableBytes = static_cast<size_t>(network->numCells) * TABLE_QUADS * SLICE * 4 * realBytes;
    const bool overlaps = limits.computeCapability >= 90; // the table comes while the kernel before is still at work
    const bool shared =
        N >= (overlaps ? ATOMS_FOR_SHARED_TABLE : ATOMS_TO_WAIT_FOR_TABLE) && tableBytes <= limits.sharedBytes;
    // A block with a table has a multiprocessor for itself; without, small ones spread over all of them.
    const int most = !shared              ? INT_MAX
                     : N > ATOMS_TO_SLICE ? limits.multiprocessors
                                          : std::max(1, limits.multiprocessors / slices);
    const int mostWarps = shared ? messageWarps(realBytes) : UNSHARED_WARPS;
    const int groups = std::min(divideUp(N, shared ? 1 : UNSHARED_WARPS), most);
    const int rounds = divideUp(N, groups * mostWarps);
    const int warps = divideUp(divideUp(N, groups), rounds); // all rounds as full
    const char* names[2][2] = {{"messageUnshared", "message"}, {"messageBackUnshared", "messageBack"}};
    list.push_back(makeLaunch(names[backward][shared], groups, slices, 32 * warps, shared ? tableBytes : 0, l));
}

/** @param names   of kernels for few, some and many atoms in a block; the form that takes the least time is chosen */
void CudaEvaluator::State::addNode(std::vector<Launch>& list, const std::array<const char*, 3>& names, int l) const {
    const DeviceLimits& limits = device.getLimits();
    const int forms[] = {8, 16, CudaNetwork::manyColumns(network->shape, network->precision, limits)};
    auto bytes = [&](int columns) { return static_cast<size_t>(nodeMemory(network->shape, columns).size) * realBytes; };
    // A multiprocessor has one block at a time.
    auto time = [&](int columns) {
        return divideUp(divideUp(arrays.numAtoms, columns), limits.multiprocessors) * (COLUMNS_OF_WEIGHTS + columns);
    };
    if (bytes(forms[0]) > limits.sharedBytes)
        throw std::runtime_error("PaiNNStudentForce: this network needs " + std::to_string(bytes(forms[0])) +
                                 " bytes of shared memory on the CUDA platform, and this GPU has " +
                                 std::to_string(limits.sharedBytes) +
                                 " for a block; use single or mixed precision, another GPU, or the CPU platform");
    int best = 0;
    for (int form : {1, 2})
        if (bytes(forms[form]) <= limits.sharedBytes && time(forms[form]) < time(forms[best]))
            best = form;
    list.push_back(
        makeLaunch(names[best], divideUp(arrays.numAtoms, forms[best]), 1, 32 * NODE_WARPS, bytes(forms[best]), l));
}

Launch CudaEvaluator::State::makeMolecule() const {
    const Shape& shape = network->shape;
    Launch launch = makeLaunch("molecule", arrays.numSubsystems * (shape.H / SLICE), 1, 32 * moleculeWarps(shape),
                               moleculeMemory(shape, molecule).size, 0);
    launch.cluster = shape.H / SLICE;
    return launch;
}

/** Whether one cluster of blocks a subsystem does it all. The results are the same, bit for bit. */
bool CudaEvaluator::State::areSmallMolecules() {
    const int most = device.getLimits().multiprocessors / (network->shape.H / SLICE); // clusters
    if (largest > molecule.atoms || arrays.numSubsystems > ROUNDS_OF_CLUSTERS * most)
        return false;
    if (clusters < 0)
        clusters = device.countClusters(makeMolecule());
    return arrays.numSubsystems <= ROUNDS_OF_CLUSTERS * clusters;
}

/** The network as a list of stages, forward, then backward. */
void CudaEvaluator::State::addStages(std::vector<Launch>& list, bool withForces) const {
    const int N = arrays.numAtoms, L = network->shape.L;
    if (arrays.hasCandidates)
        list.push_back(makeLaunch("fillCells", 1, 1, CELL_THREADS, 2 * CELL_THREADS * sizeof(double), 0));
    list.push_back(makeLaunch("findEdges", divideUp(N, EDGE_THREADS / 32), 1, EDGE_THREADS,
                              arrays.hasCandidates ? EDGE_THREADS / 32 * arrays.candidateCapacity * sizeof(int) : 0,
                              0));
    for (int l = 0; l < L; l++) {
        addMessage(list, false, l);
        if (l + 1 < L)
            addNode(list, {"nodeFew", "nodeSome", "nodeMany"}, l);
    }
    addNode(list, {"nodeTurnFew", "nodeTurnSome", "nodeTurnMany"}, 0);
    for (int l = L - 1; withForces && l >= 0; l--) {
        addMessage(list, true, l);
        if (l > 0)
            addNode(list, {"nodeBackFew", "nodeBackSome", "nodeBackMany"}, l);
    }
}

std::vector<Launch> CudaEvaluator::State::listLaunches(bool withForces) {
    const int N = arrays.numAtoms, S = arrays.numSubsystems;
    std::vector<Launch> list;
    if (areSmallMolecules())
        list.push_back(makeMolecule());
    else {
        addStages(list, withForces);
        list.push_back(makeLaunch("finish", S + (withForces ? divideUp(3 * N, FINISH_THREADS) : 0), 1, FINISH_THREADS,
                                  FINISH_THREADS * sizeof(double), 0));
    }
    for (Launch& launch : list)
        launch.arrays.hasForces = withForces;
    return list;
}

/** Have the launches ready; kernels are compiled when this is done for the first time, all by the longer list. */
void CudaEvaluator::State::prepare() {
    for (bool withForces : {true, false})
        if (lists[withForces] == nullptr)
            lists[withForces] = device.prepare(listLaunches(withForces));
}

} // namespace PaiNNPlugin
