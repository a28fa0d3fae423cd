// SPDX-License-Identifier: MIT
#include "ModelReader.h"
#include "openmm/OpenMMException.h"
#include <cmath>
#include <set>

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

namespace {

using Size = uint64_t;

/** Takes tensors out of a file one by one, and knows at the end which nobody asked for. */
class TensorReader {
public:
    explicit TensorReader(const SafetensorsFile& file) : file(file) {}
    /** The values of a tensor that must be there and have this shape. */
    vector<double> read(const string& name, const vector<uint64_t>& shape) {
        auto found = file.getTensors().find(name);
        if (found == file.getTensors().end())
            throw OpenMMException("tensor " + quote(name) + " is missing; its shape should be " + describe(shape));
        if (found->second.shape != shape)
            throw OpenMMException("tensor " + quote(name) + " has the shape " + describe(found->second.shape) +
                                  "; by the metadata it must be " + describe(shape));
        known.insert(name);
        vector<double> values = file.getValues(found->second);
        for (size_t i = 0; i < values.size(); i++)
            if (!isfinite(values[i]))
                throw OpenMMException("tensor " + quote(name) + " holds " +
                                      (isnan(values[i]) ? "NaN" : "an infinite value") + " at element " + to_string(i) +
                                      "; all values must be finite");
        return values;
    }
    /** A tensor of one dimension, each value within the limits (given in the file's units). */
    vector<double> readWithin(const string& name, int size, double min, double max) {
        vector<double> values = read(name, {Size(size)});
        for (double x : values)
            if (x < min || x > max)
                throw OpenMMException("tensor " + quote(name) + " holds " + describe(x) + "; allowed is " +
                                      describe(min) + " to " + describe(max) + " for this cutoff");
        return values;
    }
    LinearLayer readLayer(const string& name, int numOut, int numIn, bool bias = true) {
        LinearLayer layer;
        layer.numIn = numIn;
        layer.numOut = numOut;
        layer.weight = read(name + ".weight", {Size(numOut), Size(numIn)});
        if (bias)
            layer.bias = read(name + ".bias", {Size(numOut)});
        return layer;
    }
    /** Layers name.0, name.1 ... of these widths. */
    MLP readLayers(const string& name, const vector<int>& widths) {
        MLP layers;
        for (size_t k = 0; k + 1 < widths.size(); k++)
            layers.push_back(readLayer(name + "." + to_string(k), widths[k + 1], widths[k]));
        return layers;
    }
    void refuseOthers() const {
        for (auto& [name, tensor] : file.getTensors())
            if (known.count(name) == 0)
                throw OpenMMException("tensor " + quote(name) + " is not part of the model that the metadata describe");
    }

private:
    const SafetensorsFile& file;
    set<string> known;
};

RadialBasis readBasis(TensorReader& tensors, const ModelMetadata& metadata) {
    // Limits far outside any use, within which no distance below the cutoff can overflow the basis or its derivative.
    constexpr double wide = 1e4;
    double rc = metadata.cutoff;
    RadialBasis basis;
    basis.type = metadata.basisType;
    if (basis.type == RadialBasis::Type::Gaussian) {
        basis.exponent = metadata.basisExponent;
        basis.centers = tensors.readWithin("basis.centers", metadata.basisSize, -wide * rc, wide * rc);
        basis.widths = tensors.readWithin("basis.widths", metadata.basisSize, rc / wide, wide * rc);
    }
    else {
        basis.frequencies = tensors.readWithin("basis.frequencies", metadata.basisSize, 1 / (wide * rc), wide / rc);
        basis.scale = metadata.nmPerLength; // phi_k = sin(frequency_k d) / d, with d in the file's unit
    }
    for (double& center : basis.centers)
        center *= metadata.nmPerLength;
    for (double& width : basis.widths)
        width *= metadata.nmPerLength;
    for (double& frequency : basis.frequencies)
        frequency /= metadata.nmPerLength;
    return basis;
}

InteractionBlock readBlock(TensorReader& tensors, const ModelMetadata& metadata, int l) {
    int H = metadata.hidden, K = metadata.basisSize;
    string name = "blocks." + to_string(l) + ".";
    InteractionBlock block;
    block.mixing = {1, 0, 0, 0, 1, 0, 0, 0, 1};
    if (metadata.family == Family::Student) {
        block.filter = tensors.readLayers(name + "filter", {K, H, 3 * H});
        if (l + 1 < metadata.blocks) { // nobody reads the vectors after the last block
            vector<double> mixing = tensors.read(name + "mixing", {3, 3});
            copy(mixing.begin(), mixing.end(), block.mixing.begin());
        }
    }
    else {
        block.filter = tensors.readLayers(name + "filter", {K, 3 * H});
        block.context = tensors.readLayers(name + "context", {H, H, 3 * H});
        block.vectorMix = tensors.readLayer(name + "vector_mix", 2 * H, H, false);
    }
    block.update = tensors.readLayers(name + "update", {2 * H, H, 3 * H});
    return block;
}

Repulsion readRepulsion(TensorReader& tensors, const ModelMetadata& metadata) {
    Repulsion repulsion;
    repulsion.p = *metadata.repulsionExponent;
    repulsion.radii = tensors.read("repulsion.radii", {metadata.elements.size()});
    for (double& radius : repulsion.radii) {
        // The sum of any two is at most the cutoff exactly if twice the largest is.
        if (!(radius > 0) || 2 * radius > metadata.cutoff)
            throw OpenMMException("tensor \"repulsion.radii\" holds " + describe(radius) +
                                  "; allowed is above 0 and at most half the cutoff, " + describe(metadata.cutoff / 2));
        radius *= metadata.nmPerLength;
    }
    return repulsion;
}

} // namespace

NetworkParameters readNetwork(const SafetensorsFile& file, const ModelMetadata& metadata) {
    TensorReader tensors(file);
    NetworkParameters result;
    result.family = metadata.family;
    result.numChannels = metadata.hidden;
    result.cutoff = metadata.cutoff * metadata.nmPerLength;
    result.cutoffFunction = metadata.cutoffFunction;
    result.envelope = metadata.envelope;
    result.normEpsilon = metadata.normEpsilon;
    result.atomicNumbers = metadata.elements;
    result.embedding = tensors.read("embedding.weight", {metadata.elements.size(), Size(metadata.hidden)});
    result.basis = readBasis(tensors, metadata);
    if (metadata.repulsionExponent)
        result.repulsion = readRepulsion(tensors, metadata);
    for (int l = 0; l < metadata.blocks; l++)
        result.blocks.push_back(readBlock(tensors, metadata, l));
    result.readout = tensors.readLayers("readout", metadata.readout);
    tensors.refuseOthers();

    for (double& w : result.readout.back().weight)
        w *= metadata.kilojoulesPerEnergy;
    for (double& b : result.readout.back().bias)
        b *= metadata.kilojoulesPerEnergy;
    result.atomReferences = metadata.atomReferences;
    result.atomReferences.resize(metadata.elements.size(), 0.0);
    for (double& reference : result.atomReferences)
        reference *= metadata.kilojoulesPerEnergy;
    return result;
}

} // namespace PaiNNPlugin
