// SPDX-License-Identifier: MIT
// A small molecule in the shared memory of a cluster: block r has the channels 8 r ... 8 r + 7 of all atoms. The stages
// are those of the other kernels, with the same order of all sums.
#if PAINN_CAPABILITY >= 90 && PAINN_TENSOR_CORES

/** Where the time of one block goes, for benchmarks: prints the clock cycles of each stage. */
struct StageClock {
#if PAINN_CLOCKS
    long long times[64] = {clock64()};
    const char* names[64];
    int count = 0;
    __device__ void tick(const char* name) {
        names[count] = name;
        times[++count] = clock64();
    }
    __device__ void print() const {
        for (int k = 0; k < count && threadIdx.x == 0 && blockIdx.x == 0; k++)
            printf("    %-24s %6lld cycles\n", names[k], times[k + 1] - times[k]);
    }
#else
    __device__ __forceinline__ void tick(const char*) {}
    __device__ __forceinline__ void print() const {}
#endif
};

struct Molecule {
    const Arrays& arrays;
    static constexpr bool HAS_TABLE = PAINN_MOLECULE_TABLE; ///< in shared memory
    static constexpr MoleculeMemory place = moleculeMemory(SHAPE, ATOMS, HAS_TABLE ? CELLS : 0);
    const int rank, first, N, columns; ///< columns: N padded to 8
    unsigned char* memory;
    Exchange scatter, gather, vectorGather, turn, turnBack;
    StageClock clock;

    __device__ __forceinline__ Molecule(const Arrays& arrays, unsigned char* memory)
        : arrays(arrays), rank(clusterRank()), first(arrays.starts[blockIdx.x / BLOCKS]),
          N(arrays.starts[blockIdx.x / BLOCKS + 1] - first), columns((N + 7) / 8 * 8), memory(memory),
          scatter(sharedAddress(memory)), gather(sharedAddress(memory + 8)), vectorGather(sharedAddress(memory + 16)),
          turn(sharedAddress(memory + 24)), turnBack(sharedAddress(memory + 32)) {}

    template <class T> __device__ __forceinline__ T* at(int offset) const {
        return reinterpret_cast<T*>(memory + offset);
    }
    /** Channel c of atom n in a [N][8] array of block l. */
    __device__ __forceinline__ float4& four(int offset, int l, int n, int c) const {
        return at<float4>(offset)[(l * ATOMS + n) * SLICE + c];
    }
    /** Channel c of a column in a [columns][8] array of block l. */
    template <class T> __device__ __forceinline__ T& number(int offset, int l, int column, int c) const {
        return at<T>(offset)[(l * COLUMNS + column) * SLICE + c];
    }
    /** Input of part p for this block's channel. */
    __device__ __forceinline__ float& local(int p, int column, int c) const {
        return at<float>(place.local)[(p * COLUMNS + column) * SLICE + c];
    }
    /** Calls use(column, c) for all columns, each by one thread, in whole warps. */
    template <class Use> __device__ __forceinline__ void forAll(Use use) const {
        for (int k = threadIdx.x; k < columns * SLICE; k += 32 * MOLECULE_WARPS)
            use(k / SLICE, k % SLICE);
    }

    /** This block's part of the filter table of block l of the network, on the device. */
    __device__ __forceinline__ const float4* deviceTable(int l) const {
        return arrays.table + (size_t(l) * BLOCKS + rank) * (CELLS * TABLE_QUADS * SLICE);
    }
    /** Start copying it. */
    __device__ __forceinline__ void loadTable(int l) const {
        if (!HAS_TABLE)
            return;
        constexpr int size = CELLS * TABLE_QUADS * SLICE;
        const float4* table = deviceTable(l);
        for (int k = threadIdx.x; k < size; k += 32 * MOLECULE_WARPS)
            copyAsync16(at<float4>(place.table) + k, table + k);
        commitCopies();
    }

    /** F1, F8 and F9's start. */
    __device__ __forceinline__ void begin() {
        if (threadIdx.x == 0)
            for (int k = 0; k < 5; k++)
                barrierInit(sharedAddress(memory + 8 * k), 1);
        loadTable(0);
        const int lane = threadIdx.x % 32;
        for (int n = threadIdx.x / 32; n < N; n += MOLECULE_WARPS) {
            const Position x = readPosition(arrays, first + n);
            if (lane == 0 && rank == 0)
                checkPosition(arrays, first + n, x);
            double energy;
            Edge* row = at<Edge>(place.edges) + n * (ATOMS - 1);
            const int count =
                searchEdges(arrays, first + n, nullptr, first, first + N, x, energy, [&](Edge edge, int k) {
                    edge.j -= first;
                    row[k] = edge;
                });
            if (lane == 0) {
                at<int>(place.count)[n] = count;
                at<double>(place.repulsion)[n] = energy;
            }
        }
        forAll([&](int column, int c) {
            for (int p = 0; p < (IS_STUDENT ? 3 : 6); p++)
                local(p, column, c) = 0;
            if (column >= N)
                return;
            const size_t k = size_t(arrays.elements[first + column]) * H + rank * SLICE + c;
            four(place.before, 0, column, c) = arrays.embedding[k];
            if (!IS_STUDENT)
                four(place.context, 0, column, c) = arrays.firstContext[k];
        });
        clusterSync(); // barriers are ready
    }

