// SPDX-License-Identifier: MIT
// F5b and B5b. A block works on a slice of 8 channels; a warp on one atom i at a time, with 8 lanes, one a channel, for
// each of four of its edges. Sums over edges: edge e goes to group e % 4, groups are added at last. No atomics.

constexpr int MESSAGE_WARPS = 16;

/** The filter of one channel and edge (F4); df: by t. Without vectors in the first block. */
struct Filter {
    Real s, u, v, ds, du, dv;
};

/** c_0 + c_1 t + ... c_5 t^5 */
__device__ __forceinline__ Real interpolate(Real t, Real c0, Real c1, Real c2, Real c3, Real c4, Real c5) {
    return c0 + t * (c1 + t * (c2 + t * (c3 + t * (c4 + t * c5))));
}

/** The same, and its derivative. */
__device__ __forceinline__ Real interpolate(Real t, Real c0, Real c1, Real c2, Real c3, Real c4, Real c5, Real& slope) {
    Real value = c5, d = c5;
    value = value * t + c4;
    d = d * t + value;
    value = value * t + c3;
    d = d * t + value;
    value = value * t + c2;
    d = d * t + value;
    value = value * t + c1;
    slope = d * t + value;
    return value * t + c0;
}

/** @param quads   [5][8] fours of the cell, at this lane's channel */
template <bool FIRST, bool SLOPES> __device__ __forceinline__ Filter evaluateFilter(const Real4* quads, Real t) {
    const Real4 a = quads[0], b = quads[SLICE], c = quads[2 * SLICE];
    Filter f = {};
    if (SLOPES) {
        f.s = interpolate(t, a.x, a.y, a.z, a.w, b.x, b.y, f.ds);
        f.u = interpolate(t, b.z, b.w, c.x, c.y, c.z, c.w, f.du);
    }
    else {
        f.s = interpolate(t, a.x, a.y, a.z, a.w, b.x, b.y);
        f.u = interpolate(t, b.z, b.w, c.x, c.y, c.z, c.w);
    }
    if (!FIRST) {
        const Real4 d = quads[3 * SLICE], e = quads[4 * SLICE];
        if (SLOPES)
            f.v = interpolate(t, d.x, d.y, d.z, d.w, e.x, e.y, f.dv);
        else
            f.v = interpolate(t, d.x, d.y, d.z, d.w, e.x, e.y);
    }
    return f;
}

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
            Real energy = 0;
            use(makeEdge(arrays, i, neighbor, r, measure(r), energy));
        }
    }
}

/** The part of the table that this block needs, in shared memory where it fits. */
template <bool SHARED>
__device__ __forceinline__ const Real4* loadTable(const Arrays& arrays, int l, unsigned char* memory) {
    constexpr int size = CELLS * TABLE_QUADS * SLICE;
    const Real4* table = arrays.table + (size_t(l) * (H / SLICE) + blockIdx.x) * size;
    if constexpr (!SHARED)
        return table;
    else {
        for (size_t k = threadIdx.x; k < sizeof(Real4) * size / 16; k += blockDim.x)
            copyAsync16(memory + 16 * k, reinterpret_cast<const char*>(table) + 16 * k);
        commitCopies();
        waitCopies<0>();
        __syncthreads();
        return reinterpret_cast<const Real4*>(memory);
    }
}

/** F5b: from `before` of block l to `after`. */
template <bool FIRST, bool SHARED>
__device__ __forceinline__ void messageForward(const Arrays& arrays, int l, unsigned char* memory) {
    const Real4* table = loadTable<SHARED>(arrays, l, memory);
    const int lane = threadIdx.x % 32, c = lane % SLICE, channel = blockIdx.x * SLICE + c;
    for (int i = blockIdx.y * MESSAGE_WARPS + threadIdx.x / 32; i < arrays.numAtoms; i += gridDim.y * MESSAGE_WARPS) {
        Real s = 0, x = 0, y = 0, z = 0;
        forEdges(arrays, i, [&](const Edge& edge) {
            const Filter f = evaluateFilter<FIRST, false>(table + edge.cell * (TABLE_QUADS * SLICE) + c, edge.t);
            Real4 fj, cj;
            readFeatures<FIRST>(arrays, l, edge.j, channel, fj, cj);
            s += cj.x * f.s;
            const Real direction = cj.y * f.u * (1 - DIRECTION_EPSILON * edge.a);
            x += edge.ux * direction;
            y += edge.uy * direction;
            z += edge.uz * direction;
            if (!FIRST) {
                const Real vector = cj.z * f.v;
                x += fj.y * vector;
                y += fj.z * vector;
                z += fj.w * vector;
            }
        });
        __syncwarp();
        s = sumLanes<SLICE, 32>(s);
        x = sumLanes<SLICE, 32>(x);
        y = sumLanes<SLICE, 32>(y);
        z = sumLanes<SLICE, 32>(z);
        if (lane < SLICE) {
            Real4 fi, ci;
            readFeatures<FIRST>(arrays, l, i, channel, fi, ci);
            arrays.after[(size_t(l) * arrays.numAtoms + i) * H + channel] =
                FIRST ? makeReal4(fi.x + s, x, y, z) : makeReal4(fi.x + s, fi.y + x, fi.z + y, fi.w + z);
        }
    }
}

/**
 * B5b, from the adjoints behind the message of block l to those in front of it, and the forces from this slice. Both
 * directions of an edge are seen from i: what i sent to j, and what the distance and direction of both do to i.
 */
