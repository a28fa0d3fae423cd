// SPDX-License-Identifier: MIT
// Linear layers for the atoms of one block: y = W x, one column an atom. A value y is summed in an order that depends
// on nothing but the layer's shape, so that all kernels and batches give the same bits.

/** All kernels here are of NODE_WARPS; the compiler does without a loop and registers where it knows that. */
constexpr bool IS_NODE_KERNEL = PAINN_GROUP >= 5;

#if PAINN_TENSOR_CORES

/**
 * A number as a sum of two of TF32; what is left is below 2^-21 of it. The first is rounded to nearest, so that the
 * second and what its unread lower bits lack have either sign.
 */
__device__ __forceinline__ void split(float x, unsigned& high, unsigned& low) {
    high = (__float_as_uint(x) + 0x1000u) & 0xffffe000u;
    low = __float_as_uint(x - __uint_as_float(high));
}

/**
 * The products of one step of 8 inputs: NT tiles of 16 outputs by 8 columns, in three parts of TF32, the small ones
 * first (3xTF32).
 */
template <int NT>
__device__ __forceinline__ void multiplyStep(float (&c)[NT][4], const float4& w, const float2 (&x)[NT]) {
    unsigned wHigh[4], wLow[4];
    split(w.x, wHigh[0], wLow[0]);
    split(w.y, wHigh[2], wLow[2]); // the weights of a row stand together
    split(w.z, wHigh[1], wLow[1]);
    split(w.w, wHigh[3], wLow[3]);
#pragma unroll
    for (int n = 0; n < NT; n++) {
        unsigned xHigh[2], xLow[2];
        split(x[n].x, xHigh[0], xLow[0]);
        split(x[n].y, xHigh[1], xLow[1]);
        mmaTF32(c[n], wLow, xHigh);
        mmaTF32(c[n], wHigh, xLow);
        mmaTF32(c[n], wHigh, xHigh);
    }
}

/**
 * The weights of a layer for one of two warps that share tiles of 16 outputs; each has the channels of half of the
 * steps. They come from the second-level cache, which takes as long as many products: so many of them are always on
 * their way, and the first ones are sent for before there is anything to multiply.
 *
 * @tparam OUT, IN   channels; the layer has ALL outputs, of which the first TILES OUT are computed, and PARTS IN inputs
 * @tparam USED      so many parts are not zero
 * @tparam BIASED    y has a bias
 * @tparam IN_SHARED they are in shared memory, and come at once
 */
template <int TILES, int OUT, int ALL, int IN, int PARTS, int USED, int NT, bool BIASED, bool IN_SHARED = false>
struct Weights {
    static constexpr int ROWS = OUT / TILE_ROWS, STEPS = IN / 16; // of a half
    static constexpr int FOURS = TILES * USED;                    // of a step
    // There are registers for about so many fours; few in the molecule kernel, which has its own use for them.
    static constexpr int ROOM = PAINN_GROUP == 2 ? 3 : NT == 1 ? (IS_STUDENT ? 12 : 8) : NT == 2 ? 8 : 3;
    static constexpr int WANTED = ROOM / FOURS < 2 ? 2 : ROOM / FOURS, AHEAD = WANTED < STEPS ? WANTED : STEPS;
    // A step of many columns has products enough to hide what a loop costs, and unrolled it keeps compilers for
    // seconds.
    static constexpr int UNROLL = TILES * NT * USED < 12 ? STEPS : 1;
    float4 fours[AHEAD][USED][TILES];
    Real bias[TILES];
    const Real* W; ///< [ALL / 16][IN / 8][PARTS][32] fours, one for each lane of a warp; then ALL biases

