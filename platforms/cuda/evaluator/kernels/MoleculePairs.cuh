// SPDX-License-Identifier: MIT
// The pairs of atoms of a molecule in a cluster, each of which is two edges, and their filters: each block has the
// pairs and the filters of its channels.
#if PAINN_CAPABILITY >= 90 && PAINN_TENSOR_CORES

/** An edge as an atom's list has it: the pair's place, times 32, and the neighbour. */
typedef unsigned short PackedEdge;
static_assert(sizeof(Edge) == 32 && MOST_MOLECULE_ATOMS == 32, "places of pairs are addresses at the same time");

struct MoleculePairs : MoleculeArrays {
    using MoleculeArrays::MoleculeArrays;

    /** How many of the atoms in a set are before atom n. */
    __device__ __forceinline__ static int countBefore(unsigned set, int n) {
        return __popc(set & ((1u << n) - 1));
    }
    /** F1 and F8: a thread for each pair i > j. */
    __device__ __forceinline__ void findPairs() {
        const int t = threadIdx.x;
        Position* positions = at<Position>(place.positions);
        unsigned* sets = at<unsigned>(place.neighborSets);
        const Source source = sourceOf(arrays, blockIdx.x / BLOCKS);
        if (t < N) {
            const int slot = arrays.slots[first + t];
            at<int>(place.slots)[t] = slot;
            const Position x = readSlot(source, slot);
            if (rank == 0)
                checkPosition(arrays, first + t, x);
            positions[t] = x;
            sets[t] = 0;
        }
        if (t == 32 && rank == 0)
            *at<double>(place.scale) = arrays.scales[blockIdx.x / BLOCKS].force;
        __syncthreads();
        int i = int((1 + sqrtf(float(8 * t + 1))) / 2);
        i += i * (i - 1) / 2 > t ? -1 : i * (i + 1) / 2 <= t ? 1 : 0;
        const int j = t - i * (i - 1) / 2;
        Position r = {0, 0, 0};
        Wide d = CUTOFF, half = 0;
        Edge edge = {};
        if (i < N) {
            r = subtract(arrays, source.box, positions[j], positions[i]);
            d = measure(r);
            if (d == 0 && rank == 0)
                report(arrays, COINCIDENT, first + j, first + i);
        }
        const bool isPair = d < CUTOFF && d > 0;
        if (isPair) {
            atomicOr(sets + i, 1u << j);
            atomicOr(sets + j, 1u << i);
            edge = makeEdge(arrays, first + i, first + j, r, d, half);
        }
        __syncthreads();
        // Pairs stand in the order of i, then j: where those of i begin is a sum over the atoms before.
        int* firstPair = at<int>(place.firstPair);
        if (t < 32) {
            const int count = t < N ? countBefore(sets[t], t) : 0;
            int sum = count;
            for (int by = 1; by < 32; by *= 2) {
                const int before = __shfl_up_sync(0xffffffffu, sum, by);
                sum += t >= by ? before : 0;
            }
            if (t < N)
                firstPair[t] = sum - count;
            if (t == 31)
                firstPair[ATOMS] = sum;
        }
        __syncthreads();
        if (isPair) {
            const int pair = firstPair[i] + countBefore(sets[i], j);
            at<Edge>(place.pairs)[pair] = edge;
            at<double>(place.pairEnergies)[pair] = half;
            PackedEdge* lists = at<PackedEdge>(place.neighbors);
            lists[i * ATOMS + countBefore(sets[i], j)] = PackedEdge(pair * 32 + j);
            lists[j * ATOMS + countBefore(sets[j], i)] = PackedEdge(pair * 32 + i);
        }
        __syncthreads();
        if (t < N) {
            double energy = 0;
#if PAINN_REPULSION
            for (int k = 0; k < __popc(sets[t]); k++)
                energy += at<double>(place.pairEnergies)[at<PackedEdge>(place.neighbors)[t * ATOMS + k] / 32];
#endif
            at<double>(place.energies)[t] = energy;
        }
    }

    /**
     * F4 and its slopes for all pairs in block l of the network, from the table on the device, by the warps from
     * `firstWarp` on: others may do something else meanwhile.
     */
    template <bool SLOPES> __device__ __forceinline__ void evaluateFilters(int l, int firstWarp) const {
        constexpr int AT_ONCE = 2; // so many entries are on their way at the same time
        const float4* table = arrays.table + (size_t(l) * BLOCKS + rank) * (CELLS * TABLE_QUADS * SLICE);
        const Edge* pairs = at<Edge>(place.pairs);
        const int count = at<int>(place.firstPair)[ATOMS] * SLICE, threads = 32 * (MOLECULE_WARPS - firstWarp);
        for (int base = int(threadIdx.x) - 32 * firstWarp; base < count; base += AT_ONCE * threads) {
            float4 quads[AT_ONCE][TABLE_QUADS] = {};
#pragma unroll
            for (int n = 0; n < AT_ONCE; n++) {
                const int k = min(base + n * threads, count - 1);
                const float4* cell = table + pairs[k / SLICE].cell * (TABLE_QUADS * SLICE) + k % SLICE;
#pragma unroll
                for (int quad = 0; quad < TABLE_QUADS; quad++)
                    if (quad < 3 || l > 0) // vectors have no filter in the first block
                        quads[n][quad] = loadGlobal(cell + quad * SLICE);
            }
#pragma unroll
            for (int n = 0; n < AT_ONCE; n++) {
                const int k = base + n * threads;
                if (k >= count)
                    break;
                const Filter f = evaluateFilter<false, SLOPES, 1>(quads[n], pairs[k / SLICE].t);
                at<float4>(place.filters)[k] = make_float4(f.s, f.u, f.v, f.ds);
                if (SLOPES)
                    at<float2>(place.filterSlopes)[k] = make_float2(f.du, f.dv);
            }
        }
    }

    /** Calls use(edge, filter) for the edges of atom n that belong to this lane's group, in its channel. */
    template <bool SLOPES, class Use> __device__ __forceinline__ void forEdges(int n, Use use) const {
        const int lane = threadIdx.x % 32, c = lane % SLICE, count = __popc(at<unsigned>(place.neighborSets)[n]);
        const PackedEdge* list = at<PackedEdge>(place.neighbors) + n * ATOMS;
        unsigned next = list[lane / SLICE]; // read ahead; there may be none
#pragma unroll 1
        for (int e = lane / SLICE; e < count; e += 32 / SLICE) {
            const unsigned j = next % 32, pair = next - j; // bytes in the array of pairs
            next = list[e + 32 / SLICE];
            const Edge& stored = *at<Edge>(place.pairs + pair);
            // The pair is seen from the atom of higher index: for the other one the sign changes, a bit of n - j.
            const unsigned sign = (n - j) & 0x80000000u;
            Edge edge;
            edge.ux = __uint_as_float(__float_as_uint(stored.ux) ^ sign);
            edge.uy = __uint_as_float(__float_as_uint(stored.uy) ^ sign);
            edge.uz = __uint_as_float(__float_as_uint(stored.uz) ^ sign);
            edge.a = stored.a;
            edge.repulsion = stored.repulsion;
            edge.j = j;
            const float4 values = *at<float4>(place.filters + 16 * c + pair * (SLICE / 2));
            float2 slopes = make_float2(0, 0);
            if (SLOPES)
                slopes = *at<float2>(place.filterSlopes + 8 * c + pair * (SLICE / 4));
            use(edge, Filter{values.x, values.y, values.z, values.w, slopes.x, slopes.y});
        }
    }
};

#endif
