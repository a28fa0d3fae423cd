// SPDX-License-Identifier: MIT
// What the Context gets: forces in its own array, energies of subsystems, and what went wrong.

constexpr int FINISH_THREADS = 128;

/** Number n of [N][3]: the sum of the forces from all channels, scaled, into the Context's array. */
__device__ __forceinline__ void sumForce(const Arrays& arrays, int n) {
    const int i = n / 3, slot = arrays.slots[i];
    const int subsystem = arrays.subsystemOf[i];
    const double scale = arrays.scales[subsystem].force;
    const Target target = targetOf(arrays, subsystem);
    waitForPrevious();
    Real parts[H / SLICE]; // all on their way at once
#pragma unroll
    for (int slice = 0; slice < H / SLICE; slice++)
        parts[slice] = arrays.sliceForces[size_t(slice) * arrays.numAtoms * 3 + n];
    double force = 0;
#pragma unroll
    for (int slice = 0; slice < H / SLICE; slice++)
        force += double(parts[slice]);
    addForce(arrays, target, i, slot, scale, n % 3, force);
}

/** The threads of a block: the sum of the energies of one subsystem's atoms. sums: [FINISH_THREADS] */
__device__ __forceinline__ void sumEnergies(const Arrays& arrays, int subsystem, double* sums) {
    constexpr int AT_ONCE = 8;
    const int t = threadIdx.x, end = arrays.starts[subsystem + 1];
    int i = arrays.starts[subsystem] + t;
    waitForPrevious();
    double sum = 0;
    for (; i < end; i += AT_ONCE * FINISH_THREADS) {
        double energies[AT_ONCE];
#pragma unroll
        for (int k = 0; k < AT_ONCE; k++)
            energies[k] = i + k * FINISH_THREADS < end ? arrays.atomEnergies[i + k * FINISH_THREADS] : 0;
#pragma unroll
        for (int k = 0; k < AT_ONCE; k++) {
            if (i + k * FINISH_THREADS >= end)
                break;
            sum += checkEnergy(arrays, i + k * FINISH_THREADS, energies[k]);
        }
    }
    sums[t] = sum;
    __syncthreads();
    // Numbers t and t + half for half = 64, 32, 16 ... 1
    for (int half = FINISH_THREADS / 2; half >= 32; half /= 2) {
        if (t < half)
            sums[t] = sum += sums[t + half];
        __syncthreads();
    }
    if (t >= 32)
        return;
#pragma unroll
    for (int half = 16; half > 0; half /= 2)
        sum += __shfl_down_sync(0xffffffffu, sum, half);
    if (t == 0)
        arrays.subsystemEnergies[subsystem] = sum;
}

#if PAINN_HAS_GROUP(1)

/**
 * The first blocks: a subsystem each, its energy. The others: a component of a force a thread. The block that comes to
 * its end last shows the host what was reported; the list of candidates is good for now.
 */
extern "C" __global__ void __launch_bounds__(FINISH_THREADS) finish(const Arrays arrays, int) {
    SHARED_MEMORY(memory);
    if (int(blockIdx.x) < arrays.numSubsystems)
        sumEnergies(arrays, blockIdx.x, reinterpret_cast<double*>(memory));
    else {
        const int n = (blockIdx.x - arrays.numSubsystems) * FINISH_THREADS + threadIdx.x;
        if (n < 3 * arrays.numAtoms && arrays.hasForces)
            sumForce(arrays, n);
    }
    waitForPrevious(); // those who had nothing to do
    __syncthreads();
    if (threadIdx.x != 0)
        return;
    __threadfence(); // for the whole block, whose threads have met
    if (atomicAdd(&arrays.report->blocksDone, 1) != int(gridDim.x) - 1)
        return;
    __threadfence();
    arrays.report->blocksDone = 0;
    if (arrays.hasCandidates)
        *arrays.rebuild = 0;
    showReport(arrays);
}

#endif
