// SPDX-License-Identifier: MIT
// What a sound model file becomes: description, parameters in nm and kJ/mol, one object for equal bytes.
#include "Compare.h"
#include "ModelBytes.h"
#include "NetworkParameters.h"
#include "PaiNNStudentModel.h"
#include "TemporaryFolder.h"
#include "internal/Sha256.h"
#include <clocale>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <thread>

using namespace PaiNNPlugin;
using namespace std;

namespace {

PaiNNStudentModel makeModel(const ModelOptions& options = ModelOptions()) {
    return PaiNNStudentModel::fromBytes(makeModelBytes(options));
}

const TestTensor& find(const vector<TestTensor>& tensors, const string& name) {
    for (const TestTensor& tensor : tensors)
        if (tensor.name == name)
            return tensor;
    throw out_of_range(name);
}

/** The values of a tensor of the file times a factor, in double. */
vector<double> scaled(const ModelOptions& options, const string& name, double factor) {
    vector<double> result;
    const vector<TestTensor> tensors = makeTensors(options);
    for (float x : find(tensors, name).values)
        result.push_back(x * factor);
    return result;
}

} // namespace

TEST(Model, describesItself) {
    ModelOptions options;
    options.envelope = R"({"type": "polynomial", "p": 6})";
    options.repulsion = R"({"type": "zbl", "p": 6})";
    string bytes = makeModelBytes(options);
    auto model = PaiNNStudentModel::fromBytes(bytes);
    EXPECT_EQ(
        "canonical PaiNN, 8 channels, 2 blocks, 6 Gaussian basis functions, cosine cutoff, polynomial(6) envelope, "
        "ZBL repulsion",
        model.getArchitecture());
    EXPECT_EQ("random test model", model.getName());
    EXPECT_EQ(0.5, model.getCutoff());
    EXPECT_EQ(options.elements, model.getElements());
    EXPECT_EQ(makeMetadata(options), model.getMetadata());
    EXPECT_EQ(bytes, model.getBytes());
    EXPECT_EQ(sha256Hex(bytes), model.getHash());
    long long numParameters = 0;
    for (const TestTensor& tensor : makeTensors(options))
        numParameters += static_cast<long long>(tensor.values.size());
    EXPECT_EQ(numParameters, model.getNumParameters());
    options = ModelOptions();
    options.family = "student";
    options.blocks = 1;
    options.bessel = true;
    options.cutoffFunction = R"({"type": "polynomial", "p": 4})";
    EXPECT_EQ("student PaiNN, 8 channels, 1 block, 6 Bessel basis functions, polynomial(4) cutoff",
              makeModel(options).getArchitecture());
}

TEST(Model, everyOptionalTextIsAccepted) {
    ModelOptions options;
    string metadata = makeMetadata(options);
    metadata.pop_back();
    metadata +=
        R"(, "licence": "MIT", "provenance": {"a": "b", "n": 3, "x": -1.5, "ok": true, "list": ["x", 1, false]},)"
        R"( "accuracy": {}})";
    auto model = PaiNNStudentModel::fromBytes(packModel(metadata, makeTensors(options)));
    EXPECT_EQ(metadata, model.getMetadata());
}

TEST(Model, tensorsMayStandInAnyOrder) {
    ModelOptions options;
    auto tensors = makeTensors(options);
    auto expected = makeModel(options).getParameters();
    reverse(tensors.begin(), tensors.end());
    auto found = PaiNNStudentModel::fromBytes(packModel(makeMetadata(options), tensors)).getParameters();
    EXPECT_EQ(expected->embedding, found->embedding);
    EXPECT_EQ(expected->blocks[1].update[0].weight, found->blocks[1].update[0].weight);
    EXPECT_EQ(expected->readout[0].bias, found->readout[0].bias);
}

TEST(Model, lengthUnits) {
    const vector<pair<string, double>> units = {{"angstrom", 0.1}, {"nm", 1.0}, {"bohr", 0.0529177210903}};
    for (auto& [unit, nm] : units)
        for (bool bessel : {false, true}) {
            ModelOptions options;
            options.lengthUnit = unit;
            options.cutoff = 0.52 / nm;
            options.bessel = bessel;
            options.repulsion = R"({"type": "zbl", "p": 5})";
            auto network = makeModel(options).getParameters();
            EXPECT_NEAR(0.52, network->cutoff, 1e-15);
            EXPECT_TRUE(arraysAgree(scaled(options, "repulsion.radii", nm), network->repulsion->radii, 1e-15));
            EXPECT_EQ(5, network->repulsion->p);
            if (bessel) {
                EXPECT_TRUE(
                    arraysAgree(scaled(options, "basis.frequencies", 1 / nm), network->basis.frequencies, 1e-15));
                EXPECT_EQ(nm, network->basis.scale);
            }
            else {
                EXPECT_EQ(0.5, network->basis.exponent);
                EXPECT_TRUE(arraysAgree(scaled(options, "basis.centers", nm), network->basis.centers, 1e-15));
                EXPECT_TRUE(arraysAgree(scaled(options, "basis.widths", nm), network->basis.widths, 1e-15));
            }
            // What the network learned knows no unit.
            EXPECT_EQ(scaled(options, "blocks.0.filter.0.weight", 1), network->blocks[0].filter[0].weight);
        }
}

