// SPDX-License-Identifier: MIT
#include "BadFiles.h"
#include "ModelBytes.h"
#include <stdexcept>

using namespace std;

namespace PaiNNPlugin {

namespace {

ModelOptions smallOptions() {
    ModelOptions options;
    options.hidden = options.basisSize = 2;
    options.blocks = 1;
    options.elements = options.trainedElements = {1, 6};
    return options;
}

const vector<TestTensor> tensors = makeTensors(smallOptions());
const string header = makeHeader(makeMetadata(smallOptions()), tensors), data = makeData(tensors);

/** A file that says its header has so many bytes. */
string withLength(uint64_t length, const string& rest) {
    string bytes;
    for (int i = 0; i < 8; i++)
        bytes += static_cast<char>(length >> (8 * i) & 255);
    return bytes + rest;
}

string repeat(const string& text, int count) {
    string result;
    for (int i = 0; i < count; i++)
        result += text;
    return result;
}

string manyTensors(int count) {
    string result = "{\"__metadata__\": {\"openmmpainn\": \"{}\"}";
    for (int i = 0; i < count; i++)
        result += ",\"" + to_string(i) + "\":0";
    return result + "}";
}

/** The small model with one change in the text of its header. */
string editedHeader(const string& from, const string& to) {
    size_t position = header.find(from);
    if (position == string::npos)
        throw logic_error("the header does not hold " + from);
    return packFile(string(header).replace(position, from.size(), to), data);
}

/** The header in which everything from the tensor of this index on begins 4 bytes later. */
string shifted(vector<TestTensor> list, size_t index) {
    string name = list[index].name;
    list.insert(list.begin() + index, TestTensor{"hole", {1}, {0}});
    string text = makeHeader(makeMetadata(smallOptions()), list);
    size_t begin = text.find("\"hole\""), end = text.find("\"" + name + "\"");
    return text.erase(begin, end - begin);
}

} // namespace

vector<BadFile> badContainers() {
    vector<BadFile> files;
    auto add = [&](const string& name, const string& bytes, const string& message) {
        files.push_back({name, bytes, message});
    };
    add("empty", string(),
        "the file has 0 bytes; a safetensors file begins with 8 bytes that hold the length of its header");
    add("seven bytes", string("\x10\0\0\0\0\0\0", 7),
        "the file has 7 bytes; a safetensors file begins with 8 bytes that hold the length of its header");
    add("header of 2^64 - 1 bytes", string(8, '\xff') + "{}",
        "the header is said to have 18446744073709551615 bytes; at most 1048576 are allowed (is this a safetensors "
        "file?)");
    add("header of 1e8 + 1 bytes", withLength(100000001, "{}"),
        "the header is said to have 100000001 bytes; at most 1048576 are allowed (is this a safetensors file?)");
    add("header of 1 MiB and a byte", packFile("{" + string(1 << 20, ' '), ""),
        "the header is said to have 1048577 bytes; at most 1048576 are allowed (is this a safetensors file?)");
    add("header of 1e6 tensors", packFile(manyTensors(1000000), ""),
        "the header is said to have 10888929 bytes; at most 1048576 are allowed (is this a safetensors file?)");
    add("header past the end", withLength(11, R"({"a": 0})"),
        "the header is said to have 11 bytes, but only 8 follow: the file is cut short");
    add("a zip archive", string("PK\x03\x04\x14\0\0\0\x08\0\0\0", 12),
        "the header is said to have 85966670672 bytes; at most 1048576 are allowed (is this a safetensors file?)");
    add("header of 0 bytes", packFile("", ""), "the header does not begin with '{' (is this a safetensors file?)");
    add("header is a list", packFile("[]", ""), "the header does not begin with '{' (is this a safetensors file?)");
    add("byte order mark", packFile("\xef\xbb\xbf{}", ""),
        "the header does not begin with '{' (is this a safetensors file?)");
    add("zero byte after the header's object", packFile(header + string("\0{", 2), data),
        "header: a zero byte at byte 1966");
    add("not UTF-8", editedHeader("basis.centers", "basis.\xff"), "header: not valid UTF-8 at byte 525");
    add("quote missing", editedHeader(R"(F32")", "F32"),
        R"(header: not valid JSON at byte 475, after "ng.weight": {"dtype": "F32, "s")");
    add("text after the object", packFile(header + "x", data),
        R"(header: not valid JSON at byte 1967, after " "data_offsets": [360, 364]}}x")");
    add("cut in the middle of JSON", packFile(header.substr(0, header.size() - 20), data),
        R"(header: not valid JSON at byte 1947, after ""F32", "shape": [1], "data_of")");
    add("1e6 levels of nesting", packFile(R"({"a": )" + string(1000000, '['), ""),
        "header: JSON nested deeper than 4 levels");
    add("65,537 values", packFile(R"({"a": [0)" + repeat(", 0", 65536) + "]}", ""),
        "header: more than 65536 JSON values");
    add("number beyond double", editedHeader(R"("shape": [2])", R"("shape": [1e999])"),
        "header: the number that ends at byte 566 is out of range");
    add("number below double", editedHeader(R"("shape": [2])", R"("shape": [1e-999])"),
        R"(header: the number "1e-999" is out of range)");
    add("a tensor twice", editedHeader("basis.widths", "basis.centers"),
        R"(header: the key "basis.centers" appears twice in one object)");
    add("dtype twice", editedHeader(R"("dtype": "F32")", R"("dtype": "F32", "dtype": "F32")"),
        R"(header: the key "dtype" appears twice in one object)");
    add("openmmpainn twice", editedHeader(R"({"openmmpainn": )", R"({"openmmpainn": "", "openmmpainn": )"),
        R"(header: the key "openmmpainn" appears twice in one object)");
    add("no metadata", packFile("{}", ""),
        "the header has no __metadata__: this is a safetensors file, but not an openmmpainn model");
    add("metadata a list", packFile(R"({"__metadata__": []})", ""),
        "__metadata__ must be an object, found a list of 0");
    add("no openmmpainn", packFile(R"({"__metadata__": {"format": "pt"}})", ""),
        R"(__metadata__ has no entry "openmmpainn": this is a safetensors file, but not an openmmpainn model)");
    add("openmmpainn an object", packFile(R"({"__metadata__": {"openmmpainn": {}}})", ""),
        R"(the entry "openmmpainn" of __metadata__ must be a text, found an object)");
    add("another entry", editedHeader(R"({"openmmpainn": )", R"({"format": "pt", "openmmpainn": )"),
        R"(__metadata__ has the entry "format"; only "openmmpainn" is allowed)");
    add("4,097 tensors", packFile(manyTensors(4097), ""), "the file has 4097 tensors; at most 4096 are allowed");
    add("tensor a number", editedHeader(R"("embedding.weight": {)", R"("a": 0, "embedding.weight": {)"),
        R"(tensor "a": the header must describe it by an object, found 0)");
    add("tensor with an unknown key", editedHeader(R"("dtype": "F32")", R"("dtype": "F32", "path": "/etc/passwd")"),
        R"(tensor "embedding.weight": unknown key "path"; allowed are dtype, shape and data_offsets)");
    add("no dtype", editedHeader(R"("dtype": "F32", )", ""), R"(tensor "embedding.weight": dtype is missing)");
    add("no shape", editedHeader(R"("shape": [2, 2], )", ""), R"(tensor "embedding.weight": shape is missing)");
    add("no offsets", editedHeader(R"(, "data_offsets": [0, 16])", ""),
        R"(tensor "embedding.weight": data_offsets is missing)");
    add("dtype F64", editedHeader("F32", "F64"), R"(tensor "embedding.weight": dtype must be "F32", found "F64")");
    add("dtype a number", editedHeader(R"("F32")", "32"),
        R"(tensor "embedding.weight": dtype must be "F32", found 32)");
    add("shape a number", editedHeader("[2, 2]", "4"),
        R"(tensor "embedding.weight": shape must be a list of integers, found 4)");
    add("negative dimension", editedHeader("[2, 2]", "[-2, -2]"),
        R"(tensor "embedding.weight": shape must hold integers from 0 to 2^64 - 1, found -2)");
    add("fractional dimension", editedHeader("[2, 2]", "[2.5, 2]"),
        R"(tensor "embedding.weight": shape must hold integers from 0 to 2^64 - 1, found 2.5)");
    add("rank 5", editedHeader("[2, 2]", "[2, 2, 1, 1, 1]"),
        R"(tensor "embedding.weight": shape has 5 dimensions; at most 4 are allowed)");
    add("dimension 0", editedHeader("[2, 2]", "[0, 2]"),
        R"(tensor "embedding.weight": shape [0, 2] has a dimension of 0)");
    add("product overflows to 0", editedHeader("[2, 2]", "[4294967296, 4294967296]"),
        R"(tensor "embedding.weight": shape [4294967296, 4294967296] has more elements than a file of 268435456 bytes can hold)");
    add("product overflows to 4", editedHeader("[2, 2]", "[4611686018427387905, 4]"),
        R"(tensor "embedding.weight": shape [4611686018427387905, 4] has more elements than a file of 268435456 bytes can hold)");
    add("one offset", editedHeader("[0, 16]", "[16]"),
        R"(tensor "embedding.weight": data_offsets must be two integers, found 1)");
    add("three offsets", editedHeader("[0, 16]", "[0, 8, 16]"),
        R"(tensor "embedding.weight": data_offsets must be two integers, found 3)");
    add("negative offset", editedHeader("[0, 16]", "[-16, 0]"),
        R"(tensor "embedding.weight": data_offsets must hold integers from 0 to 2^64 - 1, found -16)");
    add("fractional offset", editedHeader("[0, 16]", "[0, 16.0]"),
        R"(tensor "embedding.weight": data_offsets must hold integers from 0 to 2^64 - 1, found 16.0)");
    add("offset of 2^64", editedHeader("[0, 16]", "[0, 18446744073709551616]"),
        R"(tensor "embedding.weight": data_offsets must hold integers from 0 to 2^64 - 1, found 18446744073709551616.0)");
    add("offset of 2^64 - 1", editedHeader("[0, 16]", "[0, 18446744073709551615]"),
        R"(tensor "embedding.weight": data_offsets [0, 18446744073709551615] reach past the end of the data, which has 364 bytes)");
    add("offsets reversed", editedHeader("[0, 16]", "[16, 0]"),
        R"(tensor "embedding.weight": data_offsets [16, 0] end before they begin)");
    add("offsets past the data", editedHeader("[0, 16]", "[100000, 100016]"),
        R"(tensor "embedding.weight": data_offsets [100000, 100016] reach past the end of the data, which has 364 bytes)");
    add("span differs from shape", editedHeader("[0, 16]", "[0, 12]"),
        R"(tensor "embedding.weight": data_offsets [0, 12] span 12 bytes, but shape [2, 2] needs 16)");
    add("overlap", editedHeader("[16, 24]", "[12, 20]"),
        R"(tensor "basis.centers": data_offsets overlap another tensor from byte 12 to 16 of the data)");
    add("same bytes twice", editedHeader("[24, 32]", "[16, 24]"),
        R"(tensor "basis.widths": data_offsets overlap another tensor from byte 16 to 24 of the data)");
    add("hole", packFile(shifted(tensors, 1), makeData(tensors) + string(4, '\0')),
        R"(tensor "basis.centers": data_offsets leave a hole from byte 16 to 20 of the data)");
    add("hole at the start", packFile(shifted(tensors, 0), makeData(tensors) + string(4, '\0')),
        R"(tensor "embedding.weight": data_offsets leave a hole from byte 0 to 4 of the data)");
    add("trailing bytes", packFile(header, data + "abc"), "3 trailing bytes after the last tensor");
    add("data cut short", packFile(header, data.substr(0, data.size() - 1)),
        R"(tensor "readout.1.bias": data_offsets [360, 364] reach past the end of the data, which has 363 bytes)");
    return files;
}

} // namespace PaiNNPlugin
