// SPDX-License-Identifier: MIT
#ifndef PAINN_EXACT_EVALUATOR_H_
#define PAINN_EXACT_EVALUATOR_H_

#include "Evaluator.h"
#include "ExactNetwork.h"
#include <limits>
#include <memory>

namespace PaiNNPlugin {

/** The exact network in double precision, one subsystem after the other. */
class ExactEvaluator : public Evaluator {
public:
    /**
     * @param elements     [numAtoms] index into NetworkParameters::atomicNumbers
     * @param subsystems   [numAtoms] ascending, so that the atoms of a subsystem stand together
     */
    ExactEvaluator(std::shared_ptr<const NetworkParameters> parameters, const std::vector<int>& elements,
                   const std::vector<int>& subsystems);
    void setElements(const std::vector<int>& elements) override;
    void evaluate(const std::vector<double>& positions, const Box* boxes, const std::vector<char>& active,
                  std::vector<double>& atomEnergies, std::vector<double>* forces) override;
    double getLargestValue() const override {
        return std::numeric_limits<double>::max();
    }

private:
    ExactNetwork network;
    std::vector<int> first; // [numSubsystems + 1]: subsystem i has the atoms first[i] <= j < first[i + 1]
    std::vector<std::vector<int>> elements;    // by subsystem
    std::vector<double> x, energies, forcesOf; // of the subsystem evaluated last
};

} // namespace PaiNNPlugin

#endif
