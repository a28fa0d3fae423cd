// SPDX-License-Identifier: MIT
#define PAINN_LANES 4
#define PAINN_ROWS 3
#define PAINN_PANELS 1
#define PAINN_KERNELS portableKernels
#include "KernelSource.h"
