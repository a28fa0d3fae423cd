// SPDX-License-Identifier: MIT
// F5 and B5 for many atoms. A block works on a slice of 8 channels, a warp on one atom at a time.

constexpr int MESSAGE_WARPS = 16;

/** Features of an atom in one channel in front of block l, and its contexts (F5a). */
template <bool FIRST>
__device__ __forceinline__ void readFeatures(const Arrays& arrays, int l, int atom, int channel, Real4& f, Real4& c) {
    if (FIRST) {
        const size_t k = size_t(arrays.elements[atom]) * H + channel;
        f = arrays.embedding[k];
        c = IS_STUDENT ? makeReal4(f.x, 1, 1, 0) : arrays.firstContext[k];
        return;
    }
    const size_t k = (size_t(l - 1) * arrays.numAtoms + atom) * H + channel;
    f = arrays.before[k];
    c = IS_STUDENT ? makeReal4(f.x, 1, 1, 0) : arrays.context[k];
}

/**
 * Calls use(edge) for the edges of atom i that belong to this lane's group, in ascending order. A row that was too
 * short for them is replaced by a search among all atoms of the subsystem: slow, but complete.
 */
template <class Use> __device__ __forceinline__ void forEdges(const Arrays& arrays, int i, Use use) {
    const int count = arrays.edgeCount[i], lane = threadIdx.x % 32, group = lane / SLICE;
    if (count <= arrays.capacity) {
        const Edge* edges = arrays.edges + size_t(i) * arrays.capacity;
        for (int e = group; e < count; e += 32 / SLICE)
            use(edges[e]);
        return;
    }
    const int subsystem = arrays.subsystemOf[i], end = arrays.starts[subsystem + 1];
    const Position xi = readPosition(arrays, i);
    int e = 0;
    for (int base = arrays.starts[subsystem]; base < end; base += 32) {
        const int j = base + lane;
        const Wide d = j < end && j != i ? measure(subtract(arrays, readPosition(arrays, j), xi)) : CUTOFF;
        unsigned mask = __ballot_sync(0xffffffffu, d < CUTOFF && d > 0);
        for (; mask != 0; mask &= mask - 1, e++) {
            if (e % (32 / SLICE) != group)
                continue;
            const int neighbor = base + __ffs(mask) - 1;
            const Position r = subtract(arrays, readPosition(arrays, neighbor), xi);
            Wide energy = 0;
            use(makeEdge(arrays, i, neighbor, r, measure(r), energy));
        }
    }
}

/** The part of the table that this block needs; where it fits into shared memory, the start of its copy. */
template <bool SHARED>
__device__ __forceinline__ const Real4* startTable(const Arrays& arrays, int l, unsigned char* memory) {
    constexpr int size = CELLS * TABLE_QUADS * SLICE;
    const Real4* table = arrays.table + (size_t(l) * (H / SLICE) + blockIdx.x) * size;
    if constexpr (!SHARED)
        return table;
    for (size_t k = threadIdx.x; k < sizeof(Real4) * size / 16; k += blockDim.x)
        copyAsync16(memory + 16 * k, reinterpret_cast<const char*>(table) + 16 * k);
    commitCopies();
    return reinterpret_cast<const Real4*>(memory);
}

/** The end of startTable()'s copy. */
template <bool SHARED> __device__ __forceinline__ void awaitTable() {
    if constexpr (SHARED) {
        waitCopies<0>();
        __syncthreads();
    }
}

