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

    __device__ __forceinline__ static void forward(const Arrays& arrays, const Columns<NT>& columns) {
        Weights<1, OUT, OUT, IN, 1, 1, NT, true> weights;
        weights.start(arrays.weights + readoutOffset(SHAPE, K, false));
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
            ReadoutLayer<NT, K + 1>::forward(arrays, columns);
    }
    /** From the adjoints of this layer's hidden numbers, where its output was, to those of its input. */
    __device__ __forceinline__ static void backward(const Arrays& arrays, const Columns<NT>& columns) {
        Weights<1, IN, IN, OUT, 1, 1, NT, false> weights;
        weights.start(arrays.weights + readoutOffset(SHAPE, K, true));
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
            ReadoutLayer<NT, K - 1>::backward(arrays, columns);
        else
            __syncthreads();
    }
};

/** F7 from the scalars in columns.in: adds to the atoms' energies. */
template <int NT> __device__ __forceinline__ void readoutForward(const Arrays& arrays, const Columns<NT>& columns) {
    constexpr int LAST = SHAPE.numHidden, WIDTH = SHAPE.readout[LAST];
    constexpr int row = LAST % 2 == 0 ? Columns<NT>::M.inputRow : Columns<NT>::M.hiddenRow;
    if constexpr (LAST > 0)
        ReadoutLayer<NT, 0>::forward(arrays, columns);
    __syncthreads();
    const Real* x = LAST % 2 == 0 ? columns.input : columns.hidden;
    const int lane = threadIdx.x % 32;
    for (int column = threadIdx.x / 32; column < Columns<NT>::COUNT; column += blockDim.x / 32) {
        double energy = 0;
        for (int k = lane; k < WIDTH; k += 32)
            energy += arrays.readout[1 + k] * double(x[column * row + k]);
        energy = sumLanes<1, 32>(energy);
        if (lane == 0 && columns.has(column))
            arrays.atomEnergies[columns.first + column] += arrays.readout[0] + energy;
    }
    __syncthreads();
}

/** B7: the adjoints of the scalars behind the last update into columns.in; vectors have none. */
template <int NT> __device__ __forceinline__ void readoutBackward(const Arrays& arrays, const Columns<NT>& columns) {
    constexpr int LAST = SHAPE.numHidden, WIDTH = SHAPE.readout[LAST];
    constexpr NodeMemory M = Columns<NT>::M;
    Real* top = LAST % 2 == 0 ? columns.input : columns.hidden;
    constexpr int row = LAST % 2 == 0 ? M.inputRow : M.hiddenRow;
    for (int k = threadIdx.x; k < Columns<NT>::COUNT * WIDTH; k += blockDim.x) {
        const int column = k / WIDTH, channel = k % WIDTH;
        Real slope = 1;
        if constexpr (LAST > 0)
            slope = columns.slopes[column * M.slopesRow + slopesOf(LAST - 1) + channel];
        top[column * row + channel] = Real(arrays.readout[1 + channel]) * slope;
    }
    if constexpr (LAST > 0)
        ReadoutLayer<NT, LAST - 1>::backward(arrays, columns);
    else
        __syncthreads();
}
