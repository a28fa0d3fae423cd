// SPDX-License-Identifier: MIT
#ifndef PAINN_MOLECULE_STAGES_H_
#define PAINN_MOLECULE_STAGES_H_

#include "MoleculeLayout.h"
#include <algorithm>
#include <vector>

namespace PaiNNPlugin {

/** Takes from packed weights what a block of the molecule kernel needs of one layer, fragments and biases. */
inline void packSlice(const Shape& shape, const float* layerWeights, int layer, int rank, float* slice) {
    const LayerShape s = blockLayer(shape, layer);
    const int steps = shape.H / SLICE, groups = outputGroups(shape, layer);
    auto find = [&](int tile, int step, int part, int lane) {
        return layerWeights + (((tile * steps + step) * s.parts + part) * 32 + lane) * 4;
    };
    float* to = slice;
    if (sendsProducts(layer)) // the inputs of this block's channels: one step of all tiles
        for (int tile = 0; tile < shape.H / TILE_ROWS; tile++)
            for (int part = 0; part < s.parts; part++)
                for (int lane = 0; lane < 32; lane++, to += 4)
                    std::copy_n(find(tile, rank, part, lane), 4, to);
    else // 8 rows of one group of outputs, and 8 of the next
        for (int pair = 0; pair < (groups + 1) / 2; pair++)
            for (int step = 0; step < steps; step++)
                for (int lane = 0; lane < 32; lane++, to += 4)
                    for (int group = 2 * pair; group < std::min(2 * pair + 2, groups); group++) {
                        const int tile = group * (shape.H / TILE_ROWS) + rank / 2;
                        std::copy_n(find(tile, step, 0, lane) + rank % 2 * 2, 2, to + group % 2 * 2);
                    }
    const float* bias = layerWeights + s.out * s.in * s.parts;
    for (int group = 0; group < groups; group++, to += SLICE)
        std::copy_n(bias + group * shape.H + rank * SLICE, SLICE, to);
}

/** @return [H / 8][2 L][stageSize()], from the weights that all kernels use, in the order of tensor cores */
inline std::vector<float> packStages(const Shape& shape, const std::vector<float>& weights) {
    const int blocks = shape.H / SLICE, size = stageSize(shape);
    std::vector<float> result(static_cast<size_t>(blocks) * 2 * shape.L * size);
    for (int rank = 0; rank < blocks; rank++)
        for (int stage = 0; stage < 2 * shape.L; stage++) {
            const bool back = stage >= shape.L;
            float* to = result.data() + (static_cast<size_t>(rank) * 2 * shape.L + stage) * size;
            for (int layer = 0; layer < NUM_LAYERS; layer++) {
                // On the way forward the contexts of the next block belong to a stage.
                const bool isNext = layer == CONTEXT0 || layer == CONTEXT1;
                const int l = back ? 2 * shape.L - 1 - stage : stage + isNext;
                if (isBack(layer) == back && blockLayer(shape, layer).out > 0 && l < shape.L)
                    packSlice(shape, weights.data() + layerOffset(shape, l, layer), layer, rank,
                              to + stageOffset(shape, layer));
            }
            const int l = back ? 2 * shape.L - 1 - stage : stage;
            std::copy_n(weights.data() + layerOffset(shape, l, NUM_LAYERS), 16, to + stageMixing(shape, back));
        }
    return result;
}

} // namespace PaiNNPlugin

#endif
