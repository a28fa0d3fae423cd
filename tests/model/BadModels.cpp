// SPDX-License-Identifier: MIT
#include "BadFiles.h"
#include "ModelBytes.h"
#include <algorithm>
#include <limits>
#include <stdexcept>

using namespace std;

namespace PaiNNPlugin {

namespace {

constexpr float nan = numeric_limits<float>::quiet_NaN(), inf = numeric_limits<float>::infinity();

ModelOptions smallOptions(const string& family = "canonical", int blocks = 1) {
    ModelOptions options;
    options.family = family;
    options.hidden = options.basisSize = 2;
    options.blocks = blocks;
    options.elements = options.trainedElements = {1, 6};
    return options;
}

ModelOptions besselOptions() {
    ModelOptions options = smallOptions();
    options.bessel = true;
    return options;
}

ModelOptions repulsionOptions() {
    ModelOptions options = smallOptions();
    options.repulsion = R"({"type": "zbl", "p": 6})";
    return options;
}

string replaceOnce(string text, const string& from, const string& to) {
    size_t position = text.find(from);
    if (position == string::npos)
        throw logic_error("the text does not hold " + from);
    return text.replace(position, from.size(), to);
}

using Tensors = vector<TestTensor>;

Tensors without(Tensors tensors, const string& name) {
    auto found = find_if(tensors.begin(), tensors.end(), [&](const TestTensor& t) { return t.name == name; });
    if (found == tensors.end())
        throw logic_error("there is no tensor " + name);
    tensors.erase(found);
    return tensors;
}

Tensors with(Tensors tensors, const TestTensor& tensor) {
    tensors.push_back(tensor);
    return tensors;
}

Tensors reshaped(Tensors tensors, const string& name, const vector<int>& shape) {
    for (TestTensor& tensor : tensors)
        if (tensor.name == name)
            tensor.shape = shape;
    return tensors;
}

Tensors changed(Tensors tensors, const string& name, int element, float value) {
    for (TestTensor& tensor : tensors)
        if (tensor.name == name)
            tensor.values.at(element) = value;
    return tensors;
}

} // namespace

vector<BadFile> badModels() {
    const string metadata = makeMetadata(smallOptions());
    const Tensors tensors = makeTensors(smallOptions());
    const ModelOptions student = smallOptions("student", 2), bessel = besselOptions(), repulsion = repulsionOptions();
    const Tensors studentTensors = makeTensors(student), besselTensors = makeTensors(bessel),
                  repulsionTensors = makeTensors(repulsion);
    vector<BadFile> files;
    auto add = [&](const string& name, const string& bytes, const string& message) {
        files.push_back({name, bytes, message});
    };
    auto withMetadata = [&](const string& text) { return packModel(text, tensors); };
    auto withTensors = [&](const Tensors& list) { return packModel(metadata, list); };
    auto edited = [&](const string& from, const string& to) { return withMetadata(replaceOnce(metadata, from, to)); };
    add("not JSON", withMetadata("canonical"), R"(metadata: not valid JSON at byte 1, after "c")");
    add("empty text", withMetadata(""), R"(metadata: not valid JSON at byte 1, after "")");
    add("a list", withMetadata("[]"), "metadata must be an object, found a list of 0");
    add("byte order mark", withMetadata("\xef\xbb\xbf{}"), "metadata: a byte order mark before the JSON text");
    add("zero byte",
        packFile(
            replaceOnce(makeHeader(metadata, tensors), "{\\\"format_version\\\"", "\\u0000{\\\"format_version\\\""),
            makeData(tensors)),
        "metadata: a zero byte at byte 0");
    add("five levels", edited(R"("name": )", R"("provenance": {"a": [[[0]]]}, "name": )"),
        "metadata: JSON nested deeper than 4 levels");
    add("key twice", edited(R"("name": )", R"("hidden": 2, "name": )"),
        R"(metadata: the key "hidden" appears twice in one object)");
    add("unknown key", edited(R"("name": )", R"("url": "http://localhost/", "name": )"),
        R"(metadata: unknown key "url"; allowed are format_version, family, hidden, blocks, basis, cutoff, cutoff_function, envelope, norm_epsilon, length_unit, energy_unit, elements, trained_elements, atom_references, repulsion, readout, name, licence, provenance and accuracy)");
    add("control characters in a key", edited(R"("name": )", "\"\\u001b[2J\": 0, \"name\": "),
        R"(metadata: unknown key "?[2J"; allowed are format_version, family, hidden, blocks, basis, cutoff, cutoff_function, envelope, norm_epsilon, length_unit, energy_unit, elements, trained_elements, atom_references, repulsion, readout, name, licence, provenance and accuracy)");
    add("no version", edited(R"("format_version": 1, )", ""), R"(metadata: "format_version" is missing)");
    add("version 2", edited(R"("format_version": 1)", R"("format_version": 2)"),
        R"(metadata: "format_version" must be 1, found 2)");
    add("version a text", edited(R"("format_version": 1)", R"("format_version": "1")"),
        R"(metadata: "format_version" must be 1, found "1")");
    add("no family", edited(R"("family": "canonical", )", ""), R"(metadata: "family" is missing)");
    add("family unknown", edited("canonical", "equiformer"),
        R"(metadata: "family" must be "student" or "canonical", found "equiformer")");
    add("family null", edited(R"("canonical")", "null"),
        R"(metadata: "family" must be "student" or "canonical", found null)");
    add("hidden 0", edited(R"("hidden": 2)", R"("hidden": 0)"),
        R"(metadata: "hidden" must be an integer from 1 to 1024, found 0)");
    add("hidden 1025", edited(R"("hidden": 2)", R"("hidden": 1025)"),
        R"(metadata: "hidden" must be an integer from 1 to 1024, found 1025)");
    add("hidden fractional", edited(R"("hidden": 2)", R"("hidden": 2.5)"),
        R"(metadata: "hidden" must be an integer from 1 to 1024, found 2.5)");
    add("hidden negative", edited(R"("hidden": 2)", R"("hidden": -2)"),
        R"(metadata: "hidden" must be an integer from 1 to 1024, found -2)");
    add("hidden 2^32 + 2", edited(R"("hidden": 2)", R"("hidden": 4294967298)"),
        R"(metadata: "hidden" must be an integer from 1 to 1024, found 4294967298)");
    add("hidden 2^64", edited(R"("hidden": 2)", R"("hidden": 18446744073709551616)"),
        R"(metadata: "hidden" must be an integer from 1 to 1024, found 18446744073709551616.0)");
    add("blocks 0", edited(R"("blocks": 1)", R"("blocks": 0)"),
        R"(metadata: "blocks" must be an integer from 1 to 16, found 0)");
    add("blocks 17", edited(R"("blocks": 1)", R"("blocks": 17)"),
        R"(metadata: "blocks" must be an integer from 1 to 16, found 17)");
    add("basis a text", edited(R"({"type": "gaussian", "exponent": 0.5, "size": 2})", R"("gaussian")"),
        R"(metadata: "basis" must be an object, found "gaussian")");
    add("basis with an unknown key", edited(R"("exponent": 0.5)", R"("exponent": 0.5, "gamma": 1)"),
        R"(metadata: unknown key "gamma" in "basis"; allowed are type, size and exponent)");
    add("basis type unknown", edited("gaussian", "chebyshev"),
        R"(metadata: "basis.type" must be "gaussian" or "bessel", found "chebyshev")");
    add("basis size 513", edited(R"("size": 2)", R"("size": 513)"),
        R"(metadata: "basis.size" must be an integer from 1 to 512, found 513)");
    add("no basis size", edited(R"(, "size": 2)", ""), R"(metadata: "basis.size" is missing)");
    add("exponent 0", edited(R"("exponent": 0.5)", R"("exponent": 0)"),
        R"(metadata: "basis.exponent" must be a number from 1e-06 to 1e+06, found 0)");
    add("exponent a text", edited(R"("exponent": 0.5)", R"("exponent": "0.5")"),
        R"(metadata: "basis.exponent" must be a number from 1e-06 to 1e+06, found "0.5")");
    add("no exponent", edited(R"("exponent": 0.5, )", ""), R"(metadata: "basis.exponent" is missing)");
    add("bessel with an exponent", edited("gaussian", "bessel"),
        R"(metadata: "basis.exponent" belongs to the type "gaussian", not to "bessel")");
    add("cutoff 0", edited(R"("cutoff": 5)", R"("cutoff": 0)"),
        R"(metadata: "cutoff" must be a number, 0.1 to 20 angstrom, found 0 angstrom)");
    add("cutoff negative", edited(R"("cutoff": 5)", R"("cutoff": -5)"),
        R"(metadata: "cutoff" must be a number, 0.1 to 20 angstrom, found -5 angstrom)");
    add("cutoff 1e9", edited(R"("cutoff": 5)", R"("cutoff": 1e9)"),
        R"(metadata: "cutoff" must be a number, 0.1 to 20 angstrom, found 1e+09 angstrom)");
    add("cutoff NaN", edited(R"("cutoff": 5)", R"("cutoff": NaN)"),
        R"(metadata: not valid JSON at byte 141, after ": 0.5, "size": 2}, "cutoff": N")");
    add("cutoff 1e999", edited(R"("cutoff": 5)", R"("cutoff": 1e999)"),
        "metadata: the number that ends at byte 145 is out of range");
    add("cutoff a text", edited(R"("cutoff": 5)", R"("cutoff": "5")"),
        R"(metadata: "cutoff" must be a number, 0.1 to 20 angstrom, found "5")");
    add("cutoff in the wrong unit", edited(R"("length_unit": "angstrom")", R"("length_unit": "nm")"),
        R"(metadata: "cutoff" must be a number, 0.1 to 20 angstrom, found 5 nm)");
    add("cutoff function a text", edited(R"({"type": "cosine"})", R"("cosine")"),
        R"(metadata: "cutoff_function" must be an object, found "cosine")");
    add("cutoff function unknown", edited("cosine", "mollifier"),
        R"(metadata: "cutoff_function.type" must be "cosine" or "polynomial", found "mollifier")");
    add("cosine with p", edited(R"({"type": "cosine"})", R"({"type": "cosine", "p": 6})"),
        R"(metadata: "cutoff_function.p" belongs to the type "polynomial", not to "cosine")");
    add("polynomial without p", edited("cosine", "polynomial"), R"(metadata: "cutoff_function.p" is missing)");
    add("polynomial p = 1", edited(R"({"type": "cosine"})", R"({"type": "polynomial", "p": 1})"),
        R"(metadata: "cutoff_function.p" must be an integer from 2 to 12, found 1)");
    add("envelope p = 13",
        edited(R"("norm_epsilon")", R"("envelope": {"type": "polynomial", "p": 13}, "norm_epsilon")"),
        R"(metadata: "envelope.p" must be an integer from 2 to 12, found 13)");
    add("envelope null", edited(R"("norm_epsilon")", R"("envelope": null, "norm_epsilon")"),
        R"(metadata: "envelope" must be an object, found null)");
    add("norm_epsilon negative", edited(R"("norm_epsilon": 1e-08)", R"("norm_epsilon": -1e-08)"),
        R"(metadata: "norm_epsilon" must be a number from 0 to 1, found -1e-08)");
    add("canonical norm_epsilon 0", edited(R"("norm_epsilon": 1e-08)", R"("norm_epsilon": 0)"),
        R"(metadata: "norm_epsilon" must be above 0 for the canonical family, found 0)");
    add("student norm_epsilon above 0",
        packModel(replaceOnce(makeMetadata(student), R"("norm_epsilon": 0)", R"("norm_epsilon": 1e-08)"),
                  studentTensors),
        R"(metadata: "norm_epsilon" must be 0 for the student family, found 1e-08)");
    add("length unit unknown", edited("angstrom", "furlong"),
        R"(metadata: "length_unit" must be "angstrom", "nm" or "bohr", found "furlong")");
    add("energy unit unknown", edited("eV", "K"),
        R"(metadata: "energy_unit" must be "eV", "kJ/mol", "kcal/mol" or "hartree", found "K")");
    add("no elements", edited(R"("elements": [1, 6], "t)", R"("t)"), R"(metadata: "elements" is missing)");
    add("elements empty", edited(R"("elements": [1, 6])", R"("elements": [])"),
        R"(metadata: "elements" must be a list of 1 to 118 integers, found a list of 0)");
    add("elements descend", edited(R"("elements": [1, 6])", R"("elements": [6, 1])"),
        R"(metadata: "elements" must ascend, found 1 after 6)");
    add("element twice", edited(R"("elements": [1, 6])", R"("elements": [6, 6])"),
        R"(metadata: "elements" must ascend, found 6 after 6)");
    add("element 0", edited(R"("elements": [1, 6])", R"("elements": [0, 6])"),
        R"(metadata: "elements": an entry must be an integer from 1 to 118, found 0)");
    add("element 119", edited(R"("elements": [1, 6])", R"("elements": [1, 119])"),
        R"(metadata: "elements": an entry must be an integer from 1 to 118, found 119)");
    add("element a symbol", edited(R"("elements": [1, 6])", R"("elements": ["H", 6])"),
        R"(metadata: "elements": an entry must be an integer from 1 to 118, found "H")");
    add("trained elements descend", edited(R"("trained_elements": [1, 6])", R"("trained_elements": [6, 1])"),
        R"(metadata: "trained_elements" must ascend, found 1 after 6)");
    add("one atom reference for two elements", edited(R"("readout")", R"("atom_references": [1], "readout")"),
        R"(metadata: "atom_references" must be a list of 2 numbers, found a list of 1)");
    add("atom reference a text", edited(R"("readout")", R"("atom_references": [1, "2"], "readout")"),
        R"(metadata: "atom_references": an entry must be a number from -1e+09 to 1e+09, found "2")");
    add("atom reference 1e300", edited(R"("readout")", R"("atom_references": [1, 1e300], "readout")"),
        R"(metadata: "atom_references": an entry must be a number from -1e+09 to 1e+09, found 1e+300)");
    add("repulsion unknown", edited(R"("readout")", R"("repulsion": {"type": "lj", "p": 6}, "readout")"),
        R"(metadata: "repulsion.type" must be "zbl", found "lj")");
    add("repulsion without p", edited(R"("readout")", R"("repulsion": {"type": "zbl"}, "readout")"),
        R"(metadata: "repulsion.p" is missing)");
    add("readout begins wrong", edited(R"("readout": [2, 1, 1])", R"("readout": [3, 1, 1])"),
        R"(metadata: "readout" must begin with "hidden", which is 2, found 3)");
    add("readout ends wrong", edited(R"("readout": [2, 1, 1])", R"("readout": [2, 1, 2])"),
        R"(metadata: "readout" must end with 1, found 2)");
    add("readout of one width", edited(R"("readout": [2, 1, 1])", R"("readout": [2])"),
        R"(metadata: "readout" must be a list of 2 to 9 integers, found a list of 1)");
    add("readout of nine layers", edited(R"("readout": [2, 1, 1])", R"("readout": [2, 1, 1, 1, 1, 1, 1, 1, 1, 1])"),
        R"(metadata: "readout" must be a list of 2 to 9 integers, found a list of 10)");
    add("readout width 4097", edited(R"("readout": [2, 1, 1])", R"("readout": [2, 4097, 1])"),
        R"(metadata: "readout": an entry must be an integer from 1 to 4096, found 4097)");
    add("name a number", edited(R"("name": "random test model")", R"("name": 1)"),
        R"(metadata: "name" must be a text, found 1)");
    add("name of two lines", edited("random test model", "a\\nb"),
        R"(metadata: "name" must not hold control characters, found character 10)");
    add("licence a list", edited(R"("name": )", R"("licence": [], "name": )"),
        R"(metadata: "licence" must be a text, found a list of 0)");
    add("provenance a text", edited(R"("name": )", R"("provenance": "x", "name": )"),
        R"(metadata: "provenance" must be an object, found "x")");
    add("provenance with an object", edited(R"("name": )", R"("provenance": {"a": {"b": 1}}, "name": )"),
        R"(metadata: "provenance": "a" must be a text, a number, a boolean or a list of these, found an object)");
    add("accuracy with null", edited(R"("name": )", R"("accuracy": {"mae": null}, "name": )"),
        R"(metadata: "accuracy": "mae" must be a text, a number, a boolean or a list of these, found null)");
    add("accuracy with a list of lists", edited(R"("name": )", R"("accuracy": {"mae": [[1]]}, "name": )"),
        R"(metadata: "accuracy": "mae" must be a text, a number, a boolean or a list of these, found a list with a list of 1)");
    add("missing tensor", withTensors(without(tensors, "readout.1.bias")),
        R"(tensor "readout.1.bias" is missing; its shape should be [1])");
    add("surplus tensor", withTensors(with(tensors, {"extra", {1}, {0}})),
        R"(tensor "extra" is not part of the model that the metadata describe)");
    add("a third block's tensor", withTensors(with(tensors, {"blocks.1.update.0.bias", {2}, {0, 0}})),
        R"(tensor "blocks.1.update.0.bias" is not part of the model that the metadata describe)");
    add("transposed weight", withTensors(reshaped(tensors, "blocks.0.filter.0.weight", {2, 6})),
        R"(tensor "blocks.0.filter.0.weight" has the shape [2, 6]; by the metadata it must be [6, 2])");
    add("flat weight", withTensors(reshaped(tensors, "blocks.0.context.0.weight", {4})),
        R"(tensor "blocks.0.context.0.weight" has the shape [4]; by the metadata it must be [2, 2])");
    add("dimensions disagree between tensors",
        withTensors(with(without(tensors, "blocks.0.update.0.bias"), {"blocks.0.update.0.bias", {3}, {0, 0, 0}})),
        R"(tensor "blocks.0.update.0.bias" has the shape [3]; by the metadata it must be [2])");
    add("hidden disagrees with the tensors",
        withMetadata(replaceOnce(replaceOnce(metadata, R"("hidden": 2)", R"("hidden": 3)"), "[2, 1, 1]", "[3, 1, 1]")),
        R"(tensor "embedding.weight" has the shape [2, 2]; by the metadata it must be [2, 3])");
    add("blocks disagree with the tensors", edited(R"("blocks": 1)", R"("blocks": 2)"),
        R"(tensor "blocks.1.filter.0.weight" is missing; its shape should be [6, 2])");
    add("elements disagree with the tensors", edited(R"("elements": [1, 6])", R"("elements": [1, 6, 8])"),
        R"(tensor "embedding.weight" has the shape [2, 2]; by the metadata it must be [3, 2])");
    add("NaN in a weight", withTensors(changed(tensors, "blocks.0.vector_mix.weight", 3, nan)),
        R"(tensor "blocks.0.vector_mix.weight" holds NaN at element 3; all values must be finite)");
    add("infinity in a weight", withTensors(changed(tensors, "embedding.weight", 0, inf)),
        R"(tensor "embedding.weight" holds an infinite value at element 0; all values must be finite)");
    add("minus infinity in a bias", withTensors(changed(tensors, "readout.0.bias", 0, -inf)),
        R"(tensor "readout.0.bias" holds an infinite value at element 0; all values must be finite)");
    add("width 0", withTensors(changed(tensors, "basis.widths", 1, 0)),
        R"(tensor "basis.widths" holds 0; allowed is 5e-04 to 50000 for this cutoff)");
    add("width a denormal", withTensors(changed(tensors, "basis.widths", 1, 1e-44f)),
        R"(tensor "basis.widths" holds 9.80908925027372e-45; allowed is 5e-04 to 50000 for this cutoff)");
    add("center far away", withTensors(changed(tensors, "basis.centers", 0, 1e30f)),
        R"(tensor "basis.centers" holds 1.0000000150474662e+30; allowed is -50000 to 50000 for this cutoff)");
    add("frequency 0", packModel(makeMetadata(bessel), changed(besselTensors, "basis.frequencies", 0, 0)),
        R"(tensor "basis.frequencies" holds 0; allowed is 2e-05 to 2000 for this cutoff)");
    add("frequency negative", packModel(makeMetadata(bessel), changed(besselTensors, "basis.frequencies", 1, -1)),
        R"(tensor "basis.frequencies" holds -1; allowed is 2e-05 to 2000 for this cutoff)");
    add("repulsion without radii", edited(R"("readout")", R"("repulsion": {"type": "zbl", "p": 6}, "readout")"),
        R"(tensor "repulsion.radii" is missing; its shape should be [2])");
    add("radii without repulsion", withTensors(with(tensors, {"repulsion.radii", {2}, {1, 1}})),
        R"(tensor "repulsion.radii" is not part of the model that the metadata describe)");
    add("radius 0", packModel(makeMetadata(repulsion), changed(repulsionTensors, "repulsion.radii", 1, 0)),
        R"(tensor "repulsion.radii" holds 0; allowed is above 0 and at most half the cutoff, 2.5)");
    add("radius above half the cutoff",
        packModel(makeMetadata(repulsion), changed(repulsionTensors, "repulsion.radii", 0, 2.6f)),
        R"(tensor "repulsion.radii" holds 2.5999999046325684; allowed is above 0 and at most half the cutoff, 2.5)");
    add("student without mixing", packModel(makeMetadata(student), without(studentTensors, "blocks.0.mixing")),
        R"(tensor "blocks.0.mixing" is missing; its shape should be [3, 3])");
    add("student with mixing in the last block",
        packModel(makeMetadata(student), with(studentTensors, {"blocks.1.mixing", {3, 3}, vector<float>(9)})),
        R"(tensor "blocks.1.mixing" is not part of the model that the metadata describe)");
    add("student tensors in a canonical model", packModel(metadata, studentTensors),
        R"(tensor "blocks.0.filter.0.weight" has the shape [2, 2]; by the metadata it must be [6, 2])");
    return files;
}

} // namespace PaiNNPlugin
