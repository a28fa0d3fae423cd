// SPDX-License-Identifier: MIT
#ifndef PAINN_STUDENTFORCE_PROXY_H_
#define PAINN_STUDENTFORCE_PROXY_H_

#include "openmm/serialization/SerializationProxy.h"

namespace PaiNNPlugin {

/**
 * Writes a PaiNNStudentForce, its model included, to a SerializationNode and back. Reading is strict: whatever version
 * 1 does not define is refused, the model must have the hash that was written with it, and nothing outside the node is
 * read.
 */
class PaiNNStudentForceProxy : public OpenMM::SerializationProxy {
public:
    PaiNNStudentForceProxy();
    void serialize(const void* object, OpenMM::SerializationNode& node) const override;
    void* deserialize(const OpenMM::SerializationNode& node) const override;
};

} // namespace PaiNNPlugin

#endif
