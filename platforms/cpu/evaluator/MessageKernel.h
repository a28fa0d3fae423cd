// SPDX-License-Identifier: MIT
// Part of KernelSource.h: the interpolated filter (F4), the message (F5) and its adjoint (B5b).

namespace PaiNNPlugin {

namespace {

constexpr int TERMS_SIZE = TABLE_TERMS * CHANNEL_TILE; // floats of 16 channels of one part

/** The polynomial of LANES channels; p points at c_0. */
inline Vec interpolate(const float* p, float t) {
    Vec f = load(p + 5 * CHANNEL_TILE) * t + load(p + 4 * CHANNEL_TILE);
    f = f * t + load(p + 3 * CHANNEL_TILE);
    f = f * t + load(p + 2 * CHANNEL_TILE);
    f = f * t + load(p + CHANNEL_TILE);
    return f * t + load(p);
}

/** The polynomial and its derivative by t. */
inline void interpolate(const float* p, float t, Vec& f, Vec& df) {
    const Vec c5 = load(p + 5 * CHANNEL_TILE), c4 = load(p + 4 * CHANNEL_TILE), c3 = load(p + 3 * CHANNEL_TILE),
              c2 = load(p + 2 * CHANNEL_TILE), c1 = load(p + CHANNEL_TILE);
    Vec g = c5 * t + c4;
    df = c5 * t + g;
    g = g * t + c3;
    df = df * t + g;
    g = g * t + c2;
    df = df * t + g;
    g = g * t + c1;
    df = df * t + g;
    f = g * t + load(p);
}

/** Where the coefficients of channel h of part 0 of a cell stand. */
inline const float* findTerms(const MessageInput& input, int cell, int h) {
    const size_t chunks = static_cast<size_t>(cell) * (input.H / CHANNEL_TILE) + h / CHANNEL_TILE;
    return input.table + chunks * input.tableParts * TERMS_SIZE + h % CHANNEL_TILE;
}

void filter(const MessageInput& input, int cell, float t, float* f, float* df) {
    for (int h = 0; h < input.H; h += LANES)
        for (int part = 0; part < input.tableParts; part++) {
            Vec value, slope;
            interpolate(findTerms(input, cell, h) + part * TERMS_SIZE, t, value, slope);
            store(f + part * input.H + h, value);
            store(df + part * input.H + h, slope);
        }
}

/** CONTEXT: whether c^u and c^v exist. FIRST: the vectors are zero. */
template <bool CONTEXT, bool FIRST>
void messageOf(const MessageInput& input, const EdgeRow& edges, float* s, float* v) {
    const int H = input.H;
    for (int e = 0; e < edges.count; e++) {
        const float t = edges.t[e];
        const float *u = edges.towards + 3 * e, ux = u[0], uy = u[1], uz = u[2];
        const float* c = input.c + edges.sender[e] * static_cast<size_t>(CONTEXT ? 3 * H : H);
        const float* vj = FIRST ? nullptr : input.v + edges.atom[e] * static_cast<size_t>(3 * H);
        const float* row = findTerms(input, edges.cell[e], 0);
        for (int h = 0; h < H; h += LANES) {
            const float* terms = row + (h / CHANNEL_TILE) * (FIRST ? 2 : 3) * TERMS_SIZE + h % CHANNEL_TILE;
            add(s + h, load(c + h) * interpolate(terms, t));
            Vec direction = interpolate(terms + DIRECTION_PART * TERMS_SIZE, t);
            if (CONTEXT)
                direction *= load(c + DIRECTION_PART * H + h);
            Vec x = load(v + h) + ux * direction, y = load(v + H + h) + uy * direction,
                z = load(v + 2 * H + h) + uz * direction;
            if (!FIRST) {
                Vec vector = interpolate(terms + VECTOR_PART * TERMS_SIZE, t);
                if (CONTEXT)
                    vector *= load(c + VECTOR_PART * H + h);
                x += load(vj + h) * vector;
                y += load(vj + H + h) * vector;
                z += load(vj + 2 * H + h) * vector;
            }
            store(v + h, x);
            store(v + H + h, y);
            store(v + 2 * H + h, z);
        }
    }
}

void message(const MessageInput& input, const EdgeRow& edges, float* s, float* v) {
    if (input.v == nullptr)
        input.hasContext ? messageOf<true, true>(input, edges, s, v) : messageOf<false, true>(input, edges, s, v);
    else
        input.hasContext ? messageOf<true, false>(input, edges, s, v) : messageOf<false, false>(input, edges, s, v);
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

template <bool CONTEXT, bool FIRST>
void messageBackwardOf(const MessageInput& input, const MessageAdjoint& adjoint, const EdgeRow& edges, int row,
                       int atom, float* c_adj, float* v_adj, float* geometry_adj) {
    const int H = input.H;
    const float* c = input.c + row * static_cast<size_t>(CONTEXT ? 3 * H : H);
    const float* v = FIRST ? nullptr : input.v + atom * static_cast<size_t>(3 * H);
    for (int e = 0; e < edges.count; e++) {
        const float t = edges.t[e];
        const float *u = edges.towards + 3 * e, ux = -u[0], uy = -u[1], uz = -u[2];
        const float* si_adj = adjoint.s + edges.atom[e] * static_cast<size_t>(H);
        const float* vi_adj = adjoint.v + edges.atom[e] * static_cast<size_t>(3 * H);
        const float* first = findTerms(input, edges.cell[e], 0);
        Vec t_sum = {}, x_sum = {}, y_sum = {}, z_sum = {};
        for (int h = 0; h < H; h += LANES) {
            const float* terms = first + (h / CHANNEL_TILE) * (FIRST ? 2 : 3) * TERMS_SIZE + h % CHANNEL_TILE;
            const Vec scalar = load(si_adj + h), vx = load(vi_adj + h), vy = load(vi_adj + H + h),
                      vz = load(vi_adj + 2 * H + h);
            Vec f, df;
            interpolate(terms, t, f, df);
            t_sum += scalar * load(c + h) * df;
            if (!FIRST)
                add(c_adj + h, scalar * f);

            const Vec direction = ux * vx + uy * vy + uz * vz;
            interpolate(terms + DIRECTION_PART * TERMS_SIZE, t, f, df);
            if (CONTEXT) {
                if (!FIRST)
                    add(c_adj + DIRECTION_PART * H + h, direction * f);
                const Vec cu = load(c + DIRECTION_PART * H + h);
                f *= cu;
                df *= cu;
            }
            t_sum += direction * df;
            x_sum += vx * f;
            y_sum += vy * f;
            z_sum += vz * f;
            if (FIRST)
                continue;

            const Vec vector = load(v + h) * vx + load(v + H + h) * vy + load(v + 2 * H + h) * vz;
            interpolate(terms + VECTOR_PART * TERMS_SIZE, t, f, df);
            if (CONTEXT) {
                add(c_adj + VECTOR_PART * H + h, vector * f);
                const Vec cv = load(c + VECTOR_PART * H + h);
                f *= cv;
                df *= cv;
            }
            t_sum += vector * df;
            add(v_adj + h, vx * f);
            add(v_adj + H + h, vy * f);
            add(v_adj + 2 * H + h, vz * f);
        }
        const Four sums = sumLanes(t_sum, x_sum, y_sum, z_sum);
        __builtin_memcpy(geometry_adj + 4 * e, &sums, sizeof(sums));
    }
}

void messageBackward(const MessageInput& input, const MessageAdjoint& adjoint, const EdgeRow& edges, int row, int atom,
                     float* c_adj, float* v_adj, float* geometry_adj) {
    const auto function = input.v == nullptr
                              ? (input.hasContext ? messageBackwardOf<true, true> : messageBackwardOf<false, true>)
                              : (input.hasContext ? messageBackwardOf<true, false> : messageBackwardOf<false, false>);
    function(input, adjoint, edges, row, atom, c_adj, v_adj, geometry_adj);
}

} // namespace

} // namespace PaiNNPlugin
