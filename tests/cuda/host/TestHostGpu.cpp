// SPDX-License-Identifier: MIT
// The emulator itself: that it does what CUDA does.
#include "RandomNetwork.h"
// After all else, for it has macros:
#include "TestKernel.h"

using namespace PaiNNPlugin;

namespace {

/** Sums of rows, one a block. */
__global__ void __launch_bounds__(128) sumRows(const Data data, int length) {
    SHARED_MEMORY(memory);
    float* sums = reinterpret_cast<float*>(memory);
    const int row = blockIdx.y * gridDim.x + blockIdx.x;
    float sum = 0;
    for (int k = threadIdx.x; k < length; k += blockDim.x)
        sum += data.in[row * length + k];
    for (int bit = 1; bit < 32; bit *= 2)
        sum += __shfl_xor_sync(FULL, sum, bit);
    if (threadIdx.x % 32 == 0)
        sums[threadIdx.x / 32] = sum;
    __syncthreads();
    if (threadIdx.x == 0)
        data.out[row] = sums[0] + sums[1] + sums[2] + sums[3];
    if (threadIdx.x == 5)
        atomicAdd(data.counts, 1);
}

TEST(HostGpuTest, sumsInAnyOrder) {
    std::vector<float> in, out(12);
    int count = 0;
    Random random(1);
    for (int k = 0; k < 12 * 300; k++)
        in.push_back(static_cast<float>(random.uniform(-1, 1)));
    std::vector<float> first;
    for (uint64_t seed = 0; seed < 10; seed++) {
        run<sumRows>({in.data(), out.data(), &count}, launchOf(4, 128, 16, 1, 3), seed, 300);
        if (seed == 0)
            first = out;
        EXPECT_EQ(out, first);
    }
    EXPECT_EQ(count, 120);
    for (int row = 0; row < 12; row++) {
        double sum = 0;
        for (int k = 0; k < 300; k++)
            sum += in[row * 300 + k];
        EXPECT_NEAR(out[row], sum, 1e-5);
    }
}

__global__ void shuffles(const Data data, int) {
    const int lane = threadIdx.x % 32;
    int* c = data.counts + 32 * 8 * (threadIdx.x / 32) + lane;
    c[0] = __shfl_sync(FULL, lane * 10, 7);
    c[32] = __shfl_sync(FULL, lane * 10, 3, 8);
    c[64] = static_cast<int>(__shfl_xor_sync(FULL, 0.5 * lane, 16) * 2);
    c[96] = static_cast<int>(__shfl_down_sync(FULL, static_cast<unsigned>(lane), 3));
    c[128] = __shfl_up_sync(FULL, lane, 2, 16);
    c[160] = static_cast<int>(__ballot_sync(FULL, lane % 3 == 0));
    c[192] = __any_sync(FULL, lane == 31) + 2 * __all_sync(FULL, lane < 31) + 4 * __all_sync(FULL, lane < 32);
    c[224] = __popc(0xf0f) * 10000 + __ffs(8) * 100 + __clz(1);
}

TEST(HostGpuTest, shufflesAndVotes) {
    for (uint64_t seed : {0, 3}) {
        std::vector<int> c(2 * 256, -1);
        run<shuffles>({nullptr, nullptr, c.data()}, launchOf(1, 64), seed);
        for (int k = 0; k < 64; k++) {
            const int lane = k % 32, *found = &c[k / 32 * 256 + lane];
            EXPECT_EQ(found[0], 70);
            EXPECT_EQ(found[32], (lane / 8 * 8 + 3) * 10);
            EXPECT_EQ(found[64], lane ^ 16);
            EXPECT_EQ(found[96], lane + 3 < 32 ? lane + 3 : lane);
            EXPECT_EQ(found[128], lane % 16 >= 2 ? lane - 2 : lane);
            EXPECT_EQ(found[160], 0x49249249);
            EXPECT_EQ(found[192], 5);
            EXPECT_EQ(found[224], 80431);
        }
    }
}

__global__ void product(const Data data, int) {
    const int g = threadIdx.x / 4, q = threadIdx.x % 4;
    const float *A = data.in, *B = data.in + 128;
    const unsigned a[4] = {__float_as_uint(A[g * 8 + q]), __float_as_uint(A[(g + 8) * 8 + q]),
                           __float_as_uint(A[g * 8 + q + 4]), __float_as_uint(A[(g + 8) * 8 + q + 4])};
    const unsigned b[2] = {__float_as_uint(B[q * 8 + g]), __float_as_uint(B[(q + 4) * 8 + g])};
    float c[4] = {1, 1, 1, 1};
    mmaTF32(c, a, b);
    for (int k = 0; k < 4; k++)
        data.out[(g + k / 2 * 8) * 8 + 2 * q + k % 2] = c[k];
}

TEST(HostGpuTest, matrixProduct) {
    Random random(2);
    std::vector<float> in, out(128);
    for (int k = 0; k < 192; k++) // 10 bits behind the point, which TF32 keeps, and one that it does not
        in.push_back(1 + random.integer(1024) / 1024.0f + 1 / 2048.0f);
    run<product>({in.data(), out.data(), nullptr}, launchOf(1, 32), 0);
    for (int row = 0; row < 16; row++)
        for (int column = 0; column < 8; column++) {
            double sum = 1;
            for (int k = 0; k < 8; k++)
                sum += (in[row * 8 + k] - 1 / 2048.0) * (in[128 + k * 8 + column] - 1 / 2048.0);
            EXPECT_EQ(out[row * 8 + column], static_cast<float>(sum));
        }
}

/** Copies in two groups, one of which is waited for late. `argument` 0: as it should be; 1: one wait is missing. */
__global__ void copies(const Data data, int argument) {
    SHARED_MEMORY(memory);
    float* x = reinterpret_cast<float*>(memory);
    for (int group = 0; group < 2; group++) {
        copyAsync16(x + 256 * group + 4 * threadIdx.x, data.in + 256 * group + 4 * threadIdx.x);
        commitCopies();
    }
    for (int group = 0; group < 2; group++) {
        if (group == 0)
            waitCopies<1>();
        else if (argument == 0)
            waitCopies<0>();
        __syncthreads();
        for (int k = 0; k < 4; k++)
            data.out[256 * group + 64 * k + threadIdx.x] = x[256 * group + 255 - 64 * k - threadIdx.x];
    }
}

TEST(HostGpuTest, asynchronousCopies) {
    std::vector<float> in(516), out(512);
    float* aligned = in.data();
    while (reinterpret_cast<uintptr_t>(aligned) % 16 != 0)
        aligned++;
    for (int k = 0; k < 512; k++)
        aligned[k] = static_cast<float>(k);
    for (uint64_t seed : {0, 1, 2}) {
        run<copies>({aligned, out.data(), nullptr}, launchOf(1, 64, 2048), seed, 0);
        for (int k = 0; k < 512; k++)
            EXPECT_EQ(out[k], k / 256 * 256 + 255 - k % 256);
    }
    run<copies>({aligned, out.data(), nullptr}, launchOf(1, 64, 2048), 1, 1);
    EXPECT_EQ(out[0], 255);
    EXPECT_TRUE(std::isnan(out[256])) << "a missing wait shows up";
}

/** Each block of a cluster sends its number to all of them, again and again. */
__global__ void exchange(const Data data, int rounds) {
    SHARED_MEMORY(memory);
    const int size = clusterSize(), warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const unsigned barrier[2] = {sharedAddress(memory), sharedAddress(memory + 8)};
    float4* received = reinterpret_cast<float4*>(memory + 16); // [2][size]
    if (threadIdx.x == 0) {
        barrierInit(barrier[0], 1);
        barrierInit(barrier[1], 1);
    }
    clusterSync();
    float mine = static_cast<float>(blockIdx.x + 1);
    for (int round = 0; round < rounds; round++) {
        const int side = round % 2;
        if (threadIdx.x == 0)
            barrierExpect(barrier[side], 16 * size);
        if (warp == 1 && lane < size)
            storeAsync(mapAddress(sharedAddress(received + side * size + clusterRank()), lane),
                       make_float4(mine, 0, 0, 0), mapAddress(barrier[side], lane));
        barrierWait(barrier[side], round / 2 % 2);
        mine = 0;
        for (int k = 0; k < size; k++)
            mine += received[side * size + k].x;
        mine = mine / size + blockIdx.x % size;
        __syncthreads();
    }
    clusterSync();
    if (threadIdx.x == 0) {
        data.out[blockIdx.x] = mine;
        *mapShared(reinterpret_cast<float*>(memory), clusterRank() ^ 1) = mine;
    }
    clusterSync();
    if (threadIdx.x == 1)
        data.out[gridDim.x + blockIdx.x] = *reinterpret_cast<float*>(memory);
}

TEST(HostGpuTest, clusterExchange) {
    for (uint64_t seed = 0; seed < 6; seed++) {
        std::vector<float> out(16);
        run<exchange>({nullptr, out.data(), nullptr}, launchOf(8, 64, 16 + 2 * 4 * 16, 4), seed, 9);
        for (int b = 0; b < 8; b++) { // the mean rises by 1.5 each round
            EXPECT_EQ(out[b], (b < 4 ? 2.5f : 6.5f) + 8 * 1.5f + b % 4);
            EXPECT_EQ(out[8 + b], out[b ^ 1]);
        }
    }
}

/** Warps 0 and 1 make what warps 2 and 3 use. */
__global__ void handOver(const Data data, int rounds) {
    SHARED_MEMORY(memory);
    float* slots = reinterpret_cast<float*>(memory);
    const bool makes = threadIdx.x < 64;
    for (int round = 0; round < rounds; round++) {
        if (makes) {
            if (round > 0)
                barrierSync(2, 128); // free again
            slots[threadIdx.x] = static_cast<float>(round + threadIdx.x);
            barrierArrive(1, 128);
        }
        else {
            barrierSync(1, 128);
            data.out[round * 64 + threadIdx.x - 64] = slots[127 - threadIdx.x];
            if (round + 1 < rounds)
                barrierArrive(2, 128);
        }
    }
}

TEST(HostGpuTest, namedBarriers) {
    for (uint64_t seed = 0; seed < 4; seed++) {
        std::vector<float> out(64 * 5);
        run<handOver>({nullptr, out.data(), nullptr}, launchOf(1, 128, 256), seed, 5);
        for (int k = 0; k < 64 * 5; k++)
            EXPECT_EQ(out[k], k / 64 + 63 - k % 64);
    }
}

__global__ void missingBarrier(const Data data, int) {
    SHARED_MEMORY(memory);
    float* x = reinterpret_cast<float*>(memory);
    x[threadIdx.x] = static_cast<float>(threadIdx.x);
    data.out[threadIdx.x] = x[threadIdx.x ^ 32];
}

TEST(HostGpuTest, missingBarrierShowsUp) {
    std::vector<float> out(64);
    run<missingBarrier>({nullptr, out.data(), nullptr}, launchOf(1, 64, 256), 0);
    EXPECT_TRUE(std::isnan(out[0])) << "shared memory that nobody has written";
    EXPECT_EQ(out[32], 0);
}

TEST(HostGpuTest, numbers) {
    EXPECT_EQ(__double2ll_rn(2.5), 2);
    EXPECT_EQ(__double2ll_rn(-1e30), INT64_MIN);
    EXPECT_EQ(__double2ll_rn(1e30), INT64_MAX);
    EXPECT_EQ(max(1.0f, NAN), 1.0f);
    EXPECT_EQ(alignof(float4), 16u);
    EXPECT_EQ(alignof(double4), 16u);
    EXPECT_EQ(sizeof(float3), 12u);
    EXPECT_EQ(rsqrtf(4), 0.5f);
    unsigned long long sum = 1;
    EXPECT_EQ(atomicAdd(&sum, ~0ull), 1u);
    EXPECT_EQ(sum, 0u);
    int x = 5;
    EXPECT_EQ(atomicCAS(&x, 5, 7), 5);
    EXPECT_EQ(atomicCAS(&x, 5, 9), 7);
    EXPECT_EQ(atomicMax(&x, 8), 7);
    EXPECT_EQ(atomicExch(&x, 1), 8);
    EXPECT_EQ(x, 1);
}

} // namespace
