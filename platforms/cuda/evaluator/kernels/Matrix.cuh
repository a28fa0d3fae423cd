// SPDX-License-Identifier: MIT
// Linear layers for the atoms of one block: y = W x, one column an atom. A value y is summed in an order that depends
// on nothing but the layer's shape, so that all kernels and batches give the same bits.

#if PAINN_TENSOR_CORES

/** A number as a sum of two of TF32; what is left is below 2^-21 of it. */
__device__ __forceinline__ void split(float x, unsigned& high, unsigned& low) {
    high = (__float_as_uint(x) + 0x1000u) & 0xffffe000u; // rounded to nearest
    low = __float_as_uint(x - __uint_as_float(high));    // its lower bits are not read
}

/**
 * The products of one step of 8 inputs: TILES x NT tiles of 16 outputs by 8 columns, in three parts of TF32, the small
 * ones first (3xTF32).
 */
template <int TILES, int NT>
__device__ __forceinline__ void multiplyStep(float (&c)[TILES][NT][4], const float4 (&w)[TILES],
                                             const float2 (&x)[NT]) {
    unsigned xHigh[NT][2], xLow[NT][2];
#pragma unroll
    for (int n = 0; n < NT; n++) {
        split(x[n].x, xHigh[n][0], xLow[n][0]);
        split(x[n].y, xHigh[n][1], xLow[n][1]);
    }
#pragma unroll
    for (int t = 0; t < TILES; t++) {
        unsigned wHigh[4], wLow[4];
        split(w[t].x, wHigh[0], wLow[0]);
        split(w[t].y, wHigh[2], wLow[2]); // the weights of a row stand together
        split(w[t].z, wHigh[1], wLow[1]);
        split(w[t].w, wHigh[3], wLow[3]);
#pragma unroll
        for (int n = 0; n < NT; n++) {
            mmaTF32(c[t][n], wLow, xHigh[n]);
            mmaTF32(c[t][n], wHigh, xLow[n]);
            mmaTF32(c[t][n], wHigh, xHigh[n]);
        }
    }
}

/** Half of the sum of multiply(), for tile m of each group of outputs: the channels of half of the steps. */
template <int TILES, int TILES_OF_GROUP, int STEPS, int IN, int PARTS, int USED, int NT>
__device__ __forceinline__ void multiplyHalf(const Real* W, const Real* x, int row, int m, int half,
                                             float (&sum)[TILES][NT][4]) {
    const int lane = threadIdx.x % 32, g = lane / 4, q = lane % 4;
#pragma unroll(TILES* NT > 4 ? 2 : 4)
    for (int step = half * (STEPS / 2); step < (half + 1) * (STEPS / 2); step++) {
        float c[TILES][NT][4] = {};
#pragma unroll
        for (int part = 0; part < USED; part++) {
            float4 w[TILES];
            float2 in[NT];
#pragma unroll
            for (int t = 0; t < TILES; t++)
                w[t] = reinterpret_cast<const float4*>(
                    W)[(((t * TILES_OF_GROUP + m) * STEPS + step) * PARTS + part) * 32 + lane];
#pragma unroll
            for (int n = 0; n < NT; n++)
                in[n] = *reinterpret_cast<const float2*>(x + (n * 8 + g) * row + part * IN + step * 8 + 2 * q);
            multiplyStep<TILES, NT>(c, w, in);
        }
#pragma unroll
        for (int t = 0; t < TILES; t++)
#pragma unroll
            for (int n = 0; n < NT; n++)
#pragma unroll
                for (int k = 0; k < 4; k++)
                    sum[t][n][k] += c[t][n][k];
    }
}

/**
 * y = W x for 8 NT columns. Calls finish(channel, column, y) with y [TILES], the outputs channel, OUT + channel ... of
 * a column, by some thread for each channel and column.
 *
 * Inputs come in steps of 8 channels with all their parts, the products of a step are summed by the tensor cores, the
 * steps of the first and of the second half of the channels are added one after the other, and last the two halves.
 *
 * @tparam OUT, IN   channels; W has ALL outputs, of which the first TILES OUT are computed, and PARTS IN inputs
 * @tparam USED      so many parts are not zero
 * @param W          [ALL / 16][IN / 8][PARTS][32] fours, one for each lane of a warp
 * @param x          [8 NT][row] inputs, of part p from p IN on; shared memory
 * @param halves     nullptr: a warp computes both halves; otherwise two warps share them, and bring them together here:
 *                   shared memory, [pairs of warps][TILES][NT][2][32] pairs
 */
