// SPDX-License-Identifier: MIT
#ifndef PAINN_FAST_EVALUATOR_H_
#define PAINN_FAST_EVALUATOR_H_

#include "ExactNetwork.h"
#include "FastNetwork.h"
#include "SimdLevel.h"
#include "openmm/internal/ThreadPool.h"

namespace PaiNNPlugin {

/** Seconds that the first thread has spent in the stages, summed over evaluations; for benchmarks. */
struct StageTimes {
    double list = 0, geometry = 0, message = 0, update = 0, readout = 0, messageBackward = 0, updateBackward = 0,
           forces = 0, waiting = 0;
};

/** What may be chosen about an evaluator. None of it changes a bit of the results, but for the level. */
struct FastEvaluatorOptions {
    SimdLevel level = bestSimdLevel();
    double skin = 0.06;          ///< nm, see EdgeList
    StageTimes* times = nullptr; ///< added to, when there is one
};

/**
 * The network in single precision with tables for filters, for a batch of subsystems whose atoms do not see each other:
 * energies and hand-written forces. The sum over terms of an energy, the repulsion and the geometry are in double
 * precision. A subsystem's results do not depend, in any bit, on the other subsystems, the number of threads or earlier
 * calls. Holds scratch arrays: one object per Context, used by one thread at a time.
 */
class FastEvaluator {
public:
    /**
     * @param elements    [atoms] index into NetworkParameters::atomicNumbers
     * @param subsystems  [atoms] from 0 without holes, ascending
     * @param threads     must live as long as this object
     */
    FastEvaluator(std::shared_ptr<const FastNetwork> network, const std::vector<int>& elements,
                  const std::vector<int>& subsystems, OpenMM::ThreadPool& threads,
                  const FastEvaluatorOptions& options = FastEvaluatorOptions());
    ~FastEvaluator();
    void setElements(const std::vector<int>& elements);
    /**
     * @param positions     [atoms][3] nm, finite
     * @param boxes         nullptr without periodic boundaries; otherwise [subsystems] nm: minimum image, every
     * diagonal component at least twice the cutoff
     * @param active        [subsystems] which ones to evaluate; the others have energies and forces of 0
     * @param atomEnergies  overwritten: [atoms] kJ/mol, with the references
     * @param forces        nullptr to skip the backward pass; otherwise overwritten: [atoms][3] kJ/mol/nm
     * @throws CoincidentAtoms if two atoms of an active subsystem are at the same place
     */
    void evaluate(const std::vector<double>& positions, const Box* boxes, const std::vector<char>& active,
                  std::vector<double>& atomEnergies, std::vector<double>* forces);

private:
    struct Pass;
    struct State;
    std::unique_ptr<State> state;
};

} // namespace PaiNNPlugin

#endif
