// SPDX-License-Identifier: MIT
#ifndef PAINN_TESTS_GOLDEN_FILE_H_
#define PAINN_TESTS_GOLDEN_FILE_H_

#include "ExactNetwork.h"
#include <fstream>
#include <limits>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace PaiNNPlugin {

/** One structure with its results, by name (scripts/golden.py says which); nm, kJ/mol, kJ/mol/nm. */
class GoldenFrame {
public:
    std::string title;
    std::map<std::string, std::vector<double>> arrays;
    const std::vector<double>& get(const std::string& name) const {
        auto found = arrays.find(name);
        if (found == arrays.end())
            throw std::runtime_error("frame '" + title + "' has no array '" + name + "'");
        return found->second;
    }
    std::vector<int> elements() const {
        const std::vector<double>& e = get("elements");
        return std::vector<int>(e.begin(), e.end());
    }
    /** nullptr in vacuum, otherwise the box, which is written to `box`. */
    const Box* findBox(Box& box) const {
        if (arrays.count("box") == 0)
            return nullptr;
        for (int k = 0; k < 9; k++)
            box[k / 3][k % 3] = get("box").at(k);
        return &box;
    }
};

/** Read what scripts/golden.py wrote: lines "frame title" and "name dimensions... : values...". */
inline std::vector<GoldenFrame> readGoldenFrames(const std::string& path) {
    std::ifstream file(path);
    if (!file)
        throw std::runtime_error("cannot read " + path);
    std::vector<GoldenFrame> frames;
    for (std::string line; std::getline(file, line);) {
        std::istringstream text(line);
        std::string name, word;
        text >> name;
        if (name == "#")
            continue;
        if (name == "frame") {
            frames.emplace_back();
            text >> frames.back().title;
            continue;
        }
        size_t size = 1;
        while (text >> word && word != ":")
            size *= std::stoul(word);
        std::vector<double>& values = frames.at(frames.size() - 1).arrays[name];
        while (text >> word)
            values.push_back(std::stod(word));
        if (values.size() != size)
            throw std::runtime_error(path + ": '" + name + "' has " + std::to_string(values.size()) + " values");
    }
    return frames;
}

inline double total(const std::vector<double>& x) {
    double sum = 0;
    for (double value : x)
        sum += value;
    return sum;
}

} // namespace PaiNNPlugin

#endif
