// SPDX-License-Identifier: MIT
#include "CudaPaiNNStudentKernel.h"
#include "ContextComputations.h"
#include "ValueChecks.h"
#include "internal/PeriodicBox.h"
#include "openmm/common/ContextSelector.h"
#include "openmm/internal/ContextImpl.h"
#include <unistd.h>

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

CudaCalcPaiNNStudentForceKernel::CudaCalcPaiNNStudentForceKernel(const string& name, const Platform& platform,
                                                                 CudaContext& cc)
    : CalcPaiNNStudentForceKernel(name, platform), cc(cc), process(getpid()) {}

CudaCalcPaiNNStudentForceKernel::~CudaCalcPaiNNStudentForceKernel() {
    if (getpid() != process) { // nothing of CUDA may be touched here: it belongs to the other process
        derivatives.release();
        evaluator.release();
        new shared_ptr<LoadedNetwork>(network);
        return;
    }
    ContextSelector selector(cc);
    derivatives.reset();
    evaluator.reset();
    network.reset();
}

void CudaCalcPaiNNStudentForceKernel::initialize(const System& system, const PaiNNStudentForce& force) {
    checkProcess();
    ContextSelector selector(cc);
    cutoff = force.getModel().getCutoff();
    periodic = force.usesPeriodicBoundaryConditions();
    atoms = make_unique<ForceEntries>(force);
    info = new ForceInfo(system.getNumParticles(), force);
    cc.addForce(info);
    if (atoms->subsystems.empty())
        return;
    network = getLoadedNetwork(cc, force.getModel());
    ContextArrays arrays;
    arrays.posq = cc.getPosq().getDevicePointer();
    arrays.posqCorrection = cc.getUseMixedPrecision() ? cc.getPosqCorrection().getDevicePointer() : 0;
    arrays.forces = cc.getLongForceBuffer().getDevicePointer();
    arrays.paddedSlots = cc.getPaddedNumAtoms();
    const vector<int> elements = atoms->findElements(force);
    evaluator =
        make_unique<CudaEvaluator>(network->network, elements, atoms->subsystemOf, periodic, network->device, arrays);
    scales.assign(atoms->subsystems.size(), 1.0); // as the evaluator begins
    wanted.assign(atoms->subsystems.size(), 1);
    if (force.getNumEnergyParameterDerivatives() > 0) {
        derivatives = make_unique<ScaleDerivatives>(cc, force, *atoms);
        derivatives->setElements(*force.getModel().getParameters(), *atoms, elements);
    }
    cc.addReorderListener(new SlotListener(*this));
    cc.addPreComputation(new BeginComputation(*this));
    cc.addPostComputation(new EnergyComputation(*this));
}

double CudaCalcPaiNNStudentForceKernel::execute(ContextImpl& context, bool includeForces, bool) {
    if (evaluator == nullptr || cc.getContextIndex() != 0) // with several devices the first one does it all
        return 0;
    checkProcess();
    ContextSelector selector(cc);
    throwProblem(); // of an earlier evaluation
    update(context, false);
    bool anyForces = false;
    for (double scale : scales)
        anyForces = anyForces || (includeForces && scale != 0);
    evaluator->launch(anyForces, cc.getCurrentStream());
    // Derivatives are read after evaluations without energy too, so they are always added.
    if (derivatives != nullptr)
        derivatives->add(evaluator->getDeviceEnergies());
    wasExecuted = true;
    return 0;
}

void CudaCalcPaiNNStudentForceKernel::copyParametersToContext(ContextImpl&, const PaiNNStudentForce& force) {
    if (evaluator == nullptr || cc.getContextIndex() != 0)
        return;
    checkProcess();
    ContextSelector selector(cc);
    const vector<int> elements = atoms->findElements(force);
    evaluator->setElements(elements, cc.getCurrentStream());
    if (derivatives != nullptr)
        derivatives->setElements(*force.getModel().getParameters(), *atoms, elements);
    info->setElements(force);
    cc.invalidateMolecules(info);
}

void CudaCalcPaiNNStudentForceKernel::computeParticleEnergies(ContextImpl& context, vector<double>& energies) {
    energies.assign(atoms->entries.size(), 0.0);
    if (evaluator == nullptr)
        return;
    checkProcess();
    ContextSelector selector(cc);
    evaluateEnergies(context);
    vector<double> atomEnergies;
    evaluator->getAtomEnergies(atomEnergies, cc.getCurrentStream());
    throwProblem();
    for (size_t i = 0; i < atomEnergies.size(); i++)
        energies[atoms->entries[i]] = atomEnergies[i];
}

