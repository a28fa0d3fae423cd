// SPDX-License-Identifier: MIT
#ifndef PAINN_FAST_NETWORK_TABLE_H_
#define PAINN_FAST_NETWORK_TABLE_H_

#include "FastEvaluator.h"
#include "PaiNNStudentModel.h"
#include <memory>

namespace PaiNNPlugin {

/**
 * Get the packed weights and filter tables of a model, made at the first call. All Contexts share them, whichever copy
 * of the model they have, and the last one to go frees them. May be called by several threads at once.
 */
std::shared_ptr<const FastNetwork> getFastNetwork(const PaiNNStudentModel& model);

} // namespace PaiNNPlugin

#endif
