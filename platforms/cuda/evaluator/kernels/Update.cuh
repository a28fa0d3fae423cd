// SPDX-License-Identifier: MIT
// F6 and B6: the update of one block, for the columns of a node kernel.

/** F6c without p: what the gates q and r do to features. VW: V and W of a canonical network, [6]. */
__device__ __forceinline__ void applyGates(Real4& f, Real q, Real r, const Real* M, const Real* VW) {
    if (IS_STUDENT) {
        const Real x = f.y, y = f.z, z = f.w;
        f.y = x * q + (M[0] * x + M[1] * y + M[2] * z) * r;
        f.z = y * q + (M[3] * x + M[4] * y + M[5] * z) * r;
        f.w = z * q + (M[6] * x + M[7] * y + M[8] * z) * r;
        return;
    }
    f.x += r * (VW[0] * VW[3] + VW[1] * VW[4] + VW[2] * VW[5]);
    f.y += VW[3] * q;
    f.z += VW[4] * q;
    f.w += VW[5] * q;
}

/** B6c: the adjoints of q and r; in a student also those of the vectors, in place. f: features after the message. */
__device__ __forceinline__ void combineAdjoints(Real4& a, const Real4& f, const Real2& qr, const Real* M,
                                                const Real* VW, Real& q_adj, Real& r_adj) {
    if (IS_STUDENT) {
        q_adj = a.y * f.y + a.z * f.z + a.w * f.w;
        // (M v) . a = v . (M^T a)
        const Real bx = M[0] * a.y + M[3] * a.z + M[6] * a.w, by = M[1] * a.y + M[4] * a.z + M[7] * a.w,
                   bz = M[2] * a.y + M[5] * a.z + M[8] * a.w;
        r_adj = bx * f.y + by * f.z + bz * f.w;
        a = makeReal4(a.x, a.y * qr.x + bx * qr.y, a.z * qr.x + by * qr.y, a.w * qr.x + bz * qr.y);
        return;
    }
    q_adj = a.y * VW[3] + a.z * VW[4] + a.w * VW[5];
    r_adj = a.x * (VW[0] * VW[3] + VW[1] * VW[4] + VW[2] * VW[5]);
}

/**
 * B6b, and the rest of B6c: add the adjoints of the MLP's inputs s and n; VW_adj [6], canonical, is overwritten with
 * those of V and W.
 */
__device__ __forceinline__ void addInputAdjoints(Real4& a, const Real4& f, const Real2& qr, Real s_adj, Real n_adj,
                                                 const Real* VW, Real* VW_adj) {
    if (IS_STUDENT) {
        const Real n = squareRoot(f.y * f.y + f.z * f.z + f.w * f.w);
        const Real slope = n > 0 ? n_adj / n : Real(0);
        a = makeReal4(a.x + s_adj, a.y + slope * f.y, a.z + slope * f.z, a.w + slope * f.w);
        return;
    }
    const Real slope = n_adj / squareRoot(VW[0] * VW[0] + VW[1] * VW[1] + VW[2] * VW[2] + NORM_EPSILON);
    const Real v_adj[3] = {a.y, a.z, a.w};
    for (int x = 0; x < 3; x++) {
        VW_adj[x] = a.x * qr.y * VW[3 + x] + slope * VW[x];
        VW_adj[3 + x] = a.x * qr.y * VW[x] + v_adj[x] * qr.x;
    }
    a.x += s_adj;
}

/** F6a and F6b: the MLP's input [s, n] from the features after the message. */
template <int NT> __device__ __forceinline__ void loadUpdate(const Arrays& arrays, int l, const Columns<NT>& columns) {
    const Real4* after = ofBlock(arrays.after, arrays, l);
    columns.forAllOf(after, [&](int column, int channel, const Real4& f) {
        columns.in(column, channel) = f.x;
        if (IS_STUDENT)
            columns.in(column, H + channel) = squareRoot(f.y * f.y + f.z * f.z + f.w * f.w);
        else
            storeVectors(columns, column, channel, f);
    });
    if constexpr (!IS_STUDENT) {
        mixVectors(arrays, l, columns);
        columns.forAll([&](int column, int channel) {
            Real square = NORM_EPSILON;
            for (int x = 0; x < 3; x++)
                square += columns.mix(column, channel, 0, x) * columns.mix(column, channel, 0, x);
            columns.in(column, H + channel) = squareRoot(square);
        });
    }
}

/**
 * F6b and F6c: the features behind the update go to `before` of the next block, and their scalars into columns.in. In
 * the last block only the scalars.
 */
template <int NT, bool LAST>
__device__ __forceinline__ void updateForward(const Arrays& arrays, int l, const Columns<NT>& columns) {
    LayerWeights<UPDATE0, 1, 2, NT, true> layer0;
    if (IS_STUDENT)
        layer0.start(arrays, l);
    const Mixing mixing(arrays, l);
    waitForPrevious();
    loadUpdate(arrays, l, columns);
    if (!IS_STUDENT) // after another layer
        layer0.start(arrays, l);
    constexpr int GROUPS = LAST && IS_STUDENT ? 1 : 3; // p, or p, q and r
    LayerWeights<UPDATE1, GROUPS, 1, NT, true> layer1;
    hiddenForward(layer0, columns, ofBlock(arrays.updateSlope, arrays, l), [&] { layer1.start(arrays, l); });
    const Real4* after = ofBlock(arrays.after, arrays, l);
    __syncthreads();
    multiply(layer1.weights, columns.hidden, Columns<NT>::M.hiddenRow, columns.halves,
             [&](int channel, int column, const Real(&y)[GROUPS]) {
                 if (!columns.has(column)) {
                     columns.in(column, channel) = 0;
                     return;
                 }
                 const size_t k = columns.place(column, channel);
                 Real4 f = after[k];
                 f.x += y[0];
                 if (GROUPS == 3) {
                     const Real q = y[GROUPS / 2], r = y[GROUPS - 1];
                     ofBlock(arrays.gates, arrays, l)[k] = makeReal2(q, r);
                     applyGates(f, q, r, mixing.M, IS_STUDENT ? nullptr : &columns.mix(column, channel, 0, 0));
                 }
                 columns.in(column, channel) = f.x;
                 if (!LAST)
                     ofBlock(arrays.before, arrays, l)[k] = f;
             });
}

