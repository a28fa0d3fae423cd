// SPDX-License-Identifier: MIT
// F7 and B7, for the columns of a node kernel.

/** Where the slopes of hidden layer k begin in a row of columns.slopes. */
PAINN_BOTH constexpr int slopesOf(int k) {
    int offset = 0;
    for (int n = 0; n < k; n++)
        offset += SHAPE.readout[n + 1];
    return offset;
}

/** Layer K takes its input from one of the two arrays in turn, `input` at first, and gives its output to the other. */
template <int NT, bool IN_SHARED, int K> struct ReadoutLayer {
    static constexpr int IN = SHAPE.readout[K], OUT = SHAPE.readout[K + 1];
    static constexpr bool EVEN = K % 2 == 0;
    static constexpr NodeMemory M = Columns<NT>::M;
    static constexpr int inputRow = EVEN ? M.inputRow : M.hiddenRow, outputRow = EVEN ? M.hiddenRow : M.inputRow;

    __device__ __forceinline__ static void forward(const Real* layers, const Columns<NT>& columns) {
        Weights<1, OUT, OUT, IN, 1, 1, NT, true, IN_SHARED> weights;
        weights.start(layers + readoutOffset(SHAPE, K, false) - readoutOffset(SHAPE, 0, false));
        Real* output = EVEN ? columns.hidden : columns.input;
        __syncthreads();
        multiply(weights, EVEN ? columns.input : columns.hidden, inputRow, columns.halves,
                 [&](int channel, int column, const Real(&y)[1]) {
                     Real value, slope;
                     activate(y[0], value, slope);
                     output[column * outputRow + channel] = value;
                     columns.slopes[column * M.slopesRow + slopesOf(K) + channel] = slope;
                 });
        if constexpr (K + 1 < SHAPE.numHidden)
            ReadoutLayer<NT, IN_SHARED, K + 1>::forward(layers, columns);
    }
    /** From the adjoints of this layer's hidden numbers, where its output was, to those of its input. */
    __device__ __forceinline__ static void backward(const Real* layers, const Columns<NT>& columns) {
        Weights<1, IN, IN, OUT, 1, 1, NT, false, IN_SHARED> weights;
        weights.start(layers + readoutOffset(SHAPE, K, true) - readoutOffset(SHAPE, 0, false));
        Real* input = EVEN ? columns.input : columns.hidden;
        __syncthreads();
        multiply(weights, EVEN ? columns.hidden : columns.input, outputRow, columns.halves,
                 [&](int channel, int column, const Real(&y)[1]) {
                     Real slope = 1;
                     if constexpr (K > 0)
                         slope = columns.slopes[column * M.slopesRow + slopesOf(K - 1) + channel];
                     input[column * inputRow + channel] = y[0] * slope;
                 });
        if constexpr (K > 0)
            ReadoutLayer<NT, IN_SHARED, K - 1>::backward(layers, columns);
        else
            __syncthreads();
    }
};

/**
 * F7 from the scalars in columns.in, and B7: the adjoints of these scalars take their place; vectors have none.
 *
 * @tparam IN_SHARED  layers are in shared memory
 * @param layers    weights of the hidden layers, which stand together
 * @param last      the last layer: its bias, then its weights
 * @param add       called with a column and its energy, by one thread
 */
template <bool IN_SHARED, int NT, class Add>
__device__ __forceinline__ void readout(const Real* layers, const double* last, bool withAdjoints,
                                        const Columns<NT>& columns, Add add) {
    constexpr int LAST = SHAPE.numHidden, WIDTH = SHAPE.readout[LAST], COUNT = Columns<NT>::COUNT;
    constexpr int row = LAST % 2 == 0 ? Columns<NT>::M.inputRow : Columns<NT>::M.hiddenRow;
    constexpr int ROUNDS = (COUNT + NODE_WARPS - 1) / NODE_WARPS; // at most
    if constexpr (LAST > 0)
        ReadoutLayer<NT, IN_SHARED, 0>::forward(layers, columns);
    __syncthreads();
    Real* top = LAST % 2 == 0 ? columns.input : columns.hidden;
    // The last warps take energies: they have less to do on the way back, and add up the lanes when that is done.
    const int lane = threadIdx.x % 32, warps = blockDim.x / 32, first = warps - 1 - threadIdx.x / 32;
    double energies[ROUNDS] = {};
#pragma unroll
    for (int n = 0; n < ROUNDS; n++) {
        const int column = first + n * warps;
        for (int k = lane; k < WIDTH && column < COUNT; k += 32) {
            Real& x = top[column * row + k];
            energies[n] += last[1 + k] * double(x);
            if (!withAdjoints)
                continue;
            Real slope = 1;
            if constexpr (LAST > 0)
                slope = columns.slopes[column * Columns<NT>::M.slopesRow + slopesOf(LAST - 1) + k];
            x = Real(last[1 + k]) * slope;
        }
    }
    if constexpr (LAST > 0)
        if (withAdjoints)
            ReadoutLayer<NT, IN_SHARED, LAST - 1>::backward(layers, columns);
#pragma unroll
    for (int n = 0; n < ROUNDS; n++) {
        const int column = first + n * warps;
        const double energy = sumLanes<1, 32>(energies[n]);
        if (lane == 0 && column < COUNT && columns.has(column))
            add(column, last[0] + energy);
    }
    __syncthreads();
}
