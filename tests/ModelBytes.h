// SPDX-License-Identifier: MIT
#ifndef PAINN_TESTS_MODELBYTES_H_
#define PAINN_TESTS_MODELBYTES_H_

#include <cmath>
#include <cstdint>
#include <cstring>
#include <locale>
#include <random>
#include <sstream>
#include <string>
#include <vector>

/** Makes model files (docs/model-format.md) with random weights, without the library's own code. */
namespace PaiNNPlugin {

struct ModelOptions {
    std::string family = "canonical"; ///< or "student"
    int hidden = 8, blocks = 2, basisSize = 6;
    bool bessel = false;
    std::string cutoffFunction = R"({"type": "cosine"})";
    std::string envelope;  ///< "" for none, else JSON as cutoffFunction
    std::string repulsion; ///< "" for none, else JSON such as {"type": "zbl", "p": 6}
    double cutoff = 5.0;   ///< in length units
    std::string lengthUnit = "angstrom", energyUnit = "eV";
    std::vector<int> elements = {1, 6, 7, 8};
    std::vector<int> trainedElements = {1, 6, 7, 8}; ///< empty: absent
    std::vector<double> atomReferences;              ///< [numElements] in energy units; empty: absent
    std::vector<int> readout;                        ///< widths; empty: {hidden, max(hidden / 2, 1), 1}
    std::string name = "random test model";
    unsigned seed = 1;
    double readoutScale = 1.0; ///< of the last layer, and with it of energies and forces
    double weightScale = 1.0;  ///< 1: weights of size 1 / sqrt(number of inputs); biases a third of that
};

struct TestTensor {
    std::string name;
    std::vector<int> shape;
    std::vector<float> values;
};

/** A JSON list of numbers, each with all its digits. */
template <class T> std::string jsonList(const std::vector<T>& values) {
    std::ostringstream out;
    out.imbue(std::locale::classic());
    out.precision(17);
    for (size_t i = 0; i < values.size(); i++)
        out << (i == 0 ? "[" : ", ") << values[i];
    return values.empty() ? "[]" : out.str() + "]";
}

inline std::vector<int> readoutWidths(const ModelOptions& options) {
    return options.readout.empty() ? std::vector<int>{options.hidden, options.hidden > 1 ? options.hidden / 2 : 1, 1}
                                   : options.readout;
}

/** The JSON text under "openmmpainn". */
inline std::string makeMetadata(const ModelOptions& options) {
    std::ostringstream out;
    out.imbue(std::locale::classic());
    out.precision(17);
    out << R"({"format_version": 1, "family": ")" << options.family << R"(", "hidden": )" << options.hidden
        << R"(, "blocks": )" << options.blocks << R"(, "basis": {"type": )"
        << (options.bessel ? R"("bessel")" : R"("gaussian", "exponent": 0.5)") << R"(, "size": )" << options.basisSize
        << R"(}, "cutoff": )" << options.cutoff << R"(, "cutoff_function": )" << options.cutoffFunction;
    if (!options.envelope.empty())
        out << R"(, "envelope": )" << options.envelope;
    out << R"(, "norm_epsilon": )" << (options.family == "canonical" ? "1e-08" : "0") << R"(, "length_unit": ")"
        << options.lengthUnit << R"(", "energy_unit": ")" << options.energyUnit << R"(", "elements": )"
        << jsonList(options.elements);
    if (!options.trainedElements.empty())
        out << R"(, "trained_elements": )" << jsonList(options.trainedElements);
    if (!options.atomReferences.empty())
        out << R"(, "atom_references": )" << jsonList(options.atomReferences);
    if (!options.repulsion.empty())
        out << R"(, "repulsion": )" << options.repulsion;
    out << R"(, "readout": )" << jsonList(readoutWidths(options)) << R"(, "name": ")" << options.name << R"("})";
    return out.str();
}

