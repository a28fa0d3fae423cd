// SPDX-License-Identifier: MIT
// Instructions that C++ has no words for. Tests on the host bring their own versions of these functions.
#ifndef PAINN_HOST_KERNELS

/** Dynamic shared memory of the block, the only one that our kernels use. */
#define SHARED_MEMORY(name) extern __shared__ __align__(16) unsigned char name[]

/**
 * c += A B for A [16][8] and B [8][8], of TF32 (the upper 19 bits of a float). With g = lane / 4 and q = lane % 4: a
 * holds A[g][q], A[g + 8][q], A[g][q + 4], A[g + 8][q + 4]; b holds B[q][g], B[q + 4][g]; c holds C[g][2 q], C[g][2 q +
 * 1], C[g + 8][2 q], C[g + 8][2 q + 1].
 */
__device__ __forceinline__ void mmaTF32(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
#if PAINN_TENSOR_CORES
    asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

/**
 * A load that stays where it is written: the compiler would move others to their first use and wait there. What it
 * reads is read once, and takes nobody's place in the first-level cache.
 */
__device__ __forceinline__ float4 loadGlobal(const float4* p) {
    float4 v;
    asm volatile("ld.global.L1::no_allocate.v4.f32 {%0,%1,%2,%3},[%4];"
                 : "=f"(v.x), "=f"(v.y), "=f"(v.z), "=f"(v.w)
                 : "l"(p));
    return v;
}

/** Start a copy of 16 bytes from global to shared memory. */
__device__ __forceinline__ void copyAsync16(void* shared, const void* global) {
#if PAINN_CAPABILITY >= 80
    const unsigned address = static_cast<unsigned>(__cvta_generic_to_shared(shared));
    asm volatile("cp.async.cg.shared.global [%0],[%1],16;" ::"r"(address), "l"(global) : "memory");
#else
    *static_cast<float4*>(shared) = *static_cast<const float4*>(global);
#endif
}

__device__ __forceinline__ void commitCopies() {
#if PAINN_CAPABILITY >= 80
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

/** Wait until at most N groups of this thread's copies are under way. */
template <int N> __device__ __forceinline__ void waitCopies() {
#if PAINN_CAPABILITY >= 80
    asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
#endif
}

// From capability 9.0 on the kernels of a list overlap. Each begins with startNext() and, in front of the first read or
// write of anything that another kernel of the list writes or reads, has waitForPrevious() in all its threads. Since
// none ends before those in front of it, it waits for all of them. What lies in between must need nothing but constants
// of the list: the network, elements, positions.

/** The next kernel may start when all blocks of this one have come here. */
__device__ __forceinline__ void startNext() {
#if PAINN_CAPABILITY >= 90
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

/** Wait until the kernels in front of this one have ended and what they wrote can be read. */
__device__ __forceinline__ void waitForPrevious() {
#if PAINN_CAPABILITY >= 90
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

// Clusters of blocks (from capability 9.0 on), which write into each other's shared memory. Addresses are those of
// shared memory; an mbarrier is 8 bytes of it.

__device__ __forceinline__ unsigned sharedAddress(const void* shared) {
    return static_cast<unsigned>(__cvta_generic_to_shared(shared));
}

#if PAINN_CAPABILITY >= 90

__device__ __forceinline__ int clusterRank() {
    int rank;
    asm("mov.u32 %0,%%cluster_ctarank;" : "=r"(rank));
    return rank;
}

__device__ __forceinline__ void clusterSync() {
    asm volatile("barrier.cluster.arrive.release;\nbarrier.cluster.wait.acquire;" ::: "memory");
}

/** The same place in the memory of another block. */
__device__ __forceinline__ unsigned mapAddress(unsigned address, int rank) {
    unsigned mapped;
    asm("mapa.shared::cluster.u32 %0,%1,%2;" : "=r"(mapped) : "r"(address), "r"(rank));
    return mapped;
}

/** Write into the memory of a block, whose barrier learns that 16 bytes have come. */
__device__ __forceinline__ void storeAsync(unsigned address, float4 value, unsigned barrier) {
    asm volatile("st.async.shared::cluster.mbarrier::complete_tx::bytes.v4.f32 [%0],{%1,%2,%3,%4},[%5];" ::"r"(address),
                 "f"(value.x), "f"(value.y), "f"(value.z), "f"(value.w), "r"(barrier)
                 : "memory");
}

/** To be followed by clusterSync() before another block uses it. */
__device__ __forceinline__ void barrierInit(unsigned barrier, unsigned arrivals) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0],%1;\nfence.mbarrier_init.release.cluster;" ::"r"(barrier),
                 "r"(arrivals)
                 : "memory");
}

/** Arrive at a barrier and tell it how many bytes have to come before its phase is complete. */
__device__ __forceinline__ void barrierExpect(unsigned barrier, unsigned bytes) {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _,[%0],%1;" ::"r"(barrier), "r"(bytes) : "memory");
}

/** Wait until the phase of this parity is complete. */
__device__ __forceinline__ void barrierWait(unsigned barrier, unsigned parity) {
    asm volatile("{\n.reg .pred done;\nagain:\n"
                 "mbarrier.try_wait.parity.shared::cta.b64 done,[%0],%1;\n@!done bra again;\n}" ::"r"(barrier),
                 "r"(parity)
                 : "memory");
}

#endif

#endif