    /** Features and contexts in front of block l. */
    __device__ __forceinline__ void read(int l, int n, int c, float4& f, float4& context) const {
        f = four(place.before, l, n, c);
        context = IS_STUDENT ? make_float4(f.x, 1, 1, 0) : four(place.context, l, n, c);
    }
    /** Calls use(edge, cell's coefficients) for the edges of atom n that belong to this lane's group. */
    template <class Use> __device__ __forceinline__ void forEdges(int l, int n, Use use) const {
        const float4* table = HAS_TABLE ? at<float4>(place.table) : deviceTable(l);
        const int lane = threadIdx.x % 32, count = at<int>(place.count)[n];
        const Edge* row = at<Edge>(place.edges) + n * (ATOMS - 1);
        for (int e = lane / SLICE; e < count; e += 32 / SLICE) {
            const Edge edge = row[e];
            use(edge, table + edge.cell * (TABLE_QUADS * SLICE) + lane % SLICE);
        }
    }

    /** F5b, and the first step of F6: what the update takes in. */
    template <bool FIRST> __device__ __forceinline__ void message(int l) {
        waitCopies<0>();
        __syncthreads();
        const int lane = threadIdx.x % 32, c = lane % SLICE;
        for (int n = threadIdx.x / 32; n < N; n += MOLECULE_WARPS) {
            MessageSum<FIRST> sum;
            forEdges(l, n, [&](const Edge& edge, const float4* quads) {
                float4 fj, cj;
                read(l, edge.j, c, fj, cj);
                sum.add(edge, evaluateFilter<FIRST, false>(quads, edge.t), fj, cj);
            });
            __syncwarp();
            const float4 f = sum.finish(four(place.before, l, n, c));
            if (lane < SLICE) {
                four(place.after, l, n, c) = f;
                if (IS_STUDENT) {
                    local(0, n, c) = f.x;
                    local(1, n, c) = squareRoot(f.y * f.y + f.z * f.z + f.w * f.w);
                }
                else
                    storeVector(0, n, c, f.y, f.z, f.w);
            }
        }
        __syncthreads();
        if (l + 1 < L)
            loadTable(l + 1); // while the update goes on
    }

