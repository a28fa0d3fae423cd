// SPDX-License-Identifier: MIT
#ifndef PAINN_SHA256_H_
#define PAINN_SHA256_H_

#include "internal/windowsExportPaiNN.h"
#include <string>

namespace PaiNNPlugin {

/** The SHA-256 digest (FIPS 180-4) of some bytes, as 64 lower-case hexadecimal digits. */
std::string OPENMM_EXPORT_PAINN sha256Hex(const std::string& bytes);

} // namespace PaiNNPlugin

#endif
