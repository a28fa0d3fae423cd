// SPDX-License-Identifier: MIT
#ifndef PAINN_MODELREADER_H_
#define PAINN_MODELREADER_H_

#include "ModelMetadata.h"
#include "NetworkParameters.h"
#include "SafetensorsFile.h"

namespace PaiNNPlugin {

/**
 * Read the tensors that the metadata call for, each of its shape, finite and within its limits, and convert them to nm
 * and kJ/mol. A tensor that is missing or one too many is refused.
 *
 * @throws OpenMM::OpenMMException that names the tensor, what was found and what is allowed
 */
NetworkParameters readNetwork(const SafetensorsFile& file, const ModelMetadata& metadata);

} // namespace PaiNNPlugin

#endif
