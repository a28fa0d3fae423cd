// SPDX-License-Identifier: MIT
// F5a and B5a of the canonical family: what an atom tells its neighbours.

/** F5a: the contexts of block l from the scalars in columns.in. */
template <int NT>
__device__ __forceinline__ void contextForward(const Arrays& arrays, int l, const Columns<NT>& columns) {
    Real4* context = ofBlock(arrays.context, arrays, l - 1);
    LayerWeights<CONTEXT0, 1, 1, NT, true> layer0;
    layer0.start(arrays, l);
    LayerWeights<CONTEXT1, 3, 1, NT, true> layer1;
    hiddenForward(layer0, columns, ofBlock(arrays.contextSlope, arrays, l - 1), [&] { layer1.start(arrays, l); });
    __syncthreads();
    multiply(layer1.weights, columns.hidden, Columns<NT>::M.hiddenRow, columns.halves,
             [&](int channel, int column, const Real(&y)[3]) {
                 if (columns.has(column))
                     context[columns.place(column, channel)] = makeReal4(y[0], y[1], y[2], 0);
             });
}

/** B5a: add to the adjoints in front of the message of block l what its contexts pass back. */
template <int NT>
__device__ __forceinline__ void contextBackward(const Arrays& arrays, int l, const Columns<NT>& columns) {
    LayerWeights<CONTEXT1_BACK, 1, 3, NT, false> back1;
    back1.start(arrays, l);
    waitForPrevious();
    columns.forAll([&](int column, int channel) {
        const Real4 c =
            columns.has(column) ? arrays.contextAdjoint[columns.place(column, channel)] : makeReal4(0, 0, 0, 0);
        columns.in(column, channel) = c.x;
        columns.in(column, H + channel) = c.y;
        columns.in(column, 2 * H + channel) = c.z;
    });
    LayerWeights<CONTEXT0_BACK, 1, 1, NT, false> back0;
    hiddenBackward(back1, columns, ofBlock(arrays.contextSlope, arrays, l - 1), [&] { back0.start(arrays, l); });
    Real4* adjoint = adjointOf(arrays, l - 1);
    __syncthreads();
    multiply(back0.weights, columns.hidden, Columns<NT>::M.hiddenRow, columns.halves,
             [&](int channel, int column, const Real(&y)[1]) {
                 if (columns.has(column))
                     adjoint[columns.place(column, channel)].x += y[0];
             });
    __syncthreads();
}
