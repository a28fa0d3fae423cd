// SPDX-License-Identifier: MIT
#ifndef PAINN_FAST_NETWORK_H_
#define PAINN_FAST_NETWORK_H_

#include "AlignedArray.h"
#include "FilterTable.h"
#include "Kernels.h"
#include "NetworkParameters.h"
#include <memory>
#include <vector>

namespace PaiNNPlugin {

/** A linear layer in single precision, padded with zeros, in the layout of Kernels::multiplyMatrix. */
struct PackedLayer {
    PackedLayer() = default;
    /**
     * @param inputPart    numIn is made of parts of this width, each padded by itself
     * @param outputPart   the same of numOut
     * @param order        which output part stands at each place, empty to leave them
     */
    PackedLayer(const LinearLayer& layer, int inputPart, int outputPart, const std::vector<int>& order = {});
    int numIn = 0, numOut = 0;      ///< padded
    AlignedArray forward, backward; ///< [numOut / 16][numIn][16], [numIn / 16][numOut][16]
    AlignedArray bias;              ///< [numOut]
};

/** One block in single precision; H is padded, parts are ordered scalar, direction, vector. */
struct FastBlock {
    AlignedArray table;     ///< [H / 16][cells][tableParts][6][16]
    int tableParts;         ///< 2 in the first block, where no vectors exist
    PackedLayer context[2]; ///< canonical: H -> H -> 3H
    PackedLayer vectorMix;  ///< canonical: H -> 2H
    PackedLayer update[2];  ///< 2H -> H -> 3H, in a student's last block H
    float mixing[9];        ///< student
};

/** The weights of one model as a fast evaluator wants them. Immutable; shared by all its evaluators. */
class FastNetwork {
public:
    /** Pack the weights and make the filter tables. */
    static std::shared_ptr<const FastNetwork> create(std::shared_ptr<const NetworkParameters> parameters);
    explicit FastNetwork(std::shared_ptr<const NetworkParameters> parameters);

    const std::shared_ptr<const NetworkParameters> parameters;
    const bool isStudent;
    const int H; ///< padded
    TableGrid grid;
    std::vector<FastBlock> blocks;
    AlignedArray embedding;           ///< [elements][H]
    AlignedArray firstContext;        ///< [H / 16][elements][1 or 2][16] the contexts in the first block
    std::vector<PackedLayer> readout; ///< all layers but the last
    AlignedArray readoutWeight;       ///< [width of the last hidden layer], the last layer
    double readoutBias;               ///< kJ/mol
};

} // namespace PaiNNPlugin

#endif
