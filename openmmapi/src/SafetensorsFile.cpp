// SPDX-License-Identifier: MIT
#include "SafetensorsFile.h"
#include "openmm/OpenMMException.h"
#include <algorithm>
#include <cstring>
#include <utility>

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

namespace {

/** A list of integers in [0, 2^64); anything else is refused. */
vector<uint64_t> readIntegers(const JsonValue& value, const string& name) {
    if (value.kind != JsonValue::Kind::List)
        throw OpenMMException(name + " must be a list of integers, found " + describe(value));
    vector<uint64_t> result;
    for (const JsonValue& item : value.items) {
        if (item.kind != JsonValue::Kind::Unsigned)
            throw OpenMMException(name + " must hold integers from 0 to 2^64 - 1, found " + describe(item));
        result.push_back(item.integer);
    }
    return result;
}

} // namespace

string describe(const vector<uint64_t>& shape) {
    string text = "[";
    for (size_t i = 0; i < shape.size(); i++)
        text += (i == 0 ? "" : ", ") + to_string(shape[i]);
    return text + "]";
}

SafetensorsFile::SafetensorsFile(const string& bytes) : bytes(bytes) {
    if (bytes.size() > maxFileSize)
        throw OpenMMException("the file has " + to_string(bytes.size()) + " bytes; at most " + to_string(maxFileSize) +
                              " are allowed");
    if (bytes.size() < 8)
        throw OpenMMException("the file has " + to_string(bytes.size()) +
                              " bytes; a safetensors file begins with 8 bytes that hold the length of its header");
    uint64_t headerSize = 0;
    for (int i = 7; i >= 0; i--)
        headerSize = headerSize << 8 | static_cast<unsigned char>(bytes[i]);
    if (headerSize > maxHeaderSize)
        throw OpenMMException("the header is said to have " + to_string(headerSize) + " bytes; at most " +
                              to_string(maxHeaderSize) + " are allowed (is this a safetensors file?)");
    if (headerSize > bytes.size() - 8)
        throw OpenMMException("the header is said to have " + to_string(headerSize) + " bytes, but only " +
                              to_string(bytes.size() - 8) + " follow: the file is cut short");
    if (headerSize == 0 || bytes[8] != '{')
        throw OpenMMException("the header does not begin with '{' (is this a safetensors file?)");
    dataStart = 8 + headerSize;
    dataSize = bytes.size() - dataStart;
    JsonValue header = parseJson(bytes.substr(8, headerSize), "header");
    readMetadata(header);
    if (header.keys.size() - 1 > maxTensors)
        throw OpenMMException("the file has " + to_string(header.keys.size() - 1) + " tensors; at most " +
                              to_string(maxTensors) + " are allowed");
    for (size_t i = 0; i < header.keys.size(); i++)
        if (header.keys[i] != "__metadata__")
            readTensor(header.keys[i], header.items[i]);
    checkLayout();
}

void SafetensorsFile::readMetadata(const JsonValue& header) {
    const JsonValue* entries = header.find("__metadata__");
    if (entries == nullptr)
        throw OpenMMException(
            "the header has no __metadata__: this is a safetensors file, but not an openmmpainn model");
    if (entries->kind != JsonValue::Kind::Object)
        throw OpenMMException("__metadata__ must be an object, found " + describe(*entries));
    const JsonValue* text = entries->find("openmmpainn");
    if (text == nullptr)
        throw OpenMMException(
            "__metadata__ has no entry \"openmmpainn\": this is a safetensors file, but not an openmmpainn model");
    if (text->kind != JsonValue::Kind::Text)
        throw OpenMMException("the entry \"openmmpainn\" of __metadata__ must be a text, found " + describe(*text));
    for (const string& key : entries->keys)
        if (key != "openmmpainn")
            throw OpenMMException("__metadata__ has the entry " + quote(key) + "; only \"openmmpainn\" is allowed");
    metadata = text->text;
}

