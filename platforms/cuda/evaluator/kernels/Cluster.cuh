// SPDX-License-Identifier: MIT
// How the blocks of a cluster share the linear layers of one molecule. Block r has the channels 8 r ... 8 r + 7 of all
// atoms. Sums have the order of multiply() in Matrix.cuh, so that they are the same bits.
#if PAINN_CAPABILITY >= 90 && PAINN_TENSOR_CORES

constexpr int BLOCKS = H / SLICE; ///< of a cluster
constexpr int MOLECULE_WARPS = moleculeWarps(SHAPE);
constexpr int GATHERED_ROW = gatheredRow(SHAPE);
constexpr MoleculeForm FORM = {PAINN_MOLECULE_ATOMS, PAINN_MOLECULE_STAGE, PAINN_MOLECULE_READOUT};
constexpr int ATOMS = FORM.atoms, COLUMNS = (ATOMS + 7) / 8 * 8; ///< at most, of a molecule

/** What all blocks send to each other: each block's barrier counts the bytes that have come. */
struct Exchange {
    unsigned barrier; ///< its address
    unsigned phase = 0;
    __device__ __forceinline__ explicit Exchange(unsigned barrier) : barrier(barrier) {}
    /** Say how many bytes will come; one thread. */
    __device__ __forceinline__ void expect(int bytes) const {
        if (threadIdx.x == 0)
            barrierExpect(barrier, bytes);
    }
    __device__ __forceinline__ void send(const void* place, int rank, float4 value) const {
        storeAsync(mapAddress(sharedAddress(place), rank), value, mapAddress(barrier, rank));
    }
    /** For threads that need what comes; all have to count the phase. */
    __device__ __forceinline__ void waitOnly() const {
        barrierWait(barrier, phase % 2);
    }
    __device__ __forceinline__ void wait() {
        waitOnly();
        phase++;
    }
};

/**
 * The products of layer LAYER with the inputs of this block's channels, sent to the blocks that own the outputs.
 *
 * @param weights    [H / 16][parts][32] fours, of which the first USED parts are multiplied
 * @tparam MOST      columns
 * @param local      [USED][MOST][8]
 * @param products   [BLOCKS][8][row] in each block: from which block, output
 */
template <int LAYER, int USED, int MOST>
__device__ __forceinline__ void scatterProducts(const float* weights, int rank, const float* local, int columns,
                                                float* products, const Exchange& exchange) {
    constexpr LayerShape layer = blockLayer(SHAPE, LAYER);
    static_assert(layer.out == layer.in, "a layer to H outputs"); // or one that the family has not
    constexpr int TILES = H / TILE_ROWS, GROUPS = MOLECULE_WARPS / TILES, STRIDE = rowOf(MOST);
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane / 4, q = lane % 4;
    const int m = warp % TILES;
    exchange.expect(BLOCKS * SLICE * columns * 4);
    if (warp >= TILES * GROUPS)
        return;
    float4 w[USED];
    const float4* W = reinterpret_cast<const float4*>(weights);
#pragma unroll
    for (int part = 0; part < USED; part++)
        w[part] = W[(m * layer.parts + part) * 32 + lane];
    for (int n = warp / TILES; n < columns / 8; n += GROUPS) {
        float c[1][4] = {};
#pragma unroll
        for (int part = 0; part < USED; part++) {
            const float2 x[1] = {*reinterpret_cast<const float2*>(local + (part * MOST + n * 8 + g) * SLICE + 2 * q)};
            multiplyStep(c, w[part], x);
        }
        // Rows g and g + 8 have two columns in this lane; pairs of lanes bring four of one row together.
        const bool odd = q % 2 != 0;
        const float a = __shfl_xor_sync(0xffffffffu, odd ? c[0][0] : c[0][2], 1);
        const float b = __shfl_xor_sync(0xffffffffu, odd ? c[0][1] : c[0][3], 1);
        const float4 four = odd ? make_float4(a, b, c[0][2], c[0][3]) : make_float4(c[0][0], c[0][1], a, b);
        exchange.send(products + (rank * SLICE + g) * STRIDE + n * 8 + q / 2 * 4, 2 * m + odd, four);
    }
}

