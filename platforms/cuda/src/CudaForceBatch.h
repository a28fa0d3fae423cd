// SPDX-License-Identifier: MIT
#ifndef PAINN_CUDA_FORCE_BATCH_H_
#define PAINN_CUDA_FORCE_BATCH_H_

#include "CudaEvaluator.h"
#include "CudaNetworkTable.h"
#include "ForceEntries.h"
#include <exception>
#include <memory>
#include <mutex>
#include <vector>

namespace PaiNNPlugin {

/** What a PaiNNStudentForce in one Context is to evaluators. Whoever changes something counts it. */
struct CudaForceMember {
    CudaForceMember(OpenMM::CudaContext& cc, const PaiNNStudentForce& force)
        : cc(cc), model(force.getModel()), periodic(force.usesPeriodicBoundaryConditions()), atoms(force),
          elements(atoms.findElements(force)) {}
    OpenMM::CudaContext& cc;
    const PaiNNStudentModel model;
    const bool periodic;
    const ForceEntries atoms;
    ~CudaForceMember();
    CudaForceMember(const CudaForceMember&) = delete;
    CudaForceMember& operator=(const CudaForceMember&) = delete;
    /** Note what the Context's stream, if it has one of its own, has to do before a batch may be evaluated. */
    void markArrival();
    std::vector<int> elements; ///< [atoms] index into NetworkParameters::atomicNumbers
    int elementChanges = 0, slotChanges = 0;
    CUevent arrival = nullptr; ///< nullptr: never marked
};

/** What one Context asks of an evaluation. */
struct CudaForceQuery {
    OpenMM::ContextImpl* context;
    bool includeForces;
    bool judgesAll = false;             ///< energies are of interest even where the scale is 0
    std::exception_ptr error = nullptr; ///< if there is one, nothing has been started for this Context
};

/**
 * The evaluator of forces in several Contexts, or in one, kept up to date with them: slots, elements, boxes, scales.
 * They have one network and share a CUcontext, which has to be current whenever anything but the destructor is called.
 * Members may ask for what is theirs at the same time, from their own threads. What a member is
 * given does not depend on the others, bit for bit.
 */
class CudaForceBatch {
public:
    CudaForceBatch(const std::vector<CudaForceMember*>& members, std::shared_ptr<LoadedNetwork> network);
    ~CudaForceBatch();
    CudaForceBatch(const CudaForceBatch&) = delete;
    CudaForceBatch& operator=(const CudaForceBatch&) = delete;
    /**
     * Start an evaluation in the stream of the first member, behind the arrivals of those with other streams. A member
     * for whom an earlier evaluation has reported a problem gets it as an error and is left out.
     */
    void launch(std::vector<CudaForceQuery>& queries);
    /** Have a member's stream, if it is another one, wait for the evaluation. */
    void follow(int member);
    /** [its subsystems] unscaled energies of a member by the last evaluation, kJ/mol; waits. Throws its problem, if the
     * device has reported one. */
    std::vector<double> getSubsystemEnergies(int member);
    /** [its atoms] likewise */
    std::vector<double> getAtomEnergies(int member);
    /** Where the device keeps the unscaled energies of a member's subsystems without references. */
    Device::Address getDeviceEnergies(int member) const {
        return evaluator->getDeviceEnergies(firstSubsystem[member]);
    }
    /** Throw an exception if the device has reported a problem of a member, and forget it. */
    void throwProblem(int member);
    /** What the energy of one of a member's subsystems counts in the last evaluation. */
    double getScale(int member, int subsystem) const {
        return energyScales[firstSubsystem[member] + subsystem];
    }

private:
    void takeProblems(CUstream stream);
    void prepare(size_t m, const CudaForceQuery& query);
    bool findForceScales(const std::vector<CudaForceQuery>& queries);
    void update();
    std::vector<int> findSlots() const;
    std::vector<CudaForceMember*> members;
    std::shared_ptr<LoadedNetwork> network;
    std::vector<int> firstAtom, firstSubsystem;   // [members + 1]
    std::vector<int> elementChanges, slotChanges; // [members] as the evaluator knows them
    const CUcontext cudaContext;
    std::unique_ptr<CudaEvaluator> evaluator;
    std::mutex lock;                    // of what the device reports and has reported
    std::vector<DeviceStatus> problems; // [members] that have not been thrown yet
    CUstream stream = nullptr;          // of the last evaluation
    CUevent done = nullptr;             // likewise; nullptr: not needed so far
    // [subsystems]: what energies and forces are multiplied by, whether energies are judged, and nm; as the evaluator
    // has them, and as they are to be
    std::vector<double> energyScales, scales, newScales;
    std::vector<char> wanted, newWanted;
    std::vector<Box> boxes, newBoxes;
};

} // namespace PaiNNPlugin

#endif
