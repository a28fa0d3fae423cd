// SPDX-License-Identifier: MIT
#ifndef PAINN_JSONREADER_H_
#define PAINN_JSONREADER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace PaiNNPlugin {

/** A value of a JSON text. Integers stay integers, so that nothing is rounded on the way. */
struct JsonValue {
    enum class Kind { Null, Boolean, Unsigned, Negative, Real, Text, List, Object };
    Kind kind = Kind::Null;
    bool boolean = false;
    uint64_t integer = 0;          ///< Unsigned
    double number = 0;             ///< Unsigned, Negative and Real
    std::string text;              ///< Text
    std::vector<std::string> keys; ///< Object: [items.size()]
    std::vector<JsonValue> items;  ///< List and Object
    bool isNumber() const {
        return kind == Kind::Unsigned || kind == Kind::Negative || kind == Kind::Real;
    }
    /** The value under a key of an object, nullptr if there is none. */
    const JsonValue* find(const std::string& key) const;
};

/**
 * Read one JSON text, strictly: nothing but white space around it, UTF-8, no key twice in an object, at most 4 levels
 * of nesting and 65,536 values. Numbers are read the same in every locale.
 *
 * @param text   the text
 * @param where  what the text is, for messages
 * @throws OpenMM::OpenMMException
 */
JsonValue parseJson(const std::string& text, const std::string& where);

/** What a value is, in a few words, for messages. */
std::string describe(const JsonValue& value);

/** A number with the fewest digits that give it back, in every locale. */
std::string describe(double number);

/** A text in quotes for a message: cut when long, and without control characters. */
std::string quote(const std::string& text);

} // namespace PaiNNPlugin

#endif