TEST(Model, energyUnits) {
    const vector<pair<string, double>> units = {
        {"eV", 96.4853321233}, {"kJ/mol", 1}, {"kcal/mol", 4.184}, {"hartree", 2625.4996394799}};
    for (auto& [unit, kilojoules] : units) {
        ModelOptions options;
        options.energyUnit = unit;
        options.atomReferences = {-13.6, -1029.5, -1485.3, -2042.6};
        auto network = makeModel(options).getParameters();
        vector<double> references;
        for (double reference : options.atomReferences)
            references.push_back(reference * kilojoules);
        EXPECT_TRUE(arraysAgree(references, network->atomReferences, 1e-15));
        EXPECT_TRUE(arraysAgree(scaled(options, "readout.1.weight", kilojoules), network->readout[1].weight, 1e-15));
        EXPECT_TRUE(arraysAgree(scaled(options, "readout.1.bias", kilojoules), network->readout[1].bias, 1e-15));
        EXPECT_EQ(scaled(options, "readout.0.weight", 1), network->readout[0].weight);
    }
    EXPECT_EQ(vector<double>(4, 0.0), makeModel().getParameters()->atomReferences);
}

TEST(Model, weightsKeepTheirBits) {
    ModelOptions options;
    vector<TestTensor> tensors = makeTensors(options);
    const vector<float> odd = {-0.0f,
                               numeric_limits<float>::denorm_min(),
                               -numeric_limits<float>::denorm_min(),
                               numeric_limits<float>::max(),
                               numeric_limits<float>::lowest(),
                               numeric_limits<float>::min()};
    copy(odd.begin(), odd.end(), tensors[0].values.begin());
    auto network = PaiNNStudentModel::fromBytes(packModel(makeMetadata(options), tensors)).getParameters();
    ASSERT_EQ(tensors[0].values.size(), network->embedding.size());
    for (size_t i = 0; i < odd.size(); i++) {
        float found = static_cast<float>(network->embedding[i]);
        EXPECT_EQ(0, memcmp(&odd[i], &found, sizeof(float))) << odd[i];
    }
}

TEST(Model, equalBytesAreOneModel) {
    string bytes = makeModelBytes();
    TemporaryFolder folder;
    ofstream(folder.path("model.safetensors"), ios::binary) << bytes;
    weak_ptr<const NetworkParameters> observer;
    {
        auto fromBytes = PaiNNStudentModel::fromBytes(bytes);
        PaiNNStudentModel fromFile(folder.path("model.safetensors")), copied(fromFile);
        EXPECT_EQ(fromBytes.getParameters(), fromFile.getParameters());
        EXPECT_EQ(fromBytes.getParameters(), copied.getParameters());
        observer = fromBytes.getParameters();
        vector<thread> threads;
        vector<shared_ptr<const NetworkParameters>> found(4);
        for (int i = 0; i < 4; i++)
            threads.emplace_back([&, i] { found[i] = PaiNNStudentModel::fromBytes(bytes).getParameters(); });
        for (thread& t : threads)
            t.join();
        for (auto& parameters : found)
            EXPECT_EQ(fromBytes.getParameters(), parameters);
    }
    EXPECT_TRUE(observer.expired()); // the table of models keeps none alive
}

TEST(Model, threadsThatLoadOneModelShareIt) {
    for (unsigned seed = 100; seed < 120; seed++) {
        ModelOptions options;
        options.seed = seed;
        string bytes = makeModelBytes(options);
        vector<thread> threads;
        vector<shared_ptr<const NetworkParameters>> found(4);
        vector<unique_ptr<PaiNNStudentModel>> models(4);
        for (int i = 0; i < 4; i++)
            threads.emplace_back([&, i] {
                models[i] = make_unique<PaiNNStudentModel>(PaiNNStudentModel::fromBytes(bytes));
                models[i]->getWarnings();
            });
        for (thread& t : threads)
            t.join();
        for (auto& model : models)
            EXPECT_EQ(models[0]->getParameters(), model->getParameters());
        EXPECT_EQ(&models[0]->getWarnings(), &models[3]->getWarnings());
    }
}

TEST(Model, readsTheSameInEveryLocale) {
    TemporaryFolder folder; // outlives the use of the locale in it
    string name = "de_DE.UTF-8";
    if (setlocale(LC_ALL, name.c_str()) == nullptr) { // not installed: make it, where its source is
        string command = "localedef -i de_DE -f UTF-8 '" + folder.path(name) + "' > /dev/null 2>&1";
        setenv("LOCPATH", folder.path("").c_str(), 1);
        if (system(command.c_str()) != 0 || setlocale(LC_ALL, name.c_str()) == nullptr)
            GTEST_SKIP() << "the locale " << name << " is neither installed nor can it be made";
    }
    ASSERT_EQ(string(","), localeconv()->decimal_point);
    ModelOptions options;
    options.cutoff = 5.2;
    options.family = "student"; // whose warnings hold numbers
    options.seed = 77;
    auto model = makeModel(options);
    double cutoff = model.getCutoff(), exponent = model.getParameters()->basis.exponent;
    vector<string> warnings = model.getWarnings();
    string message;
    options.cutoff = 0.05;
    try {
        makeModel(options);
    }
    catch (const exception& e) {
        message = e.what();
    }
    setlocale(LC_ALL, "C");
    unsetenv("LOCPATH");
    EXPECT_DOUBLE_EQ(0.52, cutoff);
    EXPECT_EQ(0.5, exponent);
    ASSERT_GE(warnings.size(), 2u);
    EXPECT_NE(string::npos, warnings[1].find("cutoff of 0.52 nm")) << warnings[1];
    EXPECT_EQ("PaiNNStudentModel: metadata: \"cutoff\" must be a number, 0.1 to 20 angstrom, found 0.05 angstrom",
              message);
}
