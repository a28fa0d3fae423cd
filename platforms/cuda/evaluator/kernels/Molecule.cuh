// SPDX-License-Identifier: MIT
// What happens between atoms of a molecule in a cluster, and its readout. The stages are those of the other kernels,
// with the same order of all sums.
#if PAINN_CAPABILITY >= 90 && PAINN_TENSOR_CORES

struct Molecule : MoleculeLayers {
    using MoleculeLayers::MoleculeLayers;

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

    /** For finish(): the forces from this block's channels. */
    __device__ __forceinline__ void end() const {
        for (int k = threadIdx.x; k < 3 * N; k += 32 * MOLECULE_WARPS)
            arrays.sliceForces[(size_t(rank) * arrays.numAtoms + first) * 3 + k] = at<float>(place.forces)[k];
    }
};

#endif
