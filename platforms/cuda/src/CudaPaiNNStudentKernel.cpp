// SPDX-License-Identifier: MIT
#include "CudaPaiNNStudentKernel.h"
#include "ContextComputations.h"
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
        self.release();
        new shared_ptr<LoadedNetwork>(network);
        new shared_ptr<CudaForceBatch>(alone);
        new shared_ptr<CudaForceBatch>(last);
        return;
    }
    ContextSelector selector(cc);
    derivatives.reset();
    last.reset();
    alone.reset();
    self.reset();
    network.reset();
}

void CudaCalcPaiNNStudentForceKernel::initialize(const System& system, const PaiNNStudentForce& force) {
    checkProcess();
    ContextSelector selector(cc);
    info = new ForceInfo(system.getNumParticles(), force);
    cc.addForce(info);
    if (force.getNumParticles() == 0)
        return;
    self = make_unique<CudaForceMember>(cc, force);
    network = getLoadedNetwork(cc, force.getModel());
    alone = make_shared<CudaForceBatch>(vector<CudaForceMember*>{self.get()}, network);
    if (force.getNumEnergyParameterDerivatives() > 0) {
        derivatives = make_unique<ScaleDerivatives>(cc, force, self->atoms);
        derivatives->setElements(*force.getModel().getParameters(), self->atoms, self->elements);
    }
    cc.addReorderListener(new SlotListener(*this));
    cc.addPreComputation(new BeginComputation(*this));
    cc.addPostComputation(new EnergyComputation(*this));
}

double CudaCalcPaiNNStudentForceKernel::execute(ContextImpl& context, bool includeForces, bool) {
    if (self == nullptr || cc.getContextIndex() != 0) // with several devices the first one does it all
        return 0;
    checkProcess();
    ContextSelector selector(cc);
    launchAlone({&context, includeForces});
    wasExecuted = true;
    addDerivatives();
    return 0;
}

void CudaCalcPaiNNStudentForceKernel::copyParametersToContext(ContextImpl&, const PaiNNStudentForce& force) {
    if (self == nullptr || cc.getContextIndex() != 0)
        return;
    checkProcess();
    ContextSelector selector(cc);
    self->elements = self->atoms.findElements(force);
    self->elementChanges++;
    if (derivatives != nullptr)
        derivatives->setElements(*force.getModel().getParameters(), self->atoms, self->elements);
    info->setElements(force);
    cc.invalidateMolecules(info);
}

void CudaCalcPaiNNStudentForceKernel::computeParticleEnergies(ContextImpl& context, vector<double>& energies) {
    if (self == nullptr)
        return energies.clear();
    energies.assign(self->atoms.entries.size(), 0.0);
    checkProcess();
    ContextSelector selector(cc);
    launchAlone({&context, false, true});
    const vector<double> atomEnergies = alone->getAtomEnergies(0);
    for (size_t i = 0; i < atomEnergies.size(); i++)
        energies[self->atoms.entries[i]] = atomEnergies[i];
}

void CudaCalcPaiNNStudentForceKernel::computeSubsystemEnergies(ContextImpl& context, const vector<int>& subsystems,
                                                               vector<double>& energies) {
    if (self == nullptr)
        return;
    checkProcess();
    ContextSelector selector(cc);
    launchAlone({&context, false, true});
    const vector<double> sums = alone->getSubsystemEnergies(0);
    for (size_t i = 0; i < sums.size(); i++)
        energies[subsystems[self->atoms.entries[self->atoms.subsystems[i].first]]] = sums[i];
}

/** Start an evaluation for this Context by itself. */
void CudaCalcPaiNNStudentForceKernel::launchAlone(CudaForceQuery query) {
    throwProblemOf(*alone);
    vector<CudaForceQuery> queries = {query};
    alone->launch(queries);
    if (queries[0].error)
        rethrow_exception(queries[0].error);
    last = alone;
    place = 0;
}

/** Before another batch evaluates this force: throw what the one before has reported, which would not be asked again.
 */
void CudaCalcPaiNNStudentForceKernel::throwProblemOf(const CudaForceBatch& next) {
    if (last != nullptr && last.get() != &next)
        last->throwProblem(place);
}

