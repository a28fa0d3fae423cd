// SPDX-License-Identifier: MIT
#ifndef PAINN_FAST_HOST_EVALUATOR_H_
#define PAINN_FAST_HOST_EVALUATOR_H_

#include "Evaluator.h"
#include "FastNetworkTable.h"
#include <limits>
#include <memory>

namespace PaiNNPlugin {

/** FastEvaluator as an Evaluator, with the threads of the caller or its own. */
class FastHostEvaluator : public Evaluator {
public:
    /**
     * @param elements     [numAtoms] index into NetworkParameters::atomicNumbers
     * @param subsystems   [numAtoms] ascending and without holes
     * @param threads      must live as long as this object
     */
    FastHostEvaluator(const PaiNNStudentModel& model, const std::vector<int>& elements,
                      const std::vector<int>& subsystems, OpenMM::ThreadPool& threads)
        : fast(getFastNetwork(model), elements, subsystems, threads) {}
    /** As the other, with threads that it keeps alive. */
    FastHostEvaluator(const PaiNNStudentModel& model, const std::vector<int>& elements,
                      const std::vector<int>& subsystems, std::shared_ptr<OpenMM::ThreadPool> threads)
        : ownThreads(std::move(threads)), fast(getFastNetwork(model), elements, subsystems, *ownThreads) {}
    void setElements(const std::vector<int>& elements) override {
        fast.setElements(elements);
    }
    void evaluate(const std::vector<double>& positions, const Box* boxes, const std::vector<char>& active,
                  std::vector<double>& atomEnergies, std::vector<double>* forces) override {
        fast.evaluate(positions, boxes, active, atomEnergies, forces);
    }
    /**
     * All that single precision can hold. A feature, a square of one or an adjoint beyond it is infinite, and no later
     * stage makes a finite number of that (see activate()), so what is finite is as exact as anything else. No lower
     * limit would do: an energy may be small while features have overflowed.
     */
    double getLargestValue() const override {
        return std::numeric_limits<float>::max();
    }

private:
    std::shared_ptr<OpenMM::ThreadPool> ownThreads; // stop after everything that uses them
    FastEvaluator fast;
};

} // namespace PaiNNPlugin

#endif
