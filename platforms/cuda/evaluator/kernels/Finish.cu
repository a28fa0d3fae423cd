// SPDX-License-Identifier: MIT
// What the Context gets: forces in its own array, energies of subsystems, and what went wrong.

constexpr int FINISH_THREADS = 128;

/** Blocks y = 0: an atom a thread, its force. Blocks y = 1: a subsystem a block, its energy. */
extern "C" __global__ void __launch_bounds__(FINISH_THREADS) finish(const Arrays arrays, int) {
    SHARED_MEMORY(memory);
    if (blockIdx.y == 0) {
        const int i = blockIdx.x * FINISH_THREADS + threadIdx.x;
        const double scale = i < arrays.numAtoms ? arrays.scales[arrays.subsystemOf[i]].force : 0;
        if (scale == 0 || !arrays.hasForces)
            return;
        for (int k = 0; k < 3; k++) {
            double force = 0;
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
        return;
    }
    const int subsystem = blockIdx.x;
    if (subsystem >= arrays.numSubsystems)
        return;
    double* sums = reinterpret_cast<double*>(memory); // [FINISH_THREADS]
    double sum = 0;
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

/** Last of all: show the host what was reported; the list of candidates is good for now. One thread. */
extern "C" __global__ void showReport(const Arrays arrays, int) {
    if (arrays.hasCandidates)
        *arrays.rebuild = 0;
    *arrays.hostReport = *arrays.report;
    __threadfence_system();
}
