// SPDX-License-Identifier: MIT
#ifndef PAINN_SIMD_LEVEL_H_
#define PAINN_SIMD_LEVEL_H_

#include "Kernels.h"
#include <vector>

namespace PaiNNPlugin {

/** Instruction sets that the kernels are compiled for. */
enum class SimdLevel { Portable, AVX2, AVX512 };

/** Get the levels that this processor can run, ascending. */
std::vector<SimdLevel> availableSimdLevels();

/**
 * Get the level to use: the highest one available, or that named by the environment variable PAINN_SIMD (portable, avx2
 * or avx512).
 *
 * @throws std::runtime_error if PAINN_SIMD is something else, or not available
 */
SimdLevel bestSimdLevel();

/** Get the kernels of a level, which must be available. */
const Kernels& getKernels(SimdLevel level);

} // namespace PaiNNPlugin

#endif
