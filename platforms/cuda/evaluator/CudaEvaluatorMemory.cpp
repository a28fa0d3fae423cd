// SPDX-License-Identifier: MIT
#include "CudaEvaluatorState.h"
#include <algorithm>

namespace PaiNNPlugin {

namespace {

/** Rows of edges and candidates of larger subsystems begin with so much room, and grow when they are nearly full. */
const int FIRST_CAPACITY = 128, FIRST_CANDIDATES = 256;
/** Messages read so many records further than they need. */
const int EDGE_PADDING = 32;

} // namespace

CudaEvaluator::State::State(std::shared_ptr<const CudaNetwork> network, const std::vector<int>& subsystems,
                            bool periodic, Device& device, const std::vector<ContextArrays>& contexts)
    : network(network), device(device), realBytes(network->precision == CudaPrecision::Double ? 8 : 4),
      molecule(CudaNetwork::getMoleculeForm(network->shape, network->precision, device.getLimits())),
      arrays(network->arrays), mapped(device, sizeof(Report)), report(mapped.as<Report>()) {
    const int N = static_cast<int>(subsystems.size());
    for (int i = 0; i < N; i++)
        if (i == 0 || subsystems[i] != subsystems[i - 1])
            starts.push_back(i);
    starts.push_back(N);
    const int S = static_cast<int>(starts.size()) - 1;
    for (int s = 0; s < S; s++)
        largest = std::max(largest, starts[s + 1] - starts[s]);
    for (const ContextArrays& context : contexts)
        homes.push_back({context.posq, context.posqCorrection, context.forces, context.paddedSlots, {}});
    arrays.numAtoms = N;
    arrays.numSubsystems = S;
    arrays.periodic = periodic;
    arrays.slots = allocate(N * sizeof(int));
    arrays.elements = allocate(N * sizeof(int));
    arrays.subsystemOf = allocate(N * sizeof(int));
    arrays.starts = allocate((S + 1) * sizeof(int));
    arrays.homes = allocate(S * sizeof(Home));
    arrays.scales = allocate(S * sizeof(Scale));
    arrays.problems = allocate(S * sizeof(Problem));
    arrays.report = allocate(sizeof(Report));
    arrays.hostReport = reinterpret_cast<uint64_t>(report);
    upload(arrays.subsystemOf, subsystems, nullptr);
    upload(arrays.starts, starts, nullptr);
    upload(arrays.homes, homes, nullptr);
    allocateFeatures();
    allocateEdges(std::clamp(largest - 1, 1, FIRST_CAPACITY));
    if (largest > MOST_ATOMS_SHARED) { // they keep a list of candidates for edges
        allocateCells();
        allocateCandidates(FIRST_CANDIDATES);
        requestCandidates(nullptr);
    }
    device.synchronize(nullptr);
}

/** Memory of another size in place of what was there, which stays if there is not enough for both; only the first must
 * be. */
bool CudaEvaluator::State::replace(DeviceMemory& memory, size_t bytes) {
    try {
        memory = DeviceMemory(device, bytes);
    }
    catch (const std::exception&) {
        if (memory.size() == 0)
            throw;
        canGrow = false;
    }
    return canGrow;
}

void CudaEvaluator::State::allocateFeatures() {
    const Shape& shape = network->shape;
    const size_t N = arrays.numAtoms, values = N * shape.H * realBytes, L = shape.L;
    arrays.before = allocate((L - 1) * 4 * values);
    arrays.after = allocate(L * 4 * values);
    arrays.updateSlope = allocate(L * values);
    arrays.gates = allocate((shape.isStudent ? L - 1 : L) * 2 * values); // the last update of a student has none
    arrays.adjoint = allocate(4 * values);
    if (!shape.isStudent) {
        arrays.context = allocate((L - 1) * 4 * values);
        arrays.contextSlope = allocate((L - 1) * values);
        arrays.contextAdjoint = allocate(4 * values);
    }
    arrays.edgeCount = allocate(N * sizeof(int));
    arrays.atomEnergies = allocate(N * sizeof(double));
    arrays.subsystemEnergies = allocate(arrays.numSubsystems * sizeof(double));
    arrays.sliceForces = allocate(3 * values / SLICE);
}

/** Get longer rows; the shorter ones stay if there is not so much memory. */
bool CudaEvaluator::State::allocateEdges(int capacity) {
    const size_t edgeBytes = (6 * realBytes + 2 * sizeof(int) + 15) / 16 * 16; // struct Edge
    if (!replace(edges, (static_cast<size_t>(arrays.numAtoms) * capacity + EDGE_PADDING) * edgeBytes))
        return false;
    arrays.edges = edges.get();
    arrays.capacity = capacity;
    for (auto& list : lists)
        list.reset(); // they hold the old address
    return true;
}

void CudaEvaluator::State::allocateCells() {
    const size_t N = arrays.numAtoms, wideBytes = network->precision == CudaPrecision::Single ? 4 : 8;
    arrays.hasCandidates = 1;
    arrays.maxCells = std::max(4096, 2 * arrays.numAtoms);
    arrays.rebuild = allocate(sizeof(int));
    arrays.reference = allocate(3 * N * wideBytes);
    arrays.candidateCount = allocate(N * sizeof(int));
    arrays.cellGrid = allocate(4 * sizeof(int) + 6 * wideBytes);
    arrays.cellOf = allocate(N * sizeof(int));
    arrays.cellStart = allocate((arrays.maxCells + 1) * sizeof(int));
    arrays.cellFill = allocate(arrays.maxCells * sizeof(int));
    arrays.cellAtoms = allocate(N * sizeof(int));
}

bool CudaEvaluator::State::allocateCandidates(int capacity) {
    if (!replace(candidates, static_cast<size_t>(arrays.numAtoms) * capacity * sizeof(int)))
        return false;
    arrays.candidates = candidates.get();
    arrays.candidateCapacity = capacity;
    for (auto& list : lists)
        list.reset(); // they hold the old address
    return true;
}

/** Have the list of candidates made in the next evaluation. */
void CudaEvaluator::State::requestCandidates(Device::Stream stream) {
    const int yes = 1;
    if (arrays.hasCandidates)
        device.upload(arrays.rebuild, &yes, sizeof(yes), stream);
}

/** Rows that are too short cost time, not edges: they grow before that happens, when the host comes by. */
void CudaEvaluator::State::growRows(Device::Stream stream) {
    if (!canGrow)
        return;
    const int limit = std::max(arrays.numAtoms - 1, 1);
    auto isShort = [&](int most, int capacity) { return most > 0.8 * capacity && capacity < limit; };
    const int edges = report->mostEdges, found = report->mostCandidates;
    if (isShort(edges, arrays.capacity))
        allocateEdges(std::min(limit, edges + edges / 2));
    if (arrays.hasCandidates && isShort(found, arrays.candidateCapacity)) {
        // What findCandidates() sorts must fit into shared memory.
        const int most = static_cast<int>(device.getLimits().sharedBytes / (EDGE_THREADS / 32 * sizeof(int)));
        const int wanted = std::min({limit, found + found / 2, most});
        if (wanted > arrays.candidateCapacity && allocateCandidates(wanted))
            requestCandidates(stream);
    }
}

} // namespace PaiNNPlugin