void CudaCalcPaiNNStudentForceKernel::computeSubsystemEnergies(ContextImpl& context, const vector<int>& subsystems,
                                                               vector<double>& energies) {
    if (evaluator == nullptr)
        return;
    checkProcess();
    ContextSelector selector(cc);
    evaluateEnergies(context);
    vector<double> sums;
    evaluator->getSubsystemEnergies(sums, cc.getCurrentStream());
    throwProblem();
    for (size_t i = 0; i < sums.size(); i++)
        energies[subsystems[atoms->entries[atoms->subsystems[i].first]]] = sums[i];
}

/** Start an evaluation at the present positions, whose energies are of interest whatever the scales. */
void CudaCalcPaiNNStudentForceKernel::evaluateEnergies(ContextImpl& context) {
    throwProblem(); // of an earlier evaluation
    update(context, true);
    evaluator->launch(false, cc.getCurrentStream());
}

void CudaCalcPaiNNStudentForceKernel::checkProcess() const {
    if (getpid() != process)
        throw OpenMMException("PaiNNStudentForce: this Context belongs to the process that this one was forked from, "
                              "and CUDA does not work in forked processes; start new ones, in Python by "
                              "multiprocessing.set_start_method('spawn')");
}

/** Bring the evaluator up to date with the Context. */
void CudaCalcPaiNNStudentForceKernel::update(ContextImpl& context, bool judgeAll) {
    updateBox(context);
    updateScales(context, judgeAll);
    updateSlots();
}

void CudaCalcPaiNNStudentForceKernel::updateBox(ContextImpl& context) {
    if (!periodic)
        return;
    Vec3 now[3];
    context.getPeriodicBoxVectors(now[0], now[1], now[2]);
    if (now[0] == box[0] && now[1] == box[1] && now[2] == box[2])
        return;
    checkPeriodicBox(now, cutoff);
    double values[3][3];
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            values[i][j] = now[i][j];
    evaluator->setBox(values, cc.getCurrentStream());
    copy(now, now + 3, box);
}

/** @param judgeAll   energies are of interest even where the scale is 0 */
void CudaCalcPaiNNStudentForceKernel::updateScales(ContextImpl& context, bool judgeAll) {
    const map<string, double>& parameters = context.getParameters();
    vector<double> newScales;
    vector<char> newWanted;
    for (const ForceEntries::Subsystem& subsystem : atoms->subsystems) {
        newScales.push_back(findScale(subsystem.scale, parameters));
        newWanted.push_back(judgeAll || subsystem.differentiate || newScales.back() != 0);
    }
    if (newScales == scales && newWanted == wanted)
        return;
    evaluator->setScales(newScales, newWanted, cc.getCurrentStream());
    scales = newScales;
    wanted = newWanted;
}

void CudaCalcPaiNNStudentForceKernel::updateSlots() {
    if (!slotsChanged)
        return;
    const vector<int>& particleOf = cc.getAtomIndex();
    vector<int> slotOf(particleOf.size(), -1), slots;
    for (int slot = 0; slot < cc.getNumAtoms(); slot++)
        slotOf[particleOf[slot]] = slot;
    for (int particle : atoms->particles)
        slots.push_back(slotOf[particle]);
    evaluator->setSlots(slots, cc.getCurrentStream());
    slotsChanged = false;
}

/** @return the scaled energy of the evaluation that was started, kJ/mol */
double CudaCalcPaiNNStudentForceKernel::finishEnergy() {
    ContextSelector selector(cc);
    vector<double> energies;
    evaluator->getSubsystemEnergies(energies, cc.getCurrentStream());
    throwProblem();
    double energy = 0;
    for (size_t i = 0; i < energies.size(); i++)
        if (scales[i] != 0) // "not there": whatever the network would say must not be multiplied by it
            energy += scales[i] * energies[i];
    return energy;
}

/** Throw an exception if the device has reported a problem, and forget it. */
void CudaCalcPaiNNStudentForceKernel::throwProblem() {
    if (evaluator->getStatus().problem == DeviceStatus::None)
        return;
    network->device.synchronize(cc.getCurrentStream());
    const DeviceStatus status = evaluator->getStatus();
    evaluator->resetStatus();
    const ParticleValue energy{"energy of", "kJ/mol", 1e18, "of this platform"};
    const ParticleValue force{"force on", "kJ/mol/nm", 1 << 30, "of this platform"};
    vector<Vec3> positions; // those of now; where the problem is reported late, atoms may have moved on
    cc.getContextImpl()->getPositions(positions);
    const int particle = atoms->particles[status.atom1];
    const Vec3& x = positions[particle];
    switch (status.problem) {
    case DeviceStatus::BadPosition:
        failAtPosition(particle, x);
    case DeviceStatus::Coincident:
        failAtSamePlace(particle, atoms->particles[status.atom2], x);
    case DeviceStatus::BadEnergy:
        failAtValue(energy, particle, x);
    default:
        failAtValue(force, particle, x);
    }
}

} // namespace PaiNNPlugin
