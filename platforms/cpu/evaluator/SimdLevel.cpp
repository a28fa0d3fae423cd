// SPDX-License-Identifier: MIT
#include "SimdLevel.h"
#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <string>

namespace PaiNNPlugin {

std::vector<SimdLevel> availableSimdLevels() {
    std::vector<SimdLevel> levels = {SimdLevel::Portable};
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        levels.push_back(SimdLevel::AVX2);
        if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
            __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw"))
            levels.push_back(SimdLevel::AVX512);
    }
#endif
    return levels;
}

SimdLevel bestSimdLevel() {
    const std::vector<SimdLevel> available = availableSimdLevels();
    const char* variable = std::getenv("PAINN_SIMD");
    if (variable == nullptr || *variable == '\0')
        return available.back();
    const std::string name = variable;
    const std::string names[] = {"portable", "avx2", "avx512"};
    const auto found = std::find(std::begin(names), std::end(names), name);
    if (found == std::end(names))
        throw std::runtime_error("PaiNNStudentForce: the environment variable PAINN_SIMD is '" + name +
                                 "', but it must be portable, avx2 or avx512");
    const SimdLevel level = static_cast<SimdLevel>(found - std::begin(names));
    if (std::find(available.begin(), available.end(), level) == available.end())
        throw std::runtime_error("PaiNNStudentForce: the environment variable PAINN_SIMD is '" + name +
                                 "', but this processor cannot run it");
    return level;
}

const Kernels& getKernels(SimdLevel level) {
#if defined(__x86_64__)
    if (level == SimdLevel::AVX2)
        return avx2Kernels;
    if (level == SimdLevel::AVX512)
        return avx512Kernels;
#endif
    (void)level;
    return portableKernels;
}

} // namespace PaiNNPlugin
