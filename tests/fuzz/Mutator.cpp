// SPDX-License-Identifier: MIT
#include "Mutator.h"
#include "ModelBytes.h"
#include <algorithm>
#include <cctype>

using namespace std;

namespace PaiNNPlugin {

namespace {

const vector<string> oddNumbers = {
    "0",   "1",    "2",     "3",      "4",     "5",          "6",          "8",
    "16",  "-1",   "-0",    "0.5",    "1e9",   "1e-9",       "1e999",      "1e-999",
    "119", "1024", "1025",  "4096",   "65536", "2147483648", "4294967296", "18446744073709551615",
    "NaN", "null", "\"1\"", "[1, 2]", "{}",    "true",       "1.0",        "18446744073709551616"};
const vector<string> oddTexts = {"{",
                                 "}",
                                 "[",
                                 "]",
                                 "\"",
                                 ",",
                                 ":",
                                 "\\",
                                 "\\\"",
                                 "\\\\\\\"",
                                 "\\u0000",
                                 "\xff",
                                 string(1, '\0'),
                                 "\xef\xbb\xbf",
                                 "\xf0\x9f\x98\x80",
                                 "null",
                                 "[[[[[",
                                 "{\"a\":",
                                 "F32",
                                 "F64",
                                 "student",
                                 "canonical",
                                 "gaussian",
                                 "bessel",
                                 "polynomial",
                                 "blocks.0.",
                                 "blocks.1.",
                                 "__metadata__"};
const vector<uint32_t> oddFloats = {0x7fc00000, 0x7f800000, 0xff800000, 0x00000001, 0x80000000, 0x7f7fffff,
                                    0xff7fffff, 0x00800000, 0x3f800000, 0x00000000, 0x7f800001, 0xbf800000};

/** Where the runs of characters of one class begin and end. */
template <class Class> vector<pair<size_t, size_t>> findRuns(const string& text, Class inClass) {
    vector<pair<size_t, size_t>> runs;
    for (size_t i = 0; i < text.size();) {
        size_t end = i;
        while (end < text.size() && inClass(text[end]))
            end++;
        if (end > i)
            runs.emplace_back(i, end);
        i = end + 1;
    }
    return runs;
}

/** Shorter files give more of them in the same time. */
string withoutSpaces(string text) {
    text.erase(remove(text.begin(), text.end(), ' '), text.end());
    return text;
}

bool inNumber(char c) {
    return isdigit(static_cast<unsigned char>(c)) || c == '.' || c == '-';
}

bool inWord(char c) {
    return isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_';
}

} // namespace

vector<string> seedModels() {
    vector<string> seeds;
    for (const char* family : {"canonical", "student"})
        for (int option = 0; option < 3; option++) {
            ModelOptions options;
            options.family = family;
            options.hidden = options.basisSize = 1 + option % 2;
            options.blocks = 1 + option / 2;
            options.elements = options.trainedElements = {1, 6};
            options.readout = {options.hidden, 1};
            options.name = "x";
            options.bessel = option == 1;
            if (option == 1) {
                options.envelope = R"({"type": "polynomial", "p": 6})";
                options.repulsion = R"({"type": "zbl", "p": 6})";
                options.atomReferences = {-13.6, -1000};
            }
            vector<TestTensor> tensors = makeTensors(options);
            seeds.push_back(
                packFile(withoutSpaces(makeHeader(withoutSpaces(makeMetadata(options)), tensors)), makeData(tensors)));
        }
    return seeds;
}

string Mutator::next() {
    string bytes = mutate(seeds[below(seeds.size())]);
    if (below(50) == 0) { // two files in one
        const string& other = seeds[below(seeds.size())];
        bytes = bytes.substr(0, below(bytes.size() + 1)) + other.substr(below(other.size()));
    }
    return bytes;
}

string Mutator::mutate(const string& bytes) {
    uint64_t length = 0;
    for (size_t i = 0; i < 8 && i < bytes.size(); i++)
        length |= static_cast<uint64_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
    if (bytes.size() < 8 || length > bytes.size() - 8) { // not even the parts can be found
        if (bytes.empty() || below(4) == 0)
            return seeds[below(seeds.size())];
        string result = bytes;
        result[below(result.size())] = static_cast<char>(random());
        return result;
    }
    string header = bytes.substr(8, length), data = bytes.substr(8 + length);
    size_t count = 1 + below(3);
    for (size_t i = 0; i < count; i++)
        if (below(4) != 0)
            mutateHeader(header);
        else
            mutateData(data);
    string result = packFile(header, data);
    if (below(20) == 0)
        result[below(8)] = static_cast<char>(random());
    if (below(20) == 0)
        result[below(result.size())] ^= static_cast<char>(1 << below(8));
    return result;
}

void Mutator::mutateHeader(string& header) {
    if (header.empty())
        return;
    size_t position = below(header.size());
    switch (below(7)) {
    case 0: { // a number by another
        auto numbers = findRuns(header, inNumber);
        if (numbers.empty())
            return;
        auto [begin, end] = numbers[below(numbers.size())];
        header.replace(begin, end - begin,
                       below(3) == 0 ? to_string(below(400)) : oddNumbers[below(oddNumbers.size())]);
        break;
    }
    case 1: { // a word by another of the same header
        auto words = findRuns(header, inWord);
        if (words.empty())
            return;
        auto [begin, end] = words[below(words.size())];
        auto [from, to] = words[below(words.size())];
        header.replace(begin, end - begin, header.substr(from, to - from));
        break;
    }
    case 2: // a piece taken away
        header.erase(position, 1 + below(20));
        break;
    case 3: // a piece twice
        header.insert(below(header.size()), header.substr(position, 1 + below(100)));
        break;
    case 4:
        header.insert(position, oddTexts[below(oddTexts.size())]);
        break;
    case 5: { // from one comma to another
        size_t begin = header.find(',', position), end = header.find(',', begin == string::npos ? begin : begin + 1);
        if (end != string::npos)
            header.erase(begin, end - begin);
        break;
    }
    default:
        header[position] = static_cast<char>(random());
    }
}

void Mutator::mutateData(string& data) {
    size_t numFloats = data.size() / 4;
    switch (below(6)) {
    case 0:
        data.resize(below(data.size() + 1));
        break;
    case 1:
        data += string(1 + below(9), static_cast<char>(random()));
        break;
    default:
        if (numFloats > 0) {
            size_t i = 4 * below(numFloats);
            uint32_t bits = below(2) == 0 ? static_cast<uint32_t>(random()) : oddFloats[below(oddFloats.size())];
            for (int b = 0; b < 4; b++)
                data[i + b] = static_cast<char>(bits >> (8 * b) & 255);
        }
    }
}

} // namespace PaiNNPlugin
