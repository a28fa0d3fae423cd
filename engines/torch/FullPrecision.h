// SPDX-License-Identifier: MIT
#ifndef PAINN_FULL_PRECISION_H_
#define PAINN_FULL_PRECISION_H_

namespace PaiNNPlugin {

/**
 * While one lives, PyTorch multiplies matrices of float32 in float32, whatever the program allows: TF32 (10 bits) on a
 * GPU, bfloat16 (7 bits) on a processor. What was allowed is so again when the last one goes. The switches hold for
 * all threads of the program; those that hold for one thread do not know all backends.
 */
class FullPrecision {
public:
    FullPrecision();
    ~FullPrecision();
    FullPrecision(const FullPrecision&) = delete;
    FullPrecision& operator=(const FullPrecision&) = delete;
};

} // namespace PaiNNPlugin

#endif
