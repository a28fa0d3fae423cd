// SPDX-License-Identifier: MIT
// Warnings follow from the network, not from a claim in the file.
#include "ExactNetwork.h"
#include "ModelBytes.h"
#include "PaiNNStudentModel.h"
#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>

using namespace PaiNNPlugin;
using namespace std;

namespace {

PaiNNStudentModel makeModel(const ModelOptions& options) {
    return PaiNNStudentModel::fromBytes(makeModelBytes(options));
}

ModelOptions studentOptions() {
    ModelOptions options;
    options.family = "student";
    return options;
}

/** Whether one of the warnings holds this text. */
bool warns(const PaiNNStudentModel& model, const string& text) {
    return any_of(model.getWarnings().begin(), model.getWarnings().end(),
                  [&](const string& warning) { return warning.find(text) != string::npos; });
}

const char* const rotation = "changes when a molecule is rotated";
const char* const jump = "energy jumps when two atoms cross the cutoff";
const char* const kink = "only once differentiable at the cutoff";
const char* const unseen = "never trained on";
const char* const unknown = "does not say which elements";
const char* const norm = "norm of the vector features has a kink";
const char* const box = "without periodic boundaries";

double energy(const ExactNetwork& network, const vector<int>& elements, const vector<double>& positions) {
    vector<double> energies;
    network.evaluate(elements, positions, nullptr, energies, nullptr);
    double sum = 0;
    for (double e : energies)
        sum += e;
    return sum;
}

} // namespace

TEST(Warnings, noneForASmoothCanonicalModel) {
    ModelOptions options;
    options.envelope = R"({"type": "polynomial", "p": 6})";
    EXPECT_EQ(vector<string>(), makeModel(options).getWarnings());
    options.envelope = "";
    options.cutoffFunction = R"({"type": "polynomial", "p": 2})";
    EXPECT_EQ(vector<string>(), makeModel(options).getWarnings());
    options.cutoffFunction = options.envelope = R"({"type": "cosine"})"; // a fourfold zero
    EXPECT_EQ(vector<string>(), makeModel(options).getWarnings());
}

TEST(Warnings, cosineCutoffOfACanonicalModel) {
    auto model = makeModel(ModelOptions());
    EXPECT_EQ(1u, model.getWarnings().size());
    EXPECT_TRUE(warns(model, kink));
    EXPECT_TRUE(warns(model, "cutoff of 0.5 nm"));
}

TEST(Warnings, student) {
    auto model = makeModel(studentOptions());
    EXPECT_EQ(5u, model.getWarnings().size());
    for (const char* text : {rotation, jump, kink, norm, box})
        EXPECT_TRUE(warns(model, text)) << text;
}

TEST(Warnings, studentWithEnvelope) {
    ModelOptions options = studentOptions();
    options.envelope = R"({"type": "polynomial", "p": 6})";
    EXPECT_FALSE(warns(makeModel(options), jump));
    EXPECT_FALSE(warns(makeModel(options), kink));
    options.envelope = R"({"type": "cosine"})";
    EXPECT_FALSE(warns(makeModel(options), jump));
    EXPECT_TRUE(warns(makeModel(options), kink));
}

TEST(Warnings, studentWhoseFiltersVanishByTheirWeights) {
    ModelOptions options = studentOptions();
    auto tensors = makeTensors(options);
    for (TestTensor& tensor : tensors)
        if (tensor.name.find("filter") != string::npos && tensor.name.find("bias") != string::npos)
            fill(tensor.values.begin(), tensor.values.end(), 0.0f);
    auto model = PaiNNStudentModel::fromBytes(packModel(makeMetadata(options), tensors));
    EXPECT_FALSE(warns(model, jump));
    EXPECT_TRUE(warns(model, kink));
}

TEST(Warnings, mixingThatCommutesWithRotations) {
    ModelOptions options = studentOptions();
    auto tensors = makeTensors(options);
    for (TestTensor& tensor : tensors)
        if (tensor.name == "blocks.0.mixing")
            tensor.values = {2, 0, 0, 0, 2, 0, 0, 0, 2};
    EXPECT_FALSE(warns(PaiNNStudentModel::fromBytes(packModel(makeMetadata(options), tensors)), rotation));
    for (TestTensor& tensor : tensors)
        if (tensor.name == "blocks.0.mixing")
            tensor.values[5] = 1e-3f;
    EXPECT_TRUE(warns(PaiNNStudentModel::fromBytes(packModel(makeMetadata(options), tensors)), rotation));
    options.blocks = 1; // has no mixing that matters
    EXPECT_FALSE(warns(makeModel(options), rotation));
}

TEST(Warnings, sizeOfTheJump) {
    ModelOptions options = studentOptions();
    options.elements = {1, 6, 7, 8, 9, 15, 16, 17, 35}; // more than 8: only the common ones are tried
    auto model = makeModel(options);
    ExactNetwork network(model.getParameters());
    double largest = 0;
    string pair;
    const vector<int> common = {0, 1, 2, 3, 4, 6, 7};
    const vector<string> symbols = {"H", "C", "N", "O", "F", "P", "S", "Cl", "Br"};
    for (size_t i = 0; i < common.size(); i++)
        for (size_t j = i; j < common.size(); j++) {
            int a = common[i], b = common[j];
            auto at = [&](double d) { return energy(network, {a, b}, {0, 0, 0, 0, 0, d}); };
            double step = fabs(at(0.5 * (1 - 1e-12)) - at(0.5 * (1 + 1e-12)));
            if (step > largest) {
                largest = step;
                pair = symbols[a] + "-" + symbols[b];
            }
        }
    char size[32];
    snprintf(size, sizeof(size), "%.3g", largest);
    EXPECT_TRUE(warns(model, "by up to " + string(size) + " kJ/mol for a pair " + pair + ","))
        << model.getWarnings()[1];
}

TEST(Warnings, weightsTooLargeToEvaluate) {
    ModelOptions options = studentOptions();
    options.weightScale = 1e38;
    EXPECT_TRUE(warns(makeModel(options), "is not a finite number"));
}

TEST(Warnings, elements) {
    ModelOptions options;
    options.trainedElements = {1, 6};
    EXPECT_TRUE(warns(makeModel(options), "meaningless: N, O."));
    options.trainedElements = {};
    EXPECT_TRUE(warns(makeModel(options), unknown));
    options.trainedElements = {1, 6, 7, 8, 9}; // more than it accepts
    EXPECT_FALSE(warns(makeModel(options), unseen));
    EXPECT_FALSE(warns(makeModel(options), unknown));
    options.elements.clear();
    for (int z = 1; z <= 118; z++)
        options.elements.push_back(z);
    options.trainedElements = {1, 6, 7, 8};
    EXPECT_TRUE(warns(makeModel(options), ": He, Li, Be, B, F, Ne, "));
    EXPECT_TRUE(warns(makeModel(options), ", Lv, Ts, Og."));
}
