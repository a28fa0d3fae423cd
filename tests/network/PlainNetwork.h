// SPDX-License-Identifier: MIT
#ifndef PAINN_TESTS_PLAIN_NETWORK_H_
#define PAINN_TESTS_PLAIN_NETWORK_H_

#include "ExactNetwork.h"
#include <cmath>
#include <complex>
#include <vector>

namespace PaiNNPlugin {

/**
 * The equations written down a second time, as plainly as possible and without any derivative, for a number type T.
 * With long double it checks the energy; with complex numbers, the imaginary part of E(x + i h) / h is the derivative
 * with no rounding from a difference (the complex step), which checks the force.
 */
template <class T> class PlainNetwork {
public:
    using Vector = std::vector<T>;
    explicit PlainNetwork(const NetworkParameters& parameters) : n(parameters), H(parameters.numChannels) {}

    static Vector linear(const LinearLayer& layer, const Vector& x) {
        Vector y(layer.numOut);
        for (int o = 0; o < layer.numOut; o++) {
            y[o] = layer.bias.empty() ? 0.0 : layer.bias[o];
            for (int k = 0; k < layer.numIn; k++)
                y[o] += T(layer.weight[o * layer.numIn + k]) * x[k];
        }
        return y;
    }

    static Vector mlp(const MLP& layers, Vector x) {
        for (size_t l = 0; l < layers.size(); l++) {
            x = linear(layers[l], x);
            for (T& value : x)
                if (l + 1 < layers.size())
                    value = value / (T(1) + std::exp(-value));
        }
        return x;
    }

    static T cutoffFunction(const CutoffFunction& f, double cutoff, T d) {
        const T t = d / T(cutoff);
        if (f.type == CutoffFunction::Type::Cosine)
            return T(0.5) * (std::cos(T(PI) * t) + T(1));
        const T p = T(static_cast<double>(f.p));
        T power = 1;
        for (int k = 0; k < f.p; k++)
            power *= t;
        return T(1) - (p + T(1)) * (p + T(2)) / T(2) * power + p * (p + T(2)) * power * t -
               p * (p + T(1)) / T(2) * power * t * t;
    }

    static Vector basis(const RadialBasis& b, T d) {
        Vector phi(b.size());
        for (int k = 0; k < b.size(); k++)
            if (b.type == RadialBasis::Type::Gaussian)
                phi[k] = std::exp(T(-b.exponent) * (d - T(b.centers[k])) * (d - T(b.centers[k])) /
                                  (T(b.widths[k]) * T(b.widths[k])));
            else
                phi[k] = T(b.scale) * std::sin(T(b.frequencies[k]) * d) / d;
        return phi;
    }

    Vector filter(int block, T d) const {
        Vector phi = basis(n.basis, d);
        const T fc = cutoffFunction(n.cutoffFunction, n.cutoff, d);
        if (n.family == Family::Student)
            for (T& x : phi)
                x *= fc;
        Vector f = mlp(n.blocks[block].filter, phi);
        for (T& x : f)
            x *= (n.family == Family::Canonical ? fc : T(1)) *
                 (n.envelope ? cutoffFunction(*n.envelope, n.cutoff, d) : T(1));
        if (n.family == Family::Student) // r / (d + epsilon) instead of r / d
            for (int h = 2 * H; h < 3 * H; h++)
                f[h] *= d / (d + T(1e-9));
        return f;
    }

    T repulsion(int e1, int e2, T d) const {
        const double range = n.repulsion->radii[e1] + n.repulsion->radii[e2];
        if (std::real(d) >= range)
            return 0;
        const double Z1 = n.atomicNumbers[e1], Z2 = n.atomicNumbers[e2];
        const T x = d / T(0.8854 * 0.0529177210903 / (std::pow(Z1, 0.23) + std::pow(Z2, 0.23)));
        const T chi = T(0.1818) * std::exp(T(-3.2) * x) + T(0.5099) * std::exp(T(-0.9423) * x) +
                      T(0.2802) * std::exp(T(-0.4028) * x) + T(0.02817) * std::exp(T(-0.2016) * x);
        return T(2625.4996394799 * 0.0529177210903 * Z1 * Z2) / d * chi *
               cutoffFunction({CutoffFunction::Type::Polynomial, n.repulsion->p}, range, d);
    }

    /** The energy, kJ/mol, without a box. */
    T energy(const std::vector<int>& elements, const Vector& positions) const {
        const int N = static_cast<int>(elements.size()), L = static_cast<int>(n.blocks.size());
        std::vector<Vector> s(N), v(3 * N, Vector(H, T(0)));
        T E = 0;
        for (int i = 0; i < N; i++)
            s[i] = Vector(&n.embedding[elements[i] * H], &n.embedding[elements[i] * H] + H);
        for (int l = 0; l < L; l++) {
            const InteractionBlock& block = n.blocks[l];
            std::vector<Vector> sNew = s, vNew = v;
            for (int i = 0; i < N; i++)
                for (int j = 0; j < N; j++) {
                    T r[3], d = 0;
                    for (int x = 0; x < 3; x++) {
                        r[x] = positions[3 * j + x] - positions[3 * i + x];
                        d += r[x] * r[x];
                    }
                    d = std::sqrt(d);
                    if (i == j || std::real(d) >= n.cutoff)
                        continue;
                    if (l == 0 && n.repulsion)
                        E += T(0.5) * repulsion(elements[i], elements[j], d);
                    const Vector f = filter(l, d);
                    const bool student = n.family == Family::Student;
                    const Vector c = student ? Vector(3 * H, T(1)) : mlp(block.context, s[j]);
                    const int vector = student ? H : 2 * H, direction = student ? 2 * H : H;
                    for (int h = 0; h < H; h++) {
                        sNew[i][h] += (student ? s[j][h] : c[h]) * f[h];
                        for (int x = 0; x < 3; x++)
                            vNew[3 * i + x][h] += v[3 * j + x][h] * c[vector + h] * f[vector + h] +
                                                  r[x] / d * c[direction + h] * f[direction + h];
                    }
                }
            s = sNew;
            v = vNew;
            for (int i = 0; i < N; i++)
                update(block, l + 1 == L, s[i], &v[3 * i]);
        }
        for (int i = 0; i < N; i++)
            E += mlp(n.readout, s[i])[0] + T(n.atomReferences[elements[i]]);
        return E;
    }

    /** One atom's update; v holds x, y, z. */
    void update(const InteractionBlock& block, bool isLast, Vector& s, Vector* v) const {
        const bool student = n.family == Family::Student;
        Vector V[3], W[3], input = s;
        for (int x = 0; x < 3; x++) {
            if (student) {
                V[x] = v[x];
                W[x].assign(H, T(0));
                for (int y = 0; y < 3 && !isLast; y++)
                    for (int h = 0; h < H; h++)
                        W[x][h] += T(block.mixing[3 * x + y]) * v[y][h];
            }
            else {
                const Vector VW = linear(block.vectorMix, v[x]);
                V[x].assign(VW.begin(), VW.begin() + H);
                W[x].assign(VW.begin() + H, VW.end());
            }
        }
        for (int h = 0; h < H; h++)
            input.push_back(std::sqrt(V[0][h] * V[0][h] + V[1][h] * V[1][h] + V[2][h] * V[2][h] + T(n.normEpsilon)));
        const Vector pqr = mlp(block.update, input);
        for (int h = 0; h < H; h++) {
            s[h] += pqr[h];
            for (int x = 0; x < 3; x++) {
                if (student)
                    v[x][h] = v[x][h] * pqr[H + h] + W[x][h] * pqr[2 * H + h];
                else {
                    s[h] += pqr[2 * H + h] * V[x][h] * W[x][h];
                    v[x][h] += W[x][h] * pqr[H + h];
                }
            }
        }
    }

private:
    static constexpr long double PI = 3.14159265358979323846264338327950288L;
    const NetworkParameters& n;
    int H;
};

} // namespace PaiNNPlugin

#endif