/** F5b: from `before` of block l to `after`. */
template <bool FIRST, bool SHARED>
__device__ __forceinline__ void messageForward(const Arrays& arrays, int l, unsigned char* memory) {
    startNext();
    const Real4* table = startTable<SHARED>(arrays, l, memory);
    waitForPrevious();
    awaitTable<SHARED>();
    const int lane = threadIdx.x % 32, c = lane % SLICE, channel = blockIdx.x * SLICE + c;
    for (int i = blockIdx.y * MESSAGE_WARPS + threadIdx.x / 32; i < arrays.numAtoms; i += gridDim.y * MESSAGE_WARPS) {
        MessageSum<FIRST> sum;
        forEdges(arrays, i, [&](const Edge& edge) {
            const Filter f = evaluateFilter<FIRST, false>(table + edge.cell * (TABLE_QUADS * SLICE) + c, edge.t);
            Real4 fj, cj;
            readFeatures<FIRST>(arrays, l, edge.j, channel, fj, cj);
            sum.add(edge, f, fj, cj);
        });
        __syncwarp();
        Real4 fi, ci;
        readFeatures<FIRST>(arrays, l, i, channel, fi, ci);
        const Real4 after = sum.finish(fi);
        if (lane < SLICE)
            arrays.after[(size_t(l) * arrays.numAtoms + i) * H + channel] = after;
    }
}

/** B5b: from the adjoints behind the message of block l to those in front of it, and the forces from this slice. */
template <bool FIRST, bool SHARED>
__device__ __forceinline__ void messageBackward(const Arrays& arrays, int l, unsigned char* memory) {
    startNext();
    const Real4* table = startTable<SHARED>(arrays, l, memory);
    waitForPrevious();
    awaitTable<SHARED>();
    const Real4* adjoint = arrays.adjoint[l % 2];
    const int lane = threadIdx.x % 32, c = lane % SLICE, channel = blockIdx.x * SLICE + c;
    for (int i = blockIdx.y * MESSAGE_WARPS + threadIdx.x / 32; i < arrays.numAtoms; i += gridDim.y * MESSAGE_WARPS) {
        Real4 fi, ci;
        readFeatures<FIRST>(arrays, l, i, channel, fi, ci);
        AdjointSum<FIRST> sum(fi, ci, adjoint[size_t(i) * H + channel]);
        forEdges(arrays, i, [&](const Edge& edge) {
            const Filter f = evaluateFilter<FIRST, true>(table + edge.cell * (TABLE_QUADS * SLICE) + c, edge.t);
            Real4 fj, cj;
            readFeatures<FIRST>(arrays, l, edge.j, channel, fj, cj);
            sum.add(edge, f, fj, cj, adjoint[size_t(edge.j) * H + channel], channel == 0);
        });
        __syncwarp();
        if (!FIRST) {
            Real4 before, context;
            sum.finish(before, context);
            if (lane < SLICE) {
                arrays.adjoint[(l + 1) % 2][size_t(i) * H + channel] = before;
                if (!IS_STUDENT)
                    arrays.contextAdjoint[size_t(i) * H + channel] = context;
            }
        }
        const Real force = sum.force(lane);
        if (lane < 3) {
            Real& all = arrays.sliceForces[(size_t(blockIdx.x) * arrays.numAtoms + i) * 3 + lane];
            all = l == L - 1 ? force : all + force;
        }
    }
}

// With the table in shared memory, and without.

#if PAINN_HAS_GROUP(4)

extern "C" __global__ void __launch_bounds__(32 * MESSAGE_WARPS) message(const Arrays arrays, int l) {
    SHARED_MEMORY(memory);
    if (l == 0)
        messageForward<true, true>(arrays, l, memory);
    else
        messageForward<false, true>(arrays, l, memory);
}

extern "C" __global__ void __launch_bounds__(32 * MESSAGE_WARPS) messageBack(const Arrays arrays, int l) {
    SHARED_MEMORY(memory);
    if (l == 0)
        messageBackward<true, true>(arrays, l, memory);
    else
        messageBackward<false, true>(arrays, l, memory);
}

#endif

#if PAINN_HAS_GROUP(3)

extern "C" __global__ void __launch_bounds__(32 * MESSAGE_WARPS) messageUnshared(const Arrays arrays, int l) {
    if (l == 0)
        messageForward<true, false>(arrays, l, nullptr);
    else
        messageForward<false, false>(arrays, l, nullptr);
}

extern "C" __global__ void __launch_bounds__(32 * MESSAGE_WARPS) messageBackUnshared(const Arrays arrays, int l) {
    if (l == 0)
        messageBackward<true, false>(arrays, l, nullptr);
    else
        messageBackward<false, false>(arrays, l, nullptr);
}

#endif
