// SPDX-License-Identifier: MIT
// What Ptx.cuh has for the device: the same functions for the host. For HostKernel.h.
#ifndef PAINN_TESTS_HOST_PTX_H_
#define PAINN_TESTS_HOST_PTX_H_

/**
 * c += A B for A [16][8] and B [8][8], of TF32. Products are exact and their sum is rounded once, which is better than
 * the device does, and the sum is not in any order that another device would have.
 */
inline void mmaTF32(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2], HOST_SITE) {
    const unsigned mine[6] = {a[0], a[1], a[2], a[3], b[0], b[1]};
    const HostLaneData* data = hostExchange(0xffffffff, mine, sizeof(mine), {"mmaTF32()", file, line});
    auto tf32 = [](unsigned bits) -> double { return __uint_as_float(bits & 0xffffe000u); };
    const int g = hostLane() / 4, q = hostLane() % 4;
    double sum[4] = {c[0], c[1], c[2], c[3]};
    for (int k = 0; k < 4; k++)
        for (int half = 0; half < 2; half++) { // element k + 4 half of the inner dimension
            const unsigned* row = data[4 * g + k];
            const double low = tf32(row[2 * half]), high = tf32(row[2 * half + 1]);
            const double left = tf32(data[8 * q + k][4 + half]), right = tf32(data[8 * q + 4 + k][4 + half]);
            sum[0] += low * left;
            sum[1] += low * right;
            sum[2] += high * left;
            sum[3] += high * right;
        }
    for (int k = 0; k < 4; k++)
        c[k] = static_cast<float>(sum[k]);
}

template <class T> inline T loadGlobal(const T* address) {
    static_assert(sizeof(T) == alignof(T) && (sizeof(T) == 8 || sizeof(T) == 16), "8 or 16 bytes");
    return *address;
}

inline void copyAsync16(void* shared, const void* global) {
    PaiNNPlugin::hostCluster->copy(shared, global);
}
inline void commitCopies() {
    PaiNNPlugin::hostThread->groups.push_back(PaiNNPlugin::hostThread->copies.size());
}
template <int N> inline void waitCopies() {
    PaiNNPlugin::hostCluster->waitCopies(N);
}

// The host runs one kernel after another.
inline void startNext() {}
inline void waitForPrevious() {}

/** Named barriers of a block, 1 to 15: wait until so many threads have arrived, or only arrive. */
inline void barrierSync(int id, int numThreads, HOST_SITE) {
    PaiNNPlugin::hostCluster->arrive(id, numThreads, true, {"barrierSync()", file, line});
}
inline void barrierArrive(int id, int numThreads, HOST_SITE) {
    PaiNNPlugin::hostCluster->arrive(id, numThreads, false, {"barrierArrive()", file, line});
}

// Clusters. Addresses: HOST_RANK_SHIFT

inline int clusterRank() {
    return PaiNNPlugin::hostThread->block->rank;
}
inline int clusterSize() {
    return PaiNNPlugin::hostCluster->launch.cluster;
}
inline void clusterSync(HOST_SITE) {
    PaiNNPlugin::hostCluster->syncCluster({"clusterSync()", file, line});
}
inline unsigned sharedAddress(const void* shared) {
    return PaiNNPlugin::hostCluster->getAddress(shared);
}
/** The same place in the memory of another block of the cluster. */
inline unsigned mapAddress(unsigned address, int rank) {
    return (address & ((1u << PaiNNPlugin::HOST_RANK_SHIFT) - 1)) | unsigned(rank) << PaiNNPlugin::HOST_RANK_SHIFT;
}
template <class T> inline T* mapShared(T* shared, int rank) {
    return reinterpret_cast<T*>(PaiNNPlugin::hostCluster->resolve(mapAddress(sharedAddress(shared), rank), sizeof(T)));
}
/** Write into the memory of a block, whose barrier learns that 16 bytes have come. */
inline void storeAsync(unsigned address, float4 value, unsigned barrier) {
    PaiNNPlugin::hostCluster->store({address, barrier, {value.x, value.y, value.z, value.w}});
}
inline void barrierInit(unsigned barrier, unsigned arrivals) {
    PaiNNPlugin::hostCluster->initBarrier(barrier, static_cast<int>(arrivals));
}
/** Arrive at a barrier and tell it how many bytes have to come before its phase is complete. */
inline void barrierExpect(unsigned barrier, unsigned bytes) {
    PaiNNPlugin::hostCluster->expectBytes(barrier, static_cast<int>(bytes));
}
/** Wait until the phase of this parity is complete. */
inline void barrierWait(unsigned barrier, unsigned parity, HOST_SITE) {
    PaiNNPlugin::hostCluster->waitBarrier(barrier, parity, {"barrierWait()", file, line});
}

#endif
