// SPDX-License-Identifier: MIT
// F5a and B5a of the canonical family: what an atom tells its neighbours.

/** F5a: the contexts of block l from the scalars in columns.in. */
template <int NT>
__device__ __forceinline__ void contextForward(const Arrays& arrays, int l, const Columns<NT>& columns) {
    const Real* bias1 = layerBias<CONTEXT1>(arrays, l);
    Real4* context = ofBlock(arrays.context, arrays, l - 1);
    hiddenForward<CONTEXT0, 1>(arrays, l, columns, ofBlock(arrays.contextSlope, arrays, l - 1));
    multiplyLayer<CONTEXT1, 3, 1, NT>(arrays, l, columns.hidden, Columns<NT>::M.hiddenRow, columns.halves,
                                      [&](int channel, int column, const Real(&y)[3]) {
                                          if (columns.has(column))
                                              context[columns.place(column, channel)] =
                                                  makeReal4(y[0] + bias1[channel], y[1] + bias1[H + channel],
                                                            y[2] + bias1[2 * H + channel], 0);
                                      });
    __syncthreads();
}

/** B5a: add to the adjoints in front of the message of block l what its contexts pass back. */
template <int NT>
__device__ __forceinline__ void contextBackward(const Arrays& arrays, int l, const Columns<NT>& columns) {
    columns.forAll([&](int column, int channel) {
        const Real4 c =
            columns.has(column) ? arrays.contextAdjoint[columns.place(column, channel)] : makeReal4(0, 0, 0, 0);
        columns.in(column, channel) = c.x;
        columns.in(column, H + channel) = c.y;
        columns.in(column, 2 * H + channel) = c.z;
    });
    __syncthreads();
    hiddenBackward<CONTEXT1_BACK, 3>(arrays, l, columns, ofBlock(arrays.contextSlope, arrays, l - 1));
    Real4* adjoint = arrays.adjoint[(l + 1) % 2];
    multiplyLayer<CONTEXT0_BACK, 1, 1, NT>(arrays, l, columns.hidden, Columns<NT>::M.hiddenRow, columns.halves,
                                           [&](int channel, int column, const Real(&y)[1]) {
                                               if (columns.has(column))
                                                   adjoint[columns.place(column, channel)].x += y[0];
                                           });
    __syncthreads();
}
