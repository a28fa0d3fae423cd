// SPDX-License-Identifier: MIT
#ifndef PAINN_PACKED_WEIGHTS_H_
#define PAINN_PACKED_WEIGHTS_H_

#include "Layout.h"
#include "NetworkParameters.h"
#include <vector>

namespace PaiNNPlugin {

/** Brings linear layers into the order of multiply() in kernels/Matrix.cuh. */
template <class Real> class WeightPacker {
public:
    WeightPacker(size_t size, bool forTensorCores) : weights(size), forTensorCores(forTensorCores) {}
    /**
     * @param layer          y = W x + b, in the model's own order
     * @param outputGroup    the layer's outputs are groups of so many channels, each padded by itself
     * @param inputGroup     the same of its inputs
     * @param transposed     pack the transposed layer, without biases
     */
    void add(const LinearLayer& layer, int outputGroup, int inputGroup, int offset, const LayerShape& shape,
             bool transposed) {
        // Padded widths of a group: what the packed layer calls outputs is the layer's inputs when transposed.
        const int outputs = transposed ? shape.in : shape.out / (layer.numOut / outputGroup);
        const int inputs = transposed ? shape.out / (layer.numIn / inputGroup) : shape.in;
        for (int o = 0; o < layer.numOut; o++) {
            const int output = o / outputGroup * outputs + o % outputGroup;
            for (int i = 0; i < layer.numIn; i++) {
                const int input = i / inputGroup * inputs + i % inputGroup;
                const int place = transposed ? findPlace(shape, input, output) : findPlace(shape, output, input);
                weights[offset + place] = static_cast<Real>(layer.weight[static_cast<size_t>(o) * layer.numIn + i]);
            }
            if (!transposed && !layer.bias.empty())
                weights[offset + shape.out * shape.in * shape.parts + output] = static_cast<Real>(layer.bias[o]);
        }
    }
    std::vector<Real> weights;

private:
    /** Where the weight from input (of all parts) to output stands. */
    int findPlace(const LayerShape& shape, int output, int input) const {
        if (!forTensorCores)
            return input * shape.out + output;
        const int part = input / shape.in, k = input % shape.in;
        const int tile = output / TILE_ROWS, row = output % TILE_ROWS, step = k / 8;
        const int lane = row % 8 * 4 + k % 8 / 2, component = row / 8 * 2 + k % 2;
        return (((tile * (shape.in / 8) + step) * shape.parts + part) * 32 + lane) * 4 + component;
    }
    bool forTensorCores;
};

} // namespace PaiNNPlugin

#endif
