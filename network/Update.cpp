// SPDX-License-Identifier: MIT
#include "Update.h"
#include <cmath>

namespace PaiNNPlugin {

Update::Update(const NetworkParameters& parameters, int block)
    : H(parameters.numChannels), isStudent(parameters.family == Family::Student),
      isLast(block + 1 == static_cast<int>(parameters.blocks.size())), normEpsilon(parameters.normEpsilon), mixing(),
      network(parameters.blocks[block].update) {
    if (!isStudent)
        U.emplace(parameters.blocks[block].vectorMix);
    else if (!isLast) // the last mixing matrix is no part of a model
        mixing = parameters.blocks[block].mixing;
}

/** F6a: V and W of every atom. Student: V = v, W = M v on x, y, z. Canonical: [V, W] = U v on channels. */
void Update::mix(const std::vector<double>& v, Tape& tape) const {
    const size_t rows = v.size() / H; // numAtoms times x, y, z
    if (isStudent) {
        tape.V = v;
        tape.W.assign(v.size(), 0.0);
        for (size_t row = 0; row < rows; row++)
            for (int y = 0; y < 3; y++) {
                const size_t x = row % 3;
                const double* from = &v[(row - x + y) * H];
                for (int h = 0; h < H; h++)
                    tape.W[row * H + h] += mixing[3 * x + y] * from[h];
            }
        return;
    }
    std::vector<double> VW(2 * v.size());
    U->forward(static_cast<int>(rows), v.data(), VW.data());
    tape.V.resize(v.size());
    tape.W.resize(v.size());
    for (size_t row = 0; row < rows; row++)
        for (int h = 0; h < H; h++) {
            tape.V[row * H + h] = VW[row * 2 * H + h];
            tape.W[row * H + h] = VW[row * 2 * H + H + h];
        }
}

/** B6a: add to v_adj what V and W pass back. */
void Update::mixBackward(const std::vector<double>& V_adj, const std::vector<double>& W_adj,
                         std::vector<double>& v_adj) const {
    const size_t rows = v_adj.size() / H;
    if (isStudent) {
        for (size_t row = 0; row < rows; row++) {
            const size_t y = row % 3;
            for (int h = 0; h < H; h++)
                v_adj[row * H + h] += V_adj[row * H + h];
            for (int x = 0; x < 3; x++) {
                const double* from = &W_adj[(row - y + x) * H];
                for (int h = 0; h < H; h++)
                    v_adj[row * H + h] += mixing[3 * x + y] * from[h];
            }
        }
        return;
    }
    std::vector<double> VW_adj(2 * v_adj.size()), added(v_adj.size());
    for (size_t row = 0; row < rows; row++)
        for (int h = 0; h < H; h++) {
            VW_adj[row * 2 * H + h] = V_adj[row * H + h];
            VW_adj[row * 2 * H + H + h] = W_adj[row * H + h];
        }
    U->backward(static_cast<int>(rows), VW_adj.data(), added.data());
    for (size_t k = 0; k < added.size(); k++)
        v_adj[k] += added[k];
}

void Update::forward(Features& features, Tape* tape) const {
    const size_t numAtoms = features.s.size() / H;
    Tape scratch;
    Tape& t = tape == nullptr ? scratch : *tape;
    mix(features.v, t);

    // F6b: n = |V|, and the MLP of [s, n]
    t.n.resize(numAtoms * H);
    std::vector<double> input(numAtoms * 2 * H);
    for (size_t i = 0; i < numAtoms; i++) {
        const double *Vx = &t.V[i * 3 * H], *Vy = Vx + H, *Vz = Vy + H;
        for (int h = 0; h < H; h++) {
            t.n[i * H + h] = std::sqrt(Vx[h] * Vx[h] + Vy[h] * Vy[h] + Vz[h] * Vz[h] + normEpsilon);
            input[i * 2 * H + h] = features.s[i * H + h];
            input[i * 2 * H + H + h] = t.n[i * H + h];
        }
    }
    t.pqr.resize(numAtoms * 3 * H);
    network.forward(static_cast<int>(numAtoms), input.data(), t.pqr.data(), tape == nullptr ? nullptr : &t.networkTape);

    // F6c
    for (size_t i = 0; i < numAtoms; i++) {
        const double *p = &t.pqr[i * 3 * H], *q = p + H, *r = q + H;
        const double *Vx = &t.V[i * 3 * H], *Vy = Vx + H, *Vz = Vy + H;
        const double *Wx = &t.W[i * 3 * H], *Wy = Wx + H, *Wz = Wy + H;
        double* s = &features.s[i * H];
        for (int h = 0; h < H; h++)
            s[h] += p[h];
        if (!isStudent)
            for (int h = 0; h < H; h++)
                s[h] += r[h] * (Vx[h] * Wx[h] + Vy[h] * Wy[h] + Vz[h] * Wz[h]);
        for (int x = 0; x < 3 && !isLast; x++) {
            double* v = &features.v[(i * 3 + x) * H];
            const double* W = Wx + x * H;
            for (int h = 0; h < H; h++)
                v[h] = isStudent ? v[h] * q[h] + W[h] * r[h] : v[h] + W[h] * q[h];
        }
    }
}

void Update::backward(const Tape& tape, Features& adjoint) const {
    const size_t numAtoms = adjoint.s.size() / H, size = adjoint.v.size();
    std::vector<double> pqr_adj(numAtoms * 3 * H, 0.0), V_adj(size, 0.0), W_adj(size, 0.0);

    // B6c. After it adjoint.v holds what reaches v without V, W and the MLP.
    for (size_t i = 0; i < numAtoms; i++) {
        const double *q = &tape.pqr[i * 3 * H + H], *r = q + H;
        const double* s_adj = &adjoint.s[i * H];
        double *p_adj = &pqr_adj[i * 3 * H], *q_adj = p_adj + H, *r_adj = q_adj + H;
        for (int h = 0; h < H; h++)
            p_adj[h] = s_adj[h];
        for (int x = 0; x < 3; x++) {
            const size_t row = (i * 3 + x) * H;
            const double *V = &tape.V[row], *W = &tape.W[row];
            double* v_adj = &adjoint.v[row];
            if (!isStudent)
                for (int h = 0; h < H; h++) {
                    r_adj[h] += s_adj[h] * V[h] * W[h];
                    V_adj[row + h] = s_adj[h] * r[h] * W[h];
                    W_adj[row + h] = s_adj[h] * r[h] * V[h];
                }
            if (isLast)
                continue;
            for (int h = 0; h < H; h++)
                if (isStudent) {
                    q_adj[h] += v_adj[h] * V[h];
                    r_adj[h] += v_adj[h] * W[h];
                    W_adj[row + h] = v_adj[h] * r[h];
                    v_adj[h] *= q[h];
                }
                else {
                    q_adj[h] += v_adj[h] * W[h];
                    W_adj[row + h] += v_adj[h] * q[h];
                }
        }
    }

    // B6b: back through the MLP and the norm, whose derivative at V = 0 is taken as 0
    std::vector<double> input_adj(numAtoms * 2 * H);
    network.backward(static_cast<int>(numAtoms), tape.networkTape, pqr_adj.data(), input_adj.data());
    for (size_t i = 0; i < numAtoms; i++)
        for (int h = 0; h < H; h++) {
            adjoint.s[i * H + h] += input_adj[i * 2 * H + h];
            const double n = tape.n[i * H + h];
            const double slope = n == 0 ? 0 : input_adj[i * 2 * H + H + h] / n;
            for (int x = 0; x < 3; x++)
                V_adj[(i * 3 + x) * H + h] += slope * tape.V[(i * 3 + x) * H + h];
        }
    mixBackward(V_adj, W_adj, adjoint.v);
}

} // namespace PaiNNPlugin
