// SPDX-License-Identifier: MIT
// Which atoms see each other (F1).

/** One warp an atom: its edges, ascending by neighbour, and its repulsion as the first part of its energy. */
extern "C" __global__ void findEdges(const Arrays arrays, int) {
    const int i = (blockIdx.x * blockDim.x + threadIdx.x) / 32, lane = threadIdx.x % 32;
    if (i >= arrays.numAtoms)
        return;
    const Position xi = readPosition(arrays, i);
    const Wide limit = Wide(1e8); // nm; written so that NaN fails
    if (lane == 0 &&
        !(xi.x <= limit && xi.x >= -limit && xi.y <= limit && xi.y >= -limit && xi.z <= limit && xi.z >= -limit))
        report(arrays, BAD_POSITION, i, -1);
    const int subsystem = arrays.subsystemOf[i];
    const int begin = arrays.starts[subsystem], end = arrays.starts[subsystem + 1];
    // The candidates of a large subsystem, where there is room for all of them; otherwise the whole subsystem.
    const bool listed = arrays.hasCandidates && arrays.candidateCount[i] <= arrays.candidateCapacity;
    const int* list = listed ? arrays.candidates + size_t(i) * arrays.candidateCapacity : nullptr;
    const int first = listed ? 0 : begin, last = listed ? arrays.candidateCount[i] : end;
    int count = 0;
    Real energy = 0;
    for (int base = first; base < last; base += 32) {
        const int k = base + lane, j = k >= last ? i : listed ? list[k] : k;
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
        if (isEdge) {
            const Edge edge = makeEdge(arrays, i, j, r, d, energy);
            if (place < arrays.capacity)
                arrays.edges[size_t(i) * arrays.capacity + place] = edge;
        }
    }
    const double sum = sumLanes<1, 32>(double(energy));
    if (lane == 0) {
        arrays.atomEnergies[i] = sum;
        arrays.edgeCount[i] = count;
        atomicMax(&arrays.report->mostEdges, count);
    }
}
