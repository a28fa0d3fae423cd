// SPDX-License-Identifier: MIT
#ifndef PAINN_JSONFIELDS_H_
#define PAINN_JSONFIELDS_H_

#include "JsonReader.h"
#include <string>
#include <vector>

namespace PaiNNPlugin {

/** The fields of a JSON object whose keys are all known. Every fault is an exception that names the field. */
class JsonFields {
public:
    /**
     * @param object    the object; it must outlive this
     * @param name      what to call it in messages, "" for the outermost
     * @param allowed   the keys that it may have
     */
    JsonFields(const JsonValue& object, const std::string& name, const std::vector<std::string>& allowed);
    /** A field that may be absent: nullptr then. */
    const JsonValue* find(const std::string& key) const {
        return object.find(key);
    }
    bool has(const std::string& key) const {
        return find(key) != nullptr;
    }
    /** A field that must be there. */
    const JsonValue& get(const std::string& key) const;
    int getInteger(const std::string& key, int min, int max) const;
    /** A list of minSize to maxSize integers. */
    std::vector<int> getIntegers(const std::string& key, size_t minSize, size_t maxSize, int min, int max) const;
    double getNumber(const std::string& key, double min, double max) const;
    /** A list of exactly so many numbers. */
    std::vector<double> getNumbers(const std::string& key, size_t size, double min, double max) const;
    /** A text that is one of those given; the result is its index. */
    size_t getChoice(const std::string& key, const std::vector<std::string>& choices) const;
    /** The name of a field for messages: basis.size. */
    std::string nameOf(const std::string& key) const;

private:
    const JsonValue& object;
    std::string name;
};

/** Texts joined by commas, the last two by a word: "a", "b" or "c". */
std::string listTexts(const std::vector<std::string>& texts, const std::string& word);

} // namespace PaiNNPlugin

#endif
