// SPDX-License-Identifier: MIT
#ifndef PAINN_TESTS_MUTATOR_H_
#define PAINN_TESTS_MUTATOR_H_

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace PaiNNPlugin {

/** Small valid models of both families and all options: what mutants are made of. */
std::vector<std::string> seedModels();

/**
 * Makes broken models of valid ones. It knows the parts of a file, so that most mutants get past the first checks: it
 * changes numbers, texts and braces of the header and mends its length, and puts odd values into the weights.
 */
class Mutator {
public:
    explicit Mutator(uint64_t seed) : random(seed), seeds(seedModels()) {}
    /** A mutant of one of the seeds. */
    std::string next();
    /** A mutant of some bytes, which need not be a model. */
    std::string mutate(const std::string& bytes);

private:
    size_t below(size_t n) {
        return static_cast<size_t>(random() % n);
    }
    void mutateHeader(std::string& header);
    void mutateData(std::string& data);
    std::mt19937_64 random;
    std::vector<std::string> seeds;
};

} // namespace PaiNNPlugin

#endif
