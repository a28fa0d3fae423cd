// SPDX-License-Identifier: MIT
// F4, F5b and B5b for one atom i, by a warp: 8 lanes, one a channel, for each of four of its edges. Edge e goes to
// group e % 4 of lanes, and the sums of the groups are added at last: the same bits wherever this happens. No atomics.

/** An array [N][H] of block l. */
template <class T> __device__ __forceinline__ T* ofBlock(T* array, const Arrays& arrays, int l) {
    return array + size_t(l) * arrays.numAtoms * H;
}

/**
 * The adjoints [N][H] behind the message of block l. Those of the last one have an array of their own, others stand
 * where the features after the message of the next block were, which nobody needs any more.
 */
__device__ __forceinline__ Real4* adjointOf(const Arrays& arrays, int l) {
    return l == L - 1 ? arrays.adjoint : ofBlock(arrays.after, arrays, l + 1);
}

/** The filter of one channel and edge (F4); df: by t. Without vectors in the first block. */
struct Filter {
    Real s, u, v, ds, du, dv;
};

/** c_0 + c_1 t + ... c_5 t^5 */
__device__ __forceinline__ Real interpolate(Real t, Real c0, Real c1, Real c2, Real c3, Real c4, Real c5) {
    return fuse(t, fuse(t, fuse(t, fuse(t, fuse(t, c5, c4), c3), c2), c1), c0);
}

/** The same, the same bits, and its derivative. */
__device__ __forceinline__ Real interpolate(Real t, Real c0, Real c1, Real c2, Real c3, Real c4, Real c5, Real& slope) {
    Real value = fuse(t, c5, c4), d = fuse(t, c5, value);
    value = fuse(t, value, c3);
    d = fuse(t, d, value);
    value = fuse(t, value, c2);
    d = fuse(t, d, value);
    value = fuse(t, value, c1);
    slope = fuse(t, d, value);
    return fuse(t, value, c0);
}

/** @param quads   [5][STRIDE] fours of the cell, at this lane's channel */
template <bool FIRST, bool SLOPES, int STRIDE = SLICE>
__device__ __forceinline__ Filter evaluateFilter(const Real4* quads, Real t) {
    const Real4 a = quads[0], b = quads[STRIDE], c = quads[2 * STRIDE];
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
        const Real4 d = quads[3 * STRIDE], e = quads[4 * STRIDE];
        if (SLOPES)
            f.v = interpolate(t, d.x, d.y, d.z, d.w, e.x, e.y, f.dv);
        else
            f.v = interpolate(t, d.x, d.y, d.z, d.w, e.x, e.y);
    }
    return f;
}

/** The scalar product of a vector and the vector part of features or adjoints. */
__device__ __forceinline__ Real dot(Real x, Real y, Real z, const Real4& f) {
    return fuse(x, f.y, fuse(y, f.z, z * f.w));
}

/** F5b: what the edges of one atom bring it in one channel. */
template <bool FIRST> struct MessageSum {
    Real s = 0, x = 0, y = 0, z = 0;
    /** Features and contexts (F5a) of the sender. */
    __device__ __forceinline__ void add(const Edge& edge, const Filter& f, const Real4& fj, const Real4& cj) {
        s = fuse(cj.x, f.s, s);
        const Real direction = cj.y * f.u * fuse(-DIRECTION_EPSILON, edge.a, Real(1));
        x = fuse(edge.ux, direction, x);
        y = fuse(edge.uy, direction, y);
        z = fuse(edge.uz, direction, z);
        if (!FIRST) {
            const Real vector = cj.z * f.v;
            x = fuse(fj.y, vector, x);
            y = fuse(fj.z, vector, y);
            z = fuse(fj.w, vector, z);
        }
    }
    /** The features behind the message, from those of the atom in front of it; on all lanes of a channel. */
    __device__ __forceinline__ Real4 finish(const Real4& fi) {
        s = sumLanes<SLICE, 32>(s);
        x = sumLanes<SLICE, 32>(x);
        y = sumLanes<SLICE, 32>(y);
        z = sumLanes<SLICE, 32>(z);
        return FIRST ? makeReal4(fi.x + s, x, y, z) : makeReal4(fi.x + s, fi.y + x, fi.z + y, fi.w + z);
    }
};

