// SPDX-License-Identifier: MIT
// CUDA C++ for kernels that are compiled for the host: to be included before them, after everything else.
#ifndef PAINN_TESTS_HOST_KERNEL_H_
#define PAINN_TESTS_HOST_KERNEL_H_

#include "HostCluster.h"
#include "HostVectors.h"
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <math.h>
#include <type_traits>

#define PAINN_HOST_KERNELS 1
#define __global__
#define __device__
#define __host__
#define __constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__
#define __launch_bounds__(...)
#define __align__(bytes) alignas(bytes)
/** Dynamic shared memory of the block. There is no other: __shared__ variables do not compile. */
#define SHARED_MEMORY(name) unsigned char* const name = ::PaiNNPlugin::hostThread->block->shared

#define threadIdx (::PaiNNPlugin::hostThread->index)
#define blockIdx (::PaiNNPlugin::hostThread->block->index)
#define blockDim (::PaiNNPlugin::hostCluster->blockSize)
#define gridDim (::PaiNNPlugin::hostCluster->gridSize)
constexpr int warpSize = 32;

/** Parameters that say where in a kernel a function was called. */
#define HOST_SITE const char *file = __builtin_FILE(), int line = __builtin_LINE()

// Barriers and exchanges within a warp or block

/** What each lane gives, for the others to read until they meet again. */
using HostLaneData = unsigned[8];

/** All lanes give some words and get those of all. */
inline const HostLaneData* hostExchange(unsigned mask, const void* mine, size_t bytes,
                                        const PaiNNPlugin::HostSite& site) {
    PaiNNPlugin::HostThread& self = *PaiNNPlugin::hostThread;
    HostLaneData* data = self.warp->data[self.warp->phase % 2];
    std::memcpy(data[self.lane], mine, bytes);
    PaiNNPlugin::hostCluster->meet(mask, site);
    return data; // not overwritten before all lanes have met once more
}

template <class T> inline T hostShuffle(unsigned mask, T value, int source, const PaiNNPlugin::HostSite& site) {
    static_assert(std::is_arithmetic<T>::value && (sizeof(T) == 4 || sizeof(T) == 8), "a number of 4 or 8 bytes");
    const HostLaneData* data = hostExchange(mask, &value, sizeof(T), site);
    std::memcpy(&value, data[source], sizeof(T));
    return value;
}

inline int hostLane() {
    return PaiNNPlugin::hostThread->lane;
}

template <class T> inline T __shfl_sync(unsigned mask, T value, int lane, int width = 32, HOST_SITE) {
    const int first = hostLane() / width * width;
    return hostShuffle(mask, value, first + (lane & (width - 1)), {"__shfl_sync()", file, line});
}
template <class T> inline T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32, HOST_SITE) {
    const int lane = hostLane(), other = lane ^ bits, end = lane / width * width + width;
    return hostShuffle(mask, value, other < end ? other & 31 : lane, {"__shfl_xor_sync()", file, line});
}
template <class T> inline T __shfl_down_sync(unsigned mask, T value, unsigned by, int width = 32, HOST_SITE) {
    const int lane = hostLane(), other = lane + static_cast<int>(by), end = lane / width * width + width;
    return hostShuffle(mask, value, other < end ? other : lane, {"__shfl_down_sync()", file, line});
}
template <class T> inline T __shfl_up_sync(unsigned mask, T value, unsigned by, int width = 32, HOST_SITE) {
    const int lane = hostLane(), other = lane - static_cast<int>(by), first = lane / width * width;
    return hostShuffle(mask, value, other >= first ? other : lane, {"__shfl_up_sync()", file, line});
}
inline unsigned hostBallot(unsigned mask, int predicate, const PaiNNPlugin::HostSite& site) {
    const HostLaneData* data = hostExchange(mask, &predicate, sizeof(int), site);
    unsigned result = 0;
    for (int lane = 0; lane < 32; lane++)
        result |= (data[lane][0] != 0 ? 1u : 0u) << lane;
    return result;
}
inline unsigned __ballot_sync(unsigned mask, int predicate, HOST_SITE) {
    return hostBallot(mask, predicate, {"__ballot_sync()", file, line});
}
inline int __any_sync(unsigned mask, int predicate, HOST_SITE) {
    return hostBallot(mask, predicate, {"__any_sync()", file, line}) != 0;
}
inline int __all_sync(unsigned mask, int predicate, HOST_SITE) {
    return hostBallot(mask, predicate, {"__all_sync()", file, line}) == 0xffffffff;
}
inline void __syncwarp(unsigned mask = 0xffffffff, HOST_SITE) {
    PaiNNPlugin::hostCluster->meet(mask, {"__syncwarp()", file, line});
}
inline void __syncthreads(HOST_SITE) {
    PaiNNPlugin::hostCluster->syncThreads({"__syncthreads()", file, line});
}
inline void __threadfence() {}
inline void __threadfence_block() {}
inline void __threadfence_system() {}

// Atomic functions: nobody else runs meanwhile

template <class T, class Change> inline T hostAtomic(T* address, Change change) {
    const T old = *address;
    *address = change(old);
    return old;
}
#define HOST_ATOMIC(name, type, result)                                                                                \
    inline type name(type* address, type value) {                                                                      \
        return hostAtomic(address, [value](type old) -> type { return result; });                                      \
    }
HOST_ATOMIC(atomicAdd, int, static_cast<int>(static_cast<unsigned>(old) + static_cast<unsigned>(value)))
HOST_ATOMIC(atomicAdd, unsigned, old + value)
HOST_ATOMIC(atomicAdd, unsigned long long, old + value)
HOST_ATOMIC(atomicMax, int, old > value ? old : value)
HOST_ATOMIC(atomicMax, unsigned, old > value ? old : value)
HOST_ATOMIC(atomicMin, int, old < value ? old : value)
HOST_ATOMIC(atomicMin, unsigned, old < value ? old : value)
HOST_ATOMIC(atomicOr, int, old | value)
HOST_ATOMIC(atomicOr, unsigned, old | value)
HOST_ATOMIC(atomicAnd, unsigned, old& value)
HOST_ATOMIC(atomicExch, int, (static_cast<void>(old), value))
HOST_ATOMIC(atomicExch, unsigned, (static_cast<void>(old), value))
#define HOST_ATOMIC_CAS(type)                                                                                          \
    inline type atomicCAS(type* address, type compare, type value) {                                                   \
        return hostAtomic(address, [=](type old) { return old == compare ? value : old; });                            \
    }
HOST_ATOMIC_CAS(int)
HOST_ATOMIC_CAS(unsigned)
HOST_ATOMIC_CAS(unsigned long long)

#include "HostMath.h"
#include "HostPtx.h"

#endif
