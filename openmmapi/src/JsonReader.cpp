// SPDX-License-Identifier: MIT
#include "JsonReader.h"
#include "openmm/OpenMMException.h"
#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <string_view>

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

namespace {

constexpr size_t maxDepth = 4, maxValues = 65536;

/** Builds a JsonValue from the parser's events and stops it at the first thing that is not allowed. */
class Builder : public nlohmann::json_sax<nlohmann::json> {
public:
    Builder(const std::string& text, const std::string& where) : text(text), where(where) {}
    bool null() override {
        add(JsonValue::Kind::Null);
        return true;
    }
    bool boolean(bool value) override {
        add(JsonValue::Kind::Boolean).boolean = value;
        return true;
    }
    bool number_integer(number_integer_t value) override {
        add(JsonValue::Kind::Negative).number = static_cast<double>(value);
        return true;
    }
    bool number_unsigned(number_unsigned_t value) override {
        JsonValue& added = add(JsonValue::Kind::Unsigned);
        added.integer = value;
        added.number = static_cast<double>(value);
        return true;
    }
    bool number_float(number_float_t, const string_t& digits) override {
        // The parser's own value went through strtod(), which depends on the locale, and so may the decimal point in
        // its text.
        std::string plain = digits;
        for (char& c : plain)
            if (string_view("0123456789+-eE").find(c) == string_view::npos)
                c = '.';
        double value = 0;
        if (from_chars(plain.data(), plain.data() + plain.size(), value).ec != errc())
            throw OpenMMException(where + ": the number " + quote(plain) + " is out of range");
        add(JsonValue::Kind::Real).number = value;
        return true;
    }
    bool string(string_t& value) override {
        add(JsonValue::Kind::Text).text = std::move(value);
        return true;
    }
    bool binary(binary_t&) override {
        return false; // JSON text has no such value
    }
    bool start_object(size_t) override {
        open(JsonValue::Kind::Object);
        return true;
    }
    bool key(string_t& value) override {
        stack.back()->keys.push_back(std::move(value));
        return true;
    }
    bool end_object() override {
        vector<string_view> keys(stack.back()->keys.begin(), stack.back()->keys.end());
        sort(keys.begin(), keys.end());
        auto twice = adjacent_find(keys.begin(), keys.end());
        if (twice != keys.end())
            throw OpenMMException(where + ": the key " + quote(std::string(*twice)) + " appears twice in one object");
        stack.pop_back();
        return true;
    }
    bool start_array(size_t) override {
        open(JsonValue::Kind::List);
        return true;
    }
    bool end_array() override {
        stack.pop_back();
        return true;
    }
    bool parse_error(size_t position, const std::string&, const nlohmann::json::exception& e) override {
        std::string reason = e.what();
        if (reason.find("UTF-8") != std::string::npos)
            throw OpenMMException(where + ": not valid UTF-8 at byte " + to_string(position));
        if (reason.find("out_of_range") != std::string::npos)
            throw OpenMMException(where + ": the number that ends at byte " + to_string(position) + " is out of range");
        size_t begin = position > 30 ? position - 30 : 0;
        throw OpenMMException(where + ": not valid JSON at byte " + to_string(position) + ", after " +
                              quote(text.substr(begin, position - begin)));
    }
    JsonValue root;

private:
    JsonValue& add(JsonValue::Kind kind) {
        if (++numValues > maxValues)
            throw OpenMMException(where + ": more than " + to_string(maxValues) + " JSON values");
        JsonValue* added = &root;
        if (!stack.empty()) {
            stack.back()->items.emplace_back();
            added = &stack.back()->items.back();
        }
        added->kind = kind;
        return *added;
    }
    void open(JsonValue::Kind kind) {
        if (stack.size() == maxDepth)
            throw OpenMMException(where + ": JSON nested deeper than " + to_string(maxDepth) + " levels");
        stack.push_back(&add(kind));
    }
    const std::string &text, &where;
    vector<JsonValue*> stack; // open lists and objects; a parent does not grow while its last item is open
    size_t numValues = 0;
};

} // namespace

const JsonValue* JsonValue::find(const string& key) const {
    for (size_t i = 0; i < keys.size(); i++)
        if (keys[i] == key)
            return &items[i];
    return nullptr;
}

JsonValue parseJson(const string& text, const string& where) {
    // The parser takes a zero byte for the end of the text and skips a byte order mark.
    size_t zero = text.find('\0');
    if (zero != string::npos)
        throw OpenMMException(where + ": a zero byte at byte " + to_string(zero));
    if (text.compare(0, 3, "\xef\xbb\xbf") == 0)
        throw OpenMMException(where + ": a byte order mark before the JSON text");
    Builder builder(text, where);
    nlohmann::json::sax_parse(text, &builder);
    return std::move(builder.root);
}

string describe(double number) {
    char digits[32];
    return string(digits, to_chars(digits, digits + sizeof(digits), number).ptr);
}

string quote(const string& text) {
    string result = "\"";
    for (size_t i = 0; i < text.size() && i < 80; i++) {
        unsigned char c = static_cast<unsigned char>(text[i]);
        result += c >= 32 && c < 127 ? text[i] : '?';
    }
    return result + (text.size() > 80 ? "...\"" : "\"");
}

string describe(const JsonValue& value) {
    switch (value.kind) {
    case JsonValue::Kind::Null:
        return "null";
    case JsonValue::Kind::Boolean:
        return value.boolean ? "true" : "false";
    case JsonValue::Kind::Unsigned:
        return to_string(value.integer);
    case JsonValue::Kind::Negative:
        return describe(value.number);
    case JsonValue::Kind::Real: {
        string digits = describe(value.number);
        return digits.find_first_not_of("-0123456789") == string::npos ? digits + ".0"
                                                                       : digits; // not an integer, so it says
    }
    case JsonValue::Kind::Text:
        return quote(value.text);
    case JsonValue::Kind::List:
        return "a list of " + to_string(value.items.size());
    default:
        return "an object";
    }
}

} // namespace PaiNNPlugin