void SafetensorsFile::readTensor(const string& name, const JsonValue& entry) {
    string what = "tensor " + quote(name);
    if (entry.kind != JsonValue::Kind::Object)
        throw OpenMMException(what + ": the header must describe it by an object, found " + describe(entry));
    for (const string& key : entry.keys)
        if (key != "dtype" && key != "shape" && key != "data_offsets")
            throw OpenMMException(what + ": unknown key " + quote(key) + "; allowed are dtype, shape and data_offsets");
    for (const char* key : {"dtype", "shape", "data_offsets"})
        if (entry.find(key) == nullptr)
            throw OpenMMException(what + ": " + key + " is missing");
    const JsonValue& dtype = *entry.find("dtype");
    if (dtype.kind != JsonValue::Kind::Text || dtype.text != "F32")
        throw OpenMMException(what + ": dtype must be \"F32\", found " + describe(dtype));

    Tensor tensor;
    tensor.shape = readIntegers(*entry.find("shape"), what + ": shape");
    if (tensor.shape.size() > maxRank)
        throw OpenMMException(what + ": shape has " + to_string(tensor.shape.size()) + " dimensions; at most " +
                              to_string(maxRank) + " are allowed");
    tensor.numElements = 1;
    for (uint64_t n : tensor.shape) {
        if (n == 0)
            throw OpenMMException(what + ": shape " + describe(tensor.shape) + " has a dimension of 0");
        if (n > maxFileSize / 4 / tensor.numElements) // before the product, which could overflow
            throw OpenMMException(what + ": shape " + describe(tensor.shape) + " has more elements than a file of " +
                                  to_string(maxFileSize) + " bytes can hold");
        tensor.numElements *= n;
    }

    vector<uint64_t> offsets = readIntegers(*entry.find("data_offsets"), what + ": data_offsets");
    if (offsets.size() != 2)
        throw OpenMMException(what + ": data_offsets must be two integers, found " + to_string(offsets.size()));
    tensor.begin = offsets[0];
    tensor.end = offsets[1];
    if (tensor.begin > tensor.end)
        throw OpenMMException(what + ": data_offsets " + describe(offsets) + " end before they begin");
    if (tensor.end > dataSize)
        throw OpenMMException(what + ": data_offsets " + describe(offsets) +
                              " reach past the end of the data, which has " + to_string(dataSize) + " bytes");
    if (tensor.end - tensor.begin != 4 * tensor.numElements)
        throw OpenMMException(what + ": data_offsets " + describe(offsets) + " span " +
                              to_string(tensor.end - tensor.begin) + " bytes, but shape " + describe(tensor.shape) +
                              " needs " + to_string(4 * tensor.numElements));
    tensors.emplace(name, std::move(tensor));
}

void SafetensorsFile::checkLayout() const {
    vector<pair<uint64_t, const string*>> order;
    for (auto& [name, tensor] : tensors)
        order.emplace_back(tensor.begin, &name);
    stable_sort(order.begin(), order.end(),
                [](auto& a, auto& b) { return a.first < b.first; }); // ties stay in order of name
    uint64_t end = 0;
    for (auto& [begin, name] : order) {
        if (begin > end)
            throw OpenMMException("tensor " + quote(*name) + ": data_offsets leave a hole from byte " + to_string(end) +
                                  " to " + to_string(begin) + " of the data");
        if (begin < end)
            throw OpenMMException("tensor " + quote(*name) + ": data_offsets overlap another tensor from byte " +
                                  to_string(begin) + " to " + to_string(end) + " of the data");
        end = tensors.at(*name).end;
    }
    if (end != dataSize)
        throw OpenMMException(to_string(dataSize - end) + " trailing bytes after the last tensor");
}

vector<double> SafetensorsFile::getValues(const Tensor& tensor) const {
    vector<double> values(tensor.numElements);
    const unsigned char* p = reinterpret_cast<const unsigned char*>(bytes.data()) + dataStart + tensor.begin;
    for (double& value : values) {
        // Byte by byte: the data may stand at any address, and its order is little endian on every machine.
        uint32_t bits = p[0] | p[1] << 8 | p[2] << 16 | static_cast<uint32_t>(p[3]) << 24;
        float x;
        memcpy(&x, &bits, sizeof(x));
        value = x;
        p += 4;
    }
    return values;
}

} // namespace PaiNNPlugin
