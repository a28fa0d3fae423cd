// SPDX-License-Identifier: MIT
#include "TorchNetwork.h"
#include <ATen/ATen.h>

using at::Tensor;

namespace PaiNNPlugin {

namespace {

const double PI = 3.14159265358979323846;
const double DIRECTION_EPSILON = 1e-9;         // nm; F4
const double BOHR = 0.0529177210903;           // nm, CODATA 2018
const double COULOMB = 2625.4996394799 * BOHR; // kJ/mol nm; F8
const double SCREENING[4][2] = {{0.1818, 3.2}, {0.5099, 0.9423}, {0.2802, 0.4028}, {0.02817, 0.2016}};

/** F3: [P] of d and of where the function ends, both [P] in nm or a number; 0 beyond. */
template <class Range> Tensor evaluateCutoff(const CutoffFunction& function, const Range& range, const Tensor& d) {
    const Tensor rest = ((range - d) / range).clamp_min(0);
    if (function.type == CutoffFunction::Type::Cosine)
        return at::sin(rest * (PI / 2)).square();
    const Tensor t = d / range;
    Tensor series = at::zeros_like(t);
    for (int k = function.p - 1; k >= 0; k--)
        series = series * t + 0.5 * (k + 1) * (k + 2);
    return rest * rest * rest * series;
}

/** F6b: [N][H] of V [N][3][H]. Its derivative at V = 0 is 0. */
Tensor norm(const Tensor& V, double epsilon) {
    const Tensor square = V.square().sum(1) + epsilon;
    // What rounding leaves of an exact 0 at a symmetric place has no direction worth following.
    const Tensor isZero = square < 1e-30;
    return at::where(isZero, at::zeros_like(square), at::where(isZero, at::ones_like(square), square).sqrt());
}

} // namespace

TorchNetwork::TorchNetwork(const NetworkParameters& parameters, at::Device device, at::ScalarType precision)
    : device(device), precision(precision), family(parameters.family), cutoff(parameters.cutoff),
      normEpsilon(parameters.normEpsilon), cutoffFunction(parameters.cutoffFunction), envelope(parameters.envelope),
      basis(parameters.basis) {
    const int64_t K = basis.size(), numElements = parameters.numElements();
    if (basis.type == RadialBasis::Type::Gaussian) {
        centers = toTensor(basis.centers, {K}, at::kDouble);
        widths = toTensor(basis.widths, {K}, at::kDouble);
    }
    else
        frequencies = toTensor(basis.frequencies, {K}, at::kDouble);
    embedding = toTensor(parameters.embedding, {numElements, parameters.numChannels}, precision);
    references = toTensor(parameters.atomReferences, {numElements}, at::kDouble);
    for (const InteractionBlock& block : parameters.blocks) {
        blocks.push_back({toLayers(block.filter), toLayers(block.context), toLayers(block.update), {}, {}});
        if (family == Family::Canonical)
            blocks.back().vectorMix = toLinear(block.vectorMix);
        else
            blocks.back().mixing = toTensor({block.mixing.begin(), block.mixing.end()}, {3, 3}, precision);
    }
    readout = toLayers(parameters.readout);
    if (parameters.repulsion) {
        repulsionExponent = parameters.repulsion->p;
        radii = toTensor(parameters.repulsion->radii, {numElements}, at::kDouble);
        charges =
            toTensor({parameters.atomicNumbers.begin(), parameters.atomicNumbers.end()}, {numElements}, at::kDouble);
    }
}

Tensor TorchNetwork::toTensor(const std::vector<double>& values, at::IntArrayRef shape, at::ScalarType type) const {
    const Tensor host = at::from_blob(const_cast<double*>(values.data()), shape, at::kDouble);
    return host.to(device, type, false, true);
}

TorchNetwork::Linear TorchNetwork::toLinear(const LinearLayer& layer) const {
    Linear linear = {toTensor(layer.weight, {layer.numOut, layer.numIn}, precision), {}};
    if (!layer.bias.empty())
        linear.bias = toTensor(layer.bias, {layer.numOut}, precision);
    return linear;
}

TorchNetwork::Layers TorchNetwork::toLayers(const MLP& mlp) const {
    Layers layers;
    for (const LinearLayer& layer : mlp)
        layers.push_back(toLinear(layer));
    return layers;
}

Tensor TorchNetwork::apply(const Layers& layers, Tensor x) {
    for (size_t i = 0; i < layers.size(); i++) {
        if (i > 0)
            x = at::silu(x);
        x = layers[i].bias.defined() ? at::linear(x, layers[i].weight, layers[i].bias)
                                     : at::linear(x, layers[i].weight);
    }
    return x;
}

Tensor TorchNetwork::computeEnergies(const Tensor& elements, const TorchPairs& pairs) const {
    // F1. The length is that of d u, and u has the length 1 but for rounding: all derivatives go through u.
    const Tensor length = pairs.u.square().sum(-1).sqrt();
    const Tensor d = pairs.d * length, u = pairs.u / length.unsqueeze(-1);
    const Edges edges = {at::cat({pairs.lower, pairs.higher}), at::cat({pairs.higher, pairs.lower}),
                         at::cat({u, -u}).to(precision)};
    Features features = {embedding.index_select(0, elements), {}};
    for (size_t l = 0; l < blocks.size(); l++) {
        sendMessages(blocks[l], makeFilter(blocks[l], d), edges, features);
        update(blocks[l], l + 1 == blocks.size(), features);
    }
    Tensor energies = apply(readout, features.s).squeeze(-1).to(at::kDouble);
    if (repulsionExponent > 0) {
        const Tensor half = 0.5 * evaluateRepulsion(elements, pairs, d);
        energies = energies.index_add(0, edges.receivers, at::cat({half, half}));
    }
    return energies + references.index_select(0, elements);
}

/** F2: [P][K]. */
Tensor TorchNetwork::evaluateBasis(const Tensor& d) const {
    const Tensor column = d.unsqueeze(-1);
    if (basis.type == RadialBasis::Type::Gaussian)
        return at::exp(-basis.exponent * ((column - centers) / widths).square());
    return basis.scale * at::sin(frequencies * column) / column;
}

/** F4: [P][3H]. */
Tensor TorchNetwork::makeFilter(const Block& block, const Tensor& d) const {
    const Tensor g = evaluateCutoff(cutoffFunction, cutoff, d).unsqueeze(-1), phi = evaluateBasis(d);
    const Tensor h = envelope ? evaluateCutoff(*envelope, cutoff, d).unsqueeze(-1) : at::ones_like(g);
    if (family == Family::Canonical)
        return apply(block.filter, phi.to(precision)) * (g * h).to(precision);
    const Tensor f = apply(block.filter, (phi * g).to(precision)) * h.to(precision);
    const std::vector<Tensor> rows = f.chunk(3, -1);
    const Tensor softening = (d / (d + DIRECTION_EPSILON)).to(precision).unsqueeze(-1);
    return at::cat({rows[0], rows[1], rows[2] * softening}, -1);
}

/** F5. */
void TorchNetwork::sendMessages(const Block& block, const Tensor& filter, const Edges& edges,
                                Features& features) const {
    const Tensor f = filter.repeat({2, 1});
    Tensor scalar, vector, direction; // [2P][H]
    if (family == Family::Student) {
        const std::vector<Tensor> rows = f.chunk(3, -1);
        scalar = features.s.index_select(0, edges.neighbors) * rows[0];
        vector = rows[1];
        direction = rows[2];
    }
    else {
        const Tensor c = apply(block.context, features.s).index_select(0, edges.neighbors);
        const std::vector<Tensor> rows = (c * f).chunk(3, -1);
        scalar = rows[0];
        direction = rows[1];
        vector = rows[2];
    }
    Tensor dv = edges.u.unsqueeze(-1) * direction.unsqueeze(1);
    if (features.v.defined())
        dv = dv + features.v.index_select(0, edges.neighbors) * vector.unsqueeze(1);
    else
        features.v = at::zeros({features.s.size(0), 3, features.s.size(1)}, features.s.options());
    features.s = features.s.index_add(0, edges.receivers, scalar);
    features.v = features.v.index_add(0, edges.receivers, dv);
}

/** F6. Nothing reads the vectors after the last block. */
void TorchNetwork::update(const Block& block, bool isLast, Features& features) const {
    const Tensor v = features.v;
    Tensor V = v, W;
    if (family == Family::Canonical) {
        const std::vector<Tensor> mixed = at::linear(v, block.vectorMix.weight).chunk(2, -1);
        V = mixed[0];
        W = mixed[1];
    }
    else if (!isLast)
        W = at::matmul(block.mixing, v);
    const Tensor x = at::cat({features.s, norm(V, normEpsilon)}, -1);
    const std::vector<Tensor> rows = apply(block.update, x).chunk(3, -1);
    const Tensor &p = rows[0], &q = rows[1], &r = rows[2];
    if (family == Family::Canonical) {
        features.s = features.s + p + r * (V * W).sum(1);
        features.v = v + W * q.unsqueeze(1);
    }
    else {
        features.s = features.s + p;
        if (!isLast)
            features.v = v * q.unsqueeze(1) + W * r.unsqueeze(1);
    }
}

/** F8: [P] kJ/mol. */
Tensor TorchNetwork::evaluateRepulsion(const Tensor& elements, const TorchPairs& pairs, const Tensor& d) const {
    const Tensor e1 = elements.index_select(0, pairs.lower), e2 = elements.index_select(0, pairs.higher);
    const Tensor Z1 = charges.index_select(0, e1), Z2 = charges.index_select(0, e2);
    const Tensor x = d * (Z1.pow(0.23) + Z2.pow(0.23)) / (0.8854 * BOHR);
    Tensor screening = at::zeros_like(d);
    for (const auto& [A, B] : SCREENING)
        screening = screening + A * at::exp(-B * x);
    const CutoffFunction function = {CutoffFunction::Type::Polynomial, repulsionExponent};
    const Tensor range = radii.index_select(0, e1) + radii.index_select(0, e2);
    return COULOMB * Z1 * Z2 / d * screening * evaluateCutoff(function, range, d);
}

} // namespace PaiNNPlugin