    /** Send for the first weights of tile m of each group of outputs. */
    __device__ __forceinline__ void start(const Real* weights, int m = threadIdx.x / 64) {
        W = weights;
        if (m >= ROWS)
            return;
#pragma unroll
        for (int step = 0; step < AHEAD; step++)
            load(m, step, step);
        if (BIASED) {
            const int half = threadIdx.x / 32 % 2, g = threadIdx.x % 32 / 4;
#pragma unroll
            for (int t = 0; t < TILES; t++)
                bias[t] = W[ALL * IN * PARTS + t * OUT + m * TILE_ROWS + g + 8 * half];
        }
    }
    /** Send for the weights of a step, into fours[place]. */
    __device__ __forceinline__ void load(int m, int step, int place) {
        const int half = threadIdx.x / 32 % 2, lane = threadIdx.x % 32;
        const float4* first = reinterpret_cast<const float4*>(W) + (m * 2 + half) * (STEPS * PARTS * 32) + lane;
#pragma unroll
        for (int part = 0; part < USED; part++)
#pragma unroll
            for (int t = 0; t < TILES; t++)
                fours[place][part][t] = read(first + (t * ROWS * 2 * STEPS * PARTS + step * PARTS + part) * 32);
    }
    __device__ __forceinline__ static float4 read(const float4* p) {
        return IN_SHARED ? *p : loadGlobal(p);
    }
    /** Half of the sum of multiply(), for tile m of each group of outputs. */
    __device__ __forceinline__ void multiplyHalf(const Real* x, int row, int m, float (&sum)[TILES][NT][4]) {
        const int half = threadIdx.x / 32 % 2, lane = threadIdx.x % 32, g = lane / 4, q = lane % 4;
        x += g * row + half * (STEPS * 8) + 2 * q;
#pragma unroll UNROLL
        for (int first = 0; first < STEPS; first += AHEAD)
#pragma unroll
            for (int place = 0; place < AHEAD; place++)
                if (STEPS % AHEAD == 0 || first + place < STEPS) {
                    addStep(x + (first + place) * 8, row, place, sum);
                    if (first + place + AHEAD < STEPS)
                        load(m, first + place + AHEAD, place);
                }
    }
    /** One step, with the weights in fours[place]. */
    __device__ __forceinline__ void addStep(const Real* x, int row, int place, float (&sum)[TILES][NT][4]) const {
#pragma unroll
        for (int t = 0; t < TILES; t++) {
            float c[NT][4] = {};
#pragma unroll
            for (int part = 0; part < USED; part++) {
                float2 in[NT];
#pragma unroll
                for (int n = 0; n < NT; n++)
                    in[n] = *reinterpret_cast<const float2*>(x + n * 8 * row + part * IN);
                multiplyStep(c, fours[place][part][t], in);
            }
#pragma unroll
            for (int n = 0; n < NT; n++)
#pragma unroll
                for (int k = 0; k < 4; k++)
                    sum[t][n][k] += c[n][k];
        }
    }
};

/**
 * y = W x for 8 NT columns. Calls finish(channel, column, y, extra) with y [TILES], the outputs channel, OUT + channel
 * ... of a column, by some thread for each channel and column; extra is what fetch(channel, column) returned before the
 * products, so that it can come from far away. Calls begin() behind the products: for the weights of the next layer.
 *
 * Inputs come in steps of 8 channels with all their parts, the products of a step are summed by the tensor cores, the
 * steps of the first and of the second half of the channels are added one after the other, and last the two halves.
 *
 * @param weights    started
 * @param x          [8 NT][row] inputs, of part p from p IN on; shared memory
 * @param halves     where two warps bring their halves together: shared memory, [pairs of warps][TILES][NT][2][32]
 * pairs
 */
template <int TILES, int OUT, int ALL, int IN, int PARTS, int USED, int NT, bool BIASED, bool IN_SHARED, class Begin,
          class Fetch, class Finish>