    /** Columns 3 n ... 3 n + 2 of part p of this block's inputs, for layers that mix vectors. */
    __device__ __forceinline__ void storeVector(int p, int n, int c, float x, float y, float z) const {
        float* row = at<float>(place.local) + (p * 3 * COLUMNS + 3 * n) * SLICE + c;
        row[0] = x;
        row[SLICE] = y;
        row[2 * SLICE] = z;
    }
    /** V (k = 0, 1, 2) and W (k = 3, 4, 5) of a canonical block. */
    __device__ __forceinline__ float* mixed(int l, int column, int c) const {
        return at<float>(place.mixed) + ((l * COLUMNS + column) * SLICE + c) * 6;
    }
    /** F6a and F6b, canonical: V, W, and the update's inputs. */
    __device__ __forceinline__ void mixVectors(int l) {
        gatherInputs(rank, at<float>(place.local), 3 * columns, at<float>(place.vectors), vectorGather);
        float* outputs = at<float>(place.outputs);
        multiplyOwn<MIX, 2, 3 * COLUMNS>(layerWeights<MIX>(arrays, l), rank, at<float>(place.vectors), 3 * columns,
                                         outputs, vectorGather);
        vectorGather.phase++;
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

    /** A hidden layer: from the products of LAYER to its values in all blocks; slopes are kept. */
    template <int LAYER> __device__ __forceinline__ void activateHidden(int l, int slopes) {
        clock.tick("products");
        scatter.wait();
        __syncthreads(); // other warps may still read this block's inputs for the products of other blocks
        clock.tick("  wait");
        const Real* bias = layerBias<LAYER>(arrays, l) + rank * SLICE;
        forAll([&](int column, int c) {
            Real value, slope;
            activate(sumProducts(at<float>(place.products), column, c) + bias[c], value, slope);
            number<float>(slopes, l, column, c) = slope;
            local(0, column, c) = value;
        });
        __syncthreads();
        gatherInputs(rank, at<float>(place.local), columns, at<float>(place.gathered), gather);
        clock.tick("hidden layer, gather");
    }
    /** Its adjoint: from the products of a transposed layer to the hidden layer's adjoints in all blocks. */
    __device__ __forceinline__ void activateHiddenBackward(int l, int slopes) {
        clock.tick("products");
        scatter.wait();
        __syncthreads(); // as above
        clock.tick("  wait");
        forAll([&](int column, int c) {
            local(0, column, c) =
                sumProducts(at<float>(place.products), column, c) * number<float>(slopes, l, column, c);
        });
        __syncthreads();
        gatherInputs(rank, at<float>(place.local), columns, at<float>(place.gathered), gather);
        clock.tick("hidden layer, gather");
    }
    template <int LAYER, int USED> __device__ __forceinline__ void scatterLocal(int l) {
        scatterProducts<LAYER, USED, COLUMNS>(layerWeights<LAYER>(arrays, l), rank, at<float>(place.local), columns,
                                              at<float>(place.products), scatter);
    }
    template <int LAYER, int TILES> __device__ __forceinline__ void multiplyGathered(int l) {
        multiplyOwn<LAYER, TILES, COLUMNS>(layerWeights<LAYER>(arrays, l), rank, at<float>(place.gathered), columns,
                                           at<float>(place.outputs), gather);
        gather.phase++; // the function has waited with a copy
    }
    template <int TILES> __device__ __forceinline__ float output(int column, int tile, int c) const {
        return ownOutput<TILES>(at<float>(place.outputs), column, tile, c);
    }

    /** F6b and F6c, to the features in front of the next block. */
    template <bool LAST> __device__ __forceinline__ void updateForward(int l) {
        constexpr int GROUPS = LAST && IS_STUDENT ? 1 : 3;
        if (!IS_STUDENT)
            mixVectors(l);
        scatterLocal<UPDATE0, 2>(l);
        activateHidden<UPDATE0>(l, place.slopes);
        multiplyGathered<UPDATE1, GROUPS>(l);
        const Real *bias = layerBias<UPDATE1>(arrays, l) + rank * SLICE, *M = getMixing(arrays, l);
        forAll([&](int column, int c) {
            float4 f = column < N ? four(place.after, l, column, c) : make_float4(0, 0, 0, 0);
            f.x += output<GROUPS>(column, 0, c) + bias[c];
            if (GROUPS == 3) {
                const Real q = output<GROUPS>(column, GROUPS / 2, c) + bias[H + c],
                           r = output<GROUPS>(column, GROUPS - 1, c) + bias[2 * H + c];
                number<float2>(place.gates, l, column, c) = make_float2(q, r);
                applyGates(f, q, r, M, IS_STUDENT ? nullptr : mixed(l, column, c));
            }
            local(0, column, c) = f.x;
            if (!LAST && column < N)
                four(place.before, l + 1, column, c) = f;
        });
        __syncthreads();
    }

    /** F5a of block l, canonical. */
    __device__ __forceinline__ void contextForward(int l) {
        scatterLocal<CONTEXT0, 1>(l);
        activateHidden<CONTEXT0>(l, place.contextSlopes);
        multiplyGathered<CONTEXT1, 3>(l);
        const Real* bias = layerBias<CONTEXT1>(arrays, l) + rank * SLICE;
        forAll([&](int column, int c) {
            if (column < N)
                four(place.context, l, column, c) =
                    make_float4(output<3>(column, 0, c) + bias[c], output<3>(column, 1, c) + bias[H + c],
                                output<3>(column, 2, c) + bias[2 * H + c], 0);
        });
        __syncthreads();
    }

    /** F7 and B7: block k does it for the atoms 8 k ... 8 k + 7, with all channels of their scalars. */
    __device__ __forceinline__ void readout() {
        const Columns<1> owned(at<unsigned char>(place.readout), first + 8 * rank, first + N);
        constexpr NodeMemory M = Columns<1>::M;
        const bool owns = rank < columns / 8;
        if (owns)
            turn.expect(8 * H * 4);
        for (int k = threadIdx.x; k < columns * 2; k += 32 * MOLECULE_WARPS) {
            const int half = k % 2, column = k / 2;
            turn.send(owned.input + column % 8 * M.inputRow + rank * SLICE + 4 * half, column / 8,
                      *reinterpret_cast<const float4*>(&local(0, column, 4 * half)));
        }
        if (arrays.hasForces)
            turnBack.expect(columns * SLICE * 4);
        if (owns) {
            clock.tick("turn");
            turn.wait();
            clock.tick("  wait");
            for (int k = threadIdx.x; k < 8 && 8 * rank + k < N; k += 32 * MOLECULE_WARPS)
                arrays.atomEnergies[owned.first + k] = at<double>(place.repulsion)[8 * rank + k];
            __syncthreads();
            readoutForward(arrays, owned);
            clock.tick("readout");
        }
        if (!arrays.hasForces)
            return;
        if (owns) {
            readoutBackward(arrays, owned);
            clock.tick("readout backward");
            for (int k = threadIdx.x; k < 8 * H / 4; k += 32 * MOLECULE_WARPS) {
                const int column = k % 8, channel = k / 8 * 4;
                turnBack.send(at<float>(place.scalars_adj) + (8 * rank + column) * SLICE + channel % SLICE,
                              channel / SLICE, *reinterpret_cast<const float4*>(&owned.in(column, channel)));
            }
        }
        turnBack.wait();
        forAll([&](int column, int c) {
            if (column < N)
                four(place.adjoint, (L - 1) % 2, column, c) =
                    make_float4(number<float>(place.scalars_adj, 0, column, c), 0, 0, 0);
        });
        __syncthreads();
    }

    /** B6 of block l. */
    template <bool LAST> __device__ __forceinline__ void updateBackward(int l) {
        constexpr int USED = LAST && IS_STUDENT ? 1 : 3;
        const Real* M = getMixing(arrays, l);
        forAll([&](int column, int c) {
            if (column >= N)
                return;
            float4& a = four(place.adjoint, l % 2, column, c);
            Real q_adj = 0, r_adj = 0;
            local(0, column, c) = a.x;
            if (USED == 3)
                combineAdjoints(a, four(place.after, l, column, c), number<float2>(place.gates, l, column, c), M,
                                IS_STUDENT ? nullptr : mixed(l, column, c), q_adj, r_adj);
            local(1, column, c) = q_adj;
            local(2, column, c) = r_adj;
        });
        __syncthreads();
        scatterLocal<UPDATE1_BACK, USED>(l);
        activateHiddenBackward(l, place.slopes);
        multiplyGathered<UPDATE0_BACK, 2>(l);
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
        scatterProducts<MIX_BACK, 2, 3 * COLUMNS>(layerWeights<MIX_BACK>(arrays, l), rank, at<float>(place.local),
                                                  3 * columns, at<float>(place.vectors), vectorGather);
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

    /** B5b of block l, and the forces from this block's channels. */
    template <bool FIRST> __device__ __forceinline__ void messageBackward(int l) {
        waitCopies<0>();
        __syncthreads();
        const int lane = threadIdx.x % 32, c = lane % SLICE;
        for (int n = threadIdx.x / 32; n < N; n += MOLECULE_WARPS) {
            float4 fi, ci;
            read(l, n, c, fi, ci);
            AdjointSum<FIRST> sum(fi, ci, four(place.adjoint, l % 2, n, c));
            forEdges(l, n, [&](const Edge& edge, const float4* quads) {
                float4 fj, cj;
                read(l, edge.j, c, fj, cj);
                sum.add(edge, evaluateFilter<FIRST, true>(quads, edge.t), fj, cj, four(place.adjoint, l % 2, edge.j, c),
                        rank * SLICE + c == 0);
            });
            __syncwarp();
            if (!FIRST) {
                float4 before, context;
                sum.finish(before, context);
                if (lane < SLICE) {
                    four(place.adjoint, (l + 1) % 2, n, c) = before;
                    if (!IS_STUDENT)
                        four(place.contextAdjoint, 0, n, c) = context;
                }
            }
            const Real force = sum.force(lane);
            float* all = at<float>(place.forces) + 3 * n + lane;
            if (lane < 3)
                *all = l == L - 1 ? force : *all + force;
        }
        __syncthreads();
        if (l > 0)
            loadTable(l - 1);
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
        scatterLocal<CONTEXT1_BACK, 3>(l);
        activateHiddenBackward(l, place.contextSlopes);
        multiplyGathered<CONTEXT0_BACK, 1>(l);
        forAll([&](int column, int c) {
            if (column < N)
                four(place.adjoint, (l + 1) % 2, column, c).x += output<1>(column, 0, c);
        });
        __syncthreads();
    }

    /** For finish(): the forces from this block's channels. */
    __device__ __forceinline__ void end() const {
        for (int k = threadIdx.x; k < 3 * N; k += 32 * MOLECULE_WARPS)
            arrays.sliceForces[(size_t(rank) * arrays.numAtoms + first) * 3 + k] = at<float>(place.forces)[k];
    }
};

#endif
