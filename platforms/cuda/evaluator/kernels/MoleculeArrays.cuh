// SPDX-License-Identifier: MIT
// A small molecule in the shared memory of a cluster: block r has the channels 8 r ... 8 r + 7 of all atoms.
#if PAINN_CAPABILITY >= 90 && PAINN_TENSOR_CORES

/** Where the time of one block goes, for benchmarks: prints the clock cycles of each stage. */
struct StageClock {
#if PAINN_CLOCKS
    struct Tick {
        const char* name;
        long long time;
    };
    Tick* ticks; ///< in global memory that is not needed here
    int count = 0;
    __device__ __forceinline__ explicit StageClock(void* memory) : ticks(static_cast<Tick*>(memory)) {
        tick("");
    }
    __device__ __forceinline__ void tick(const char* name) {
        if (threadIdx.x == 0 && blockIdx.x == 0)
            ticks[count] = {name, clock64()};
        count++;
    }
    __device__ void print() const {
        for (int k = 1; k < count && threadIdx.x == 0 && blockIdx.x == 0; k++)
            printf("    %-24s %6lld cycles\n", ticks[k].name, ticks[k].time - ticks[k - 1].time);
    }
#else
    __device__ __forceinline__ explicit StageClock(void*) {}
    __device__ __forceinline__ void tick(const char*) {}
    __device__ __forceinline__ void print() const {}
#endif
};

/** Start to copy numbers, a multiple of 4 of them, from global to shared memory: all threads of a block. */
template <class T> __device__ __forceinline__ void startCopy(T* shared, const T* global, int count) {
    const int fours = count * int(sizeof(T)) / 16;
    for (int k = threadIdx.x; k < fours; k += 32 * MOLECULE_WARPS)
        copyAsync16(reinterpret_cast<float4*>(shared) + k, reinterpret_cast<const float4*>(global) + k);
}

/** The parts of a molecule in shared memory, and what blocks send to each other. */
struct MoleculeArrays {
    const Arrays& arrays;
    static constexpr MoleculeMemory place = moleculeMemory(SHAPE, FORM);
    static_assert(place.gathered - place.products >= BLOCKS * SLICE * rowOf(COLUMNS) * 4, "products fit");
    static_assert(place.gathered - place.products >= BLOCKS * ((3 * ATOMS + 3) / 4) * 16, "forces of all blocks fit");
    static_assert(place.gathered - place.products >= ATOMS * (ATOMS - 1) / 2 * 8, "energies of pairs fit");
    static_assert(place.vectors - place.gathered >= COLUMNS * GATHERED_ROW * 4, "inputs fit");
    static_assert(IS_STUDENT || place.outputs - place.vectors >= BLOCKS * SLICE * rowOf(3 * COLUMNS) * 4,
                  "products of vectors fit");
    static_assert(IS_STUDENT || place.outputs - place.vectors >= 3 * COLUMNS * GATHERED_ROW * 4, "vectors fit");
    const int rank, first, N, columns; ///< columns: N padded to 8
    unsigned char* memory;
    Exchange scatter, gather, vectorGather, turn, turnBack, last;
    const float* stage; ///< this block's weights of the stage at hand
    StageClock clock;

    __device__ __forceinline__ MoleculeArrays(const Arrays& arrays, unsigned char* memory)
        : arrays(arrays), rank(clusterRank()), first(arrays.starts[blockIdx.x / BLOCKS]),
          N(arrays.starts[blockIdx.x / BLOCKS + 1] - first), columns((N + 7) / 8 * 8), memory(memory),
          scatter(sharedAddress(memory)), gather(sharedAddress(memory + 8)), vectorGather(sharedAddress(memory + 16)),
          turn(sharedAddress(memory + 24)), turnBack(sharedAddress(memory + 32)), last(sharedAddress(memory + 40)),
          clock(arrays.sliceForces) {}

    /** Have the weights of the next stage come; nobody may need those of the one before any more. */
    __device__ __forceinline__ void loadStage(int k) {
        constexpr int size = stageSize(SHAPE);
        const float* weights = arrays.stages + (size_t(rank) * 2 * L + k) * size;
        stage = FORM.hasStage ? at<float>(place.stage) : weights;
        if (FORM.hasStage) {
            startCopy(at<float>(place.stage), weights, size);
            commitCopies();
        }
    }
    template <class T> __device__ __forceinline__ T* at(int offset) const {
        return reinterpret_cast<T*>(memory + offset);
    }
    /** Channel c of atom n in a [N][8] array of block l. */
    __device__ __forceinline__ float4& four(int offset, int l, int n, int c) const {
        return at<float4>(offset)[(l * ATOMS + n) * SLICE + c];
    }
    /** Channel c of a column in a [columns][8] array of block l. */
    template <class T> __device__ __forceinline__ T& number(int offset, int l, int column, int c) const {
        return at<T>(offset)[(l * COLUMNS + column) * SLICE + c];
    }
    /** Input of part p for this block's channel. */
    __device__ __forceinline__ float& local(int p, int column, int c) const {
        return at<float>(place.local)[(p * COLUMNS + column) * SLICE + c];
    }
    /** Calls use(column, c) for all columns, each by one thread, in whole warps. */
    template <class Use> __device__ __forceinline__ void forAll(Use use) const {
        for (int k = threadIdx.x; k < columns * SLICE; k += 32 * MOLECULE_WARPS)
            use(k / SLICE, k % SLICE);
    }
    /** Features and contexts in front of block l. */
    __device__ __forceinline__ void read(int l, int n, int c, float4& f, float4& context) const {
        f = four(place.before, l, n, c);
        context = IS_STUDENT ? make_float4(f.x, 1, 1, 0) : four(place.context, l, n, c);
    }
    /** Columns 3 n ... 3 n + 2 of part p of this block's inputs, for layers that mix vectors. */
    __device__ __forceinline__ void storeVector(int p, int n, int c, float x, float y, float z) const {
        float* row = at<float>(place.local) + (p * 3 * COLUMNS + 3 * n) * SLICE + c;
        row[0] = x;
        row[SLICE] = y;
        row[2 * SLICE] = z;
    }
    /** V (k = 0, 1, 2) and W (k = 3, 4, 5) of a canonical block. */
    __device__ __forceinline__ float* mixed(int l, int column, int c) const {
        return at<float>(place.mixed) + ((l * COLUMNS + column) * SLICE + c) * 6;
    }
};

#endif