/** B6c: the adjoints of p, q, r into columns.in; in a student also what vectors get by this way, in place. */
template <int NT>
__device__ __forceinline__ void combineBackward(const Arrays& arrays, int l, const Columns<NT>& columns,
                                                const Mixing& mixing, Real4* adjoint) {
    const Real4* after = ofBlock(arrays.after, arrays, l);
    const Real2* gates = ofBlock(arrays.gates, arrays, l);
    struct Fetched {
        Real4 a, f;
        Real2 qr;
    };
    columns.forAll(
        [&](int column, int channel) {
            const size_t k = columns.place(column, channel);
            Fetched from = {makeReal4(0, 0, 0, 0), makeReal4(0, 0, 0, 0), makeReal2(0, 0)};
            if (columns.has(column)) {
                from.a = adjoint[k];
                from.f = after[k];
                from.qr = gates[k];
            }
            return from;
        },
        [&](int column, int channel, const Fetched& from) {
            Real4 a = from.a;
            Real q_adj = 0, r_adj = 0;
            columns.in(column, channel) = a.x;
            if (columns.has(column)) {
                combineAdjoints(a, from.f, from.qr, mixing.M,
                                IS_STUDENT ? nullptr : &columns.mix(column, channel, 0, 0), q_adj, r_adj);
                adjoint[columns.place(column, channel)] = a;
            }
            columns.in(column, H + channel) = q_adj;
            columns.in(column, 2 * H + channel) = r_adj;
        });
}

/**
 * B6: the adjoints of block l, from behind the update to behind the message, in place. LAST: those of the scalars
 * are in columns.in too.
 */
template <int NT, bool LAST>
__device__ __forceinline__ void updateBackward(const Arrays& arrays, int l, const Columns<NT>& columns) {
    Real4* adjoint = adjointOf(arrays, l);
    const Real4* after = ofBlock(arrays.after, arrays, l);
    constexpr int USED = LAST && IS_STUDENT ? 1 : 3;
    LayerWeights<UPDATE1_BACK, 1, USED, NT, false> back1;
    if (IS_STUDENT)
        back1.start(arrays, l);
    const Mixing mixing(arrays, l);
    waitForPrevious();
    if constexpr (!IS_STUDENT) {
        columns.forAllOf(after,
                         [&](int column, int channel, const Real4& f) { storeVectors(columns, column, channel, f); });
        mixVectors(arrays, l, columns);
        back1.start(arrays, l);
    }
    if (!(LAST && IS_STUDENT)) // otherwise the adjoints of p alone, and they are there
        combineBackward(arrays, l, columns, mixing, adjoint);
    LayerWeights<UPDATE0_BACK, 2, 1, NT, false> back0;
    hiddenBackward(back1, columns, ofBlock(arrays.updateSlope, arrays, l), [&] { back0.start(arrays, l); });
    __syncthreads();
    multiply(back0.weights, columns.hidden, Columns<NT>::M.hiddenRow, columns.halves,
             [&](int channel, int column, const Real(&y)[2]) {
                 Real4 a = makeReal4(0, 0, 0, 0), f = a;
                 Real2 qr = makeReal2(0, 0);
                 const size_t k = columns.place(column, channel);
                 if (columns.has(column)) {
                     a = adjoint[k];
                     f = after[k];
                     if (!IS_STUDENT)
                         qr = ofBlock(arrays.gates, arrays, l)[k];
                 }
                 Real VW_adj[6];
                 addInputAdjoints(a, f, qr, y[0], y[1], IS_STUDENT ? nullptr : &columns.mix(column, channel, 0, 0),
                                  VW_adj);
                 for (int x = 0; x < 3 && !IS_STUDENT; x++) {
                     Real* row = columns.vectors + (3 * column + x) * Columns<NT>::M.vectorsRow;
                     row[channel] = VW_adj[x];
                     row[H + channel] = VW_adj[3 + x];
                 }
                 if (columns.has(column))
                     adjoint[k] = a;
             });
    if constexpr (!IS_STUDENT) {
        LayerWeights<MIX_BACK, 1, 2, 3 * NT, false> mixBack;
        mixBack.start(arrays, l);
        __syncthreads();
        multiply(mixBack.weights, columns.vectors, Columns<NT>::M.vectorsRow, columns.halves,
                 [&](int channel, int k, const Real(&y)[1]) {
                     if (!columns.has(k / 3))
                         return;
                     Real4& a = adjoint[columns.place(k / 3, channel)];
                     (k % 3 == 0 ? a.y : k % 3 == 1 ? a.z : a.w) += y[0];
                 });
    }
}
