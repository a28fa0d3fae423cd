// SPDX-License-Identifier: MIT
// The whole network for small molecules: one cluster of blocks a subsystem.

#if PAINN_HAS_GROUP(2)

extern "C" __global__ void __launch_bounds__(32 * moleculeWarps(SHAPE), 1) molecule(const Arrays arrays, int) {
#if PAINN_CAPABILITY >= 90 && PAINN_TENSOR_CORES
    SHARED_MEMORY(memory);
    Molecule m(arrays, memory);
    m.begin();
    for (int l = 0; l < L; l++) {
        l == 0 ? m.message<true>(l) : m.message<false>(l);
        m.clock.tick("message");
        if (l == L - 1)
            m.loadReadout();
        m.updateForward(l);
        m.clock.tick("update");
        if (!IS_STUDENT && l + 1 < L)
            m.contextForward(l + 1);
        if (l + 1 < L || arrays.hasForces)
            m.loadStage(l + 1);
    }
    m.readoutByOwners();
    m.clock.tick("turn back");
    for (int l = L - 1; arrays.hasForces && l >= 0; l--) {
        m.updateBackward(l);
        m.clock.tick("update backward");
        if (l > 0 && IS_STUDENT)
            m.loadStage(2 * L - l);
        l == 0 ? m.messageBackward<true>(l) : m.messageBackward<false>(l);
        m.clock.tick("message backward");
        if (!IS_STUDENT && l > 0) {
            m.contextBackward(l);
            m.loadStage(2 * L - l);
            waitCopies<0>();
            __syncthreads();
        }
    }
    m.end();
    m.clock.tick("end");
    m.clock.print();
#endif
}

#endif
