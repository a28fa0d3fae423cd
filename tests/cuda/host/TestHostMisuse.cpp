// SPDX-License-Identifier: MIT
// That the emulator notices what CUDA leaves undefined.
#include "TestKernel.h"

using namespace PaiNNPlugin;

namespace {

/** What CUDA forbids, by number. */
__global__ void misuse(const Data data, int which) {
    SHARED_MEMORY(memory);
    const int t = threadIdx.x, warp = t / 32;
    if (which == 0)
        __syncwarp(0xffff);
    if (which == 1 && t != 3)
        __syncwarp();
    if (which == 2 && t != 40)
        __syncthreads();
    if (which == 3)
        memory[16] = 1;
    if (which == 4)
        barrierWait(sharedAddress(memory), 0);
    if (which == 5 && warp == 0)
        barrierSync(3, 64);
    if (which == 6) {
        if (t % 2 == 0)
            __syncwarp();
        else
            __any_sync(FULL, 1);
    }
    if (which == 7) {
        if (t == 0)
            barrierInit(sharedAddress(memory), 1);
        clusterSync();
        if (clusterRank() == 1)
            return;
        if (t == 0)
            storeAsync(mapAddress(sharedAddress(memory), 1), make_float4(0, 0, 0, 0),
                       mapAddress(sharedAddress(memory), 1));
        for (int k = 0; k < 5; k++)
            __syncwarp();
    }
    if (which == 8) {
        if (t == 0)
            barrierInit(sharedAddress(memory), 1);
        __syncthreads();
        barrierWait(sharedAddress(memory), 0);
    }
    if (which == 9)
        copyAsync16(memory + 4, data.in);
    if (which == 10)
        sharedAddress(data.in);
    if (which == 11) {
        if (t % 32 < 16)
            __syncthreads();
        else
            __syncthreads();
    }
    if (which == 12)
        mapShared(memory, 2);
}

TEST(HostMisuseTest, isNoticed) {
    const std::vector<std::pair<const char*, const char*>> expected = {
        {"mask that is not full", "__syncwarp()"},
        {"returned", "lanes __syncwarp() (TestHostMisuse.cpp:"},
        {"returned", "lanes __syncthreads() (TestHostMisuse.cpp:"},
        {"s 16 bytes of shared memory was written", ""},
        {"nobody has initialised", ""},
        {"nobody can go on", "32 lanes barrierSync() (TestHostMisuse.cpp:"},
        {"different operations", "__syncwarp()"},
        {"threads have returned", ""},
        {"nobody can go on", "32 lanes barrierWait() (TestHostMisuse.cpp:"},
        {"shared address 4 of block", "for 16 bytes"},
        {"not in the block's shared memory", ""},
        {"different places", ""},
        {"shared address 0 of block 2", ""},
    };
    alignas(16) float in[4] = {};
    for (size_t k = 0; k < expected.size(); k++)
        for (uint64_t seed : {0, 1})
            try {
                if (k == 7 && seed == 0) // too early to be noticed
                    continue;
                run<misuse>({in, nullptr, nullptr}, launchOf(2, 64, 16, 2), seed, static_cast<int>(k));
                ADD_FAILURE() << "case " << k << " seed " << seed;
            }
            catch (const std::runtime_error& e) {
                EXPECT_NE(std::string(e.what()).find(expected[k].first), std::string::npos) << k << ": " << e.what();
                EXPECT_NE(std::string(e.what()).find(expected[k].second), std::string::npos) << k << ": " << e.what();
            }
    EXPECT_THROW(run<misuse>({}, launchOf(1, 40), 0, 1), std::runtime_error) << "lanes that do not exist are missing";
    run<misuse>({}, launchOf(1, 40), 0, 99);
    EXPECT_THROW(run<misuse>({}, launchOf(1, 1025), 0, 99), std::runtime_error);
    EXPECT_THROW(run<misuse>({}, launchOf(3, 32, 16, 2), 0, 99), std::runtime_error);
}

} // namespace
