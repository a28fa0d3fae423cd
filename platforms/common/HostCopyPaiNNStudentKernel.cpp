// SPDX-License-Identifier: MIT
#include "HostCopyPaiNNStudentKernel.h"
#include "internal/PaiNNStudentForceImpl.h"
#include "openmm/OpenMMException.h"
#include "openmm/internal/ContextImpl.h"
#include "openmm/internal/CustomCPPForceImpl.h"
#include "openmm/kernels.h"
#include <cmath>

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

namespace {

// kJ/mol/nm. GPU platforms add forces as 64-bit fixed point numbers, which wrap around at 2^31; half of that is left
// for the other forces on the particle.
const double LARGEST_FORCE = 1 << 30;

} // namespace

/** What OpenMM's kernel calls, from a thread of its own. That thread survives no exception but OpenMM's. */
class HostCopyCalcPaiNNStudentForceKernel::InnerImpl : public CustomCPPForceImpl {
public:
    InnerImpl(const PaiNNStudentForce& force, HostCopyCalcPaiNNStudentForceKernel& kernel)
        : CustomCPPForceImpl(force), force(force), kernel(kernel) {}
    const Force& getOwner() const override {
        return force;
    }
    double computeForce(ContextImpl& context, const vector<Vec3>& positions, vector<Vec3>& forces) override {
        try {
            Vec3 box[3];
            context.getPeriodicBoxVectors(box[0], box[1], box[2]);
            forces.assign(positions.size(), Vec3());
            map<string, double> derivatives;
            double energy =
                kernel.hostForce->evaluate({&positions, box, &context.getParameters(), &forces, &derivatives});
            checkForces(forces);
            kernel.keepDerivatives(derivatives);
            return energy;
        }
        catch (const OpenMMException&) {
            throw;
        }
        catch (const exception& e) {
            throw OpenMMException(string("PaiNNStudentForce: ") + e.what());
        }
        catch (...) {
            throw OpenMMException("PaiNNStudentForce: unknown error");
        }
    }

private:
    static void checkForces(const vector<Vec3>& forces) {
        for (size_t i = 0; i < forces.size(); i++)
            for (int k = 0; k < 3; k++)
                if (!(fabs(forces[i][k]) < LARGEST_FORCE))
                    throw OpenMMException("PaiNNStudentForce: the force on particle " + to_string(i) +
                                          " is larger than this platform can hold, 1e9 kJ/mol/nm: it is too close to "
                                          "another particle");
    }
    const PaiNNStudentForce& force;
    HostCopyCalcPaiNNStudentForceKernel& kernel;
};

HostCopyCalcPaiNNStudentForceKernel::HostCopyCalcPaiNNStudentForceKernel(const string& name, const Platform& platform,
                                                                         ContextImpl& context,
                                                                         EvaluatorFactory makeEvaluator,
                                                                         const TorchOptions& torch)
    : CalcPaiNNStudentForceKernel(name, platform), context(context), makeEvaluator(move(makeEvaluator)), torch(torch) {}

HostCopyCalcPaiNNStudentForceKernel::~HostCopyCalcPaiNNStudentForceKernel() = default;

void HostCopyCalcPaiNNStudentForceKernel::initialize(const System& system, const PaiNNStudentForce& force) {
    if (force.getNumEnergyParameterDerivatives() > 0)
        requestDerivatives(force);
    hostForce = make_unique<HostForce>(force, chooseFactory(force, makeEvaluator, torch));
    linkParticles(system, force);
    inner = make_unique<InnerImpl>(force, *this);
    inner->initialize(context);
}

void HostCopyCalcPaiNNStudentForceKernel::requestDerivatives(const PaiNNStudentForce& force) {
    throw OpenMMException("PaiNNStudentForce: the derivative by '" + force.getEnergyParameterDerivativeName(0) +
                          "' was requested, but the platform " + context.getPlatform().getName() +
                          " cannot compute it; use the Reference or CPU platform");
}

/**
 * GPU platforms wrap molecules into the box one by one, and take for a molecule what forces with bonds connect. Bonds
 * of zero strength make them keep together what PaiNNStudentForceImpl::findBonds() connects.
 */
void HostCopyCalcPaiNNStudentForceKernel::linkParticles(const System& system, const PaiNNStudentForce& force) {
    for (auto [particle1, particle2] : PaiNNStudentForceImpl::findBonds(force))
        links.addBond(particle1, particle2, 0.0, 0.0);
    links.setForceGroup(force.getForceGroup());
    if (links.getNumBonds() == 0)
        return;
    linkKernel = context.getPlatform().createKernel(CalcHarmonicBondForceKernel::Name(), context);
    linkKernel.getAs<CalcHarmonicBondForceKernel>().initialize(system, links);
}

double HostCopyCalcPaiNNStudentForceKernel::execute(ContextImpl& context, bool includeForces, bool includeEnergy) {
    return inner->calcForcesAndEnergy(context, includeForces, includeEnergy, -1);
}

void HostCopyCalcPaiNNStudentForceKernel::copyParametersToContext(ContextImpl&, const PaiNNStudentForce& force) {
    hostForce->setElements(force);
}

void HostCopyCalcPaiNNStudentForceKernel::computeParticleEnergies(ContextImpl& context, vector<double>& energies) {
    vector<Vec3> positions;
    context.getPositions(positions);
    Vec3 box[3];
    context.getPeriodicBoxVectors(box[0], box[1], box[2]);
    hostForce->computeParticleEnergies(positions, box, energies);
}

} // namespace PaiNNPlugin
