// SPDX-License-Identifier: MIT
#ifndef PAINN_TORCH_NETWORK_H_
#define PAINN_TORCH_NETWORK_H_

#include "NetworkParameters.h"
#include <ATen/core/Tensor.h>
#include <optional>
#include <vector>

namespace PaiNNPlugin {

/** The pairs of atoms within the cutoff, P of them, as tensors on the device of the network. */
struct TorchPairs {
    at::Tensor lower, higher; ///< int64 [P] the two atoms
    at::Tensor u; ///< float64 [P][3] from the lower to the higher atom, of length 1; what to differentiate by
    at::Tensor d; ///< float64 [P] nm, not differentiated by
};

/**
 * The network of docs/equations.md in PyTorch's operations, to be differentiated by PyTorch. The weights and the
 * features (N atoms, H channels) have the precision that is asked for; geometry, the functions of the distance,
 * repulsion and atom references are float64 always.
 */
class TorchNetwork {
public:
    TorchNetwork(const NetworkParameters& parameters, at::Device device, at::ScalarType precision);
    /**
     * @param elements   int64 [N] index into NetworkParameters::atomicNumbers
     * @return float64 [N] kJ/mol. By its graph a derivative by u, divided by d, is one by the vector r = d u of a pair.
     */
    at::Tensor computeEnergies(const at::Tensor& elements, const TorchPairs& pairs) const;
    at::Device getDevice() const {
        return device;
    }

private:
    struct Linear {
        at::Tensor weight; // [numOut][numIn]
        at::Tensor bias;   // [numOut], or undefined
    };
    using Layers = std::vector<Linear>;
    struct Block {
        Layers filter, context, update;
        Linear vectorMix;  // canonical
        at::Tensor mixing; // student: [3][3]
    };
    /** The two edges of each pair, 2P of them: first those that the lower atom receives, then the others. */
    struct Edges {
        at::Tensor receivers, neighbors; // int64 [2P]
        at::Tensor u;                    // [2P][3] from the receiver to the neighbour
    };
    struct Features {
        at::Tensor s; // [N][H]
        at::Tensor v; // [N][3][H]; undefined where it is zero
    };
    at::Tensor toTensor(const std::vector<double>& values, at::IntArrayRef shape, at::ScalarType type) const;
    Linear toLinear(const LinearLayer& layer) const;
    Layers toLayers(const MLP& mlp) const;
    static at::Tensor apply(const Layers& layers, at::Tensor x);
    at::Tensor evaluateBasis(const at::Tensor& d) const;
    at::Tensor makeFilter(const Block& block, const at::Tensor& d) const;
    void sendMessages(const Block& block, const at::Tensor& filter, const Edges& edges, Features& features) const;
    void update(const Block& block, bool isLast, Features& features) const;
    at::Tensor evaluateRepulsion(const at::Tensor& elements, const TorchPairs& pairs, const at::Tensor& d) const;

    const at::Device device;
    const at::ScalarType precision;
    const Family family;
    const double cutoff, normEpsilon;
    const CutoffFunction cutoffFunction;
    const std::optional<CutoffFunction> envelope;
    RadialBasis basis;                       // its arrays are these:
    at::Tensor centers, widths, frequencies; // float64 [K]
    at::Tensor embedding;                    // [numElements][H]
    at::Tensor references;                   // float64 [numElements] kJ/mol
    std::vector<Block> blocks;
    Layers readout;
    int repulsionExponent = 0; // 0: no repulsion
    at::Tensor charges, radii; // float64 [numElements]; nm
};

} // namespace PaiNNPlugin

#endif