template <int TILES, int OUT, int ALL, int IN, int PARTS, int USED, int NT, class Finish>
__device__ __forceinline__ void multiply(const Real* W, const Real* x, int row, float* halves, Finish finish) {
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane / 4, q = lane % 4;
    constexpr int ROWS = OUT / TILE_ROWS, STEPS = IN / 8;
    const int sharing = halves == nullptr ? 1 : 2, workers = blockDim.x / 32 / sharing, worker = warp / sharing;
    for (int first = 0; first < ROWS; first += workers) {
        const int m = first + worker;
        float sum[TILES][NT][4] = {}, other[TILES][NT][4] = {};
        const int half = sharing == 1 ? 0 : warp % 2;
        if (m < ROWS) {
            multiplyHalf<TILES, ROWS, STEPS, IN, PARTS, USED, NT>(W, x, row, m, half, sum);
            if (sharing == 1)
                multiplyHalf<TILES, ROWS, STEPS, IN, PARTS, USED, NT>(W, x, row, m, 1, other);
        }
        // Of two warps the first finishes rows g, the second rows g + 8.
        if (sharing == 2) {
            float2* place = reinterpret_cast<float2*>(halves) + (worker * TILES * NT * 2) * 32 + lane;
#pragma unroll
            for (int k = 0; k < TILES * NT; k++) {
                const float (&c)[4] = sum[k / NT][k % NT];
                place[(2 * k + half) * 32] = half == 0 ? make_float2(c[2], c[3]) : make_float2(c[0], c[1]);
            }
            __syncthreads();
#pragma unroll
            for (int k = 0; k < TILES * NT; k++) {
                const float2 given = place[(2 * k + 1 - half) * 32];
                float (&c)[4] = other[k / NT][k % NT];
                c[half == 0 ? 0 : 2] = given.x;
                c[half == 0 ? 1 : 3] = given.y;
            }
        }
        if (m < ROWS)
#pragma unroll
            for (int n = 0; n < NT; n++)
#pragma unroll
                for (int k = 0; k < 4; k++) {
                    if (sharing == 2 && k / 2 != half)
                        continue;
                    Real y[TILES];
#pragma unroll
                    for (int t = 0; t < TILES; t++)
                        y[t] = sum[t][n][k] + other[t][n][k];
                    finish(m * TILE_ROWS + g + 8 * (k / 2), n * 8 + 2 * q + k % 2, y);
                }
        if (sharing == 2 && first + workers < ROWS)
            __syncthreads();
    }
}

#else // without tensor cores, and in double precision

/** As above; W is [PARTS IN][ALL] here, and y is summed in the order of the inputs. */
template <int TILES, int OUT, int ALL, int IN, int PARTS, int USED, int NT, class Finish>
__device__ __forceinline__ void multiply(const Real* W, const Real* x, int row, float*, Finish finish) {
    for (int item = threadIdx.x; item < OUT * 8 * NT; item += blockDim.x) {
        const int channel = item % OUT, column = item / OUT;
        Real y[TILES] = {};
        for (int k = 0; k < USED * IN; k++)
#pragma unroll
            for (int t = 0; t < TILES; t++)
                y[t] = fuse(W[k * ALL + t * OUT + channel], x[column * row + k], y[t]);
        finish(channel, column, y);
    }
}

#endif

/** The weights of a layer of block l. */
template <int LAYER> __device__ __forceinline__ const Real* layerWeights(const Arrays& arrays, int l) {
    constexpr int offset = layerOffset(SHAPE, 0, LAYER), block = layerOffset(SHAPE, 1, 0);
    return arrays.weights + l * block + offset;
}

/** The biases of a layer of block l. */
template <int LAYER> __device__ __forceinline__ const Real* layerBias(const Arrays& arrays, int l) {
    constexpr LayerShape layer = blockLayer(SHAPE, LAYER);
    return layerWeights<LAYER>(arrays, l) + layer.out * layer.in * layer.parts;
}

/** Layer LAYER of block l, whose outputs are groups of H: y holds one of each of the first TILES groups. */
template <int LAYER, int TILES, int USED, int NT, class Finish>
__device__ __forceinline__ void multiplyLayer(const Arrays& arrays, int l, const Real* x, int row, float* halves,
                                              Finish finish) {
    constexpr LayerShape layer = blockLayer(SHAPE, LAYER);
    multiply<TILES, H, layer.out, layer.in, layer.parts, USED, NT>(layerWeights<LAYER>(arrays, l), x, row, halves,
                                                                   finish);
}