template <bool FIRST, bool SHARED>
__device__ __forceinline__ void messageBackward(const Arrays& arrays, int l, unsigned char* memory) {
    const Real4* table = loadTable<SHARED>(arrays, l, memory);
    const Real4* adjoint = arrays.adjoint[l % 2];
    const int lane = threadIdx.x % 32, c = lane % SLICE, channel = blockIdx.x * SLICE + c;
    for (int i = blockIdx.y * MESSAGE_WARPS + threadIdx.x / 32; i < arrays.numAtoms; i += gridDim.y * MESSAGE_WARPS) {
        const Real4 ai = adjoint[size_t(i) * H + channel];
        Real4 fi, ci;
        readFeatures<FIRST>(arrays, l, i, channel, fi, ci);
        Real scalarSum = 0, directionSum = 0, vectorSum = 0; // of c_i_adj
        Real x = 0, y = 0, z = 0;                            // of v_i_adj
        Real forceX = 0, forceY = 0, forceZ = 0;
        forEdges(arrays, i, [&](const Edge& edge) {
            const Filter f = evaluateFilter<FIRST, true>(table + edge.cell * (TABLE_QUADS * SLICE) + c, edge.t);
            Real4 fj, cj;
            readFeatures<FIRST>(arrays, l, edge.j, channel, fj, cj);
            const Real4 aj = adjoint[size_t(edge.j) * H + channel];
            const Real g = 1 - DIRECTION_EPSILON * edge.a; // d / (d + epsilon)
            // j <- i has the opposite direction.
            const Real alongI = edge.ux * ai.y + edge.uy * ai.z + edge.uz * ai.w;
            const Real alongJ = edge.ux * aj.y + edge.uy * aj.z + edge.uz * aj.w;
            Real t_adj = (ai.x * cj.x + aj.x * ci.x) * f.ds + g * (alongI * cj.y - alongJ * ci.y) * f.du;
            if (!FIRST) {
                const Real vectorI = fj.y * ai.y + fj.z * ai.z + fj.w * ai.w;
                const Real vectorJ = fi.y * aj.y + fi.z * aj.z + fi.w * aj.w;
                t_adj += (vectorI * cj.z + vectorJ * ci.z) * f.dv;
                scalarSum += aj.x * f.s;
                directionSum -= g * alongJ * f.u;
                vectorSum += vectorJ * f.v;
                const Real vector = ci.z * f.v;
                x += aj.y * vector;
                y += aj.z * vector;
                z += aj.w * vector;
            }
            // The adjoint of g u, then B1.
            const Real wx = (ai.y * cj.y - aj.y * ci.y) * f.u, wy = (ai.z * cj.y - aj.z * ci.y) * f.u,
                       wz = (ai.w * cj.y - aj.w * ci.y) * f.u;
            const Real along = edge.ux * wx + edge.uy * wy + edge.uz * wz;
            Real d_adj = t_adj * CELL_SCALE - edge.a * g * along;
            if (FIRST && channel == 0)
                d_adj += edge.repulsion;
            forceX += edge.a * wx + edge.ux * d_adj;
            forceY += edge.a * wy + edge.uy * d_adj;
            forceZ += edge.a * wz + edge.uz * d_adj;
        });
        __syncwarp();
        if (!FIRST) {
            scalarSum = sumLanes<SLICE, 32>(scalarSum);
            x = sumLanes<SLICE, 32>(x);
            y = sumLanes<SLICE, 32>(y);
            z = sumLanes<SLICE, 32>(z);
            if (!IS_STUDENT) {
                directionSum = sumLanes<SLICE, 32>(directionSum);
                vectorSum = sumLanes<SLICE, 32>(vectorSum);
            }
            if (lane < SLICE) {
                const size_t k = size_t(i) * H + channel;
                arrays.adjoint[(l + 1) % 2][k] =
                    makeReal4(IS_STUDENT ? ai.x + scalarSum : ai.x, ai.y + x, ai.z + y, ai.w + z);
                if (!IS_STUDENT)
                    arrays.contextAdjoint[k] = makeReal4(scalarSum, directionSum, vectorSum, 0);
            }
        }
        forceX = sumLanes<1, 32>(forceX);
        forceY = sumLanes<1, 32>(forceY);
        forceZ = sumLanes<1, 32>(forceZ);
        if (lane < 3) {
            Real& sum = arrays.sliceForces[(size_t(blockIdx.x) * arrays.numAtoms + i) * 3 + lane];
            const Real force = lane == 0 ? forceX : lane == 1 ? forceY : forceZ;
            sum = l == L - 1 ? force : sum + force;
        }
    }
}

/** With the table in shared memory, and without. */
extern "C" __global__ void __launch_bounds__(32 * MESSAGE_WARPS) message(const Arrays arrays, int l) {
    SHARED_MEMORY(memory);
    if (l == 0)
        messageForward<true, true>(arrays, l, memory);
    else
        messageForward<false, true>(arrays, l, memory);
}

extern "C" __global__ void __launch_bounds__(32 * MESSAGE_WARPS) messageUnshared(const Arrays arrays, int l) {
    if (l == 0)
        messageForward<true, false>(arrays, l, nullptr);
    else
        messageForward<false, false>(arrays, l, nullptr);
}

extern "C" __global__ void __launch_bounds__(32 * MESSAGE_WARPS) messageBack(const Arrays arrays, int l) {
    SHARED_MEMORY(memory);
    if (l == 0)
        messageBackward<true, true>(arrays, l, memory);
    else
        messageBackward<false, true>(arrays, l, memory);
}

extern "C" __global__ void __launch_bounds__(32 * MESSAGE_WARPS) messageBackUnshared(const Arrays arrays, int l) {
    if (l == 0)
        messageBackward<true, false>(arrays, l, nullptr);
    else
        messageBackward<false, false>(arrays, l, nullptr);
}
