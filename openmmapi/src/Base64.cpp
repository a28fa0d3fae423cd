// SPDX-License-Identifier: MIT
#include "internal/Base64.h"
#include "openmm/OpenMMException.h"
#include <array>
#include <cstddef>
#include <cstdint>

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

namespace {

constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** The value of every character, -1 for one that is not a digit. */
array<int8_t, 256> makeDigitValues() {
    array<int8_t, 256> values;
    values.fill(-1);
    for (int i = 0; i < 64; i++)
        values[static_cast<unsigned char>(digits[i])] = static_cast<int8_t>(i);
    return values;
}

string describe(char c) {
    if (c > 32 && c < 127)
        return string("'") + c + "'";
    return "byte " + to_string(static_cast<int>(static_cast<unsigned char>(c)));
}

} // namespace

string encodeBase64(const string& bytes) {
    string text;
    text.reserve((bytes.size() + 2) / 3 * 4);
    for (size_t i = 0; i < bytes.size(); i += 3) {
        size_t count = bytes.size() - i < 3 ? bytes.size() - i : 3;
        uint32_t group = 0;
        for (size_t j = 0; j < 3; j++)
            group = group << 8 | (j < count ? static_cast<unsigned char>(bytes[i + j]) : 0);
        for (size_t j = 0; j < 4; j++)
            text += j <= count ? digits[(group >> (18 - 6 * j)) & 63] : '=';
    }
    return text;
}

string decodeBase64(const string& text) {
    static const array<int8_t, 256> values = makeDigitValues();
    if (text.size() % 4 != 0)
        throw OpenMMException("base64: the length must be a multiple of 4, found " + to_string(text.size()) +
                              " characters");
    size_t padding = 0;
    while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=')
        padding++;
    size_t numDigits = text.size() - padding;
    string bytes;
    bytes.reserve(text.size() / 4 * 3);
    uint32_t group = 0;
    for (size_t i = 0; i < numDigits; i++) {
        int value = values[static_cast<unsigned char>(text[i])];
        if (value < 0)
            throw OpenMMException("base64: " + describe(text[i]) + " at character " + to_string(i) +
                                  " is not one of A-Z, a-z, 0-9, + and /" +
                                  (text[i] == '=' ? " (= may only stand at the end, at most twice)" : ""));
        group = group << 6 | static_cast<uint32_t>(value);
        if (i % 4 == 3) {
            for (int shift = 16; shift >= 0; shift -= 8)
                bytes += static_cast<char>(group >> shift & 255);
            group = 0;
        }
    }
    if (padding > 0) { // 2 digits hold one byte and 4 unused bits, 3 digits hold two bytes and 2 unused bits
        int unused = padding == 2 ? 4 : 2;
        if ((group & ((1u << unused) - 1)) != 0)
            throw OpenMMException("base64: the unused bits of the last digit must be zero, found " +
                                  describe(text[numDigits - 1]));
        group >>= unused;
        if (padding == 1)
            bytes += static_cast<char>(group >> 8 & 255);
        bytes += static_cast<char>(group & 255);
    }
    return bytes;
}

} // namespace PaiNNPlugin
