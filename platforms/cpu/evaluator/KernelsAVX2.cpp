// SPDX-License-Identifier: MIT
#define PAINN_LANES 8
#define PAINN_ROWS 6
#define PAINN_PANELS 1
#define PAINN_KERNELS avx2Kernels
#include "KernelSource.h"
