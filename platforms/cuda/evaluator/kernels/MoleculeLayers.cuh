// SPDX-License-Identifier: MIT
// F6, F5a and their adjoints for a molecule in a cluster.
#if PAINN_CAPABILITY >= 90 && PAINN_TENSOR_CORES

struct MoleculeLayers : MoleculePairs {
    using MoleculePairs::MoleculePairs;

    template <int LAYER> __device__ __forceinline__ const float* weights() const {
        return stage + stageOffset(SHAPE, LAYER);
    }
    /** Of this block's channels: [groups][8]. */
    template <int LAYER> __device__ __forceinline__ const float* biases() const {
        return stage + stageBias(SHAPE, LAYER);
    }

    /** F6a and F6b, canonical: V, W, and the update's inputs. */
    __device__ __forceinline__ void mixVectors(int l) {
        gatherInputs(rank, at<float>(place.local), 3 * columns, at<float>(place.vectors), vectorGather);
        float* outputs = at<float>(place.outputs);
        vectorGather.wait();
        multiplyOwn<MIX, 2, 3 * COLUMNS>(weights<MIX>(), at<float>(place.vectors), 3 * columns, outputs, 2);
        forAll([&](int column, int c) {
            float* V = mixed(l, column, c);
            for (int x = 0; x < 3; x++) {
                V[x] = ownOutput<2, 3 * COLUMNS>(outputs, 3 * column + x, 0, c);
                V[3 + x] = ownOutput<2, 3 * COLUMNS>(outputs, 3 * column + x, 1, c);
            }
            Real square = NORM_EPSILON;
            for (int x = 0; x < 3; x++)
                square += V[x] * V[x];
            local(0, column, c) = column < N ? four(place.after, l, column, c).x : 0;
            local(1, column, c) = squareRoot(square);
        });
        __syncthreads();
    }

    /** What the threads of forAll() have, a number each, to all blocks. */
    __device__ __forceinline__ void gatherNumber(int column, int c, float value) const {
        // Four lanes have four channels of a column; each of them sends these to a quarter of the blocks.
        const int lane = threadIdx.x % 32 / 4 * 4;
        const float4 four =
            make_float4(__shfl_sync(0xffffffffu, value, lane), __shfl_sync(0xffffffffu, value, lane + 1),
                        __shfl_sync(0xffffffffu, value, lane + 2), __shfl_sync(0xffffffffu, value, lane + 3));
#pragma unroll
        for (int k = 0; k < (BLOCKS + 3) / 4; k++)
            if (BLOCKS % 4 == 0 || 4 * k + c % 4 < BLOCKS)
                gather.send(at<float>(place.gathered) + column * GATHERED_ROW + rank * SLICE + c / 4 * 4, 4 * k + c % 4,
                            four);
    }
    /** The warps that forAll() needs; the others have time for filters. */
    __device__ __forceinline__ int activatingWarps() const {
        return columns * SLICE / 32;
    }
    __device__ __forceinline__ bool isActivating() const {
        return int(threadIdx.x) < columns * SLICE;
    }
    /** A hidden layer: from the products of LAYER to its values in all blocks; slopes are kept. */
    template <int LAYER> __device__ __forceinline__ void activateHidden(int l, int slopes) {
        gather.expect(columns * H * 4);
        scatter.waitOnly();
        clock.tick("  wait");
        const Real* bias = biases<LAYER>();
        forAll([&](int column, int c) {
            Real value, slope;
            activate(sumProducts(at<float>(place.products), column, c) + bias[c], value, slope);
            number<float>(slopes, l, column, c) = slope;
            gatherNumber(column, c, value);
        });
        clock.tick("hidden layer, gather");
    }
    /** Its adjoint: from the products of a transposed layer to the hidden layer's adjoints in all blocks. */
    __device__ __forceinline__ void activateHiddenBackward(int l, int slopes) {
        gather.expect(columns * H * 4);
        scatter.waitOnly();
        clock.tick("  wait");
        forAll([&](int column, int c) {
            gatherNumber(column, c,
                         sumProducts(at<float>(place.products), column, c) * number<float>(slopes, l, column, c));
        });
        clock.tick("hidden layer, gather");
    }
    template <int LAYER, int USED> __device__ __forceinline__ void scatterLocal() {
        scatterProducts<LAYER, USED, COLUMNS>(weights<LAYER>(), rank, at<float>(place.local), columns,
                                              at<float>(place.products), scatter);
        clock.tick("products");
    }
    /** @param needed   so many groups are needed */
    template <int LAYER, int GROUPS> __device__ __forceinline__ void multiplyGathered(int needed = GROUPS) {
        gather.wait();
        clock.tick("  wait");
        multiplyOwn<LAYER, GROUPS, COLUMNS>(weights<LAYER>(), at<float>(place.gathered), columns,
                                            at<float>(place.outputs), needed);
        clock.tick("outputs");
    }
    template <int GROUPS> __device__ __forceinline__ float output(int column, int group, int c) const {
        return ownOutput<GROUPS>(at<float>(place.outputs), column, group, c);
    }