/** All tensors of a model, in the order of docs/model-format.md. */
inline std::vector<TestTensor> makeTensors(const ModelOptions& options) {
    std::vector<TestTensor> tensors;
    std::mt19937 random(options.seed);
    auto uniform = [&] { return random() / 2147483648.0 - 1.0; }; // the same numbers with every standard library
    auto add = [&](const std::string& name, const std::vector<int>& shape, double scale) {
        size_t size = 1;
        for (int n : shape)
            size *= n;
        TestTensor tensor = {name, shape, std::vector<float>(size)};
        for (float& x : tensor.values)
            x = static_cast<float>(1.7 * scale * options.weightScale * uniform());
        tensors.push_back(tensor);
    };
    auto addLinear = [&](const std::string& name, int out, int in) {
        add(name + ".weight", {out, in}, 1 / std::sqrt(in));
        add(name + ".bias", {out}, 0.3 / std::sqrt(in));
    };
    int H = options.hidden, K = options.basisSize, E = static_cast<int>(options.elements.size());
    bool student = options.family == "student";
    add("embedding.weight", {E, H}, 1);
    TestTensor centers = {"basis.centers", {K}, {}}, widths = {"basis.widths", {K}, {}},
               frequencies = {"basis.frequencies", {K}, {}};
    for (int k = 0; k < K; k++) {
        centers.values.push_back(static_cast<float>(options.cutoff * k / (K > 1 ? K - 1 : 1)));
        widths.values.push_back(static_cast<float>(options.cutoff / K));
        frequencies.values.push_back(static_cast<float>((k + 1) * 3.14159265358979323846 / options.cutoff));
    }
    if (options.bessel)
        tensors.push_back(frequencies);
    else {
        tensors.push_back(centers);
        tensors.push_back(widths);
    }
    if (!options.repulsion.empty())
        tensors.push_back({"repulsion.radii", {E}, std::vector<float>(E, static_cast<float>(0.15 * options.cutoff))});
    for (int l = 0; l < options.blocks; l++) {
        std::string block = "blocks." + std::to_string(l) + ".";
        addLinear(block + "filter.0", student ? H : 3 * H, K);
        if (student)
            addLinear(block + "filter.1", 3 * H, H);
        else {
            addLinear(block + "context.0", H, H);
            addLinear(block + "context.1", 3 * H, H);
            add(block + "vector_mix.weight", {2 * H, H}, 1 / std::sqrt(H));
        }
        if (student && l + 1 < options.blocks)
            add(block + "mixing", {3, 3}, 0.5);
        addLinear(block + "update.0", H, 2 * H);
        addLinear(block + "update.1", 3 * H, H);
    }
    std::vector<int> readout = readoutWidths(options);
    for (size_t k = 0; k + 1 < readout.size(); k++)
        addLinear("readout." + std::to_string(k), readout[k + 1], readout[k]);
    for (size_t k = tensors.size() - 2; k < tensors.size(); k++)
        for (float& x : tensors[k].values)
            x = static_cast<float>(x * options.readoutScale);
    return tensors;
}

/** A JSON string literal of an ASCII text. */
inline std::string jsonString(const std::string& text) {
    std::string result = "\"";
    for (char c : text) {
        if (c == '"' || c == '\\')
            result += '\\';
        result += c;
    }
    return result + "\"";
}

/** The header of a file whose tensors follow each other without holes. */
inline std::string makeHeader(const std::string& metadata, const std::vector<TestTensor>& tensors) {
    std::string header = R"({"__metadata__": {"openmmpainn": )" + jsonString(metadata) + "}";
    size_t offset = 0;
    for (const TestTensor& tensor : tensors) {
        size_t end = offset + 4 * tensor.values.size();
        header += ", " + jsonString(tensor.name) + R"(: {"dtype": "F32", "shape": )" + jsonList(tensor.shape) +
                  R"(, "data_offsets": )" + jsonList(std::vector<size_t>{offset, end}) + "}";
        offset = end;
    }
    return header + "}";
}

/** The file: length of the header (8 bytes, little endian), header, data. */
inline std::string packFile(const std::string& header, const std::string& data) {
    std::string bytes;
    for (int i = 0; i < 8; i++)
        bytes += static_cast<char>(static_cast<uint64_t>(header.size()) >> (8 * i) & 255);
    return bytes + header + data;
}

/** The values of all tensors, float32 in little endian. */
inline std::string makeData(const std::vector<TestTensor>& tensors) {
    std::string data;
    for (const TestTensor& tensor : tensors)
        for (float x : tensor.values) {
            uint32_t bits;
            std::memcpy(&bits, &x, 4);
            for (int i = 0; i < 4; i++)
                data += static_cast<char>(bits >> (8 * i) & 255);
        }
    return data;
}

inline std::string packModel(const std::string& metadata, const std::vector<TestTensor>& tensors) {
    return packFile(makeHeader(metadata, tensors), makeData(tensors));
}

/** The bytes of a valid model file. */
inline std::string makeModelBytes(const ModelOptions& options = ModelOptions()) {
    return packModel(makeMetadata(options), makeTensors(options));
}

} // namespace PaiNNPlugin

#endif
