// SPDX-License-Identifier: MIT
// What runs at one time: the threads of a cluster of blocks. For the emulator and its intrinsics alone.
#ifndef PAINN_TESTS_HOST_CLUSTER_H_
#define PAINN_TESTS_HOST_CLUSTER_H_

#include "HostFiber.h"
#include "HostGpu.h"
#include <array>
#include <vector>

namespace PaiNNPlugin {

struct HostBlock;
struct HostWarp;

/** uint3 and dim3. */
struct HostIndex {
    unsigned x = 0, y = 0, z = 0;
};

/** A place in a kernel where threads wait for each other. */
struct HostSite {
    const char* what = nullptr; ///< a string literal
    const char* file = nullptr;
    int line = 0;
    bool operator==(const HostSite& other) const {
        return what == other.what && line == other.line;
    }
};

/** An asynchronous copy of 16 bytes that has not happened yet. */
struct HostCopy {
    void* to;
    const void* from;
};

struct HostThread {
    HostFiber fiber;
    HostIndex index;
    int lane = 0;
    HostWarp* warp = nullptr;
    HostBlock* block = nullptr;
    HostSite site; ///< where it waits; nothing: it does not
    std::vector<HostCopy> copies;
    std::vector<size_t> groups; ///< number of copies at the end of each group
};

struct HostWarp {
    HostThread* threads = nullptr; ///< [32], or fewer in the last warp of a block
    HostBlock* block = nullptr;
    unsigned present = 0, ready = 0, arrived = 0, returned = 0; ///< a bit for each lane
    HostSite site;                                              ///< of the operation at which lanes have arrived
    const struct HostBarrier* barrier = nullptr; ///< the last barrier of the block where a lane has arrived,
    unsigned barrierPhase = 0;                   ///< which time that was,
    HostSite barrierSite;                        ///< and from where
    unsigned phase = 0;                          ///< operations done
    unsigned data[2][32][8] = {};                ///< what lanes give to each other in operations of even and odd phase
};

/** A barrier for a number of threads. */
struct HostBarrier {
    int expected = 0, arrived = 0;
    unsigned phase = 0; ///< how often it was complete
    std::vector<HostThread*> waiting;
};

/** An mbarrier, 8 bytes of shared memory. */
struct HostMBarrier {
    uint16_t expected;
    int16_t pending; ///< arrivals
    int bytes : 31;  ///< that are still to come
    unsigned phase : 1;
};
static_assert(sizeof(HostMBarrier) == 8, "an mbarrier has 8 bytes");

struct HostBlock {
    HostIndex index;
    int rank = 0, returned = 0;
    unsigned char* shared = nullptr;
    std::array<HostBarrier, 16> barriers;
};

/** st.async that has not arrived yet. */
struct HostStore {
    unsigned address, barrier;
    float value[4];
};

/** Addresses in shared memory: the block's rank, then the place in its memory. */
constexpr int HOST_RANK_SHIFT = 24;

struct HostCluster {
    HostLaunch launch;
    HostIndex gridSize, blockSize;
    std::vector<HostThread> threads;
    std::vector<HostWarp> warps;
    std::vector<HostBlock> blocks;
    HostBarrier barrier; ///< of the whole cluster
    std::vector<std::pair<HostMBarrier*, HostThread*>> waiting;
    std::vector<HostStore> stores;
    std::vector<unsigned char> sharedMemory; ///< of all blocks, with guards between them
    HostFiber scheduler;
    std::string problem;
    int returned = 0;
    bool isLate = false;     ///< copies happen late, lanes run backwards
    bool storesLate = false; ///< st.async happens when nobody can go on without

    // What the emulator does
    void prepare(const HostLaunch& launch);
    void run(HostIndex first, uint64_t& random);

    // What the thread that runs can do
    /** All 32 lanes come here; what each wrote to getData() before, all can read after it. */
    void meet(unsigned mask, const HostSite& site);
    void syncThreads(const HostSite& site);
    void syncCluster(const HostSite& site);
    /** A named barrier. */
    void arrive(int id, int numThreads, bool waits, const HostSite& site);
    void copy(void* shared, const void* global);
    void waitCopies(size_t left);
    unsigned getAddress(const void* shared) const;
    unsigned char* resolve(unsigned address, size_t bytes);
    void initBarrier(unsigned address, int arrivals);
    void expectBytes(unsigned address, int bytes);
    void waitBarrier(unsigned address, unsigned parity, const HostSite& site);
    void store(const HostStore& store);
    void finish();
    /** Give up: the emulator throws. */
    [[noreturn]] void fail(const std::string& problem);

private:
    void checkShared() const;
    std::string describe() const;
    [[noreturn]] void report(const std::string& problem) const;
    void wait(const HostSite& site);
    void passOn();
    void arrive(HostBarrier& barrier, int numThreads, bool waits, const HostSite& site);
    HostMBarrier& getBarrier(unsigned address);
    void completePhase(HostMBarrier& barrier);
    void deliver(size_t which);
};

/** Who runs. One emulator runs at a time, in one thread of the host. */
extern HostThread* hostThread;
extern HostCluster* hostCluster;

} // namespace PaiNNPlugin

#endif
