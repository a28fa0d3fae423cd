// SPDX-License-Identifier: MIT
// Part of KernelSource.h: the message (F5b) and its adjoint (B5b).

namespace PaiNNPlugin {

namespace {

/** Add sums [rows][stride][16] to 16 channels of a tile's arrays [rows][parts][H]. */
inline void addSums(int rows, int parts, int H, int stride, const float* sums, float* array) {
    for (int r = 0; r < rows; r++)
        for (int part = 0; part < parts; part++)
            for (int k = 0; k < CHANNEL_TILE; k += LANES)
                add(array + (static_cast<size_t>(r) * parts + part) * H + k,
                    load(sums + (static_cast<size_t>(r) * stride + part) * CHANNEL_TILE + k));
}

/** What changes between the families and blocks. FIRST: the vectors are zero. */
template <bool CONTEXT, bool FIRST> struct Shape {
    static constexpr int TABLE_PARTS = FIRST ? 2 : 3;
    static constexpr int CONTEXT_PARTS = CONTEXT ? TABLE_PARTS : 1;
    static constexpr int SENDER_PARTS = CONTEXT_PARTS + (FIRST ? 0 : 3);
};

inline bool isInTile(const PairList& pairs, int atom) {
    return static_cast<unsigned>(atom - pairs.begin) < static_cast<unsigned>(pairs.rows);
}

inline void addProduct(float* p, Vec a, Vec b) {
    store(p, fuse(a, b, load(p)));
}

/** F5b for the edge i <- j on LANES channels: f are the parts of the filter, u points to j. Adds to sum [s, v]. */
template <bool CONTEXT, bool FIRST>
inline __attribute__((always_inline)) void receive(const Vec* f, Vec ux, Vec uy, Vec uz, const float* sender,
                                                   float* sum) {
    constexpr int V = at(Shape<CONTEXT, FIRST>::CONTEXT_PARTS);
    addProduct(sum, load(sender), f[SCALAR_PART]);
    Vec direction = f[DIRECTION_PART];
    if (CONTEXT)
        direction *= load(sender + at(DIRECTION_PART));
    Vec x = fuse(ux, direction, load(sum + at(1))), y = fuse(uy, direction, load(sum + at(2))),
        z = fuse(uz, direction, load(sum + at(3)));
    if (!FIRST) {
        Vec vector = f[VECTOR_PART];
        if (CONTEXT)
            vector *= load(sender + at(VECTOR_PART));
        x = fuse(load(sender + V), vector, x);
        y = fuse(load(sender + V + at(1)), vector, y);
        z = fuse(load(sender + V + at(2)), vector, z);
    }
    store(sum + at(1), x);
    store(sum + at(2), y);
    store(sum + at(3), z);
}

/** F5b for a pair on 16 channels; toB is only used if BOTH are in the tile. */
template <bool CONTEXT, bool FIRST, bool BOTH>
inline __attribute__((always_inline)) void messageOfPair(const float* terms, float t, const float* u,
                                                         const float* fromA, const float* fromB, float* toA,
                                                         float* toB) {
    constexpr int PARTS = Shape<CONTEXT, FIRST>::TABLE_PARTS;
    const Vec ux = fill(u[0]), uy = fill(u[1]), uz = fill(u[2]), place = fill(t);
#pragma GCC unroll 4
    for (int k = 0; k < CHANNEL_TILE; k += LANES) {
        Vec f[PARTS];
#pragma GCC unroll 3
        for (int part = 0; part < PARTS; part++)
            f[part] = interpolate(terms + part * TERMS_SIZE + k, place);
        receive<CONTEXT, FIRST>(f, ux, uy, uz, fromB + k, toA + k);
        if (BOTH)
            receive<CONTEXT, FIRST>(f, -ux, -uy, -uz, fromA + k, toB + k);
    }
}

template <bool CONTEXT, bool FIRST>
void messageOf(const MessageInput& input, const PairList& pairs, float* s, float* v) {
    using S = Shape<CONTEXT, FIRST>;
    alignas(64) float sums[TILE * 4 * CHANNEL_TILE];
    for (int h = 0; h < input.H; h += CHANNEL_TILE) {
        const float* table = input.table + static_cast<size_t>(h) * input.numCells * S::TABLE_PARTS * TABLE_TERMS;
        const float* senders = input.sender + static_cast<size_t>(h) * input.numSenders * S::SENDER_PARTS;
        __builtin_memset(sums, 0, sizeof(float) * pairs.rows * at(4));
        for (int n = 0; n < pairs.count; n++) {
            const int a = pairs.a[n], b = pairs.b[n];
            const float* terms = table + static_cast<size_t>(pairs.cell[n]) * S::TABLE_PARTS * TERMS_SIZE;
            const float* fromA = senders + static_cast<size_t>(FIRST ? input.element[a] : a) * at(S::SENDER_PARTS);
            const float* fromB = senders + static_cast<size_t>(FIRST ? input.element[b] : b) * at(S::SENDER_PARTS);
            const float* u = pairs.towards + 3 * static_cast<size_t>(n);
            const float t = pairs.t[n];
            float* toA = sums + (a - pairs.begin) * at(4);
            prefetchCell<S::TABLE_PARTS>(table, pairs, n);
            if (isInTile(pairs, b))
                messageOfPair<CONTEXT, FIRST, true>(terms, t, u, fromA, fromB, toA, sums + (b - pairs.begin) * at(4));
            else {
                if (!FIRST)
                    prefetchNeighbor<S::SENDER_PARTS>(senders, S::SENDER_PARTS, pairs, n);
                messageOfPair<CONTEXT, FIRST, false>(terms, t, u, fromA, fromB, toA, nullptr);
            }
        }
        addSums(pairs.rows, 1, input.H, 4, sums, s + h);
        addSums(pairs.rows, 3, input.H, 4, sums + at(1), v + h);
    }
}

void message(const MessageInput& input, const PairList& pairs, float* s, float* v) {
    if (input.isFirst)
        input.hasContext ? messageOf<true, true>(input, pairs, s, v) : messageOf<false, true>(input, pairs, s, v);
    else
        input.hasContext ? messageOf<true, false>(input, pairs, s, v) : messageOf<false, false>(input, pairs, s, v);
}

typedef float Four __attribute__((vector_size(16), may_alias));

/** Sum a register's lanes into four numbers. */
inline Four fold(Vec x) {
    Four parts[LANES / 4];
    __builtin_memcpy(parts, &x, sizeof(x));
    Four sum = parts[0];
    for (int k = 1; k < LANES / 4; k++)
        sum += parts[k];
    return sum;
}

/** The sums of the lanes of four registers. */
inline Four sumLanes(Vec a, Vec b, Vec c, Vec d) {
    const Four p = fold(a), q = fold(b), r = fold(c), s = fold(d);
    const Four pq = __builtin_shufflevector(p, q, 0, 4, 1, 5) + __builtin_shufflevector(p, q, 2, 6, 3, 7);
    const Four rs = __builtin_shufflevector(r, s, 0, 4, 1, 5) + __builtin_shufflevector(r, s, 2, 6, 3, 7);
    return __builtin_shufflevector(pq, rs, 0, 1, 4, 5) + __builtin_shufflevector(pq, rs, 2, 3, 6, 7);
}

/** The sums over channels that make up geometry_adj. */
struct GeometrySums {
    Vec t = {}, x = {}, y = {}, z = {};
};

/**
 * B5b for the edge i <- j on LANES channels: f and df are the filter and its derivative, u points to j, receiver are
 * the adjoints of i. Adds to sum [c_adj, v_adj] of j and to the geometry.
 */
template <bool CONTEXT, bool FIRST>
inline __attribute__((always_inline)) void send(const Vec* f, const Vec* df, Vec ux, Vec uy, Vec uz,
                                                const float* sender, const float* receiver, float* sum,
                                                GeometrySums& geometry) {
    constexpr int V = at(Shape<CONTEXT, FIRST>::CONTEXT_PARTS);
    const Vec scalar = load(receiver), vx = load(receiver + at(1)), vy = load(receiver + at(2)),
              vz = load(receiver + at(3));
    geometry.t = fuse(scalar * load(sender), df[SCALAR_PART], geometry.t);
    if (!FIRST)
        addProduct(sum, scalar, f[SCALAR_PART]);

    const Vec direction = fuse(uz, vz, fuse(uy, vy, ux * vx));
    Vec value = f[DIRECTION_PART], slope = df[DIRECTION_PART];
    if (CONTEXT) {
        if (!FIRST)
            addProduct(sum + at(DIRECTION_PART), direction, value);
        const Vec c = load(sender + at(DIRECTION_PART));
        value *= c;
        slope *= c;
    }
    geometry.t = fuse(direction, slope, geometry.t);
    geometry.x = fuse(vx, value, geometry.x);
    geometry.y = fuse(vy, value, geometry.y);
    geometry.z = fuse(vz, value, geometry.z);
    if (FIRST)
        return;

    const Vec vector = fuse(load(sender + V + at(2)), vz, fuse(load(sender + V + at(1)), vy, load(sender + V) * vx));
    value = f[VECTOR_PART];
    slope = df[VECTOR_PART];
    if (CONTEXT) {
        addProduct(sum + at(VECTOR_PART), vector, value);
        const Vec c = load(sender + at(VECTOR_PART));
        value *= c;
        slope *= c;
    }
    geometry.t = fuse(vector, slope, geometry.t);
    addProduct(sum + V, vx, value);
    addProduct(sum + V + at(1), vy, value);
    addProduct(sum + V + at(2), vz, value);
}

/** Add the lanes of the sums to four numbers in memory. */
inline void addGeometry(const GeometrySums& g, bool isNew, float* to) {
    Four sums = sumLanes(g.t, g.x, g.y, g.z);
    if (!isNew)
        sums += *reinterpret_cast<const Four*>(to);
    *reinterpret_cast<Four*>(to) = sums;
}

/** B5b for a pair on 16 channels; toB and the second half of the geometry are only used if BOTH are in the tile. */
template <bool CONTEXT, bool FIRST, bool BOTH>
inline __attribute__((always_inline)) void
messageOfPairBackward(const float* terms, float t, const float* u, const float* fromA, const float* fromB,
                      const float* ofA, const float* ofB, float* toA, float* toB, bool isNew, float* geometry_adj) {
    constexpr int PARTS = Shape<CONTEXT, FIRST>::TABLE_PARTS;
    const Vec ux = fill(u[0]), uy = fill(u[1]), uz = fill(u[2]), place = fill(t);
    GeometrySums sentByA, sentByB;
#pragma GCC unroll 4
    for (int k = 0; k < CHANNEL_TILE; k += LANES) {
        Vec f[PARTS], df[PARTS];
#pragma GCC unroll 3
        for (int part = 0; part < PARTS; part++)
            interpolate(terms + part * TERMS_SIZE + k, place, f[part], df[part]);
        send<CONTEXT, FIRST>(f, df, -ux, -uy, -uz, fromA + k, ofB + k, toA + k, sentByA);
        if (BOTH)
            send<CONTEXT, FIRST>(f, df, ux, uy, uz, fromB + k, ofA + k, toB + k, sentByB);
    }
    addGeometry(sentByA, isNew, geometry_adj);
    if (BOTH)
        addGeometry(sentByB, isNew, geometry_adj + 4);
}

template <bool CONTEXT, bool FIRST>
void messageBackwardOf(const MessageInput& input, const MessageAdjoint& adjoint, const PairList& pairs, float* c_adj,
                       float* v_adj, float* geometry_adj) {
    using S = Shape<CONTEXT, FIRST>;
    alignas(64) float sums[TILE * 6 * CHANNEL_TILE];
    for (int h = 0; h < input.H; h += CHANNEL_TILE) {
        const float* table = input.table + static_cast<size_t>(h) * input.numCells * S::TABLE_PARTS * TABLE_TERMS;
        const float* senders = input.sender + static_cast<size_t>(h) * input.numSenders * S::SENDER_PARTS;
        const float* receivers = adjoint.sv + static_cast<size_t>(h) * adjoint.numAtoms * adjoint.stride;
        if (!FIRST)
            __builtin_memset(sums, 0, sizeof(float) * pairs.rows * at(S::SENDER_PARTS));
        for (int n = 0; n < pairs.count; n++) {
            const int a = pairs.a[n], b = pairs.b[n];
            const float* terms = table + static_cast<size_t>(pairs.cell[n]) * S::TABLE_PARTS * TERMS_SIZE;
            const float* fromA = senders + static_cast<size_t>(FIRST ? input.element[a] : a) * at(S::SENDER_PARTS);
            const float* fromB = senders + static_cast<size_t>(FIRST ? input.element[b] : b) * at(S::SENDER_PARTS);
            const float* ofA = receivers + static_cast<size_t>(a) * at(adjoint.stride);
            const float* ofB = receivers + static_cast<size_t>(b) * at(adjoint.stride);
            const float* u = pairs.towards + 3 * static_cast<size_t>(n);
            const float t = pairs.t[n];
            float *toA = sums + (a - pairs.begin) * at(S::SENDER_PARTS), *g = geometry_adj + 8 * static_cast<size_t>(n);
            prefetchCell<S::TABLE_PARTS>(table, pairs, n);
            if (isInTile(pairs, b))
                messageOfPairBackward<CONTEXT, FIRST, true>(terms, t, u, fromA, fromB, ofA, ofB, toA,
                                                            sums + (b - pairs.begin) * at(S::SENDER_PARTS), h == 0, g);
            else {
                prefetchNeighbor<4>(receivers, adjoint.stride, pairs, n);
                messageOfPairBackward<CONTEXT, FIRST, false>(terms, t, u, fromA, fromB, ofA, ofB, toA, nullptr, h == 0,
                                                             g);
            }
        }
        if (!FIRST) {
            addSums(pairs.rows, S::CONTEXT_PARTS, input.H, S::SENDER_PARTS, sums, c_adj + h);
            addSums(pairs.rows, 3, input.H, S::SENDER_PARTS, sums + at(S::CONTEXT_PARTS), v_adj + h);
        }
    }
}

void messageBackward(const MessageInput& input, const MessageAdjoint& adjoint, const PairList& pairs, float* c_adj,
                     float* v_adj, float* geometry_adj) {
    const auto function = input.isFirst
                              ? (input.hasContext ? messageBackwardOf<true, true> : messageBackwardOf<false, true>)
                              : (input.hasContext ? messageBackwardOf<true, false> : messageBackwardOf<false, false>);
    function(input, adjoint, pairs, c_adj, v_adj, geometry_adj);
}

} // namespace

} // namespace PaiNNPlugin