    /** F6b and F6c, to the features in front of the next block. */
    __device__ __forceinline__ void updateForward(int l) {
        const bool isLast = l == L - 1, hasGates = !isLast || !IS_STUDENT;
        if (!IS_STUDENT)
            mixVectors(l);
        scatterLocal<UPDATE0, 2>();
        if (isActivating())
            activateHidden<UPDATE0>(l, place.slopes);
        else if (!isLast)
            evaluateFilters<false>(l + 1, activatingWarps());
        scatter.phase++;
        multiplyGathered<UPDATE1, 3>(hasGates ? 3 : 1);
        const Real *bias = biases<UPDATE1>(), *M = stage + stageMixing(SHAPE, false);
        forAll([&](int column, int c) {
            float4 f = column < N ? four(place.after, l, column, c) : make_float4(0, 0, 0, 0);
            f.x += output<3>(column, 0, c) + bias[c];
            if (hasGates) {
                const Real q = output<3>(column, 1, c) + bias[SLICE + c],
                           r = output<3>(column, 2, c) + bias[2 * SLICE + c];
                number<float2>(place.gates, l, column, c) = make_float2(q, r);
                applyGates(f, q, r, M, IS_STUDENT ? nullptr : mixed(l, column, c));
            }
            local(0, column, c) = f.x;
            if (!isLast && column < N)
                four(place.before, l + 1, column, c) = f;
        });
        __syncthreads();
    }

    /** F5a of block l, canonical. */
    __device__ __forceinline__ void contextForward(int l) {
        scatterLocal<CONTEXT0, 1>();
        if (isActivating())
            activateHidden<CONTEXT0>(l, place.contextSlopes);
        scatter.phase++;
        multiplyGathered<CONTEXT1, 3>();
        const Real* bias = biases<CONTEXT1>();
        forAll([&](int column, int c) {
            if (column < N)
                four(place.context, l, column, c) =
                    make_float4(output<3>(column, 0, c) + bias[c], output<3>(column, 1, c) + bias[SLICE + c],
                                output<3>(column, 2, c) + bias[2 * SLICE + c], 0);
        });
        __syncthreads();
    }

    /** B6 of block l. */
    __device__ __forceinline__ void updateBackward(int l) {
        const bool hasGates = l < L - 1 || !IS_STUDENT;
        const Real* M = stage + stageMixing(SHAPE, true);
        forAll([&](int column, int c) {
            if (column >= N)
                return;
            float4& a = four(place.adjoint, l % 2, column, c);
            Real q_adj = 0, r_adj = 0;
            local(0, column, c) = a.x;
            if (hasGates)
                combineAdjoints(a, four(place.after, l, column, c), number<float2>(place.gates, l, column, c), M,
                                IS_STUDENT ? nullptr : mixed(l, column, c), q_adj, r_adj);
            local(1, column, c) = q_adj;
            local(2, column, c) = r_adj;
        });
        __syncthreads();
        scatterLocal<UPDATE1_BACK, 3>();
        if (isActivating())
            activateHiddenBackward(l, place.slopes);
        else
            evaluateFilters<true>(l, activatingWarps());
        scatter.phase++;
        multiplyGathered<UPDATE0_BACK, 2>();
        forAll([&](int column, int c) {
            if (column >= N)
                return;
            float4& a = four(place.adjoint, l % 2, column, c);
            const float2 qr = IS_STUDENT ? make_float2(0, 0) : number<float2>(place.gates, l, column, c);
            Real vectors[6];
            addInputAdjoints(a, four(place.after, l, column, c), qr, output<2>(column, 0, c), output<2>(column, 1, c),
                             IS_STUDENT ? nullptr : mixed(l, column, c), vectors);
            if (!IS_STUDENT) {
                storeVector(0, column, c, vectors[0], vectors[1], vectors[2]);
                storeVector(1, column, c, vectors[3], vectors[4], vectors[5]);
            }
        });
        __syncthreads();
        if (IS_STUDENT)
            return;
        // Not by the barrier of the next products, which others may send before all of these have come.
        scatterProducts<MIX_BACK, 2, 3 * COLUMNS>(weights<MIX_BACK>(), rank, at<float>(place.local), 3 * columns,
                                                  at<float>(place.vectors), vectorGather);
        vectorGather.wait();
        forAll([&](int column, int c) {
            if (column >= N)
                return;
            float4& a = four(place.adjoint, l % 2, column, c);
            a.y += sumProducts<3 * COLUMNS>(at<float>(place.vectors), 3 * column, c);
            a.z += sumProducts<3 * COLUMNS>(at<float>(place.vectors), 3 * column + 1, c);
            a.w += sumProducts<3 * COLUMNS>(at<float>(place.vectors), 3 * column + 2, c);
        });
        __syncthreads();
    }

    /** B5a of block l, canonical. */
    __device__ __forceinline__ void contextBackward(int l) {
        forAll([&](int column, int c) {
            const float4 a = column < N ? four(place.contextAdjoint, 0, column, c) : make_float4(0, 0, 0, 0);
            local(0, column, c) = a.x;
            local(1, column, c) = a.y;
            local(2, column, c) = a.z;
        });
        __syncthreads();
        scatterLocal<CONTEXT1_BACK, 3>();
        if (isActivating())
            activateHiddenBackward(l, place.contextSlopes);
        scatter.phase++;
        multiplyGathered<CONTEXT0_BACK, 1>();
        forAll([&](int column, int c) {
            if (column < N)
                four(place.adjoint, (l + 1) % 2, column, c).x += output<1>(column, 0, c);
        });
        __syncthreads();
    }
};

#endif
