// SPDX-License-Identifier: MIT
#define PAINN_LANES 16
#define PAINN_ROWS 8
#define PAINN_PANELS 2
#define PAINN_KERNELS avx512Kernels
#include "KernelSource.h"
