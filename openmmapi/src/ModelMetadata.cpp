// SPDX-License-Identifier: MIT
#include "ModelMetadata.h"
#include "JsonFields.h"
#include "openmm/OpenMMException.h"

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

namespace {

using Kind = JsonValue::Kind;

// CODATA 2018; the same table stands in docs/model-format.md.
const vector<string> lengthUnits = {"angstrom", "nm", "bohr"};
constexpr double nanometers[] = {0.1, 1.0, 0.0529177210903};
const vector<string> energyUnits = {"eV", "kJ/mol", "kcal/mol", "hartree"};
constexpr double kilojoulesPerMole[] = {96.4853321233, 1.0, 4.184, 2625.4996394799};

/** {"type": "cosine"} or {"type": "polynomial", "p": p}. */
CutoffFunction readCutoffFunction(const JsonValue& value, const string& name) {
    JsonFields fields(value, name, {"type", "p"});
    CutoffFunction result;
    if (fields.getChoice("type", {"cosine", "polynomial"}) == 0) {
        if (fields.has("p"))
            throw OpenMMException(fields.nameOf("p") + " belongs to the type \"polynomial\", not to \"cosine\"");
        result.type = CutoffFunction::Type::Cosine;
    }
    else {
        result.type = CutoffFunction::Type::Polynomial;
        result.p = fields.getInteger("p", 2, 12);
    }
    return result;
}

void readBasis(const JsonValue& value, ModelMetadata& result) {
    JsonFields fields(value, "basis", {"type", "size", "exponent"});
    result.basisSize = fields.getInteger("size", 1, 512);
    if (fields.getChoice("type", {"gaussian", "bessel"}) == 0) {
        result.basisType = RadialBasis::Type::Gaussian;
        result.basisExponent = fields.getNumber("exponent", 1e-6, 1e6);
    }
    else {
        result.basisType = RadialBasis::Type::Bessel;
        if (fields.has("exponent"))
            throw OpenMMException(fields.nameOf("exponent") + " belongs to the type \"gaussian\", not to \"bessel\"");
    }
}

double readCutoff(const JsonFields& fields, size_t lengthUnit) {
    const JsonValue& value = fields.get("cutoff");
    double angstroms = 10 * nanometers[lengthUnit] * value.number;
    // A limit may not be a binary number in the file's unit: 0.01 nm is not exactly 0.1 angstrom.
    if (!value.isNumber() || angstroms < 0.1 * (1 - 1e-12) || angstroms > 20 * (1 + 1e-12))
        throw OpenMMException(fields.nameOf("cutoff") + " must be a number, 0.1 to 20 angstrom, found " +
                              describe(value) + (value.isNumber() ? " " + lengthUnits[lengthUnit] : ""));
    return value.number;
}

vector<int> readElements(const JsonFields& fields, const string& key) {
    vector<int> elements = fields.getIntegers(key, 1, 118, 1, 118);
    for (size_t i = 1; i < elements.size(); i++)
        if (elements[i] <= elements[i - 1])
            throw OpenMMException(fields.nameOf(key) + " must ascend, found " + to_string(elements[i]) + " after " +
                                  to_string(elements[i - 1]));
    return elements;
}

vector<int> readReadout(const JsonFields& fields, int hidden) {
    vector<int> readout = fields.getIntegers("readout", 2, 9, 1, 4096);
    if (readout.front() != hidden)
        throw OpenMMException(fields.nameOf("readout") + " must begin with \"hidden\", which is " + to_string(hidden) +
                              ", found " + to_string(readout.front()));
    if (readout.back() != 1)
        throw OpenMMException(fields.nameOf("readout") + " must end with 1, found " + to_string(readout.back()));
    return readout;
}

/** A text of one line, so that it can be shown anywhere. */
string readLine(const JsonFields& fields, const string& key) {
    const JsonValue& value = fields.get(key);
    if (value.kind != Kind::Text)
        throw OpenMMException(fields.nameOf(key) + " must be a text, found " + describe(value));
    for (unsigned char c : value.text)
        if (c < 32 || c == 127)
            throw OpenMMException(fields.nameOf(key) + " must not hold control characters, found character " +
                                  to_string(c));
    return value.text;
}

/** What is there for people only: an object of texts, numbers, booleans and lists of these. */
void checkNotes(const JsonFields& fields, const string& key) {
    const JsonValue& notes = fields.get(key);
    if (notes.kind != Kind::Object)
        throw OpenMMException(fields.nameOf(key) + " must be an object, found " + describe(notes));
    auto isPlain = [](const JsonValue& value) {
        return value.kind == Kind::Text || value.kind == Kind::Boolean || value.isNumber();
    };
    for (size_t i = 0; i < notes.items.size(); i++) {
        const JsonValue& note = notes.items[i];
        const JsonValue* wrong = isPlain(note) || note.kind == Kind::List ? nullptr : &note;
        if (note.kind == Kind::List)
            for (const JsonValue& item : note.items)
                if (!isPlain(item))
                    wrong = &item;
        if (wrong != nullptr)
            throw OpenMMException(fields.nameOf(key) + ": " + quote(notes.keys[i]) +
                                  " must be a text, a number, a boolean or a list of these, found " +
                                  (wrong == &note ? "" : "a list with ") + describe(*wrong));
    }
}

} // namespace

