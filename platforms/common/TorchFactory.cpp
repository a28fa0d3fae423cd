// SPDX-License-Identifier: MIT
#include "TorchFactory.h"

using namespace std;

namespace PaiNNPlugin {

EvaluatorFactory makeTorchFactory(const TorchOptions& options) {
    return [options](const PaiNNStudentModel& model, const vector<int>& elements, const vector<int>& subsystems) {
        return unique_ptr<Evaluator>(loadTorchEngine()(model.getParameters(), elements, subsystems, options));
    };
}

EvaluatorFactory chooseFactory(const PaiNNStudentForce& force, const EvaluatorFactory& kernels,
                               const TorchOptions& options) {
    return force.getEvaluationMethod() == PaiNNStudentForce::Kernels ? kernels : makeTorchFactory(options);
}

} // namespace PaiNNPlugin
