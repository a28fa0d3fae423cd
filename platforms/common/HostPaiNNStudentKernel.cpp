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

HostCalcPaiNNStudentForceKernel::HostCalcPaiNNStudentForceKernel(const string& name, const Platform& platform,
                                                                 EvaluatorFactory makeEvaluator)
    : CalcPaiNNStudentForceKernel(name, platform), makeEvaluator(move(makeEvaluator)) {}

void HostCalcPaiNNStudentForceKernel::initialize(const System&, const PaiNNStudentForce& force) {
    hostForce = make_unique<HostForce>(force, makeEvaluator);
}

double HostCalcPaiNNStudentForceKernel::execute(ContextImpl& context, bool includeForces, bool) {
    // Derivatives are read after calls without includeEnergy too, and cost nothing here: they are always added.
    ReferencePlatform::PlatformData& data = getData(context);
    return hostForce->evaluate(*data.positions, data.periodicBoxVectors, context.getParameters(),
                               includeForces ? data.forces : nullptr, *data.energyParameterDerivatives);
}

void HostCalcPaiNNStudentForceKernel::copyParametersToContext(ContextImpl&, const PaiNNStudentForce& force) {
    hostForce->setElements(force);
}

void HostCalcPaiNNStudentForceKernel::computeParticleEnergies(ContextImpl& context, vector<double>& energies) {
    ReferencePlatform::PlatformData& data = getData(context);
    hostForce->computeParticleEnergies(*data.positions, data.periodicBoxVectors, energies);
}

} // namespace PaiNNPlugin
