// SPDX-License-Identifier: MIT
#ifndef PAINN_TORCH_EVALUATOR_H_
#define PAINN_TORCH_EVALUATOR_H_

#include "Evaluator.h"
#include "OwnThread.h"
#include "internal/TorchEngine.h"
#include <memory>

namespace PaiNNPlugin {

class TorchNetwork;

/**
 * The network by PyTorch and its automatic differentiation. On the processor one subsystem after the other, so that
 * the others change no bit of it. On a GPU all at once, since one call costs milliseconds whatever its size; there
 * sums are in no fixed order and repeat to rounding only.
 */
class TorchEvaluator : public Evaluator {
public:
    /**
     * @param elements     [numAtoms] index into NetworkParameters::atomicNumbers
     * @param subsystems   [numAtoms] ascending and without holes
     * @throws std::runtime_error if PyTorch cannot use the device
     */
    TorchEvaluator(std::shared_ptr<const NetworkParameters> parameters, const std::vector<int>& elements,
                   const std::vector<int>& subsystems, const TorchOptions& options);
    ~TorchEvaluator() override;
    void setElements(const std::vector<int>& elements) override;
    void evaluate(const std::vector<double>& positions, const Box* boxes, const std::vector<char>& active,
                  std::vector<double>& atomEnergies, std::vector<double>* forces) override;
    double getLargestValue() const override;

private:
    struct Input;
    void collect(int subsystem, const double* positions, const Box* box, Input& input) const;
    void evaluate(const Input& input, std::vector<double>& atomEnergies, std::vector<double>* forces) const;
    const std::shared_ptr<const NetworkParameters> parameters;
    const TorchOptions options;
    std::vector<int> first; // [numSubsystems + 1]: subsystem i has the atoms first[i] <= j < first[i + 1]
    std::vector<int> elements;
    std::unique_ptr<OwnThread> thread;
    std::unique_ptr<TorchNetwork> network;
};

} // namespace PaiNNPlugin

#endif