/**
 * B5b in one channel. Both directions of an edge are seen from i: what i sent to j, and what the distance and direction
 * of both do to i.
 */
template <bool FIRST> struct AdjointSum {
    Real4 fi, ci, ai;                           ///< features, contexts and adjoints of atom i
    Real scalar = 0, direction = 0, vector = 0; ///< of c_i_adj
    Real x = 0, y = 0, z = 0;                   ///< of v_i_adj
    Real forceX = 0, forceY = 0, forceZ = 0;
    __device__ __forceinline__ AdjointSum(const Real4& fi, const Real4& ci, const Real4& ai) : fi(fi), ci(ci), ai(ai) {}
    /** @param repels   whether this channel counts the repulsion of the pair (B8) */
    __device__ __forceinline__ void add(const Edge& edge, const Filter& f, const Real4& fj, const Real4& cj,
                                        const Real4& aj, bool repels) {
        const Real g = fuse(-DIRECTION_EPSILON, edge.a, Real(1)); // d / (d + epsilon)
        // j <- i has the opposite direction.
        const Real alongI = dot(edge.ux, edge.uy, edge.uz, ai), alongJ = dot(edge.ux, edge.uy, edge.uz, aj);
        const Real both = fuse(alongI, cj.y, -alongJ * ci.y);
        Real t_adj = fuse(fuse(ai.x, cj.x, aj.x * ci.x), f.ds, g * both * f.du);
        if (!FIRST) {
            const Real vectorI = dot(fj.y, fj.z, fj.w, ai), vectorJ = dot(fi.y, fi.z, fi.w, aj);
            t_adj = fuse(fuse(vectorI, cj.z, vectorJ * ci.z), f.dv, t_adj);
            scalar = fuse(aj.x, f.s, scalar);
            direction = fuse(-g * alongJ, f.u, direction);
            vector = fuse(vectorJ, f.v, vector);
            const Real v = ci.z * f.v;
            x = fuse(aj.y, v, x);
            y = fuse(aj.z, v, y);
            z = fuse(aj.w, v, z);
        }
        // The adjoint of g u, then B1.
        const Real wx = fuse(ai.y, cj.y, -aj.y * ci.y) * f.u, wy = fuse(ai.z, cj.y, -aj.z * ci.y) * f.u,
                   wz = fuse(ai.w, cj.y, -aj.w * ci.y) * f.u;
        const Real along = fuse(edge.ux, wx, fuse(edge.uy, wy, edge.uz * wz));
        Real d_adj = fuse(t_adj, CELL_SCALE, -edge.a * g * along);
        if (FIRST && repels)
            d_adj += edge.repulsion;
        forceX = fuse(edge.ux, d_adj, fuse(edge.a, wx, forceX));
        forceY = fuse(edge.uy, d_adj, fuse(edge.a, wy, forceY));
        forceZ = fuse(edge.uz, d_adj, fuse(edge.a, wz, forceZ));
    }
    /** The adjoints in front of the message, and those of the contexts (canonical); on all lanes of a channel. */
    __device__ __forceinline__ void finish(Real4& before, Real4& context) {
        scalar = sumLanes<SLICE, 32>(scalar);
        x = sumLanes<SLICE, 32>(x);
        y = sumLanes<SLICE, 32>(y);
        z = sumLanes<SLICE, 32>(z);
        before = makeReal4(IS_STUDENT ? ai.x + scalar : ai.x, ai.y + x, ai.z + y, ai.w + z);
        if (!IS_STUDENT)
            context = makeReal4(scalar, sumLanes<SLICE, 32>(direction), sumLanes<SLICE, 32>(vector), 0);
    }
    /** The force from all channels of the warp, component k. */
    __device__ __forceinline__ Real force(int k) {
        const Real x = sumLanes<1, 32>(forceX), y = sumLanes<1, 32>(forceY), z = sumLanes<1, 32>(forceZ);
        return k == 0 ? x : k == 1 ? y : z;
    }
};
