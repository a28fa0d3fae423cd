// SPDX-License-Identifier: MIT
// How threads of a cluster wait for each other, and what they send to each other.
#include "HostCluster.h"
#include <cstring>
#include <stdexcept>

namespace PaiNNPlugin {

namespace {

constexpr unsigned ALL = 0xffffffff;

void copy16(const HostCopy& copy) {
    std::memcpy(copy.to, copy.from, 16);
}

} // namespace

/** Let another lane of this warp go on, or the scheduler where there is none. */
void HostCluster::passOn() {
    HostThread& self = *hostThread;
    const unsigned ready = self.warp->ready;
    if (ready == 0)
        return HostFiber::switchTo(self.fiber, scheduler);
    int lane;
    if (isLate) {
        const unsigned below = ready & ((1u << self.lane) - 1);
        lane = 31 - __builtin_clz(below != 0 ? below : ready);
    }
    else {
        const unsigned above = ready & ~((2u << self.lane) - 1);
        lane = __builtin_ctz(above != 0 ? above : ready);
    }
    hostThread = &self.warp->threads[lane];
    HostFiber::switchTo(self.fiber, hostThread->fiber);
}

/** Stand still until somebody sets this lane's bit in HostWarp::ready. */
void HostCluster::wait(const HostSite& site) {
    HostThread& self = *hostThread;
    self.site = site;
    self.warp->ready &= ~(1u << self.lane);
    passOn();
    self.site.what = nullptr;
}

void HostCluster::fail(const std::string& what) {
    if (hostThread == nullptr)
        report(what);
    problem = what + ", thread " + std::to_string(hostThread->index.x) + " of block (" +
              std::to_string(hostThread->block->index.x) + ", " + std::to_string(hostThread->block->index.y) + ")";
    HostFiber::switchTo(hostThread->fiber, scheduler);
    __builtin_unreachable(); // the scheduler has thrown
}

void HostCluster::finish() {
    HostThread& self = *hostThread;
    HostWarp& warp = *self.warp;
    for (const HostCopy& copy : self.copies)
        copy16(copy);
    warp.returned |= 1u << self.lane;
    warp.ready &= ~(1u << self.lane);
    self.block->returned++;
    returned++;
    if (warp.arrived != 0)
        fail("a lane has returned while others are at " + std::string(warp.site.what));
    if (self.block->barriers[0].arrived != 0)
        fail("a thread has returned while others are at __syncthreads()");
    if (barrier.arrived != 0)
        fail("a thread has returned while others are at clusterSync()");
    passOn();
}

void HostCluster::meet(unsigned mask, const HostSite& site) {
    HostThread& self = *hostThread;
    HostWarp& warp = *self.warp;
    self.site = site; // for messages
    if (mask != ALL)
        fail(std::string(site.what) + " with a mask that is not full");
    if (warp.returned != 0)
        fail(std::string(site.what) + " although lanes have returned");
    if (warp.arrived == 0)
        warp.site = site;
    else if (!(warp.site == site))
        fail("lanes of a warp at different operations");
    warp.arrived |= 1u << self.lane;
    if (warp.arrived == ALL) {
        warp.arrived = 0;
        warp.ready = ALL;
        warp.phase++;
        self.site.what = nullptr;
    }
    else
        wait(site);
}

void HostCluster::arrive(HostBarrier& which, int numThreads, bool waits, const HostSite& site) {
    HostThread& self = *hostThread;
    HostWarp& warp = *self.warp;
    self.site = site;
    if (which.expected != 0 && which.expected != numThreads)
        fail("a barrier for " + std::to_string(which.expected) + " threads and for " + std::to_string(numThreads));
    if (warp.barrier == &which && warp.barrierPhase == which.phase && !(warp.barrierSite == site))
        fail("lanes of a warp come to a barrier from different places");
    warp.barrier = &which;
    warp.barrierPhase = which.phase;
    warp.barrierSite = site;
    which.expected = numThreads;
    if (++which.arrived < numThreads) {
        if (waits) {
            which.waiting.push_back(&self);
            wait(site);
        }
    }
    else {
        for (HostThread* thread : which.waiting)
            thread->warp->ready |= 1u << thread->lane;
        which.waiting.clear();
        which.arrived = which.expected = 0;
        which.phase++;
    }
    self.site.what = nullptr;
}

void HostCluster::syncThreads(const HostSite& site) {
    if (hostThread->block->returned != 0)
        fail("__syncthreads() although threads of the block have returned");
    arrive(hostThread->block->barriers[0], launch.threads, true, site);
}

void HostCluster::syncCluster(const HostSite& site) {
    if (returned != 0)
        fail("clusterSync() although threads of the cluster have returned");
    arrive(barrier, launch.threads * launch.cluster, true, site);
}

void HostCluster::arrive(int id, int numThreads, bool waits, const HostSite& site) {
    if (id < 1 || id > 15)
        fail("barrier " + std::to_string(id) + ", not 1 to 15");
    if (numThreads < 32 || numThreads > launch.threads || numThreads % 32 != 0)
        fail("a barrier for " + std::to_string(numThreads) + " threads");
    arrive(hostThread->block->barriers[id], numThreads, waits, site);
}

void HostCluster::copy(void* shared, const void* global) {
    if (resolve(getAddress(shared), 16) == nullptr || reinterpret_cast<uintptr_t>(shared) % 16 != 0 ||
        reinterpret_cast<uintptr_t>(global) % 16 != 0)
        fail("copyAsync16() with an address that is not a multiple of 16");
    if (isLate)
        hostThread->copies.push_back({shared, global});
    else
        copy16({shared, global});
}

/** Finish all groups of copies but the last ones; copies that belong to no group yet are not waited for. */
void HostCluster::waitCopies(size_t left) {
    HostThread& self = *hostThread;
    if (self.groups.size() <= left)
        return;
    const size_t numGroups = self.groups.size() - left, numCopies = self.groups[numGroups - 1];
    for (size_t k = 0; k < numCopies; k++)
        copy16(self.copies[k]);
    self.copies.erase(self.copies.begin(), self.copies.begin() + numCopies);
    self.groups.erase(self.groups.begin(), self.groups.begin() + numGroups);
    for (size_t& end : self.groups)
        end -= numCopies;
}

unsigned HostCluster::getAddress(const void* shared) const {
    const HostBlock& block = *hostThread->block;
    const ptrdiff_t offset = static_cast<const unsigned char*>(shared) - block.shared;
    if (offset < 0 || offset >= static_cast<ptrdiff_t>(launch.sharedBytes))
        hostCluster->fail("an address that is not in the block's shared memory");
    return static_cast<unsigned>(block.rank) << HOST_RANK_SHIFT | static_cast<unsigned>(offset);
}

unsigned char* HostCluster::resolve(unsigned address, size_t bytes) {
    const unsigned rank = address >> HOST_RANK_SHIFT, offset = address & ((1u << HOST_RANK_SHIFT) - 1);
    if (rank >= blocks.size() || offset + bytes > launch.sharedBytes || offset % (bytes & -bytes) != 0)
        fail("shared address " + std::to_string(offset) + " of block " + std::to_string(rank) + " in the cluster for " +
             std::to_string(bytes) + " bytes");
    return blocks[rank].shared + offset;
}

HostMBarrier& HostCluster::getBarrier(unsigned address) {
    auto* result = reinterpret_cast<HostMBarrier*>(resolve(address, sizeof(HostMBarrier)));
    if (result->expected == 0xffff)
        fail("a barrier in shared memory that nobody has initialised");
    return *result;
}

void HostCluster::initBarrier(unsigned address, int arrivals) {
    HostMBarrier& which = *reinterpret_cast<HostMBarrier*>(resolve(address, sizeof(HostMBarrier)));
    which.expected = static_cast<uint16_t>(arrivals);
    which.pending = static_cast<int16_t>(arrivals);
    which.bytes = 0;
    which.phase = 0;
}

void HostCluster::completePhase(HostMBarrier& which) {
    if (which.pending < 0)
        fail("more arrivals at a barrier than it was initialised for");
    if (which.pending > 0 || which.bytes != 0)
        return;
    which.pending = static_cast<int16_t>(which.expected);
    which.phase ^= 1;
    for (size_t k = waiting.size(); k-- > 0;)
        if (waiting[k].first == &which) {
            waiting[k].second->warp->ready |= 1u << waiting[k].second->lane;
            waiting.erase(waiting.begin() + k);
        }
}

void HostCluster::expectBytes(unsigned address, int bytes) {
    HostMBarrier& which = getBarrier(address);
    which.bytes += bytes;
    which.pending--;
    completePhase(which);
}

void HostCluster::waitBarrier(unsigned address, unsigned parity, const HostSite& site) {
    if (static_cast<int>(address >> HOST_RANK_SHIFT) != hostThread->block->rank)
        fail("barrierWait() at a barrier of another block");
    HostMBarrier& which = getBarrier(address);
    while (which.phase == parity) {
        waiting.emplace_back(&which, hostThread);
        wait(site);
    }
}

void HostCluster::store(const HostStore& what) {
    if (what.address >> HOST_RANK_SHIFT != what.barrier >> HOST_RANK_SHIFT)
        fail("storeAsync() to one block and to the barrier of another one");
    resolve(what.address, 16);
    getBarrier(what.barrier);
    stores.push_back(what);
    if (!storesLate)
        deliver(0);
}

/** Let one of the stores arrive. */
void HostCluster::deliver(size_t which) {
    const HostStore store = stores[which];
    stores[which] = stores.back();
    stores.pop_back();
    if (blocks[store.address >> HOST_RANK_SHIFT].returned == launch.threads)
        fail("storeAsync() to a block whose threads have returned");
    std::memcpy(resolve(store.address, 16), store.value, 16);
    HostMBarrier& target = getBarrier(store.barrier);
    target.bytes -= 16;
    completePhase(target);
}

} // namespace PaiNNPlugin
