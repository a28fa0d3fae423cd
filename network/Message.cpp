// SPDX-License-Identifier: MIT
#include "Message.h"

namespace PaiNNPlugin {

Message::Message(const NetworkParameters& parameters, int block)
    : H(parameters.numChannels), vectorRows(parameters.family == Family::Student ? H : 2 * H),
      directionRows(parameters.family == Family::Student ? 2 * H : H), filter(parameters, block) {
    if (parameters.family == Family::Canonical)
        context.emplace(parameters.blocks[block].context);
}

void Message::forward(const NeighborList& list, Features& features, Tape* tape) const {
    const int numAtoms = list.numAtoms();
    Tape scratch;
    Tape& t = tape == nullptr ? scratch : *tape;
    t.v = features.v;
    t.f.resize(static_cast<size_t>(list.numPairs()) * 3 * H);
    if (tape != nullptr)
        t.df.resize(t.f.size());
    filter.evaluate(list.numPairs(), list.d.data(), t.f.data(), tape == nullptr ? nullptr : t.df.data());

    // F5a: the student sends [s, 1, 1].
    t.c.assign(static_cast<size_t>(numAtoms) * 3 * H, 1.0);
    if (context)
        context->forward(numAtoms, features.s.data(), t.c.data(), tape == nullptr ? nullptr : &t.contextTape);
    else
        for (int i = 0; i < numAtoms; i++)
            std::copy(&features.s[i * H], &features.s[i * H] + H, &t.c[i * 3 * H]);

    // F5b
    for (int i = 0; i < numAtoms; i++) {
        double* s = &features.s[i * H];
        for (int e = list.first[i]; e < list.first[i + 1]; e++) {
            const double* c = &t.c[list.neighbor[e] * 3 * H];
            const double* f = &t.f[list.pair[e] * 3 * static_cast<size_t>(H)];
            const double *cv = c + vectorRows, *fv = f + vectorRows, *cu = c + directionRows, *fu = f + directionRows;
            for (int h = 0; h < H; h++)
                s[h] += c[h] * f[h];
            for (int x = 0; x < 3; x++) {
                const double u = list.u[3 * e + x];
                const double* vj = &t.v[(list.neighbor[e] * 3 + x) * H];
                double* v = &features.v[(i * 3 + x) * H];
                for (int h = 0; h < H; h++)
                    v[h] += vj[h] * (cv[h] * fv[h]) + u * (cu[h] * fu[h]);
            }
        }
    }
}

namespace {

/** Sum in a fixed order that needs no fast-math to run in parallel lanes. */
double sum(int count, const double* x) {
    double lane[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    int k = 0;
    for (; k + 8 <= count; k += 8)
        for (int l = 0; l < 8; l++)
            lane[l] += x[k + l];
    for (int l = 0; k + l < count; l++)
        lane[l] += x[k + l];
    return ((lane[0] + lane[4]) + (lane[1] + lane[5])) + ((lane[2] + lane[6]) + (lane[3] + lane[7]));
}

} // namespace

void Message::backward(const NeighborList& list, const Tape& tape, Features& adjoint, GeometryAdjoint& geometry) const {
    const int numAtoms = list.numAtoms();
    const std::vector<double> v_adj = adjoint.v; // [numAtoms][3][H] after the message
    std::vector<double> c_adj(tape.c.size(), 0.0);
    std::vector<double> d_terms(H), u_terms(3 * H); // the summands of d_adj and u_adj of one edge, channel by channel

    // B5b
    for (int i = 0; i < numAtoms; i++) {
        const double* s_adj = &adjoint.s[i * H];
        const double *vx_adj = &v_adj[i * 3 * H], *vy_adj = vx_adj + H, *vz_adj = vy_adj + H;
        for (int e = list.first[i]; e < list.first[i + 1]; e++) {
            const int j = list.neighbor[e], p = list.pair[e];
            const double ux = list.u[3 * e], uy = list.u[3 * e + 1], uz = list.u[3 * e + 2];
            const double *c = &tape.c[j * 3 * H], *cv = c + vectorRows, *cu = c + directionRows;
            const size_t row = p * 3 * static_cast<size_t>(H);
            const double *f = &tape.f[row], *fv = f + vectorRows, *fu = f + directionRows;
            const double *df = &tape.df[row], *dfv = df + vectorRows, *dfu = df + directionRows;
            const double *vx = &tape.v[j * 3 * H], *vy = vx + H, *vz = vy + H;
            double *cs_adj = &c_adj[j * 3 * H], *cv_adj = cs_adj + vectorRows, *cu_adj = cs_adj + directionRows;
            double *vjx_adj = &adjoint.v[j * 3 * H], *vjy_adj = vjx_adj + H, *vjz_adj = vjy_adj + H;
            for (int h = 0; h < H; h++) {
                const double scalar = s_adj[h];
                const double vector = vx[h] * vx_adj[h] + vy[h] * vy_adj[h] + vz[h] * vz_adj[h];
                const double direction = ux * vx_adj[h] + uy * vy_adj[h] + uz * vz_adj[h];
                d_terms[h] = scalar * c[h] * df[h] + vector * cv[h] * dfv[h] + direction * cu[h] * dfu[h];
                cs_adj[h] += scalar * f[h];
                cv_adj[h] += vector * fv[h];
                cu_adj[h] += direction * fu[h];
            }
            for (int h = 0; h < H; h++) {
                const double perDirection = cu[h] * fu[h], perVector = cv[h] * fv[h];
                u_terms[h] = vx_adj[h] * perDirection;
                u_terms[H + h] = vy_adj[h] * perDirection;
                u_terms[2 * H + h] = vz_adj[h] * perDirection;
                vjx_adj[h] += vx_adj[h] * perVector;
                vjy_adj[h] += vy_adj[h] * perVector;
                vjz_adj[h] += vz_adj[h] * perVector;
            }
            geometry.d_adj[p] += sum(H, d_terms.data());
            for (int x = 0; x < 3; x++) // the pair's u points from its lower atom to its higher one
                geometry.u_adj[3 * p + x] += (i < j ? 1 : -1) * sum(H, &u_terms[x * H]);
        }
    }

    // B5a
    if (context) {
        std::vector<double> s_adj(adjoint.s.size());
        context->backward(numAtoms, tape.contextTape, c_adj.data(), s_adj.data());
        for (size_t k = 0; k < s_adj.size(); k++)
            adjoint.s[k] += s_adj[k];
    }
    else
        for (int i = 0; i < numAtoms; i++)
            for (int h = 0; h < H; h++)
                adjoint.s[i * H + h] += c_adj[i * 3 * H + h];
}

} // namespace PaiNNPlugin
