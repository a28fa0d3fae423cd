// SPDX-License-Identifier: MIT
#include "PaiNNStudentModel.h"
#include "ModelReader.h"
#include "ModelWarnings.h"
#include "internal/Sha256.h"
#include "openmm/OpenMMException.h"
#include <mutex>
#include <unordered_map>

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

/** All that one model is. Only the warnings are computed later, on the first question. */
struct PaiNNStudentModel::Data {
    string bytes, hash, name, architecture, metadata;
    long long numParameters = 0;
    optional<vector<int>> trainedElements;
    shared_ptr<const NetworkParameters> network;
    mutable once_flag warningsFound;
    mutable vector<string> warnings;

    /** The model of these bytes: the one that is alive already, or a new one. */
    static shared_ptr<const Data> intern(string&& bytes);
    static shared_ptr<const Data> read(string&& bytes, const string& hash);
};

namespace {

string describe(const CutoffFunction& function) {
    return function.type == CutoffFunction::Type::Cosine ? "cosine" : "polynomial(" + to_string(function.p) + ")";
}

string describeArchitecture(const ModelMetadata& m) {
    string text = m.family == Family::Student ? "student PaiNN" : "canonical PaiNN";
    text +=
        ", " + to_string(m.hidden) + " channels, " + to_string(m.blocks) + (m.blocks == 1 ? " block, " : " blocks, ");
    text += to_string(m.basisSize) + (m.basisType == RadialBasis::Type::Gaussian ? " Gaussian" : " Bessel") +
            " basis functions, ";
    text += describe(m.cutoffFunction) + " cutoff";
    if (m.envelope)
        text += ", " + describe(*m.envelope) + " envelope";
    if (m.repulsionExponent)
        text += ", ZBL repulsion";
    return text;
}

} // namespace

shared_ptr<const PaiNNStudentModel::Data> PaiNNStudentModel::Data::read(string&& bytes, const string& hash) {
    auto data = make_shared<Data>();
    data->bytes = std::move(bytes);
    data->hash = hash;
    SafetensorsFile file(data->bytes);
    ModelMetadata metadata = readMetadata(file.getMetadata());
    data->network = make_shared<const NetworkParameters>(readNetwork(file, metadata));
    data->metadata = file.getMetadata();
    data->architecture = describeArchitecture(metadata);
    data->name = metadata.name;
    data->trainedElements = metadata.trainedElements;
    for (auto& [name, tensor] : file.getTensors())
        data->numParameters += static_cast<long long>(tensor.numElements);
    return data;
}

shared_ptr<const PaiNNStudentModel::Data> PaiNNStudentModel::Data::intern(string&& bytes) {
    // Never destroyed: Forces may outlive every static object. Holds models weakly, so an unused one is freed.
    static mutex& tableMutex = *new mutex;
    static auto& table = *new unordered_map<string, weak_ptr<const Data>>;
    if (bytes.size() > SafetensorsFile::maxFileSize)
        SafetensorsFile file(bytes); // refuses it, before it is hashed
    string hash = sha256Hex(bytes);
    {
        lock_guard<mutex> lock(tableMutex);
        auto found = table.find(hash);
        if (found != table.end())
            if (auto data = found->second.lock())
                return data;
    }
    auto data = read(std::move(bytes), hash); // outside the lock: it may take long
    lock_guard<mutex> lock(tableMutex);
    for (auto entry = table.begin(); entry != table.end();)
        entry = entry->second.expired() ? table.erase(entry) : next(entry);
    auto& entry = table[hash];
    if (auto other = entry.lock())
        return other; // another thread was faster
    entry = data;
    return data;
}

PaiNNStudentModel::PaiNNStudentModel(shared_ptr<const Data> data) : data(std::move(data)) {}

PaiNNStudentModel::PaiNNStudentModel(const string& path) {
    try {
        data = Data::intern(SafetensorsFile::readFile(path));
    }
    catch (const OpenMMException& e) {
        throw OpenMMException("PaiNNStudentModel: " + path + ": " + e.what());
    }
}

PaiNNStudentModel PaiNNStudentModel::fromBytes(const string& bytes) {
    try {
        return PaiNNStudentModel(Data::intern(string(bytes)));
    }
    catch (const OpenMMException& e) {
        throw OpenMMException(string("PaiNNStudentModel: ") + e.what());
    }
}

const string& PaiNNStudentModel::getName() const {
    return data->name;
}

const string& PaiNNStudentModel::getArchitecture() const {
    return data->architecture;
}

double PaiNNStudentModel::getCutoff() const {
    return data->network->cutoff;
}

long long PaiNNStudentModel::getNumParameters() const {
    return data->numParameters;
}

const vector<int>& PaiNNStudentModel::getElements() const {
    return data->network->atomicNumbers;
}

const string& PaiNNStudentModel::getMetadata() const {
    return data->metadata;
}

const vector<string>& PaiNNStudentModel::getWarnings() const {
    call_once(data->warningsFound, [&] { data->warnings = findWarnings(data->network, data->trainedElements); });
    return data->warnings;
}

const string& PaiNNStudentModel::getHash() const {
    return data->hash;
}

const string& PaiNNStudentModel::getBytes() const {
    return data->bytes;
}

shared_ptr<const NetworkParameters> PaiNNStudentModel::getParameters() const {
    return data->network;
}

} // namespace PaiNNPlugin
