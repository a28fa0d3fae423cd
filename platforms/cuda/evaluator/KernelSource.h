// SPDX-License-Identifier: MIT
#ifndef PAINN_KERNEL_SOURCE_H_
#define PAINN_KERNEL_SOURCE_H_

namespace PaiNNPlugin {

/** Layout.h, MoleculeLayout.h, Arrays.h and the kernels as one text; made by the build. */
extern const char* const kernelSource;

} // namespace PaiNNPlugin

#endif
