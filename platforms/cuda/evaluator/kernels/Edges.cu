// SPDX-License-Identifier: MIT
// Which atoms see each other (F1).

constexpr int EDGE_THREADS = 128;

/** Report a position that is not finite or too far away for distances to mean anything. */
__device__ __forceinline__ void checkPosition(const Arrays& arrays, int i, const Position& x) {
    const Wide limit = Wide(1e8); // nm; written so that NaN fails
    if (!(x.x <= limit && x.x >= -limit && x.y <= limit && x.y >= -limit && x.z <= limit && x.z >= -limit))
        report(arrays, BAD_POSITION, i, -1);
}

/**
 * One warp: find the edges of atom i among `last - first` atoms, ascending by neighbour.
 *
 * @param source    of atom i's subsystem
 * @param list      these atoms; nullptr: the atoms from first on
 * @param use       called with an edge and its place in the row
 * @param energy    half the repulsion of atom i (F8), on all lanes
 * @return the number of edges
 */
template <class Use>
__device__ __forceinline__ int searchEdges(const Arrays& arrays, int i, const int* list, int first, int last,
                                           const Source& source, const Position& xi, double& energy, Use use) {
    const int lane = threadIdx.x % 32;
    auto find = [&](int base) {
        const int k = base + lane;
        return k >= last ? i : list != nullptr ? list[k] : k;
    };
    // Positions are read while those before them are worked on.
    int count = 0, j = find(first), next = find(first + 32);
    Position xj = readPosition(arrays, source, j);
    energy = 0;
    for (int base = first; base < last; base += 32) {
        const Position xNext = readPosition(arrays, source, next);
        const int afterNext = find(base + 64);
        __syncwarp(); // keeps these reads in front of what follows
        Position r = {0, 0, 0};
        Wide d = CUTOFF;
        if (j != i) {
            r = subtract(arrays, source.box, xj, xi);
            d = measure(r);
            if (d == 0)
                report(arrays, COINCIDENT, min(i, j), max(i, j));
        }
        const bool isEdge = d < CUTOFF && d > 0;
        const unsigned mask = __ballot_sync(0xffffffffu, isEdge);
        const int place = count + __popc(mask & ((1u << lane) - 1));
        count += __popc(mask);
        Wide half = 0; // of the pair's repulsion
        if (isEdge)
            use(makeEdge(arrays, i, j, r, d, half), place);
#if PAINN_REPULSION
        // One after another by neighbour: which lane finds an edge depends on the candidates.
        for (unsigned some = __ballot_sync(0xffffffffu, half != 0); some != 0; some &= some - 1)
            energy += __shfl_sync(0xffffffffu, half, __ffs(some) - 1);
#endif
        j = next;
        xj = xNext;
        next = afterNext;
    }
    return count;
}

#if PAINN_HAS_GROUP(1)

/**
 * One warp an atom: its edges, and its repulsion as the first part of its energy. Before that its candidates, if they
 * must be found; in shared memory, [warps][candidateCapacity].
 */
extern "C" __global__ void __launch_bounds__(EDGE_THREADS) findEdges(const Arrays arrays, int) {
    SHARED_MEMORY(memory);
    startNext();
    const int i = (blockIdx.x * blockDim.x + threadIdx.x) / 32, lane = threadIdx.x % 32;
    const bool hasAtom = i < arrays.numAtoms;
    const int subsystem = arrays.subsystemOf[hasAtom ? i : 0];
    const Source source = sourceOf(arrays, subsystem);
    const Position xi = readPosition(arrays, source, hasAtom ? i : 0);
    const int begin = arrays.starts[subsystem], end = arrays.starts[subsystem + 1];
    waitForPrevious();
    if (!hasAtom)
        return;
    if (lane == 0)
        checkPosition(arrays, i, xi);
    if (arrays.hasCandidates && *arrays.rebuild != 0)
        findCandidates(arrays, i, reinterpret_cast<int*>(memory) + (threadIdx.x / 32) * arrays.candidateCapacity);
    // The candidates of a large subsystem, where there is room for all of them; otherwise the whole subsystem.
    const int candidates = arrays.hasCandidates ? arrays.candidateCount[i] : 0;
    const bool listed = arrays.hasCandidates && candidates <= arrays.candidateCapacity;
    const int* list = listed ? arrays.candidates + size_t(i) * arrays.candidateCapacity : nullptr;
    const int first = listed ? 0 : begin, last = listed ? candidates : end;
    double energy;
    const int count = searchEdges(arrays, i, list, first, last, source, xi, energy, [&](const Edge& edge, int place) {
        if (place < arrays.capacity)
            arrays.edges[size_t(i) * arrays.capacity + place] = edge;
    });
    if (lane == 0) {
        arrays.atomEnergies[i] = energy;
        arrays.edgeCount[i] = count;
        atomicMax(&arrays.report->mostEdges, count);
    }
}

#endif