/** Output c of this block in one column, when all products have come. */
template <int MOST = COLUMNS> __device__ __forceinline__ float sumProducts(const float* products, int column, int c) {
    float half[2] = {0, 0};
#pragma unroll
    for (int r = 0; r < BLOCKS; r++)
        half[r / (BLOCKS / 2)] += products[(r * SLICE + c) * rowOf(MOST) + column];
    return half[0] + half[1];
}

/** Send this block's inputs, own [columns][8], to all blocks: gathered [columns][GATHERED_ROW]. */
__device__ __forceinline__ void gatherInputs(int rank, const float* own, int columns, float* gathered,
                                             const Exchange& exchange) {
    exchange.expect(columns * H * 4);
    for (int to = threadIdx.x / 32; to < BLOCKS; to += MOLECULE_WARPS)
        for (int k = threadIdx.x % 32; k < columns * 2; k += 32) {
            const int half = k % 2, column = k / 2;
            const float4 four = *reinterpret_cast<const float4*>(own + column * SLICE + 4 * half);
            exchange.send(gathered + column * GATHERED_ROW + rank * SLICE + 4 * half, to, four);
        }
}

/**
 * The outputs of this block's channels in the GROUPS groups of layer LAYER, from the inputs of all channels. A
 * fragment has 8 rows of one group and 8 of the next.
 *
 * @param weights   [pairs of groups][H / 8][32] fours
 * @param outputs   [2][GROUPS][8][row], the halves of each sum
 * @param needed    so many groups are needed
 */
template <int LAYER, int GROUPS, int MOST>
__device__ __forceinline__ void multiplyOwn(const float* weights, const float* gathered, int columns, float* outputs,
                                            int needed) {
    static_assert(blockLayer(SHAPE, LAYER).parts <= 1, "a layer with H inputs");
    constexpr int PAIRS = (GROUPS + 1) / 2, JOBS = 2 * PAIRS, SHARES = MOLECULE_WARPS / JOBS, STEPS = BLOCKS / 2;
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane / 4, q = lane % 4;
    const int pair = warp % JOBS / 2, half = warp % 2;
    const float4* W = reinterpret_cast<const float4*>(weights) + (pair * BLOCKS + half * STEPS) * 32 + lane;
    const bool works = warp < JOBS * SHARES && 2 * pair < needed;
    for (int n = warp / JOBS; works && n < columns / 8; n += SHARES) {
        float sum[4] = {};
#pragma unroll
        for (int k = 0; k < STEPS; k++) {
            float c[1][4] = {};
            const float2 x[1] = {*reinterpret_cast<const float2*>(gathered + (n * 8 + g) * GATHERED_ROW +
                                                                  (half * STEPS + k) * 8 + 2 * q)};
            multiplyStep(c, W[k * 32], x);
#pragma unroll
            for (int i = 0; i < 4; i++)
                sum[i] += c[0][i];
        }
#pragma unroll
        for (int i = 0; i < 2 && 2 * pair + i < GROUPS; i++)
            *reinterpret_cast<float2*>(outputs + ((half * GROUPS + 2 * pair + i) * SLICE + g) * rowOf(MOST) + n * 8 +
                                       2 * q) = make_float2(sum[2 * i], sum[2 * i + 1]);
    }
    __syncthreads();
}

/** Output c of a group in one column. */
template <int GROUPS, int MOST = COLUMNS>
__device__ __forceinline__ float ownOutput(const float* outputs, int column, int group, int c) {
    return outputs[(group * SLICE + c) * rowOf(MOST) + column] +
           outputs[((GROUPS + group) * SLICE + c) * rowOf(MOST) + column];
}

#endif
