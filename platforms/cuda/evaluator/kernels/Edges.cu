// SPDX-License-Identifier: MIT
// Which atoms see each other (F1).

/** Report a position that is not finite or too far away for distances to mean anything. */
__device__ __forceinline__ void checkPosition(const Arrays& arrays, int i, const Position& x) {
    const Wide limit = Wide(1e8); // nm; written so that NaN fails
    if (!(x.x <= limit && x.x >= -limit && x.y <= limit && x.y >= -limit && x.z <= limit && x.z >= -limit))
        report(arrays, BAD_POSITION, i, -1);
}

/**
 * One warp: find the edges of atom i among `last - first` atoms, ascending by neighbour.
 *
 * @param list      these atoms; nullptr: the atoms from first on
 * @param use       called with an edge and its place in the row
 * @param energy    half the repulsion of atom i (F8), on all lanes
 * @return the number of edges
 */
template <class Use>
__device__ __forceinline__ int searchEdges(const Arrays& arrays, int i, const int* list, int first, int last,
                                           const Position& xi, double& energy, Use use) {
    const int lane = threadIdx.x % 32;
    int count = 0;
    energy = 0;
    for (int base = first; base < last; base += 32) {
        const int k = base + lane, j = k >= last ? i : list != nullptr ? list[k] : k;
        Position r = {0, 0, 0};
        Wide d = CUTOFF;
        if (j != i) {
            r = subtract(arrays, readPosition(arrays, j), xi);
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
    }
    return count;
}

#if PAINN_HAS_GROUP(1)

/** One warp an atom: its edges, and its repulsion as the first part of its energy. */
extern "C" __global__ void findEdges(const Arrays arrays, int) {
    startNext();
    const int i = (blockIdx.x * blockDim.x + threadIdx.x) / 32, lane = threadIdx.x % 32;
    const bool hasAtom = i < arrays.numAtoms;
    const Position xi = readPosition(arrays, hasAtom ? i : 0);
    const int subsystem = arrays.subsystemOf[hasAtom ? i : 0];
    waitForPrevious();
    if (!hasAtom)
        return;
    if (lane == 0)
        checkPosition(arrays, i, xi);
    // The candidates of a large subsystem, where there is room for all of them; otherwise the whole subsystem.
    const bool listed = arrays.hasCandidates && arrays.candidateCount[i] <= arrays.candidateCapacity;
    const int* list = listed ? arrays.candidates + size_t(i) * arrays.candidateCapacity : nullptr;
    const int first = listed ? 0 : arrays.starts[subsystem];
    const int last = listed ? arrays.candidateCount[i] : arrays.starts[subsystem + 1];
    double energy;
    const int count = searchEdges(arrays, i, list, first, last, xi, energy, [&](const Edge& edge, int place) {
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