/** Derivatives are read after evaluations without energy too, so they are always added. */
void CudaCalcPaiNNStudentForceKernel::addDerivatives() {
    if (derivatives != nullptr)
        derivatives->add(last->getDeviceEnergies(place));
}

void CudaCalcPaiNNStudentForceKernel::beginSharing() {
    if (self == nullptr)
        return;
    ContextSelector selector(cc);
    self->markArrival();
}

void CudaCalcPaiNNStudentForceKernel::finishSharing() {
    ContextSelector selector(cc);
    last->follow(place);
    wasExecuted = true;
    addDerivatives();
}

/** @return the scaled energy of the evaluation that was started, kJ/mol */
double CudaCalcPaiNNStudentForceKernel::finishEnergy() {
    ContextSelector selector(cc);
    const vector<double> energies = last->getSubsystemEnergies(place);
    double energy = 0;
    for (size_t i = 0; i < energies.size(); i++) {
        const double scale = last->getScale(place, static_cast<int>(i));
        if (scale != 0) // "not there": whatever the network would say must not be multiplied by it
            energy += scale * energies[i];
    }
    return energy;
}

void CudaCalcPaiNNStudentForceKernel::checkProcess() const {
    if (getpid() != process)
        throw OpenMMException("PaiNNStudentForce: this Context belongs to the process that this one was forked from, "
                              "and CUDA does not work in forked processes; start new ones, in Python by "
                              "multiprocessing.set_start_method('spawn')");
}

/** Kernels of Contexts with one CUcontext. */
class CudaCalcPaiNNStudentForceKernel::Shared : public SharedEvaluation {
public:
    explicit Shared(const vector<CudaCalcPaiNNStudentForceKernel*>& kernels) : kernels(kernels) {
        vector<CudaForceMember*> members;
        for (CudaCalcPaiNNStudentForceKernel* kernel : kernels)
            members.push_back(kernel->self.get());
        ContextSelector selector(kernels[0]->cc);
        // Whoever loaded the network and its compiler may have gone.
        batch = make_shared<CudaForceBatch>(members, getLoadedNetwork(kernels[0]->cc, members[0]->model));
    }
    void execute(vector<SharedQuery>& queries) override {
        kernels[0]->checkProcess();
        ContextSelector selector(kernels[0]->cc);
        vector<CudaForceQuery> own;
        for (size_t n = 0; n < kernels.size(); n++) {
            own.push_back({queries[n].context, queries[n].includeForces});
            try {
                kernels[n]->throwProblemOf(*batch);
            }
            catch (...) {
                own[n].error = current_exception();
            }
        }
        batch->launch(own);
        for (size_t n = 0; n < kernels.size(); n++) {
            queries[n].error = own[n].error;
            kernels[n]->last = batch;
            kernels[n]->place = static_cast<int>(n);
        }
    }

private:
    const vector<CudaCalcPaiNNStudentForceKernel*> kernels;
    shared_ptr<CudaForceBatch> batch;
};

pair<const void*, int> CudaCalcPaiNNStudentForceKernel::getCompany() const {
    if (self == nullptr || cc.getPlatformData().contexts.size() > 1)
        return {nullptr, 0};
    for (const ForceEntries::Subsystem& subsystem : self->atoms.subsystems)
        if (subsystem.last - subsystem.first > MOST_ATOMS_SHARED)
            return {nullptr, 0}; // large enough to keep the device busy by themselves
    return {network.get(), self->periodic};
}

unique_ptr<SharedEvaluation> CudaCalcPaiNNStudentForceKernel::share(const vector<CalcPaiNNStudentForceKernel*>& kernels,
                                                                    shared_ptr<ThreadPool>) {
    vector<CudaCalcPaiNNStudentForceKernel*> own;
    for (CalcPaiNNStudentForceKernel* kernel : kernels)
        own.push_back(&dynamic_cast<CudaCalcPaiNNStudentForceKernel&>(*kernel));
    return make_unique<Shared>(own);
}

} // namespace PaiNNPlugin
