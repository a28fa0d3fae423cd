// SPDX-License-Identifier: MIT
// What libFuzzer calls: any bytes are either a model or refused by an OpenMMException.
#include "Mutator.h"
#include "NetworkParameters.h"
#include "PaiNNStudentModel.h"
#include "openmm/OpenMMException.h"
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

using namespace PaiNNPlugin;

namespace {

void require(bool condition, const char* what) {
    if (!condition) {
        std::fprintf(stderr, "An accepted model is wrong: %s\n", what);
        std::abort();
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    std::string bytes(reinterpret_cast<const char*>(data), size);
    try {
        PaiNNStudentModel model = PaiNNStudentModel::fromBytes(bytes);
        require(model.getBytes() == bytes, "other bytes");
        require(model.getHash().size() == 64, "hash");
        require(!model.getArchitecture().empty() && !model.getMetadata().empty(), "no description");
        auto network = model.getParameters();
        int H = network->numChannels;
        size_t E = model.getElements().size();
        require(model.getCutoff() >= 0.0099 && model.getCutoff() <= 2.001, "cutoff");
        require(network->embedding.size() == E * H && network->atomReferences.size() == E, "sizes by element");
        require(network->basis.size() >= 1 && !network->blocks.empty() && !network->readout.empty(), "empty parts");
        for (double x : network->readout.back().weight)
            require(std::isfinite(x), "a weight that is not finite");
        if (model.getNumParameters() < 1000)
            for (const std::string& warning : model.getWarnings()) // evaluates the network
                require(!warning.empty(), "an empty warning");
        return 0;
    }
    catch (const OpenMM::OpenMMException& e) {
        require(std::strncmp(e.what(), "PaiNNStudentModel: ", 19) == 0 && std::strlen(e.what()) < 1000, "its refusal");
        return 0;
    }
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t maxSize, unsigned int seed) {
    static Mutator mutator(seed);
    std::string mutant = mutator.mutate(std::string(reinterpret_cast<char*>(data), size));
    size_t count = std::min(mutant.size(), maxSize);
    std::memcpy(data, mutant.data(), count);
    return count;
}
