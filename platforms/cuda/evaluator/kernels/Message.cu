// SPDX-License-Identifier: MIT
// F5 and B5 for many atoms. A block works on a slice of 8 channels (blockIdx.y), a warp on one atom at a time. Blocks
// of the same slice follow each other: of many atoms, features of one slice alone fit into the second-level cache.

constexpr int MESSAGE_WARPS = messageWarps(sizeof(Real));

/** Read a record so that it stays where it is written: see loadGlobal(). */
__device__ __forceinline__ Edge readEdge(const Edge* edge) {
#if PAINN_PRECISION == 2
    return *edge;
#else
    const float4 a = loadGlobal(reinterpret_cast<const float4*>(edge)),
                 b = loadGlobal(reinterpret_cast<const float4*>(edge) + 1);
    return {a.x, a.y, a.z, a.w, b.x, b.y, __float_as_int(b.z), __float_as_int(b.w)};
#endif
}

/** Of an atom in one channel, in front of a block: features, and contexts (F5a). */
struct Features {
    Real4 f, c;
};

/** Where they are. Places are unsigned int so that all lanes share the addresses of the arrays. */
template <bool FIRST> struct Sources {
    const int* elements;
    const Real4 *features, *contexts;

    __device__ __forceinline__ Sources(const Arrays& arrays, int l)
        : elements(arrays.elements), features(FIRST ? arrays.embedding : ofBlock(arrays.before, arrays, l - 1)),
          contexts(FIRST ? arrays.firstContext : ofBlock(arrays.context, arrays, l - 1)) {}
    __device__ __forceinline__ Features read(int atom, int channel) const {
        const unsigned k = unsigned(FIRST ? elements[atom] : atom) * H + channel;
        const Real4 f = features[k];
        return {f, IS_STUDENT ? makeReal4(f.x, 1, 1, 0) : contexts[k]};
    }
};

/**
 * Calls add(edge, fetch(edge)) for the edges of atom i that belong to this lane's group, in ascending order. Records
 * are read AT_ONCE at a time while those before them are worked on, then fetched together. A row that was too short for
 * its edges is replaced by a search among all atoms of the subsystem: slow, but complete.
 */
template <int AT_ONCE, class Fetch, class Add>
__device__ __forceinline__ void forEdges(const Arrays& arrays, int i, Fetch fetch, Add add) {
    constexpr int GROUPS = 32 / SLICE;
    const int lane = threadIdx.x % 32, group = lane / SLICE;
    // Behind the last record there are others or padding, all with the index of some atom.
    const Edge* place = arrays.edges + size_t(i) * arrays.capacity + group;
    Edge edges[AT_ONCE], next[AT_ONCE];
#pragma unroll
    for (int k = 0; k < AT_ONCE; k++) // before it is known how many there are
        edges[k] = readEdge(place + k * GROUPS);
    int rest = arrays.edgeCount[i]; // from group 0 on
    if (rest <= arrays.capacity) {
        // All lanes do this as often.
        auto visit = [&](Edge(&now)[AT_ONCE], Edge(&then)[AT_ONCE]) {
            decltype(fetch(now[0])) fetched[AT_ONCE];
            place += AT_ONCE * GROUPS;
#pragma unroll
            for (int k = 0; k < AT_ONCE; k++) {
                fetched[k] = fetch(now[k]);
                then[k] = readEdge(place + k * GROUPS);
            }
            __syncwarp(); // keeps all these reads in front of what follows
#pragma unroll
            for (int k = 0; k < AT_ONCE; k++)
                if (group + k * GROUPS < rest)
                    add(now[k], fetched[k]);
            rest -= AT_ONCE * GROUPS;
            return rest > 0;
        };
        while (rest > 0 && visit(edges, next) && visit(next, edges)) {
        }
        return;
    }
    const int subsystem = arrays.subsystemOf[i], end = arrays.starts[subsystem + 1];
    const Source source = sourceOf(arrays, subsystem);
    const Position xi = readPosition(arrays, source, i);
    int e = 0;
    for (int base = arrays.starts[subsystem]; base < end; base += 32) {
        const int j = base + lane;
        const Wide d =
            j < end && j != i ? measure(subtract(arrays, source.box, readPosition(arrays, source, j), xi)) : CUTOFF;
        unsigned mask = __ballot_sync(0xffffffffu, d < CUTOFF && d > 0);
        for (; mask != 0; mask &= mask - 1, e++) {
            if (e % (32 / SLICE) != group)
                continue;
            const int neighbor = base + __ffs(mask) - 1;
            const Position r = subtract(arrays, source.box, readPosition(arrays, source, neighbor), xi);
            Wide energy = 0;
            const Edge edge = makeEdge(arrays, i, neighbor, r, measure(r), energy);
            add(edge, fetch(edge));
        }
    }
}

/** The part of the table that this block needs; where it fits into shared memory, the start of its copy. */
template <bool SHARED>
__device__ __forceinline__ const Real4* startTable(const Arrays& arrays, int l, unsigned char* memory) {
    constexpr int size = CELLS * TABLE_QUADS * SLICE;
    const Real4* table = arrays.table + (size_t(l) * (H / SLICE) + blockIdx.y) * size;
    if constexpr (SHARED) {
        for (size_t k = threadIdx.x; k < sizeof(Real4) * size / 16; k += blockDim.x)
            copyAsync16(memory + 16 * k, reinterpret_cast<const char*>(table) + 16 * k);
        commitCopies();
        return reinterpret_cast<const Real4*>(memory);
    }
    else
        return table;
}

