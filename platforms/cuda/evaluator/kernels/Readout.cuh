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
template <int NT, int K> struct ReadoutLayer {
    static constexpr int IN = SHAPE.readout[K], OUT = SHAPE.readout[K + 1];
    static constexpr bool EVEN = K % 2 == 0;
    static constexpr NodeMemory M = Columns<NT>::M;
    static constexpr int inputRow = EVEN ? M.inputRow : M.hiddenRow, outputRow = EVEN ? M.hiddenRow : M.inputRow;

    __device__ __forceinline__ static void forward(const Real* weights, const Columns<NT>& columns) {
        constexpr int offset = readoutOffset(SHAPE, K, false) - readoutOffset(SHAPE, 0, false);
        const Real* bias = weights + offset + OUT * IN;
        Real* output = EVEN ? columns.hidden : columns.input;
        multiply<1, OUT, OUT, IN, 1, 1, NT>(weights + offset, EVEN ? columns.input : columns.hidden, inputRow,
                                            columns.halves, [&](int channel, int column, const Real(&y)[1]) {
                                                Real value, slope;
                                                activate(y[0] + bias[channel], value, slope);
                                                output[column * outputRow + channel] = value;
                                                columns.slopes[column * M.slopesRow + slopesOf(K) + channel] = slope;
                                            });
        __syncthreads();
        if constexpr (K + 1 < SHAPE.numHidden)
            ReadoutLayer<NT, K + 1>::forward(weights, columns);
    }
    /** From the adjoints of this layer's hidden numbers, where its output was, to those of its input. */
    __device__ __forceinline__ static void backward(const Real* weights, const Columns<NT>& columns) {
        constexpr int offset = readoutOffset(SHAPE, K, true) - readoutOffset(SHAPE, 0, false);
        Real* input = EVEN ? columns.input : columns.hidden;
        multiply<1, IN, IN, OUT, 1, 1, NT>(weights + offset, EVEN ? columns.hidden : columns.input, outputRow,
                                           columns.halves, [&](int channel, int column, const Real(&y)[1]) {
                                               Real slope = 1;
                                               if constexpr (K > 0)
                                                   slope =
                                                       columns.slopes[column * M.slopesRow + slopesOf(K - 1) + channel];
                                               input[column * inputRow + channel] = y[0] * slope;
                                           });
        __syncthreads();
        if constexpr (K > 0)
            ReadoutLayer<NT, K - 1>::backward(weights, columns);
    }
};

/**
 * F7 from the scalars in columns.in.
 *
 * @param weights   of the hidden layers, which stand together
 * @param last      the last layer: its bias, then its weights
 * @param add       called with a column and its energy, by one thread
 */
template <int NT, class Add>
__device__ __forceinline__ void readoutForward(const Real* weights, const double* last, const Columns<NT>& columns,
                                               Add add) {
    constexpr int LAST = SHAPE.numHidden, WIDTH = SHAPE.readout[LAST];
    constexpr int row = LAST % 2 == 0 ? Columns<NT>::M.inputRow : Columns<NT>::M.hiddenRow;
    if constexpr (LAST > 0)
        ReadoutLayer<NT, 0>::forward(weights, columns);
    const Real* x = LAST % 2 == 0 ? columns.input : columns.hidden;
    const int lane = threadIdx.x % 32;
    for (int column = threadIdx.x / 32; column < Columns<NT>::COUNT; column += blockDim.x / 32) {
        double energy = 0;
        for (int k = lane; k < WIDTH; k += 32)
            energy += last[1 + k] * double(x[column * row + k]);
        energy = sumLanes<1, 32>(energy);
        if (lane == 0 && columns.has(column))
            add(column, last[0] + energy);
    }
    __syncthreads();
}

/** B7: the adjoints of the scalars behind the last update into columns.in; vectors have none. */
template <int NT>
__device__ __forceinline__ void readoutBackward(const Real* weights, const double* last, const Columns<NT>& columns) {
    constexpr int LAST = SHAPE.numHidden, WIDTH = SHAPE.readout[LAST];
    constexpr NodeMemory M = Columns<NT>::M;
    Real* top = LAST % 2 == 0 ? columns.input : columns.hidden;
    constexpr int row = LAST % 2 == 0 ? M.inputRow : M.hiddenRow;
    for (int k = threadIdx.x; k < Columns<NT>::COUNT * WIDTH; k += blockDim.x) {
        const int column = k / WIDTH, channel = k % WIDTH;
        Real slope = 1;
        if constexpr (LAST > 0)
            slope = columns.slopes[column * M.slopesRow + slopesOf(LAST - 1) + channel];
        top[column * row + channel] = Real(last[1 + channel]) * slope;
    }
    __syncthreads();
    if constexpr (LAST > 0)
        ReadoutLayer<NT, LAST - 1>::backward(weights, columns);
}
