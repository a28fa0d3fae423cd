// SPDX-License-Identifier: MIT
#include "CudaForceBatch.h"
#include "CudaError.h"
#include "ValueChecks.h"
#include "internal/PeriodicBox.h"
#include "openmm/internal/ContextImpl.h"
#include <algorithm>

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

namespace {

ContextArrays getArrays(CudaContext& cc) {
    ContextArrays arrays;
    arrays.posq = cc.getPosq().getDevicePointer();
    arrays.posqCorrection = cc.getUseMixedPrecision() ? cc.getPosqCorrection().getDevicePointer() : 0;
    arrays.forces = cc.getLongForceBuffer().getDevicePointer();
    arrays.paddedSlots = cc.getPaddedNumAtoms();
    return arrays;
}

} // namespace

CudaForceBatch::CudaForceBatch(const vector<CudaForceMember*>& members, shared_ptr<LoadedNetwork> network)
    : members(members), network(move(network)), firstAtom(1, 0), firstSubsystem(1, 0),
      elementChanges(members.size(), 0), slotChanges(members.size(), -1), cudaContext(members[0]->cc.getContext()),
      problems(members.size()) {
    vector<int> elements, subsystems;
    vector<ContextArrays> arrays;
    for (size_t m = 0; m < members.size(); m++) {
        const CudaForceMember& member = *members[m];
        elements.insert(elements.end(), member.elements.begin(), member.elements.end());
        elementChanges[m] = member.elementChanges;
        for (int subsystem : member.atoms.subsystemOf)
            subsystems.push_back(firstSubsystem.back() + subsystem);
        arrays.resize(arrays.size() + member.atoms.subsystems.size(), getArrays(member.cc));
        firstAtom.push_back(static_cast<int>(elements.size()));
        firstSubsystem.push_back(static_cast<int>(arrays.size()));
    }
    evaluator = make_unique<CudaEvaluator>(this->network->network, elements, subsystems, members[0]->periodic,
                                           this->network->device, arrays);
    scales.assign(arrays.size(), 1.0); // as the evaluator begins
    wanted.assign(arrays.size(), 1);
    newScales = scales;
    newWanted = wanted;
    energyScales = scales;
    newBoxes.resize(arrays.size());
}

CudaForceBatch::~CudaForceBatch() {
    const bool isCurrent = (cuCtxPushCurrent(cudaContext) == CUDA_SUCCESS);
    if (done != nullptr)
        cuEventDestroy(done);
    evaluator.reset();
    network.reset();
    CUcontext popped;
    if (isCurrent)
        cuCtxPopCurrent(&popped);
}

CudaForceMember::~CudaForceMember() {
    if (arrival != nullptr)
        cuEventDestroy(arrival);
}

void CudaForceMember::markArrival() {
    const CUstream stream = cc.getCurrentStream();
    if (stream == nullptr)
        return; // the legacy stream, which is that of all others too
    if (arrival == nullptr)
        PAINN_CUDA(cuEventCreate(&arrival, CU_EVENT_DISABLE_TIMING));
    PAINN_CUDA(cuEventRecord(arrival, stream));
}

void CudaForceBatch::launch(vector<CudaForceQuery>& queries) {
    for (size_t m = 0; m < members.size(); m++)
        try {
            throwProblem(static_cast<int>(m)); // of an earlier evaluation
            if (!queries[m].error)
                prepare(m, queries[m]);
        }
        catch (...) {
            queries[m].error = current_exception();
        }
    if (all_of(queries.begin(), queries.end(), [](const CudaForceQuery& query) { return query.error != nullptr; }))
        return;
    const bool anyForces = findForceScales(queries);
    stream = members[0]->cc.getCurrentStream();
    bool areOthers = false;
    for (const CudaForceMember* member : members) {
        if (member->cc.getCurrentStream() == stream)
            continue;
        areOthers = true;
        if (member->arrival != nullptr)
            PAINN_CUDA(cuStreamWaitEvent(stream, member->arrival, 0));
    }
    update();
    evaluator->launch(anyForces, stream);
    if (!areOthers)
        return;
    if (done == nullptr)
        PAINN_CUDA(cuEventCreate(&done, CU_EVENT_DISABLE_TIMING));
    PAINN_CUDA(cuEventRecord(done, stream));
}

void CudaForceBatch::follow(int member) {
    const CUstream own = members[member]->cc.getCurrentStream();
    if (own != stream)
        PAINN_CUDA(cuStreamWaitEvent(own, done, 0));
}

/** Check what a Context asks, and note box and scales. */
void CudaForceBatch::prepare(size_t m, const CudaForceQuery& query) {
    const CudaForceMember& member = *members[m];
    const map<string, double>& parameters = query.context->getParameters();
    if (member.periodic) {
        Vec3 vectors[3];
        query.context->getPeriodicBoxVectors(vectors[0], vectors[1], vectors[2]);
        Box box;
        for (int i = 0; i < 3; i++)
            for (int j = 0; j < 3; j++)
                box[i][j] = vectors[i][j];
        if (box != newBoxes[firstSubsystem[m]]) {
            checkPeriodicBox(vectors, member.model.getCutoff());
            fill(newBoxes.begin() + firstSubsystem[m], newBoxes.begin() + firstSubsystem[m + 1], box);
        }
    }
    vector<double> found;
    for (const ForceEntries::Subsystem& subsystem : member.atoms.subsystems)
        found.push_back(findScale(subsystem.scale, parameters));
    for (size_t k = 0; k < found.size(); k++) {
        const int s = firstSubsystem[m] + static_cast<int>(k);
        energyScales[s] = found[k];
        newWanted[s] = query.judgesAll || member.atoms.subsystems[k].differentiate || found[k] != 0;
    }
}

