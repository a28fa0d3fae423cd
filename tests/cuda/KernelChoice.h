// SPDX-License-Identifier: MIT
// Which kernels: words on a command line, options of a random network, a name. A build compiles kernels by these words,
// and a test makes the network for them.
#ifndef PAINN_TESTS_KERNEL_CHOICE_H_
#define PAINN_TESTS_KERNEL_CHOICE_H_

#include "CudaNetwork.h"
#include "RandomNetwork.h"
#include <map>
#include <stdexcept>

namespace PaiNNPlugin {

/** FAMILY CHANNELS BLOCKS PRECISION CAPABILITY, and "repulsion" where there is one: student 16 3 single 90. */
struct KernelChoice {
    explicit KernelChoice(const std::vector<std::string>& words) {
        if (words.size() < 5 || words.size() > 6)
            throw std::invalid_argument("a choice has 5 or 6 words");
        for (const std::string& word : words)
            name += (name.empty() ? "" : "_") + word;
        if (words[0] != "student" && words[0] != "canonical")
            throw std::invalid_argument("family " + words[0]);
        options.family = words[0] == "student" ? Family::Student : Family::Canonical;
        options.numChannels = std::stoi(words[1]);
        options.numBlocks = std::stoi(words[2]);
        if (words.size() == 6 && words[5] != "repulsion")
            throw std::invalid_argument(words[5] + " instead of repulsion");
        options.repulsion = options.references = words.size() == 6;
        const std::vector<std::string> precisions = {"single", "mixed", "double"};
        const auto found = std::find(precisions.begin(), precisions.end(), words[3]);
        if (found == precisions.end())
            throw std::invalid_argument("precision " + words[3]);
        precision = static_cast<CudaPrecision>(found - precisions.begin());
        limits.computeCapability = std::stoi(words[4]);
        limits.hasTensorCores = limits.computeCapability >= 80;
        limits.hasClusters = limits.computeCapability >= 90;
        limits.multiprocessors = limits.hasClusters ? 132 : 40;
        // As NVIDIA's table of technical specifications has them.
        const std::map<int, size_t> kilobytes = {{75, 64}, {80, 163}, {87, 163}, {90, 227}, {100, 227}, {103, 227}};
        const auto known = kilobytes.find(limits.computeCapability);
        limits.sharedBytes = 1024 * (known == kilobytes.end() ? 99 : known->second);
    }
    KernelSource getSource() const {
        return CudaNetwork::getSource(*randomNetwork(options), precision, limits);
    }
    std::string getDefines() const {
        std::string text;
        for (const auto& define : getSource().defines)
            text += "#define " + define.first + " " + define.second + "\n";
        return text;
    }

    std::string name; ///< the words with _ between them
    RandomNetworkOptions options;
    CudaPrecision precision = CudaPrecision::Single;
    DeviceLimits limits; ///< of some device of that capability
};

} // namespace PaiNNPlugin

#endif