/** What a message kernel begins with: the table comes while the kernels before this one are still at work. */
template <bool SHARED>
__device__ __forceinline__ const Real4* awaitTable(const Arrays& arrays, int l, unsigned char* memory) {
    startNext();
    const Real4* table = startTable<SHARED>(arrays, l, memory);
    waitForPrevious();
    if constexpr (SHARED) {
        waitCopies<0>();
        __syncthreads();
    }
    return table;
}

/** F5b: from `before` of block l to `after`. */
template <bool FIRST, bool SHARED, int AT_ONCE>
__device__ __forceinline__ void messageForward(const Arrays& arrays, int l, unsigned char* memory) {
    const Real4* table = awaitTable<SHARED>(arrays, l, memory);
    const int lane = threadIdx.x % 32, c = lane % SLICE, channel = blockIdx.y * SLICE + c, warps = blockDim.x / 32;
    const Sources<FIRST> sources(arrays, l);
    for (int i = blockIdx.x * warps + threadIdx.x / 32; i < arrays.numAtoms; i += gridDim.x * warps) {
        const Features own = sources.read(i, channel);
        MessageSum<FIRST> sum;
        forEdges<AT_ONCE>(
            arrays, i, [&](const Edge& edge) { return sources.read(edge.j, channel); },
            [&](const Edge& edge, const Features& from) {
                const Filter f = evaluateFilter<FIRST, false>(table + edge.cell * (TABLE_QUADS * SLICE) + c, edge.t);
                sum.add(edge, f, from.f, from.c);
            });
        __syncwarp();
        const Real4 after = sum.finish(own.f);
        if (lane < SLICE)
            arrays.after[(size_t(l) * arrays.numAtoms + i) * H + channel] = after;
    }
}

/** B5b: from the adjoints behind the message of block l to those in front of it, and the forces from this slice. */
template <bool FIRST, bool SHARED, int AT_ONCE>
__device__ __forceinline__ void messageBackward(const Arrays& arrays, int l, unsigned char* memory) {
    const Real4* table = awaitTable<SHARED>(arrays, l, memory);
    const int lane = threadIdx.x % 32, c = lane % SLICE, channel = blockIdx.y * SLICE + c, warps = blockDim.x / 32;
    const Sources<FIRST> sources(arrays, l);
    const Real4* adjoint = adjointOf(arrays, l);
    for (int i = blockIdx.x * warps + threadIdx.x / 32; i < arrays.numAtoms; i += gridDim.x * warps) {
        const Features own = sources.read(i, channel);
        AdjointSum<FIRST> sum(own.f, own.c, adjoint[unsigned(i) * H + channel]);
        struct Fetched {
            Features from;
            Real4 adjoint;
        };
        forEdges<AT_ONCE>(
            arrays, i,
            [&](const Edge& edge) {
                return Fetched{sources.read(edge.j, channel), adjoint[unsigned(edge.j) * H + channel]};
            },
            [&](const Edge& edge, const Fetched& other) {
                const Filter f = evaluateFilter<FIRST, true>(table + edge.cell * (TABLE_QUADS * SLICE) + c, edge.t);
                sum.add(edge, f, other.from.f, other.from.c, other.adjoint, channel == 0);
            });
        __syncwarp();
        if (!FIRST) {
            Real4 before, context;
            sum.finish(before, context);
            if (lane < SLICE) {
                adjointOf(arrays, l - 1)[size_t(i) * H + channel] = before;
                if (!IS_STUDENT)
                    arrays.contextAdjoint[size_t(i) * H + channel] = context;
            }
        }
        const Real force = sum.force(lane);
        if (lane < 3) {
            Real& all = arrays.sliceForces[(size_t(blockIdx.y) * arrays.numAtoms + i) * 3 + lane];
            all = l == L - 1 ? force : all + force;
        }
    }
}

constexpr int FORWARD_AT_ONCE = 2, BACKWARD_AT_ONCE = 1; // edges for which there are registers

// With the table in shared memory, and without.

#if PAINN_HAS_GROUP(4)

extern "C" __global__ void __launch_bounds__(32 * MESSAGE_WARPS) message(const Arrays arrays, int l) {
    SHARED_MEMORY(memory);
    if (l == 0)
        messageForward<true, true, FORWARD_AT_ONCE>(arrays, l, memory);
    else
        messageForward<false, true, FORWARD_AT_ONCE>(arrays, l, memory);
}

extern "C" __global__ void __launch_bounds__(32 * MESSAGE_WARPS) messageBack(const Arrays arrays, int l) {
    SHARED_MEMORY(memory);
    if (l == 0)
        messageBackward<true, true, BACKWARD_AT_ONCE>(arrays, l, memory);
    else
        messageBackward<false, true, BACKWARD_AT_ONCE>(arrays, l, memory);
}

#endif

#if PAINN_HAS_GROUP(3)

extern "C" __global__ void __launch_bounds__(32 * UNSHARED_WARPS, 4) messageUnshared(const Arrays arrays, int l) {
    if (l == 0)
        messageForward<true, false, 2>(arrays, l, nullptr);
    else
        messageForward<false, false, 2>(arrays, l, nullptr);
}

extern "C" __global__ void __launch_bounds__(32 * UNSHARED_WARPS, 4) messageBackUnshared(const Arrays arrays, int l) {
    if (l == 0)
        messageBackward<true, false, 2>(arrays, l, nullptr);
    else
        messageBackward<false, false, 2>(arrays, l, nullptr);
}

#endif