/**
 * Forces are multiplied by what energies are, but where none are wanted while those of other members are, and where
 * there is an error.
 *
 * @return whether any are wanted
 */
bool CudaForceBatch::findForceScales(const vector<CudaForceQuery>& queries) {
    bool anyForces = false;
    for (size_t m = 0; m < members.size(); m++)
        for (int s = firstSubsystem[m]; s < firstSubsystem[m + 1]; s++)
            anyForces = anyForces || (!queries[m].error && queries[m].includeForces && energyScales[s] != 0);
    for (size_t m = 0; m < members.size(); m++)
        for (int s = firstSubsystem[m]; s < firstSubsystem[m + 1]; s++) {
            newScales[s] = queries[m].error || (anyForces && !queries[m].includeForces) ? 0 : energyScales[s];
            newWanted[s] = newWanted[s] && !queries[m].error;
        }
    return anyForces;
}

/** Bring the evaluator up to date with what has changed. */
void CudaForceBatch::update() {
    if (newScales != scales || newWanted != wanted) {
        evaluator->setScales(newScales, newWanted, stream);
        scales = newScales;
        wanted = newWanted;
    }
    if (newBoxes != boxes && members[0]->periodic) {
        evaluator->setBoxes(newBoxes, stream);
        boxes = newBoxes;
    }
    bool newSlots = false, newElements = false;
    for (size_t m = 0; m < members.size(); m++) {
        newSlots = newSlots || slotChanges[m] != members[m]->slotChanges;
        newElements = newElements || elementChanges[m] != members[m]->elementChanges;
    }
    if (newSlots)
        evaluator->setSlots(findSlots(), stream);
    if (newElements) {
        vector<int> elements;
        for (const CudaForceMember* member : members)
            elements.insert(elements.end(), member->elements.begin(), member->elements.end());
        evaluator->setElements(elements, stream);
    }
    for (size_t m = 0; m < members.size(); m++) {
        slotChanges[m] = members[m]->slotChanges;
        elementChanges[m] = members[m]->elementChanges;
    }
}

/** [atoms] where each atom stands in the arrays of its Context now */
vector<int> CudaForceBatch::findSlots() const {
    vector<int> slots;
    for (const CudaForceMember* member : members) {
        const vector<int>& particleOf = member->cc.getAtomIndex();
        vector<int> slotOf(particleOf.size(), -1);
        for (int slot = 0; slot < member->cc.getNumAtoms(); slot++)
            slotOf[particleOf[slot]] = slot;
        for (int particle : member->atoms.particles)
            slots.push_back(slotOf[particle]);
    }
    return slots;
}

vector<double> CudaForceBatch::getSubsystemEnergies(int member) {
    vector<double> energies;
    evaluator->getSubsystemEnergies(firstSubsystem[member], firstSubsystem[member + 1], energies,
                                    members[member]->cc.getCurrentStream());
    throwProblem(member);
    return energies;
}

vector<double> CudaForceBatch::getAtomEnergies(int member) {
    vector<double> energies;
    evaluator->getAtomEnergies(firstAtom[member], firstAtom[member + 1], energies,
                               members[member]->cc.getCurrentStream());
    throwProblem(member);
    return energies;
}

/** Keep, for each member, what the device has reported, if it has reported anything. */
void CudaForceBatch::takeProblems(CUstream now) {
    if (evaluator->getStatus().problem == DeviceStatus::None)
        return;
    const vector<DeviceStatus> found = evaluator->getProblems(now);
    for (size_t m = 0; m < members.size(); m++)
        for (int s = firstSubsystem[m]; s < firstSubsystem[m + 1]; s++)
            if (problems[m].problem == DeviceStatus::None)
                problems[m] = found[s];
    evaluator->resetStatus();
}

void CudaForceBatch::throwProblem(int member) {
    DeviceStatus status;
    {
        lock_guard<mutex> guard(lock);
        takeProblems(members[member]->cc.getCurrentStream());
        swap(status, problems[member]);
    }
    if (status.problem == DeviceStatus::None)
        return;
    const ParticleValue energy{"energy of", "kJ/mol", 1e18, "of this platform"};
    const ParticleValue force{"force on", "kJ/mol/nm", 1 << 30, "of this platform"};
    vector<Vec3> positions; // those of now; where the problem is reported late, atoms may have moved on
    members[member]->cc.getContextImpl()->getPositions(positions);
    const vector<int>& particles = members[member]->atoms.particles;
    const int particle = particles[status.atom1 - firstAtom[member]];
    const Vec3& x = positions[particle];
    switch (status.problem) {
    case DeviceStatus::BadPosition:
        failAtPosition(particle, x);
    case DeviceStatus::Coincident:
        failAtSamePlace(particle, particles[status.atom2 - firstAtom[member]], x);
    case DeviceStatus::BadEnergy:
        failAtValue(energy, particle, x);
    default:
        failAtValue(force, particle, x);
    }
}

} // namespace PaiNNPlugin