__device__ __forceinline__ void multiply(Weights<TILES, OUT, ALL, IN, PARTS, USED, NT, BIASED, IN_SHARED>& weights,
                                         const Real* x, int row, float* halves, Begin begin, Fetch fetch,
                                         Finish finish) {
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane / 4, q = lane % 4, half = warp % 2;
    constexpr int ROWS = OUT / TILE_ROWS;
    const int workers = IS_NODE_KERNEL ? NODE_WARPS / 2 : blockDim.x / 64;
    for (int first = 0; first < ROWS; first += workers) {
        const int m = first + warp / 2;
        float sum[TILES][NT][4] = {};
        decltype(fetch(0, 0)) extra[NT][2];
        if (first > 0)
            weights.start(weights.W, m);
        if (m < ROWS) {
            // Of two warps the first finishes rows g, the second rows g + 8.
#pragma unroll
            for (int k = 0; k < 2 * NT; k++)
                extra[k / 2][k % 2] = fetch(m * TILE_ROWS + g + 8 * half, k / 2 * 8 + 2 * q + k % 2);
            weights.multiplyHalf(x, row, m, sum);
        }
        if (first + workers >= ROWS)
            begin();
        float2* place = reinterpret_cast<float2*>(halves) + (warp / 2 * TILES * NT * 2) * 32 + lane;
#pragma unroll
        for (int k = 0; k < TILES * NT; k++) {
            const float (&c)[4] = sum[k / NT][k % NT];
            place[(2 * k + half) * 32] = half == 0 ? make_float2(c[2], c[3]) : make_float2(c[0], c[1]);
        }
        __syncthreads();
        if (m < ROWS)
#pragma unroll
            for (int n = 0; n < NT; n++) {
                Real y[2][TILES]; // of two columns
#pragma unroll
                for (int t = 0; t < TILES; t++) {
                    const float2 other = place[(2 * (t * NT + n) + 1 - half) * 32];
                    const float (&c)[4] = sum[t][n];
                    y[0][t] = (half == 0 ? c[0] : c[2]) + other.x;
                    y[1][t] = (half == 0 ? c[1] : c[3]) + other.y;
                    if (BIASED) {
                        y[0][t] += weights.bias[t];
                        y[1][t] += weights.bias[t];
                    }
                }
#pragma unroll
                for (int k = 0; k < 2; k++)
                    finish(m * TILE_ROWS + g + 8 * half, n * 8 + 2 * q + k, y[k], extra[n][k]);
            }
        if (first + workers < ROWS)
            __syncthreads();
    }
}

#else // without tensor cores, and in double precision

/** As above; W is [PARTS IN][ALL] here, and y is summed in the order of the inputs. */
template <int TILES, int OUT, int ALL, int IN, int PARTS, int USED, int NT, bool BIASED, bool IN_SHARED = false>
struct Weights {
    const Real* W;
    __device__ __forceinline__ void start(const Real* weights) {
        W = weights;
    }
};

template <int TILES, int OUT, int ALL, int IN, int PARTS, int USED, int NT, bool BIASED, bool IN_SHARED, class Begin,
          class Fetch, class Finish>
__device__ __forceinline__ void
multiply(const Weights<TILES, OUT, ALL, IN, PARTS, USED, NT, BIASED, IN_SHARED>& weights, const Real* x, int row,
         float*, Begin begin, Fetch fetch, Finish finish) {
    const Real* W = weights.W;
    begin();
    for (int item = threadIdx.x; item < OUT * 8 * NT; item += blockDim.x) {
        const int channel = item % OUT, column = item / OUT;
        Real y[TILES] = {};
        for (int k = 0; k < USED * IN; k++)
#pragma unroll
            for (int t = 0; t < TILES; t++)
                y[t] = fuse(W[k * ALL + t * OUT + channel], x[column * row + k], y[t]);
#pragma unroll
        for (int t = 0; t < TILES && BIASED; t++)
            y[t] += W[ALL * IN * PARTS + t * OUT + channel];
        finish(channel, column, y, fetch(channel, column));
    }
}

#endif

/** Without anything extra: finish(channel, column, y). */
template <int TILES, int OUT, int ALL, int IN, int PARTS, int USED, int NT, bool BIASED, bool IN_SHARED, class Finish>
__device__ __forceinline__ void multiply(Weights<TILES, OUT, ALL, IN, PARTS, USED, NT, BIASED, IN_SHARED>& weights,
                                         const Real* x, int row, float* halves, Finish finish) {
    multiply(
        weights, x, row, halves, [] {}, [](int, int) { return 0; },
        [&](int channel, int column, const Real(&y)[TILES], int) { finish(channel, column, y); });
}

/** The weights of a layer of block l. */
template <int LAYER> __device__ __forceinline__ const Real* layerWeights(const Arrays& arrays, int l) {
    constexpr int offset = layerOffset(SHAPE, 0, LAYER), block = layerOffset(SHAPE, 1, 0);
    return arrays.weights + l * block + offset;
}

/** Weights of layer LAYER, whose outputs are groups of H: y holds one of each of the first TILES groups. */
template <int LAYER, int TILES, int USED, int NT, bool BIASED> struct LayerWeights {
    static constexpr LayerShape layer = blockLayer(SHAPE, LAYER);
    Weights<TILES, H, layer.out, layer.in, layer.parts, USED, NT, BIASED> weights;
    /** Send for the first of them, for block l. */
    __device__ __forceinline__ void start(const Arrays& arrays, int l) {
        weights.start(layerWeights<LAYER>(arrays, l));
    }
};
