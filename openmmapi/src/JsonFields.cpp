// SPDX-License-Identifier: MIT
#include "JsonFields.h"
#include "openmm/OpenMMException.h"
#include <algorithm>

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

namespace {

int readInteger(const JsonValue& value, const string& name, int min, int max) {
    // Compared as it was read: a huge integer must not wrap into the range.
    if (value.kind != JsonValue::Kind::Unsigned || value.number < min || value.number > max)
        throw OpenMMException(
            name + " must be " +
            (min == max ? to_string(min) : "an integer from " + to_string(min) + " to " + to_string(max)) + ", found " +
            describe(value));
    return static_cast<int>(value.integer);
}

double readNumber(const JsonValue& value, const string& name, double min, double max) {
    if (!value.isNumber() || value.number < min || value.number > max)
        throw OpenMMException(name + " must be a number from " + describe(min) + " to " + describe(max) + ", found " +
                              describe(value));
    return value.number;
}

} // namespace

string listTexts(const vector<string>& texts, const string& word) {
    string result;
    for (size_t i = 0; i < texts.size(); i++)
        result += (i == 0 ? "" : i + 1 == texts.size() ? " " + word + " " : ", ") + texts[i];
    return result;
}

JsonFields::JsonFields(const JsonValue& object, const string& name, const vector<string>& allowed)
    : object(object), name(name) {
    if (object.kind != JsonValue::Kind::Object)
        throw OpenMMException("metadata" + (name.empty() ? "" : ": " + quote(name)) + " must be an object, found " +
                              describe(object));
    for (const string& key : object.keys)
        if (std::find(allowed.begin(), allowed.end(), key) == allowed.end())
            throw OpenMMException("metadata: unknown key " + quote(key) + (name.empty() ? "" : " in " + quote(name)) +
                                  "; allowed are " + listTexts(allowed, "and"));
}

string JsonFields::nameOf(const string& key) const {
    return "metadata: " + quote(name.empty() ? key : name + "." + key);
}

const JsonValue& JsonFields::get(const string& key) const {
    const JsonValue* value = find(key);
    if (value == nullptr)
        throw OpenMMException(nameOf(key) + " is missing");
    return *value;
}

int JsonFields::getInteger(const string& key, int min, int max) const {
    return readInteger(get(key), nameOf(key), min, max);
}

vector<int> JsonFields::getIntegers(const string& key, size_t minSize, size_t maxSize, int min, int max) const {
    const JsonValue& list = get(key);
    if (list.kind != JsonValue::Kind::List || list.items.size() < minSize || list.items.size() > maxSize)
        throw OpenMMException(nameOf(key) + " must be a list of " + to_string(minSize) + " to " + to_string(maxSize) +
                              " integers, found " + describe(list));
    vector<int> result;
    for (const JsonValue& item : list.items)
        result.push_back(readInteger(item, nameOf(key) + ": an entry", min, max));
    return result;
}

double JsonFields::getNumber(const string& key, double min, double max) const {
    return readNumber(get(key), nameOf(key), min, max);
}

vector<double> JsonFields::getNumbers(const string& key, size_t size, double min, double max) const {
    const JsonValue& list = get(key);
    if (list.kind != JsonValue::Kind::List || list.items.size() != size)
        throw OpenMMException(nameOf(key) + " must be a list of " + to_string(size) + " numbers, found " +
                              describe(list));
    vector<double> result;
    for (const JsonValue& item : list.items) {
        result.push_back(readNumber(item, nameOf(key) + ": an entry", min, max));
    }
    return result;
}

size_t JsonFields::getChoice(const string& key, const vector<string>& choices) const {
    const JsonValue& value = get(key);
    auto found = std::find(choices.begin(), choices.end(), value.text);
    if (value.kind != JsonValue::Kind::Text || found == choices.end()) {
        vector<string> quoted;
        for (const string& choice : choices)
            quoted.push_back(quote(choice));
        throw OpenMMException(nameOf(key) + " must be " + listTexts(quoted, "or") + ", found " + describe(value));
    }
    return found - choices.begin();
}

} // namespace PaiNNPlugin
