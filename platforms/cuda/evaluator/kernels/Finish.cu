// SPDX-License-Identifier: MIT
// What the Context gets: forces in its own array, energies of subsystems, and what went wrong.

constexpr int FINISH_THREADS = 128;

/** One atom: the sum of the forces from all channels. */
__device__ __forceinline__ void sumForces(const Arrays& arrays, int i) {
    const double scale = arrays.scales[arrays.subsystemOf[i]].force;
    for (int k = 0; k < 3; k++) {
        double force = 0;
#pragma unroll
        for (int slice = 0; slice < H / SLICE; slice++)
            force += double(arrays.sliceForces[(size_t(slice) * arrays.numAtoms + i) * 3 + k]);
        addForce(arrays, i, arrays.slots[i], scale, k, force);
    }
}

/** The threads of a block: the sum of the energies of one subsystem's atoms. sums: [FINISH_THREADS] */
__device__ __forceinline__ void sumEnergies(const Arrays& arrays, int subsystem, double* sums) {
    double sum = 0;
#pragma unroll 4
    for (int i = arrays.starts[subsystem] + threadIdx.x; i < arrays.starts[subsystem + 1]; i += FINISH_THREADS) {
        sum += checkEnergy(arrays, i, arrays.atomEnergies[i]);
    }
    sums[threadIdx.x] = sum;
    __syncthreads();
    for (int half = FINISH_THREADS / 2; half > 0; half /= 2) {
        if (threadIdx.x < half)
            sums[threadIdx.x] += sums[threadIdx.x + half];
        __syncthreads();
    }
    if (threadIdx.x == 0)
        arrays.subsystemEnergies[subsystem] = sums[0];
}

#if PAINN_HAS_GROUP(1)

/**
 * Blocks y = 0: an atom a thread, its force. Blocks y = 1: a subsystem a block, its energy.
 */
extern "C" __global__ void __launch_bounds__(FINISH_THREADS) finish(const Arrays arrays, int) {
    SHARED_MEMORY(memory);
    const int i = blockIdx.x * FINISH_THREADS + threadIdx.x;
    if (blockIdx.y == 0) {
        if (i < arrays.numAtoms && arrays.hasForces)
            sumForces(arrays, i);
    }
    else if (int(blockIdx.x) < arrays.numSubsystems)
        sumEnergies(arrays, blockIdx.x, reinterpret_cast<double*>(memory));
    showReport(arrays, int(2 * gridDim.x));
}

#endif
