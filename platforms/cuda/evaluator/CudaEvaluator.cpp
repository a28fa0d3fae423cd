// SPDX-License-Identifier: MIT
#include "CudaEvaluator.h"
#include <algorithm>

namespace PaiNNPlugin {

namespace {

// As the kernels have them.
const int EDGE_THREADS = 128, CELL_THREADS = 1024, CANDIDATE_THREADS = 128, MESSAGE_WARPS = 16, FINISH_THREADS = 128;
/** Rows of edges and candidates of larger subsystems begin with so much room, and grow when they are nearly full. */
const int FIRST_CAPACITY = 128, FIRST_CANDIDATES = 256;
/** Larger subsystems than this keep a list of candidates for edges. */
const int ATOMS_FOR_CANDIDATES = 256;
/** From so many atoms on a message block keeps its part of the filter table in shared memory. */
const int ATOMS_FOR_SHARED_TABLE = 256;
/** From so many atoms for each multiprocessor on, node blocks work on many atoms. */
const int ATOMS_FOR_MANY_COLUMNS = 16;

/** Up to so many small molecules have a cluster of blocks each. */
const int MOLECULES_FOR_CLUSTERS = 24;

int divideUp(int n, int by) {
    return (n + by - 1) / by;
}

} // namespace

struct CudaEvaluator::State {
    State(std::shared_ptr<const CudaNetwork> network, const std::vector<int>& subsystems, bool periodic, Device& device,
          const ContextArrays& context);
    ~State() {
        device.releaseMapped(report);
    }
    Device::Address allocate(size_t bytes) {
        return memory.emplace_back(device, bytes).get();
    }
    void allocateFeatures();
    void allocateEdges(int capacity);
    void allocateCells();
    void allocateCandidates(int capacity);
    void requestCandidates(Device::Stream stream);
    void growRows(Device::Stream stream);
    void prepare();
    Launch makeLaunch(const char* kernel, int gridX, int gridY, int threads, size_t sharedBytes, int argument) const;
    void addMessage(std::vector<Launch>& list, bool backward, int l) const;
    void addNode(std::vector<Launch>& list, const char* few, const char* many, int l) const;
    bool areSmallMolecules() const;
    void addStages(std::vector<Launch>& list, bool withForces) const;
    std::vector<Launch> listLaunches(bool withForces) const;
    template <class T> void upload(Device::Address to, const std::vector<T>& values, Device::Stream stream) {
        device.upload(to, values.data(), values.size() * sizeof(T), stream);
    }

