// SPDX-License-Identifier: MIT
#include "HostPaiNNStudentKernel.h"
#include "openmm/internal/ContextImpl.h"
#include "openmm/reference/ReferencePlatform.h"

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

static ReferencePlatform::PlatformData& getData(ContextImpl& context) {
    return *reinterpret_cast<ReferencePlatform::PlatformData*>(context.getPlatformData());
}

/** Derivatives are read after calls without includeEnergy too, and cost nothing here: they are always added. */
static HostQuery makeQuery(ContextImpl& context, bool includeForces) {
    ReferencePlatform::PlatformData& data = getData(context);
    return {data.positions, data.periodicBoxVectors, &context.getParameters(), includeForces ? data.forces : nullptr,
            data.energyParameterDerivatives};
}

/** Reads and writes the arrays of all its Contexts. */
class HostCalcPaiNNStudentForceKernel::Shared : public SharedEvaluation {
public:
    Shared(const vector<HostForce*>& forces, const EvaluatorFactory& makeEvaluator) : batch(forces, makeEvaluator) {}
    void execute(vector<SharedQuery>& queries) override {
        vector<HostQuery> hostQueries;
        for (const SharedQuery& query : queries)
            hostQueries.push_back(makeQuery(*query.context, query.includeForces));
        batch.evaluate(hostQueries);
        for (size_t n = 0; n < queries.size(); n++) {
            queries[n].energy = hostQueries[n].energy;
            queries[n].error = hostQueries[n].error;
        }
    }

private:
    HostBatch batch;
};

HostCalcPaiNNStudentForceKernel::HostCalcPaiNNStudentForceKernel(const string& name, const Platform& platform,
                                                                 EvaluatorFactory makeEvaluator,
                                                                 SharedEvaluatorFactory makeShared,
                                                                 const TorchOptions& torch)
    : CalcPaiNNStudentForceKernel(name, platform), makeEvaluator(move(makeEvaluator)), makeShared(move(makeShared)),
      torch(torch) {}

void HostCalcPaiNNStudentForceKernel::initialize(const System&, const PaiNNStudentForce& force) {
    usesTorch = (force.getEvaluationMethod() == PaiNNStudentForce::LibTorch);
    hostForce = make_unique<HostForce>(force, chooseFactory(force, makeEvaluator, torch));
}

double HostCalcPaiNNStudentForceKernel::execute(ContextImpl& context, bool includeForces, bool) {
    return hostForce->evaluate(makeQuery(context, includeForces));
}

void HostCalcPaiNNStudentForceKernel::copyParametersToContext(ContextImpl&, const PaiNNStudentForce& force) {
    hostForce->setElements(force);
}

void HostCalcPaiNNStudentForceKernel::computeParticleEnergies(ContextImpl& context, vector<double>& energies) {
    ReferencePlatform::PlatformData& data = getData(context);
    hostForce->computeParticleEnergies(*data.positions, data.periodicBoxVectors, energies);
}

pair<const void*, int> HostCalcPaiNNStudentForceKernel::getCompany() const {
    return {usesTorch ? nullptr : hostForce->getModel().getParameters().get(), hostForce->isPeriodic()};
}

unique_ptr<SharedEvaluation> HostCalcPaiNNStudentForceKernel::share(const vector<CalcPaiNNStudentForceKernel*>& kernels,
                                                                    shared_ptr<ThreadPool> threads) {
    vector<HostForce*> forces;
    for (CalcPaiNNStudentForceKernel* kernel : kernels)
        forces.push_back(dynamic_cast<HostCalcPaiNNStudentForceKernel&>(*kernel).hostForce.get());
    return make_unique<Shared>(forces, makeShared(move(threads)));
}

} // namespace PaiNNPlugin
