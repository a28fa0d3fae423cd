// SPDX-License-Identifier: MIT
#include "HostGpu.h"
#include "HostCluster.h"
#include <algorithm>
#include <cstring>
#include <numeric>
#include <sstream>
#include <stdexcept>

namespace PaiNNPlugin {

HostThread* hostThread = nullptr;
HostCluster* hostCluster = nullptr;

namespace {

constexpr size_t GUARD = 1024; // bytes around the shared memory of a block

/** splitmix64. */
uint64_t next(uint64_t& random) {
    uint64_t x = random += 0x9e3779b97f4a7c15;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
}

void shuffle(std::vector<int>& order, uint64_t& random) {
    for (size_t k = order.size(); k > 1; k--)
        std::swap(order[k - 1], order[next(random) % k]);
}

std::vector<int> count(size_t size) {
    std::vector<int> result(size);
    std::iota(result.begin(), result.end(), 0);
    return result;
}

size_t paddedBytes(size_t sharedBytes) {
    return (sharedBytes + 127) / 128 * 128 + 2 * GUARD;
}

void runThread() {
    HostFiber::arrive();
    hostCluster->launch.kernel(hostCluster->launch.arguments, hostCluster->launch.argument);
    hostCluster->finish();
}

void check(const HostLaunch& launch) {
    std::ostringstream fault;
    if (launch.threads < 1 || launch.threads > 1024)
        fault << "a block has " << launch.threads << " threads, not 1 to 1024";
    else if (launch.gridX < 1 || launch.gridY < 1 || launch.gridY > 65535)
        fault << "the grid has " << launch.gridX << " x " << launch.gridY << " blocks";
    else if (launch.cluster < 1 || launch.cluster > 16 || launch.gridX % launch.cluster != 0)
        fault << launch.gridX << " blocks along x cannot be clusters of " << launch.cluster;
    if (!fault.str().empty())
        throw std::runtime_error("Kernel " + launch.name + ": " + fault.str());
}

} // namespace

HostGpu::HostGpu() : cluster(std::make_unique<HostCluster>()) {}

HostGpu::~HostGpu() = default;

void HostGpu::run(const HostLaunch& launch) {
    check(launch);
    cluster->prepare(launch);
    cluster->isLate = seed != 0;
    cluster->storesLate = seed % 2 != 0;
    hostCluster = cluster.get();
    uint64_t random = seed;
    const int numX = launch.gridX / launch.cluster;
    std::vector<int> order = count(size_t(numX) * launch.gridY);
    if (seed != 0)
        shuffle(order, random);
    for (int n : order)
        cluster->run({unsigned(n % numX * launch.cluster), unsigned(n / numX), 0}, random);
}

void HostCluster::prepare(const HostLaunch& newLaunch) {
    launch = newLaunch;
    gridSize = {unsigned(launch.gridX), unsigned(launch.gridY), 1};
    blockSize = {unsigned(launch.threads), 1, 1};
    const size_t numThreads = size_t(launch.cluster) * launch.threads;
    if (threads.size() < numThreads)
        threads.resize(numThreads); // more than needed are kept with their stacks
    const int warpsOfBlock = (launch.threads + 31) / 32;
    warps.assign(launch.cluster * warpsOfBlock, HostWarp());
    blocks.assign(launch.cluster, HostBlock());
    const size_t padded = paddedBytes(launch.sharedBytes);
    sharedMemory.resize(padded * launch.cluster + 128);
    auto start = reinterpret_cast<uintptr_t>(sharedMemory.data());
    start = (start + 127) / 128 * 128;
    for (int b = 0; b < launch.cluster; b++)
        blocks[b].shared = reinterpret_cast<unsigned char*>(start + b * padded + GUARD);
    for (size_t t = 0; t < numThreads; t++) {
        HostThread& thread = threads[t];
        const int block = static_cast<int>(t / launch.threads), index = static_cast<int>(t % launch.threads);
        thread.index = {unsigned(index), 0, 0};
        thread.lane = index % 32;
        thread.warp = &warps[block * warpsOfBlock + index / 32];
        thread.block = &blocks[block];
        thread.warp->present |= 1u << thread.lane;
        if (thread.lane == 0) {
            thread.warp->threads = &thread;
            thread.warp->block = thread.block;
        }
    }
    problem.clear();
}

/** Run the cluster that begins with block `first`. */
void HostCluster::run(HostIndex first, uint64_t& random) {
    std::fill(sharedMemory.begin(), sharedMemory.end(), 0xff); // NaN
    for (size_t b = 0; b < blocks.size(); b++) {
        unsigned char* shared = blocks[b].shared;
        blocks[b] = HostBlock();
        blocks[b].shared = shared;
        blocks[b].rank = static_cast<int>(b);
        blocks[b].index = {first.x + unsigned(b), first.y, 0};
    }
    for (HostWarp& warp : warps) {
        warp.ready = warp.present;
        warp.returned = ~warp.present;
        warp.arrived = 0;
        warp.barrier = nullptr;
        for (int lane = 0; lane < 32 && (warp.present >> lane & 1) != 0; lane++) {
            HostThread& thread = warp.threads[lane];
            thread.fiber.start(runThread);
            thread.site = HostSite();
            thread.copies.clear();
            thread.groups.clear();
        }
    }
    barrier = HostBarrier();
    waiting.clear();
    stores.clear();
    returned = 0;
    std::vector<int> order = count(warps.size());
    while (returned < launch.threads * launch.cluster) {
        bool ran = false;
        if (isLate)
            shuffle(order, random);
        for (int w : order) {
            if (warps[w].ready == 0)
                continue;
            ran = true;
            hostThread = &warps[w].threads[isLate ? 31 - __builtin_clz(warps[w].ready) : __builtin_ctz(warps[w].ready)];
            HostFiber::switchTo(scheduler, hostThread->fiber);
            hostThread = nullptr;
            if (!problem.empty())
                report(problem);
        }
        if (!ran && stores.empty())
            report("nobody can go on");
        if (!ran)
            deliver(next(random) % stores.size());
    }
    while (!stores.empty())
        deliver(0);
    checkShared();
}

void HostCluster::checkShared() const {
    for (const HostBlock& block : blocks) {
        const unsigned char* end = block.shared + paddedBytes(launch.sharedBytes) - GUARD;
        auto isTouched = [](unsigned char c) { return c != 0xff; };
        const auto below = std::find_if(block.shared - GUARD, block.shared, isTouched);
        const auto above =
            std::find_if(static_cast<const unsigned char*>(block.shared + launch.sharedBytes), end, isTouched);
        if (below != block.shared || above != end)
            report("byte " + std::to_string((below != block.shared ? below : above) - block.shared) + " of block " +
                   std::to_string(block.index.x) + "'s " + std::to_string(launch.sharedBytes) +
                   " bytes of shared memory was written");
    }
}

/** Where each warp stands. */
std::string HostCluster::describe() const {
    std::ostringstream text;
    for (size_t w = 0; w < warps.size(); w++) {
        const HostWarp& warp = warps[w];
        std::vector<std::pair<std::string, int>> places;
        for (int lane = 0; lane < 32 && (warp.present >> lane & 1) != 0; lane++) {
            const HostSite& site = warp.threads[lane].site;
            std::string place = warp.returned >> lane & 1 ? "returned" : warp.ready >> lane & 1 ? "ready" : "waiting";
            if (site.what != nullptr) {
                const char* slash = std::strrchr(site.file, '/');
                place = std::string(site.what) + " (" + (slash != nullptr ? slash + 1 : site.file) + ":" +
                        std::to_string(site.line) + ")";
            }
            auto found = std::find_if(places.begin(), places.end(), [&](const auto& p) { return p.first == place; });
            if (found == places.end())
                places.emplace_back(place, 1);
            else
                found->second++;
        }
        text << "\n  block (" << warp.block->index.x << ", " << warp.block->index.y << ") warp "
             << w % (warps.size() / blocks.size()) << ":";
        for (const auto& place : places)
            text << ' ' << place.second << " lanes " << place.first << ';';
    }
    return text.str();
}

void HostCluster::report(const std::string& what) const {
    throw std::runtime_error("Kernel " + launch.name + ": " + what + describe());
}

} // namespace PaiNNPlugin
