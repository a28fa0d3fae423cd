// SPDX-License-Identifier: MIT
// The source of all kernels. Included by one file per instruction set, which defines PAINN_LANES (floats in a
// register), PAINN_ROWS (rows of a matrix tile), PAINN_PANELS (16 columns each, of a matrix tile) and PAINN_KERNELS
// (the table to define). Everything is in an unnamed namespace and no standard header is included: otherwise the linker
// might pick an inline function that was compiled for another machine.
#include "Kernels.h"
// Intrinsics are always inlined.
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

namespace PaiNNPlugin {

namespace {

constexpr int LANES = PAINN_LANES;
typedef float Vec __attribute__((vector_size(4 * PAINN_LANES), may_alias));
typedef int IntVec __attribute__((vector_size(4 * PAINN_LANES), may_alias));

inline Vec load(const float* p) {
    return *reinterpret_cast<const Vec*>(p);
}

inline void store(float* p, Vec x) {
    *reinterpret_cast<Vec*>(p) = x;
}

inline void add(float* p, Vec x) {
    store(p, load(p) + x);
}

/**
 * a b + c. Where the compiler could choose which of two products to fuse with a sum, it might choose otherwise in
 * another copy of the same function; then a pair within a tile would not give the bits of one across its border.
 */
inline Vec fuse(Vec a, Vec b, Vec c) {
#if defined(__x86_64__) && PAINN_LANES == 16
    return reinterpret_cast<Vec>(_mm512_fmadd_ps(a, b, c));
#elif defined(__x86_64__) && PAINN_LANES == 8
    return reinterpret_cast<Vec>(_mm256_fmadd_ps(a, b, c));
#elif defined(__x86_64__) && defined(__FMA__) // the portable kernels, built with -march
    return reinterpret_cast<Vec>(_mm_fmadd_ps(a, b, c));
#elif defined(__ARM_NEON) && PAINN_LANES == 4
    return reinterpret_cast<Vec>(vfmaq_f32(c, a, b));
#elif defined(__FP_FAST_FMAF) // other processors that fuse
    Vec result;
    for (int k = 0; k < LANES; k++)
        result[k] = __builtin_fmaf(a[k], b[k], c[k]);
    return result;
#else                         // nothing to choose
    return a * b + c;
#endif
}

inline Vec fill(float x) {
    return Vec{} + x;
}

} // namespace

} // namespace PaiNNPlugin

#include "ActivationKernel.h"
#include "FilterKernel.h"
#include "MatrixKernel.h"
#include "MessageKernel.h"
#include "UpdateKernel.h"

namespace PaiNNPlugin {

const Kernels PAINN_KERNELS = {multiplyMatrix,  activate,    scale,           filter,          message,
                               messageBackward, computeNorm, combineFeatures, combineBackward, normBackward};

} // namespace PaiNNPlugin
