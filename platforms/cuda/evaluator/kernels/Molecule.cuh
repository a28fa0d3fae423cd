// SPDX-License-Identifier: MIT
// What happens between atoms of a molecule in a cluster, and its readout. The stages are those of the other kernels,
// with the same order of all sums.
#if PAINN_CAPABILITY >= 90 && PAINN_TENSOR_CORES

struct Molecule : MoleculeLayers {
    using MoleculeLayers::MoleculeLayers;

    /** F1, F8, the first filters, and F9's start. */
    __device__ __forceinline__ void begin() {
        if (threadIdx.x == 0)
            for (int k = 0; k < 6; k++)
                barrierInit(sharedAddress(memory + 8 * k), 1);
        loadStage(0);
        for (int k = threadIdx.x; k < (IS_STUDENT ? 3 : 6) * COLUMNS * SLICE; k += 32 * MOLECULE_WARPS)
            at<float>(place.local)[k] = 0; // columns without an atom stay so
        forAll([&](int column, int c) {
            if (column >= N)
                return;
            const size_t k = size_t(arrays.elements[first + column]) * H + rank * SLICE + c;
            four(place.before, 0, column, c) = arrays.embedding[k];
            if (!IS_STUDENT)
                four(place.context, 0, column, c) = arrays.firstContext[k];
        });
        findPairs();
        clock.tick("pairs");
        evaluateFilters<false>(0, 0);
        clock.tick("filters");
        waitCopies<0>();
        clusterSync(); // barriers are ready
    }

    /** F5b, and the first step of F6: what the update takes in. */
    template <bool FIRST> __device__ __forceinline__ void message(int l) {
        const int lane = threadIdx.x % 32, c = lane % SLICE;
        for (int n = threadIdx.x / 32; n < N; n += MOLECULE_WARPS) {
            MessageSum<FIRST> sum;
            forEdges<false>(n, [&](const Edge& edge, const Filter& f) {
                float4 fj, cj;
                read(l, edge.j, c, fj, cj);
                sum.add(edge, f, fj, cj);
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
        waitCopies<0>();
        __syncthreads();
    }

    /** The readout's weights, to where filters were: they are needed when no message is. */
    __device__ __forceinline__ void loadReadout() const {
        if (FORM.hasReadout && rank < columns / 8) {
            startCopy(at<float>(place.filters), arrays.weights + readoutOffset(SHAPE, 0, false), readoutSize(SHAPE));
            startCopy(at<double>(place.lastLayer), arrays.readout, lastLayerSize(SHAPE));
            commitCopies();
        }
    }
    /** F7 and B7: block k does it for the atoms 8 k ... 8 k + 7, with all channels of their scalars. */
    __device__ __forceinline__ void readoutByOwners() {
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
            const Real* weights =
                FORM.hasReadout ? at<float>(place.filters) : arrays.weights + readoutOffset(SHAPE, 0, false);
            const double* lastLayer = FORM.hasReadout ? at<double>(place.lastLayer) : arrays.readout;
            double* energies = at<double>(place.energies) + 8 * rank;
            waitCopies<0>();
            turn.wait();
            __syncthreads();
            clock.tick("  wait");
            readout<FORM.hasReadout>(weights, lastLayer, arrays.hasForces, owned,
                                     [&](int column, double energy) { energies[column] += energy; });
            clock.tick("readout");
            if (arrays.hasForces) {
                for (int k = threadIdx.x; k < 8 * H / 4; k += 32 * MOLECULE_WARPS) {
                    const int column = k % 8, channel = k / 8 * 4;
                    turnBack.send(at<float>(place.scalars_adj) + (8 * rank + column) * SLICE + channel % SLICE,
                                  channel / SLICE, *reinterpret_cast<const float4*>(&owned.in(column, channel)));
                }
            }
        }
        if (!arrays.hasForces)
            return;
        turnBack.wait();
        forAll([&](int column, int c) {
            if (column < N)
                four(place.adjoint, (L - 1) % 2, column, c) =
                    make_float4(number<float>(place.scalars_adj, 0, column, c), 0, 0, 0);
        });
        waitCopies<0>();
        __syncthreads();
    }

    /** B5b of block l, and the forces from this block's channels. */
    template <bool FIRST> __device__ __forceinline__ void messageBackward(int l) {
        const int lane = threadIdx.x % 32, c = lane % SLICE;
        for (int n = threadIdx.x / 32; n < N; n += MOLECULE_WARPS) {
            float4 fi, ci;
            read(l, n, c, fi, ci);
            AdjointSum<FIRST> sum(fi, ci, four(place.adjoint, l % 2, n, c));
            forEdges<true>(n, [&](const Edge& edge, const Filter& f) {
                float4 fj, cj;
                read(l, edge.j, c, fj, cj);
                sum.add(edge, f, fj, cj, four(place.adjoint, l % 2, edge.j, c), rank * SLICE + c == 0);
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
        waitCopies<0>();
        __syncthreads();
    }

    /** Block 0 gets forces and energies from all blocks, and gives their sums to the Context. */
    __device__ __forceinline__ void end() {
        const int t = threadIdx.x, fours = arrays.hasForces ? (3 * N + 3) / 4 : 0;
        constexpr int ROW = (3 * ATOMS + 3) / 4; // nobody waits for products any more
        if (rank == 0)
            last.expect(BLOCKS * fours * 16 + columns * 8);
        if (t < fours)
            last.send(at<float4>(place.products) + rank * ROW + t, 0, at<float4>(place.forces)[t]);
        if (rank < columns / 8 && t < 4)
            last.send(at<double>(place.energies) + 8 * rank + 2 * t, 0, at<float4>(place.energies)[4 * rank + t]);
        if (rank != 0)
            return;
        const Target target = targetOf(arrays, blockIdx.x / BLOCKS);
        last.wait();
        if (t < 3 * N && arrays.hasForces) {
            double force = 0;
#pragma unroll
            for (int r = 0; r < BLOCKS; r++)
                force += double(at<float>(place.products)[r * ROW * 4 + t]);
            addForce(arrays, target, first + t / 3, at<int>(place.slots)[t / 3], *at<double>(place.scale), t % 3,
                     force);
        }
        // By the last warp, in the order of sumEnergies().
        if (t / 32 == MOLECULE_WARPS - 1) {
            const int n = t % 32;
            double sum = n < N ? at<double>(place.energies)[n] : 0;
            if (n < N)
                arrays.atomEnergies[first + n] = checkEnergy(arrays, first + n, sum);
            for (int half = 16; half > 0; half /= 2)
                sum += __shfl_down_sync(0xffffffffu, sum, half);
            if (n == 0)
                arrays.subsystemEnergies[blockIdx.x / BLOCKS] = sum;
        }
    }
};

#endif
