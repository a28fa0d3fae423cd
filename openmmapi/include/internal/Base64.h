// SPDX-License-Identifier: MIT
#ifndef PAINN_BASE64_H_
#define PAINN_BASE64_H_

#include "internal/windowsExportPaiNN.h"
#include <string>

namespace PaiNNPlugin {

/** Bytes as base64 text (RFC 4648, section 4): padded, without line breaks. */
std::string OPENMM_EXPORT_PAINN encodeBase64(const std::string& bytes);

/**
 * The bytes of a base64 text. Only what encodeBase64() writes is accepted: no white space, padding where it belongs,
 * unused bits zero. So there is exactly one text for any bytes.
 *
 * @throws OpenMM::OpenMMException that says what is wrong and where
 */
std::string OPENMM_EXPORT_PAINN decodeBase64(const std::string& text);

} // namespace PaiNNPlugin

#endif
