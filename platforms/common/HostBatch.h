// SPDX-License-Identifier: MIT
#ifndef PAINN_HOST_BATCH_H_
#define PAINN_HOST_BATCH_H_

#include "Evaluator.h"
#include "PaiNNStudentModel.h"
#include <functional>
#include <memory>
#include <vector>

namespace PaiNNPlugin {

class HostForce;
struct HostQuery;

/**
 * Makes the Evaluator of a platform.
 *
 * @param elements     [numAtoms] index into NetworkParameters::atomicNumbers
 * @param subsystems   [numAtoms] ascending and without holes, so that the atoms of a subsystem stand together
 */
using EvaluatorFactory = std::function<std::unique_ptr<Evaluator>(
    const PaiNNStudentModel& model, const std::vector<int>& elements, const std::vector<int>& subsystems)>;

/**
 * Forces of several Contexts, or of one, that an Evaluator evaluates together. They have one model, and all of them
 * periodic boundaries or none. What a force is given does not depend on the others, bit for bit.
 */
class HostBatch {
public:
    /** The forces must outlive this object, or not be evaluated any more. */
    HostBatch(const std::vector<HostForce*>& forces, const EvaluatorFactory& makeEvaluator);
    /**
     * Answer one query of each force. A query that cannot be answered gets an error, the others their answers.
     *
     * @throws OpenMM::OpenMMException if there is not enough memory for all
     */
    void evaluate(std::vector<HostQuery>& queries);

private:
    void takeElements();
    void evaluateActive(std::vector<HostQuery>& queries, bool withForces);
    void fail(HostQuery& query, size_t force);
    std::vector<HostForce*> forces;
    std::vector<int> firstAtom, firstSubsystem; // [forces + 1]
    std::unique_ptr<Evaluator> evaluator;
    // What goes to the Evaluator and comes from it: [atoms][3] nm, [subsystems] nm, [subsystems], [atoms] kJ/mol,
    // [atoms][3] kJ/mol/nm
    std::vector<int> elements;
    std::vector<double> x;
    std::vector<Box> boxes;
    std::vector<char> active;
    std::vector<double> atomEnergies, atomForces;
};

} // namespace PaiNNPlugin

#endif
