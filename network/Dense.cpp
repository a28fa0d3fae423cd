// SPDX-License-Identifier: MIT
#include "Dense.h"
#include <algorithm>
#include <cmath>

namespace PaiNNPlugin {

namespace {

/** Columns that are summed together in registers. */
const int TILE = 8;

/** C += A B for ROWS rows: A [ROWS][depth], B [depth][width], C [ROWS][width]. Every element is summed in the order of
 * depth. */
template <int ROWS> void addProductOfRows(int depth, int width, const double* A, const double* B, double* C) {
    int column = 0;
    for (; column + TILE <= width; column += TILE) {
        double sum[ROWS][TILE];
        for (int r = 0; r < ROWS; r++)
            for (int c = 0; c < TILE; c++)
                sum[r][c] = C[r * width + column + c];
        for (int k = 0; k < depth; k++)
            for (int r = 0; r < ROWS; r++)
                for (int c = 0; c < TILE; c++)
                    sum[r][c] += A[r * depth + k] * B[k * width + column + c];
        for (int r = 0; r < ROWS; r++)
            for (int c = 0; c < TILE; c++)
                C[r * width + column + c] = sum[r][c];
    }
    for (; column < width; column++)
        for (int r = 0; r < ROWS; r++)
            for (int k = 0; k < depth; k++)
                C[r * width + column] += A[r * depth + k] * B[k * width + column];
}

/** C += A B: A [rows][depth], B [depth][width], C [rows][width]. */
void addProduct(int rows, int depth, int width, const double* A, const double* B, double* C) {
    int row = 0;
    for (; row + 4 <= rows; row += 4)
        addProductOfRows<4>(depth, width, A + row * static_cast<size_t>(depth), B,
                            C + row * static_cast<size_t>(width));
    for (; row < rows; row++)
        addProductOfRows<1>(depth, width, A + row * static_cast<size_t>(depth), B,
                            C + row * static_cast<size_t>(width));
}

} // namespace

Dense::Dense(const LinearLayer& layer)
    : numIn(layer.numIn), numOut(layer.numOut), weight(layer.weight), transposed(layer.weight.size()),
      bias(layer.bias) {
    for (int out = 0; out < numOut; out++)
        for (int in = 0; in < numIn; in++)
            transposed[in * numOut + out] = weight[out * numIn + in];
    bias.resize(numOut, 0.0);
}

void Dense::forward(int rows, const double* x, double* y) const {
    for (int r = 0; r < rows; r++)
        std::copy(bias.begin(), bias.end(), y + static_cast<size_t>(r) * numOut);
    addProduct(rows, numIn, numOut, x, transposed.data(), y);
}

void Dense::tangent(int rows, const double* dx, double* dy) const {
    std::fill(dy, dy + static_cast<size_t>(rows) * numOut, 0.0);
    addProduct(rows, numIn, numOut, dx, transposed.data(), dy);
}

void Dense::backward(int rows, const double* y_adj, double* x_adj) const {
    std::fill(x_adj, x_adj + static_cast<size_t>(rows) * numIn, 0.0);
    addProduct(rows, numOut, numIn, y_adj, weight.data(), x_adj);
}

Perceptron::Perceptron(const MLP& layers) : layers(layers.begin(), layers.end()) {}

namespace {

/** x <- SiLU(x); returns SiLU'(x). */
double activate(double& x) {
    const double sigma = 1 / (1 + std::exp(-x));
    const double slope = sigma * (1 + x * (1 - sigma));
    x *= sigma;
    return slope;
}

} // namespace

void Perceptron::forward(int rows, const double* x, double* y, Tape* tape) const {
    if (tape != nullptr)
        tape->slopes.assign(layers.size() - 1, {});
    std::vector<double> previous, hidden;
    for (size_t l = 0; l + 1 < layers.size(); l++) {
        hidden.resize(static_cast<size_t>(rows) * layers[l].getNumOut());
        layers[l].forward(rows, x, hidden.data());
        if (tape != nullptr)
            tape->slopes[l].resize(hidden.size());
        for (size_t k = 0; k < hidden.size(); k++) {
            const double slope = activate(hidden[k]);
            if (tape != nullptr)
                tape->slopes[l][k] = slope;
        }
        previous.swap(hidden);
        x = previous.data();
    }
    layers.back().forward(rows, x, y);
}

void Perceptron::forwardWithTangent(int rows, const double* x, const double* dx, double* y, double* dy) const {
    std::vector<double> previous, hidden, dprevious, dhidden;
    for (size_t l = 0; l + 1 < layers.size(); l++) {
        hidden.resize(static_cast<size_t>(rows) * layers[l].getNumOut());
        dhidden.resize(hidden.size());
        layers[l].forward(rows, x, hidden.data());
        layers[l].tangent(rows, dx, dhidden.data());
        for (size_t k = 0; k < hidden.size(); k++)
            dhidden[k] *= activate(hidden[k]);
        previous.swap(hidden);
        dprevious.swap(dhidden);
        x = previous.data();
        dx = dprevious.data();
    }
    layers.back().forward(rows, x, y);
    layers.back().tangent(rows, dx, dy);
}

void Perceptron::backward(int rows, const Tape& tape, const double* y_adj, double* x_adj) const {
    std::vector<double> previous, hidden;
    for (size_t l = layers.size() - 1; l > 0; l--) {
        hidden.resize(static_cast<size_t>(rows) * layers[l].getNumIn());
        layers[l].backward(rows, y_adj, hidden.data());
        for (size_t k = 0; k < hidden.size(); k++)
            hidden[k] *= tape.slopes[l - 1][k];
        previous.swap(hidden);
        y_adj = previous.data();
    }
    layers.front().backward(rows, y_adj, x_adj);
}

} // namespace PaiNNPlugin