ModelMetadata readMetadata(const string& text) {
    JsonValue json = parseJson(text, "metadata");
    JsonFields fields(json, "",
                      {"format_version",   "family",          "hidden",       "blocks",      "basis",       "cutoff",
                       "cutoff_function",  "envelope",        "norm_epsilon", "length_unit", "energy_unit", "elements",
                       "trained_elements", "atom_references", "repulsion",    "readout",     "name",        "licence",
                       "provenance",       "accuracy"});
    fields.getInteger("format_version", 1, 1);
    ModelMetadata result;
    result.family = fields.getChoice("family", {"student", "canonical"}) == 0 ? Family::Student : Family::Canonical;
    result.hidden = fields.getInteger("hidden", 1, 1024);
    result.blocks = fields.getInteger("blocks", 1, 16);
    readBasis(fields.get("basis"), result);
    size_t lengthUnit = fields.getChoice("length_unit", lengthUnits);
    result.nmPerLength = nanometers[lengthUnit];
    result.kilojoulesPerEnergy = kilojoulesPerMole[fields.getChoice("energy_unit", energyUnits)];
    result.cutoff = readCutoff(fields, lengthUnit);
    result.cutoffFunction = readCutoffFunction(fields.get("cutoff_function"), "cutoff_function");
    if (fields.has("envelope"))
        result.envelope = readCutoffFunction(fields.get("envelope"), "envelope");
    result.normEpsilon = fields.getNumber("norm_epsilon", 0, 1);
    if ((result.normEpsilon == 0) != (result.family == Family::Student))
        throw OpenMMException(
            fields.nameOf("norm_epsilon") + " must be " +
            (result.family == Family::Student ? "0 for the student family" : "above 0 for the canonical family") +
            ", found " + describe(result.normEpsilon));
    result.elements = readElements(fields, "elements");
    if (fields.has("trained_elements"))
        result.trainedElements = readElements(fields, "trained_elements");
    if (fields.has("atom_references"))
        result.atomReferences = fields.getNumbers("atom_references", result.elements.size(), -1e9, 1e9);
    if (fields.has("repulsion")) {
        JsonFields repulsion(fields.get("repulsion"), "repulsion", {"type", "p"});
        repulsion.getChoice("type", {"zbl"});
        result.repulsionExponent = repulsion.getInteger("p", 2, 12);
    }
    result.readout = readReadout(fields, result.hidden);
    if (fields.has("name"))
        result.name = readLine(fields, "name");
    if (fields.has("licence"))
        readLine(fields, "licence");
    for (const char* key : {"provenance", "accuracy"})
        if (fields.has(key))
            checkNotes(fields, key);
    return result;
}

} // namespace PaiNNPlugin
