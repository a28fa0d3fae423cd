// SPDX-License-Identifier: MIT
#include "ReferencePaiNNStudentKernel.h"
#include "openmm/internal/ContextImpl.h"
#include "openmm/reference/ReferencePlatform.h"

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

static ReferencePlatform::PlatformData& getData(ContextImpl& context) {
    return *reinterpret_cast<ReferencePlatform::PlatformData*>(context.getPlatformData());
}

void ReferenceCalcPaiNNStudentForceKernel::initialize(const System&, const PaiNNStudentForce& force) {
    evaluator = make_unique<HostEvaluator>(force);
}

double ReferenceCalcPaiNNStudentForceKernel::execute(ContextImpl& context, bool includeForces, bool) {
    // Derivatives are read after calls without includeEnergy too, and cost nothing here: they are always added.
    ReferencePlatform::PlatformData& data = getData(context);
    return evaluator->evaluate(*data.positions, data.periodicBoxVectors, context.getParameters(),
                               includeForces ? data.forces : nullptr, *data.energyParameterDerivatives);
}

void ReferenceCalcPaiNNStudentForceKernel::copyParametersToContext(ContextImpl&, const PaiNNStudentForce& force) {
    evaluator->setElements(force);
}

void ReferenceCalcPaiNNStudentForceKernel::computeParticleEnergies(ContextImpl& context, vector<double>& energies) {
    ReferencePlatform::PlatformData& data = getData(context);
    evaluator->computeParticleEnergies(*data.positions, data.periodicBoxVectors, energies);
}

} // namespace PaiNNPlugin