    std::shared_ptr<const CudaNetwork> network;
    Device& device;
    int realBytes;
    CudaNetwork::MoleculeForm molecule;
    Arrays arrays;
    std::vector<int> elements, starts;
    int largest = 0; ///< atoms of a subsystem
    std::vector<DeviceMemory> memory;
    DeviceMemory edges, candidates;
    Report* report = nullptr;             ///< what finish() shows
    std::unique_ptr<LaunchList> lists[2]; ///< without and with forces
};

CudaEvaluator::State::State(std::shared_ptr<const CudaNetwork> network, const std::vector<int>& subsystems,
                            bool periodic, Device& device, const ContextArrays& context)
    : network(network), device(device), realBytes(network->precision == CudaPrecision::Double ? 8 : 4),
      molecule(CudaNetwork::getMoleculeForm(network->shape, network->numCells, network->precision, device.getLimits())),
      arrays(network->arrays) {
    const int N = static_cast<int>(subsystems.size());
    for (int i = 0; i < N; i++)
        if (i == 0 || subsystems[i] != subsystems[i - 1])
            starts.push_back(i);
    starts.push_back(N);
    const int S = static_cast<int>(starts.size()) - 1;
    for (int s = 0; s < S; s++)
        largest = std::max(largest, starts[s + 1] - starts[s]);
    arrays.posq = context.posq;
    arrays.posqCorrection = context.posqCorrection;
    arrays.forces = context.forces;
    arrays.paddedSlots = context.paddedSlots;
    arrays.numAtoms = N;
    arrays.numSubsystems = S;
    arrays.periodic = periodic;
    arrays.slots = allocate(N * sizeof(int));
    arrays.elements = allocate(N * sizeof(int));
    arrays.subsystemOf = allocate(N * sizeof(int));
    arrays.starts = allocate((S + 1) * sizeof(int));
    arrays.box = allocate(9 * sizeof(double));
    arrays.scales = allocate(S * sizeof(Scale));
    arrays.report = allocate(sizeof(Report));
    report = static_cast<Report*>(device.allocateMapped(sizeof(Report)));
    arrays.hostReport = reinterpret_cast<uint64_t>(report);
    upload(arrays.subsystemOf, subsystems, nullptr);
    upload(arrays.starts, starts, nullptr);
    allocateFeatures();
    allocateEdges(std::clamp(largest - 1, 1, FIRST_CAPACITY));
    if (largest > ATOMS_FOR_CANDIDATES) {
        allocateCells();
        allocateCandidates(FIRST_CANDIDATES);
        requestCandidates(nullptr);
    }
    device.synchronize(nullptr);
}

void CudaEvaluator::State::allocateFeatures() {
    const Shape& shape = network->shape;
    const size_t N = arrays.numAtoms, values = N * shape.H * realBytes, L = shape.L;
    arrays.before = allocate((L - 1) * 4 * values);
    arrays.after = allocate(L * 4 * values);
    arrays.updateSlope = allocate(L * values);
    arrays.gates = allocate(L * 2 * values);
    for (Device::Address& adjoint : arrays.adjoint)
        adjoint = allocate(4 * values);
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

void CudaEvaluator::State::allocateEdges(int capacity) {
    const size_t edgeBytes = (6 * realBytes + 2 * sizeof(int) + 15) / 16 * 16; // struct Edge
    edges = DeviceMemory();
    edges = DeviceMemory(device, arrays.numAtoms * capacity * edgeBytes);
    arrays.edges = edges.get();
    arrays.capacity = capacity;
    for (auto& list : lists)
        list.reset(); // they hold the old address
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

void CudaEvaluator::State::allocateCandidates(int capacity) {
    candidates = DeviceMemory();
    candidates = DeviceMemory(device, arrays.numAtoms * capacity * sizeof(int));
    arrays.candidates = candidates.get();
    arrays.candidateCapacity = capacity;
    for (auto& list : lists)
        list.reset(); // they hold the old address
}

/** Have the list of candidates made in the next evaluation. */
void CudaEvaluator::State::requestCandidates(Device::Stream stream) {
    const int yes = 1;
    if (arrays.hasCandidates)
        device.upload(arrays.rebuild, &yes, sizeof(yes), stream);
}

/** Rows that are too short cost time, not edges: they grow before that happens, when the host comes by. */
void CudaEvaluator::State::growRows(Device::Stream stream) {
    const int limit = std::max(arrays.numAtoms - 1, 1);
    auto isShort = [&](int most, int capacity) { return most > 0.8 * capacity && capacity < limit; };
    const int edges = report->mostEdges, found = report->mostCandidates;
    if (isShort(edges, arrays.capacity))
        allocateEdges(std::min(limit, edges + edges / 2));
    if (arrays.hasCandidates && isShort(found, arrays.candidateCapacity)) {
        // What findCandidates() sorts must fit into shared memory.
        const int most = static_cast<int>(device.getLimits().sharedBytes / (CANDIDATE_THREADS / 32 * sizeof(int)));
        const int wanted = std::min({limit, found + found / 2, most});
        if (wanted > arrays.candidateCapacity) {
            allocateCandidates(wanted);
            requestCandidates(stream);
        }
    }
}

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
    const int slices = network->shape.H / SLICE, atomBlocks = divideUp(arrays.numAtoms, MESSAGE_WARPS);
    const size_t tableBytes = static_cast<size_t>(network->numCells) * TABLE_QUADS * SLICE * 4 * realBytes;
    const bool shared = arrays.numAtoms >= ATOMS_FOR_SHARED_TABLE && tableBytes <= limits.sharedBytes;
    const int resident = 2 * limits.multiprocessors; // blocks
    const int groups = shared ? std::min(atomBlocks, std::max(1, resident / slices)) : std::min(atomBlocks, 65535);
    const char* names[2][2] = {{"messageUnshared", "message"}, {"messageBackUnshared", "messageBack"}};
    list.push_back(makeLaunch(names[backward][shared], slices, groups, 32 * MESSAGE_WARPS, shared ? tableBytes : 0, l));
}

void CudaEvaluator::State::addNode(std::vector<Launch>& list, const char* few, const char* many, int l) const {
    const DeviceLimits& limits = device.getLimits();
    const bool isMany = arrays.numAtoms > ATOMS_FOR_MANY_COLUMNS * limits.multiprocessors;
    const int columns = isMany ? CudaNetwork::manyColumns(network->shape, network->precision, limits) : 8;
    list.push_back(makeLaunch(isMany ? many : few, divideUp(arrays.numAtoms, columns), 1,
                              32 * (isMany ? NODE_WARPS_MANY : NODE_WARPS_FEW),
                              static_cast<size_t>(nodeMemory(network->shape, columns).size) * realBytes, l));
}

/** Whether one cluster of blocks a subsystem does it all. The results are the same, bit for bit. */
bool CudaEvaluator::State::areSmallMolecules() const {
    return largest <= molecule.atoms && arrays.numSubsystems <= MOLECULES_FOR_CLUSTERS;
}

/** The network as a list of stages, forward, then backward. */
void CudaEvaluator::State::addStages(std::vector<Launch>& list, bool withForces) const {
    const int N = arrays.numAtoms, L = network->shape.L;
    if (arrays.hasCandidates) {
        list.push_back(makeLaunch("checkMoves", divideUp(N, EDGE_THREADS), 1, EDGE_THREADS, 0, 0));
        list.push_back(makeLaunch("fillCells", 1, 1, CELL_THREADS, 2 * CELL_THREADS * sizeof(double), 0));
        list.push_back(makeLaunch("findCandidates", divideUp(N, CANDIDATE_THREADS / 32), 1, CANDIDATE_THREADS,
                                  CANDIDATE_THREADS / 32 * arrays.candidateCapacity * sizeof(int), 0));
    }
    list.push_back(makeLaunch("findEdges", divideUp(N, EDGE_THREADS / 32), 1, EDGE_THREADS, 0, 0));
    for (int l = 0; l < L; l++) {
        addMessage(list, false, l);
        if (l + 1 < L)
            addNode(list, "nodeFew", "nodeMany", l);
    }
    addNode(list, "nodeTurnFew", "nodeTurnMany", 0);
    for (int l = L - 1; withForces && l >= 0; l--) {
        addMessage(list, true, l);
        if (l > 0)
            addNode(list, "nodeBackFew", "nodeBackMany", l);
    }
}

std::vector<Launch> CudaEvaluator::State::listLaunches(bool withForces) const {
    const Shape& shape = network->shape;
    const int N = arrays.numAtoms, S = arrays.numSubsystems, blocks = shape.H / SLICE;
    std::vector<Launch> list;
    if (areSmallMolecules()) {
        list.push_back(makeLaunch("molecule", S * blocks, 1, 32 * MOLECULE_WARPS,
                                  moleculeMemory(shape, molecule.atoms, molecule.hasTable ? network->numCells : 0).size,
                                  0));
        list.back().cluster = blocks;
    }
    else
        addStages(list, withForces);
    list.push_back(makeLaunch("finish", std::max(divideUp(N, FINISH_THREADS), S), 2, FINISH_THREADS,
                              FINISH_THREADS * sizeof(double), 0));
    for (Launch& launch : list)
        launch.arrays.hasForces = withForces;
    return list;
}

/** Have the launches ready; kernels are compiled when this is done for the first time. */
void CudaEvaluator::State::prepare() {
    for (bool withForces : {false, true})
        if (lists[withForces] == nullptr)
            lists[withForces] = device.prepare(listLaunches(withForces));
}

CudaEvaluator::CudaEvaluator(std::shared_ptr<const CudaNetwork> network, const std::vector<int>& elements,
                             const std::vector<int>& subsystems, bool periodic, Device& device,
                             const ContextArrays& context)
    : state(std::make_unique<State>(network, subsystems, periodic, device, context)) {
    const int S = state->arrays.numSubsystems;
    setElements(elements, nullptr);
    setScales(std::vector<double>(S, 1.0), std::vector<char>(S, 1), nullptr);
    state->prepare();
    device.synchronize(nullptr);
}

CudaEvaluator::~CudaEvaluator() = default;

void CudaEvaluator::setElements(const std::vector<int>& elements, Device::Stream stream) {
    state->elements = elements;
    state->upload(state->arrays.elements, elements, stream);
}

void CudaEvaluator::setSlots(const std::vector<int>& slots, Device::Stream stream) {
    state->upload(state->arrays.slots, slots, stream);
}

void CudaEvaluator::setScales(const std::vector<double>& scales, const std::vector<char>& wanted,
                              Device::Stream stream) {
    std::vector<Scale> values;
    for (size_t s = 0; s < scales.size(); s++)
        values.push_back({scales[s], scales[s] != 0 || wanted[s], 0});
    state->upload(state->arrays.scales, values, stream);
}

void CudaEvaluator::setBox(const double box[3][3], Device::Stream stream) {
    state->device.upload(state->arrays.box, box, 9 * sizeof(double), stream);
    state->requestCandidates(stream);
}

void CudaEvaluator::launch(bool withForces, Device::Stream stream) {
    State& s = *state;
    s.growRows(stream);
    s.prepare();
    s.device.run(*s.lists[withForces], stream);
}

void CudaEvaluator::getSubsystemEnergies(std::vector<double>& energies, Device::Stream stream) {
    State& s = *state;
    energies.resize(s.arrays.numSubsystems);
    s.device.download(energies.data(), s.arrays.subsystemEnergies, energies.size() * sizeof(double), stream);
    for (size_t k = 0; k < energies.size(); k++)
        for (int i = s.starts[k]; i < s.starts[k + 1]; i++)
            energies[k] += s.network->parameters->atomReferences[s.elements[i]];
}

void CudaEvaluator::getAtomEnergies(std::vector<double>& energies, Device::Stream stream) {
    State& s = *state;
    energies.resize(s.arrays.numAtoms);
    s.device.download(energies.data(), s.arrays.atomEnergies, energies.size() * sizeof(double), stream);
    for (size_t i = 0; i < energies.size(); i++)
        energies[i] += s.network->parameters->atomReferences[s.elements[i]];
}

Device::Address CudaEvaluator::getDeviceEnergies() const {
    return state->arrays.subsystemEnergies;
}

DeviceStatus CudaEvaluator::getStatus() const {
    DeviceStatus status;
    status.problem = state->report->problem;
    status.atom1 = state->report->atom1;
    status.atom2 = state->report->atom2;
    return status;
}

void CudaEvaluator::resetStatus() {
    const Report empty = {};
    const Report before = *state->report;
    Report kept = empty;
    kept.mostEdges = before.mostEdges;
    kept.mostCandidates = before.mostCandidates;
    state->device.upload(state->arrays.report, &kept, sizeof(kept), nullptr);
    state->device.synchronize(nullptr);
    *state->report = kept;
}

} // namespace PaiNNPlugin
