// SPDX-License-Identifier: MIT
// What the Context gets: forces in its own array, energies of subsystems, and what went wrong.

constexpr int FINISH_THREADS = 128;

/** One atom: the sum of the forces from all channels, scaled, into the Context's array. */
__device__ __forceinline__ void addForce(const Arrays& arrays, int i) {
    const double scale = arrays.scales[arrays.subsystemOf[i]].force;
    if (scale == 0)
        return;
    for (int k = 0; k < 3; k++) {
        double force = 0;
#pragma unroll
        for (int slice = 0; slice < H / SLICE; slice++)
            force += double(arrays.sliceForces[(size_t(slice) * arrays.numAtoms + i) * 3 + k]);
        force *= scale;
        // Half of what the Context's numbers can hold; written so that NaN fails.
        if (!(force < 1073741824.0 && force > -1073741824.0)) {
            report(arrays, BAD_FORCE, i, -1);
            return;
        }
        const long long steps = static_cast<long long>(force * 4294967296.0);
        atomicAdd(&arrays.forces[size_t(k) * arrays.paddedSlots + arrays.slots[i]],
                  static_cast<unsigned long long>(steps));
    }
}

/** The threads of a block: the sum of the energies of one subsystem's atoms. sums: [FINISH_THREADS] */
__device__ __forceinline__ void sumEnergies(const Arrays& arrays, int subsystem, double* sums) {
    double sum = 0;
#pragma unroll 4
    for (int i = arrays.starts[subsystem] + threadIdx.x; i < arrays.starts[subsystem + 1]; i += FINISH_THREADS) {
        const double energy = arrays.atomEnergies[i];
        if (!(energy < 1e18 && energy > -1e18))
            report(arrays, BAD_ENERGY, i, -1);
        sum += energy;
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
 * Blocks y = 0: an atom a thread, its force. Blocks y = 1: a subsystem a block, its energy. The block that comes to its
 * end last shows the host what was reported; the list of candidates is good for now.
 */
extern "C" __global__ void __launch_bounds__(FINISH_THREADS) finish(const Arrays arrays, int) {
    SHARED_MEMORY(memory);
    waitForPrevious();
    const int i = blockIdx.x * FINISH_THREADS + threadIdx.x;
    if (blockIdx.y == 0) {
        if (i < arrays.numAtoms && arrays.hasForces)
            addForce(arrays, i);
    }
    else if (int(blockIdx.x) < arrays.numSubsystems)
        sumEnergies(arrays, blockIdx.x, reinterpret_cast<double*>(memory));
    __threadfence();
    __syncthreads();
    if (threadIdx.x != 0 || atomicAdd(&arrays.report->blocksDone, 1) != int(2 * gridDim.x) - 1)
        return;
    arrays.report->blocksDone = 0;
    if (arrays.hasCandidates)
        *arrays.rebuild = 0;
    __threadfence();
    *arrays.hostReport = *arrays.report;
    __threadfence_system();
}

#endif
