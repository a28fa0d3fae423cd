// SPDX-License-Identifier: MIT
#include "internal/Base64.h"
#include "internal/Sha256.h"
#include "openmm/OpenMMException.h"
#include <gtest/gtest.h>
#include <random>
#include <vector>

using namespace PaiNNPlugin;
using namespace std;

TEST(Sha256, publishedVectors) {
    // FIPS 180-2 appendix B and the long messages of the NIST examples.
    EXPECT_EQ("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", sha256Hex(""));
    EXPECT_EQ("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", sha256Hex("abc"));
    EXPECT_EQ("248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
              sha256Hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"));
    EXPECT_EQ("cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1",
              sha256Hex("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmno"
                        "ijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu"));
    EXPECT_EQ("cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0", sha256Hex(string(1000000, 'a')));
}

TEST(Sha256, lengthsAroundABlock) {
    // Digests of n times the byte 0, made with Python's hashlib.
    EXPECT_EQ("02779466cdec163811d078815c633f21901413081449002f24aa3e80f0b88ef7", sha256Hex(string(55, '\0')));
    EXPECT_EQ("d4817aa5497628e7c77e6b606107042bbba3130888c5f47a375e6179be789fbb", sha256Hex(string(56, '\0')));
    EXPECT_EQ("f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b", sha256Hex(string(64, '\0')));
}

TEST(Base64, publishedVectors) {
    const vector<pair<string, string>> cases = {{"", ""},
                                                {"f", "Zg=="},
                                                {"fo", "Zm8="},
                                                {"foo", "Zm9v"},
                                                {"foob", "Zm9vYg=="},
                                                {"fooba", "Zm9vYmE="},
                                                {"foobar", "Zm9vYmFy"},
                                                {string("\xfb\xff\0", 3), "+/8A"}}; // RFC 4648 section 10
    for (auto& [bytes, text] : cases) {
        EXPECT_EQ(text, encodeBase64(bytes));
        EXPECT_EQ(bytes, decodeBase64(text));
    }
}

TEST(Base64, roundTripOfRandomBytes) {
    mt19937 random(1);
    for (int size = 0; size < 300; size++) {
        string bytes;
        for (int i = 0; i < size; i++)
            bytes += static_cast<char>(random());
        EXPECT_EQ(bytes, decodeBase64(encodeBase64(bytes)));
    }
}

TEST(Base64, refusesWhatItWouldNotWrite) {
    const vector<pair<string, string>> cases = {
        {"Zg=", "base64: the length must be a multiple of 4, found 3 characters"},
        {"Zm9v\n", "base64: the length must be a multiple of 4, found 5 characters"},
        {"Zm9 ", "base64: byte 32 at character 3 is not one of A-Z, a-z, 0-9, + and /"},
        {"Zm9-", "base64: '-' at character 3 is not one of A-Z, a-z, 0-9, + and /"},
        {"Z===", "base64: '=' at character 1 is not one of A-Z, a-z, 0-9, + and / (= may only stand at the end, at "
                 "most twice)"},
        {"Zg==Zg==", "base64: '=' at character 2 is not one of A-Z, a-z, 0-9, + and / (= may only stand at the end, at "
                     "most twice)"},
        {"Zh==", "base64: the unused bits of the last digit must be zero, found 'h'"},
        {"Zm9=", "base64: the unused bits of the last digit must be zero, found '9'"},
        {"\xff\xff\xff\xff", "base64: byte 255 at character 0 is not one of A-Z, a-z, 0-9, + and /"}};
    for (auto& [text, message] : cases)
        try {
            decodeBase64(text);
            ADD_FAILURE() << text << " was accepted";
        }
        catch (const OpenMM::OpenMMException& e) {
            EXPECT_EQ(message, e.what());
        }
}
