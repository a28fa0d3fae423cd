// SPDX-License-Identifier: MIT
#ifndef OPENMM_PAINN_OPENMMVERSION_H_
#define OPENMM_PAINN_OPENMMVERSION_H_

#include <string>

namespace PaiNNPlugin {

/** The OpenMM that the plugin is built for; OpenMM's internal classes change between minor versions. */
inline const std::string SUPPORTED_OPENMM = "8.6";

/** Whether a version of OpenMM, e.g. "8.6.1", can run the plugin. */
inline bool isSupportedOpenMM(const std::string& version) {
    return version == SUPPORTED_OPENMM || version.compare(0, SUPPORTED_OPENMM.size() + 1, SUPPORTED_OPENMM + ".") == 0;
}

} // namespace PaiNNPlugin

#endif
