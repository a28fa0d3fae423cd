// SPDX-License-Identifier: MIT
// What the stages of a node kernel share: its columns of atoms, and its arrays in shared memory (Layout.h).

/** 8 NT atoms, one a column, and the shared memory of their block. */
template <int NT> struct Columns {
    static constexpr int COUNT = 8 * NT;
    static constexpr NodeMemory M = nodeMemory(SHAPE, COUNT);
    int first, numAtoms;
    Real *input, *hidden, *slopes, *vectors, *mixed;
    float* halves; ///< for multiply()

    /** @param first, end   atoms */
    __device__ __forceinline__ Columns(unsigned char* memory, int first, int end)
        : first(first), numAtoms(end), input(reinterpret_cast<Real*>(memory)), hidden(input + M.hidden),
          slopes(input + M.slopes), vectors(input + M.vectors), mixed(input + M.mixed),
          halves(reinterpret_cast<float*>(input + M.halves)) {}
    /** Where a channel of a column's atom stands in an [N][H] array; columns without an atom have none. */
    __device__ __forceinline__ size_t place(int column, int channel) const {
        return size_t(first + column) * H + channel;
    }
    __device__ __forceinline__ bool has(int column) const {
        return first + column < numAtoms;
    }
    __device__ __forceinline__ Real& in(int column, int k) const {
        return input[column * M.inputRow + k];
    }
    __device__ __forceinline__ Real& mid(int column, int k) const {
        return hidden[column * M.hiddenRow + k];
    }
    /** V (part 0) or W (part 1), component x of a canonical network. */
    __device__ __forceinline__ Real& mix(int column, int channel, int part, int x) const {
        return mixed[(column * H + channel) * 6 + part * 3 + x];
    }
    /** Calls use(column, channel, fetch(column, channel)) for all of them, each by one thread; some are fetched
     * together. */
    template <class Fetch, class Use> __device__ __forceinline__ void forAll(Fetch fetch, Use use) const {
        constexpr int THREADS = 32 * NODE_WARPS, AT_ONCE = 2;
        for (int first = threadIdx.x; first < COUNT * H; first += AT_ONCE * THREADS) {
            decltype(fetch(0, 0)) fetched[AT_ONCE];
#pragma unroll
            for (int n = 0, k = first; n < AT_ONCE; n++, k += THREADS)
                if (k < COUNT * H)
                    fetched[n] = fetch(k / H, k % H);
#pragma unroll
            for (int n = 0, k = first; n < AT_ONCE; n++, k += THREADS)
                if (k < COUNT * H)
                    use(k / H, k % H, fetched[n]);
        }
    }
    /** Likewise without anything to fetch. */
    template <class Use> __device__ __forceinline__ void forAll(Use use) const {
        for (int k = threadIdx.x; k < COUNT * H; k += 32 * NODE_WARPS)
            use(k / H, k % H);
    }
    /** Calls use(column, channel, number) with the numbers of an [N][H] array, or zero for columns without an atom. */
    template <class Use> __device__ __forceinline__ void forAllOf(const Real4* array, Use use) const {
        forAll([&](int column,
                   int channel) { return has(column) ? array[place(column, channel)] : makeReal4(0, 0, 0, 0); },
               use);
    }
};

/** The vectors in x, y, z of f as rows of the matrix that mixes them: [3 columns][H]. */
template <int NT>
__device__ __forceinline__ void storeVectors(const Columns<NT>& columns, int column, int channel, const Real4& f) {
    constexpr int row = Columns<NT>::M.vectorsRow;
    columns.vectors[(3 * column + 0) * row + channel] = f.y;
    columns.vectors[(3 * column + 1) * row + channel] = f.z;
    columns.vectors[(3 * column + 2) * row + channel] = f.w;
}

/**
 * The hidden layer LAYER of an MLP, from USED parts of columns.in to columns.mid; slopes [N][H] of its block are kept.
 * begin(): see multiply(). Here and below: a layer waits for its inputs when its weights are on their way, so the
 * stages before and after need no barrier of their own.
 */
template <int LAYER, int USED, int NT, class Begin>
__device__ __forceinline__ void hiddenForward(LayerWeights<LAYER, 1, USED, NT, true>& layer, const Columns<NT>& columns,
                                              Real* slopes, Begin begin) {
    __syncthreads();
    multiply(
        layer.weights, columns.input, Columns<NT>::M.inputRow, columns.halves, begin, [](int, int) { return 0; },
        [&](int channel, int column, const Real(&y)[1], int) {
            Real value, slope;
            activate(y[0], value, slope);
            columns.mid(column, channel) = value;
            if (columns.has(column))
                slopes[columns.place(column, channel)] = slope;
        });
}

/** Its adjoint, by the transposed layer BACK behind it. */
template <int BACK, int USED, int NT, class Begin>
__device__ __forceinline__ void hiddenBackward(LayerWeights<BACK, 1, USED, NT, false>& layer,
                                               const Columns<NT>& columns, const Real* slopes, Begin begin) {
    __syncthreads();
    multiply(
        layer.weights, columns.input, Columns<NT>::M.inputRow, columns.halves, begin,
        [&](int channel, int column) { return columns.has(column) ? slopes[columns.place(column, channel)] : Real(0); },
        [&](int channel, int column, const Real(&y)[1], Real slope) {
            columns.mid(column, channel) = columns.has(column) ? y[0] * slope : Real(0);
        });
}

/** F6a, canonical: [V, W] of all columns from their vectors. */
template <int NT> __device__ __forceinline__ void mixVectors(const Arrays& arrays, int l, const Columns<NT>& columns) {
    LayerWeights<MIX, 2, 1, 3 * NT, false> mix;
    mix.start(arrays, l);
    __syncthreads();
    multiply(mix.weights, columns.vectors, Columns<NT>::M.vectorsRow, columns.halves,
             [&](int channel, int k, const Real(&y)[2]) {
                 columns.mix(k / 3, channel, 0, k % 3) = y[0];
                 columns.mix(k / 3, channel, 1, k % 3) = y[1];
             });
    __syncthreads();
}

/** The 3x3 matrix of a student's block. */
__device__ __forceinline__ const Real* getMixing(const Arrays& arrays, int l) {
    constexpr int offset = layerOffset(SHAPE, 0, NUM_LAYERS), block = layerOffset(SHAPE, 1, 0);
    return arrays.weights + l * block + offset;
}

/** The same, read now: before anything that has to wait. */
struct Mixing {
    Real M[9];
    __device__ __forceinline__ Mixing(const Arrays& arrays, int l) {
#pragma unroll
        for (int k = 0; k < 9 && IS_STUDENT; k++)
            M[k] = getMixing(arrays, l)[k];
    }
};
