// SPDX-License-Identifier: MIT
// Part of KernelSource.h: what F6 and B6 do channel by channel. Plain loops that the compiler vectorises.

namespace PaiNNPlugin {

namespace {

/** |V| of one atom: V [3] vectors of stride strideV, n [H]. */
inline void normOfAtom(int H, float epsilon, const float* V, size_t strideV, float* __restrict n) {
    for (int h = 0; h < H; h++) {
        const float x = V[h], y = V[strideV + h], z = V[2 * strideV + h];
        n[h] = __builtin_sqrtf(x * x + y * y + z * z + epsilon);
    }
}

void computeNorm(const UpdateInput& update, int rows, const float* s, const float* V, size_t strideV, float* input) {
    const int H = update.H;
    for (int i = 0; i < rows; i++) {
        __builtin_memcpy(input + static_cast<size_t>(i) * 2 * H, s + static_cast<size_t>(i) * H, H * sizeof(float));
        normOfAtom(H, update.normEpsilon, V + i * 3 * strideV, strideV, input + static_cast<size_t>(i) * 2 * H + H);
    }
}

void combineFeatures(const UpdateInput& update, int rows, const float* pqr, const float* v, const float* VW, float* s,
                     float* vNew) {
    const int H = update.H;
    const float* M = update.mixing;
    for (int i = 0; i < rows; i++) {
        const float *p = pqr + static_cast<size_t>(i) * 3 * H, *q = p + H, *r = q + H;
        const float *vx = v + static_cast<size_t>(i) * 3 * H, *vy = vx + H, *vz = vy + H;
        float* __restrict si = s + static_cast<size_t>(i) * H;
        float* __restrict to = vNew + static_cast<size_t>(i) * 3 * H;
        for (int h = 0; h < H; h++)
            si[h] += p[h];
        if (update.isStudent) {
            for (int x = 0; x < 3 && !update.isLast; x++) {
                const float *from = vx + x * H, mx = M[3 * x], my = M[3 * x + 1], mz = M[3 * x + 2];
                for (int h = 0; h < H; h++)
                    to[x * H + h] = from[h] * q[h] + (mx * vx[h] + my * vy[h] + mz * vz[h]) * r[h];
            }
            continue;
        }
        const float* V = VW + static_cast<size_t>(i) * 6 * H;
        for (int h = 0; h < H; h++)
            si[h] += r[h] * (V[h] * V[H + h] + V[2 * H + h] * V[3 * H + h] + V[4 * H + h] * V[5 * H + h]);
        for (int x = 0; x < 3 && !update.isLast; x++) {
            const float *from = vx + x * H, *W = V + x * 2 * H + H;
            for (int h = 0; h < H; h++)
                to[x * H + h] = from[h] + W[h] * q[h];
        }
    }
}

/** B6c and the mixing part of B6a for one atom of a student, not in the last block. */
inline void combineStudentBackward(const UpdateInput& update, const float* q, const float* r, const float* v,
                                   float* __restrict v_adj, float* __restrict q_adj, float* __restrict r_adj) {
    const int H = update.H;
    const float M0 = update.mixing[0], M1 = update.mixing[1], M2 = update.mixing[2], M3 = update.mixing[3],
                M4 = update.mixing[4], M5 = update.mixing[5], M6 = update.mixing[6], M7 = update.mixing[7],
                M8 = update.mixing[8];
    for (int h = 0; h < H; h++) {
        const float x = v[h], y = v[H + h], z = v[2 * H + h];
        const float ax = v_adj[h], ay = v_adj[H + h], az = v_adj[2 * H + h];
        q_adj[h] = ax * x + ay * y + az * z;
        // (M v) . a = v . (M^T a)
        const float bx = M0 * ax + M3 * ay + M6 * az, by = M1 * ax + M4 * ay + M7 * az,
                    bz = M2 * ax + M5 * ay + M8 * az;
        r_adj[h] = bx * x + by * y + bz * z;
        v_adj[h] = ax * q[h] + bx * r[h];
        v_adj[H + h] = ay * q[h] + by * r[h];
        v_adj[2 * H + h] = az * q[h] + bz * r[h];
    }
}

/** B6c for one atom of a canonical network. VW and VW_adj [3][2 H]. */
inline void combineCanonicalBackward(const UpdateInput& update, const float* q, const float* r, const float* VW,
                                     const float* s_adj, const float* v_adj, float* __restrict q_adj,
                                     float* __restrict r_adj, float* __restrict VW_adj) {
    const int H = update.H;
    for (int h = 0; h < H; h++)
        r_adj[h] = s_adj[h] * (VW[h] * VW[H + h] + VW[2 * H + h] * VW[3 * H + h] + VW[4 * H + h] * VW[5 * H + h]);
    for (int x = 0; x < 3; x++) {
        const float *V = VW + x * 2 * H, *W = V + H;
        float *V_adj = VW_adj + x * 2 * H, *W_adj = V_adj + H;
        for (int h = 0; h < H; h++) {
            const float a = s_adj[h] * r[h];
            V_adj[h] = a * W[h];
            W_adj[h] = a * V[h];
        }
        if (update.isLast)
            continue;
        for (int h = 0; h < H; h++)
            W_adj[h] += v_adj[x * H + h] * q[h];
    }
    if (!update.isLast)
        for (int h = 0; h < H; h++)
            q_adj[h] = v_adj[h] * VW[H + h] + v_adj[H + h] * VW[3 * H + h] + v_adj[2 * H + h] * VW[5 * H + h];
}

void combineBackward(const UpdateInput& update, int rows, const float* qr, const float* v, const float* VW,
                     const float* s_adj, float* v_adj, float* pqr_adj, float* VW_adj) {
    const size_t H = update.H;
    for (int i = 0; i < rows; i++) {
        float* to = pqr_adj + i * 3 * H;
        __builtin_memcpy(to, s_adj + i * H, H * sizeof(float));
        if (update.isLast)
            __builtin_memset(to + H, 0, 2 * H * sizeof(float));
        if (update.isStudent && update.isLast)
            continue; // there is no qr
        const float *q = qr + i * 2 * H, *r = q + H;
        if (!update.isStudent)
            combineCanonicalBackward(update, q, r, VW + i * 6 * H, s_adj + i * H, v_adj + i * 3 * H, to + H, to + 2 * H,
                                     VW_adj + i * 6 * H);
        else
            combineStudentBackward(update, q, r, v + i * 3 * H, v_adj + i * 3 * H, to + H, to + 2 * H);
    }
}

void normBackward(const UpdateInput& update, int rows, const float* input_adj, const float* V, size_t strideV,
                  float* s_adj, float* V_adj, size_t strideAdjoint) {
    const int H = update.H;
    for (int i = 0; i < rows; i++) {
        const float *in = input_adj + static_cast<size_t>(i) * 2 * H, *n_adj = in + H;
        float* __restrict si = s_adj + static_cast<size_t>(i) * H;
        const float *Vx = V + i * 3 * strideV, *Vy = Vx + strideV, *Vz = Vy + strideV;
        float* __restrict ax = V_adj + i * 3 * strideAdjoint;
        for (int h = 0; h < H; h++)
            si[h] += in[h];
        for (int h = 0; h < H; h++) {
            const float x = Vx[h], y = Vy[h], z = Vz[h];
            const float n = __builtin_sqrtf(x * x + y * y + z * z + update.normEpsilon);
            const float slope = n > 0 ? n_adj[h] / n : 0.0f; // no derivative at V = 0
            ax[h] += slope * x;
            ax[strideAdjoint + h] += slope * y;
            ax[2 * strideAdjoint + h] += slope * z;
        }
    }
}

} // namespace

} // namespace PaiNNPlugin
