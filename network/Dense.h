// SPDX-License-Identifier: MIT
#ifndef PAINN_DENSE_H_
#define PAINN_DENSE_H_

#include "NetworkParameters.h"

namespace PaiNNPlugin {

/**
 * One linear layer over many rows (atoms or pairs), and its adjoint. A row's result does not depend on the other rows.
 * The weights are kept in both layouts, so that every product runs along contiguous memory.
 */
class Dense {
public:
    explicit Dense(const LinearLayer& layer);
    int getNumIn() const {
        return numIn;
    }
    int getNumOut() const {
        return numOut;
    }
    /** y = W x + b; x [rows][numIn], y [rows][numOut] is overwritten. */
    void forward(int rows, const double* x, double* y) const;
    /** dy = W dx: how y changes with x; shapes as in forward(). */
    void tangent(int rows, const double* dx, double* dy) const;
    /** x_adj = W^T y_adj; y_adj [rows][numOut], x_adj [rows][numIn] is overwritten. */
    void backward(int rows, const double* y_adj, double* x_adj) const;

private:
    int numIn, numOut;
    std::vector<double> weight;     // [numOut][numIn]
    std::vector<double> transposed; // [numIn][numOut]
    std::vector<double> bias;       // [numOut], zeros without a bias
};

/** Linear layers with SiLU(x) = x / (1 + exp(-x)) between them, over many rows. */
class Perceptron {
public:
    /** What backward() needs of forward(). */
    struct Tape {
        std::vector<std::vector<double>> slopes; ///< [layer][rows][numOut]: SiLU' behind each layer but the last
    };
    explicit Perceptron(const MLP& layers);
    int getNumIn() const {
        return layers.front().getNumIn();
    }
    int getNumOut() const {
        return layers.back().getNumOut();
    }
    /** y = MLP(x); y [rows][numOut] is overwritten, the tape too when there is one. */
    void forward(int rows, const double* x, double* y, Tape* tape) const;
    /** As forward(), and dy = (dMLP/dx) dx for one direction dx per row. */
    void forwardWithTangent(int rows, const double* x, const double* dx, double* y, double* dy) const;
    /** x_adj = (dMLP/dx)^T y_adj; x_adj [rows][numIn] is overwritten. */
    void backward(int rows, const Tape& tape, const double* y_adj, double* x_adj) const;

private:
    std::vector<Dense> layers;
};

} // namespace PaiNNPlugin

#endif
