// SPDX-License-Identifier: MIT
// What happens at the atoms between two messages. A block works on 8 NT atoms, its columns.

/** F6 of block l and F5a of the next. */
template <int NT> __device__ __forceinline__ void nodeForward(const Arrays& arrays, int l, unsigned char* memory) {
    const Columns<NT> columns(memory, blockIdx.x * Columns<NT>::COUNT, arrays.numAtoms);
    startNext();
    updateForward<NT, false>(arrays, l, columns);
    if constexpr (!IS_STUDENT)
        contextForward(arrays, l + 1, columns);
}

/** F6 of the last block, F7, and back: B7, B6. */
template <int NT> __device__ __forceinline__ void nodeTurn(const Arrays& arrays, unsigned char* memory) {
    const Columns<NT> columns(memory, blockIdx.x * Columns<NT>::COUNT, arrays.numAtoms);
    startNext();
    updateForward<NT, true>(arrays, L - 1, columns);
    readout<false>(arrays.weights + readoutOffset(SHAPE, 0, false), arrays.readout, arrays.hasForces, columns,
                   [&](int column, double energy) { arrays.atomEnergies[columns.first + column] += energy; });
    if (!arrays.hasForces)
        return;
    Real4* adjoint = adjointOf(arrays, L - 1);
    columns.forAll([&](int column, int channel) {
        if (columns.has(column))
            adjoint[columns.place(column, channel)] = makeReal4(columns.in(column, channel), 0, 0, 0);
    });
    updateBackward<NT, true>(arrays, L - 1, columns);
}

/** B5a of block l and B6 of the one before. */
template <int NT> __device__ __forceinline__ void nodeBackward(const Arrays& arrays, int l, unsigned char* memory) {
    const Columns<NT> columns(memory, blockIdx.x * Columns<NT>::COUNT, arrays.numAtoms);
    startNext();
    if constexpr (!IS_STUDENT)
        contextBackward(arrays, l, columns);
    updateBackward<NT, false>(arrays, l - 1, columns);
}

// Few atoms in a block spread them over the device; many read the weights more seldom. Each kernel is a group of its
// own, since they take the longest to compile.

#if PAINN_HAS_GROUP(5)
extern "C" __global__ void __launch_bounds__(32 * NODE_WARPS) nodeFew(const Arrays arrays, int l) {
    SHARED_MEMORY(memory);
    nodeForward<1>(arrays, l, memory);
}
#endif

#if PAINN_HAS_GROUP(6)
extern "C" __global__ void __launch_bounds__(32 * NODE_WARPS) nodeTurnFew(const Arrays arrays, int) {
    SHARED_MEMORY(memory);
    nodeTurn<1>(arrays, memory);
}
#endif

#if PAINN_HAS_GROUP(7)
extern "C" __global__ void __launch_bounds__(32 * NODE_WARPS) nodeBackFew(const Arrays arrays, int l) {
    SHARED_MEMORY(memory);
    nodeBackward<1>(arrays, l, memory);
}
#endif

#if PAINN_HAS_GROUP(8)
extern "C" __global__ void __launch_bounds__(32 * NODE_WARPS) nodeSome(const Arrays arrays, int l) {
    SHARED_MEMORY(memory);
    nodeForward<2>(arrays, l, memory);
}
#endif

#if PAINN_HAS_GROUP(9)
extern "C" __global__ void __launch_bounds__(32 * NODE_WARPS) nodeTurnSome(const Arrays arrays, int) {
    SHARED_MEMORY(memory);
    nodeTurn<2>(arrays, memory);
}
#endif

#if PAINN_HAS_GROUP(10)
extern "C" __global__ void __launch_bounds__(32 * NODE_WARPS) nodeBackSome(const Arrays arrays, int l) {
    SHARED_MEMORY(memory);
    nodeBackward<2>(arrays, l, memory);
}
#endif

#if PAINN_HAS_GROUP(11)
extern "C" __global__ void __launch_bounds__(32 * NODE_WARPS) nodeMany(const Arrays arrays, int l) {
    SHARED_MEMORY(memory);
    nodeForward<PAINN_MANY>(arrays, l, memory);
}
#endif

#if PAINN_HAS_GROUP(12)
extern "C" __global__ void __launch_bounds__(32 * NODE_WARPS) nodeTurnMany(const Arrays arrays, int) {
    SHARED_MEMORY(memory);
    nodeTurn<PAINN_MANY>(arrays, memory);
}
#endif

#if PAINN_HAS_GROUP(13)
extern "C" __global__ void __launch_bounds__(32 * NODE_WARPS) nodeBackMany(const Arrays arrays, int l) {
    SHARED_MEMORY(memory);
    nodeBackward<PAINN_MANY>(arrays, l, memory);
}
#endif
