// SPDX-License-Identifier: MIT
#ifndef PAINN_TORCH_FACTORY_H_
#define PAINN_TORCH_FACTORY_H_

#include "HostBatch.h"
#include "PaiNNStudentForce.h"
#include "internal/TorchEngine.h"

namespace PaiNNPlugin {

/** Makes evaluators of the LibTorch engine, which is loaded when the first is made. */
EvaluatorFactory makeTorchFactory(const TorchOptions& options);

/** Get what evaluates a force by its method: the kernels or the LibTorch engine. */
EvaluatorFactory chooseFactory(const PaiNNStudentForce& force, const EvaluatorFactory& kernels,
                               const TorchOptions& options);

} // namespace PaiNNPlugin

#endif
