// SPDX-License-Identifier: MIT
#include "internal/PaiNNStudentForceImpl.h"
#include "PaiNNStudentKernels.h"
#include "internal/Meeting.h"
#include "internal/PeriodicBox.h"
#include "openmm/OpenMMException.h"
#include "openmm/System.h"
#include "openmm/internal/ContextImpl.h"

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

namespace {

void checkParticle(const System& system, int particle, const string& where) {
    if (particle >= system.getNumParticles())
        throw OpenMMException("PaiNNStudentForce: " + where + " is particle " + to_string(particle) +
                              ", but the System has only " + to_string(system.getNumParticles()) +
                              " particles, counted from 0");
}

/** Find what besides the elements has been changed in a force; "" if nothing. */
string findChange(const PaiNNStudentForce& before, const PaiNNStudentForce& now) {
    if (before.getModel().getHash() != now.getModel().getHash())
        return "the model";
    if (before.usesPeriodicBoundaryConditions() != now.usesPeriodicBoundaryConditions())
        return "the use of periodic boundary conditions";
    if (before.getEvaluationMethod() != now.getEvaluationMethod())
        return "the evaluation method";
    if (before.getNumParticles() != now.getNumParticles())
        return "the number of particles (from " + to_string(before.getNumParticles()) + " to " +
               to_string(now.getNumParticles()) + ")";
    int element;
    for (int i = 0; i < now.getNumParticles(); i++) {
        int particle1, particle2, subsystem1, subsystem2;
        before.getParticleParameters(i, particle1, element, subsystem1);
        now.getParticleParameters(i, particle2, element, subsystem2);
        if (particle1 != particle2)
            return "the particle of entry " + to_string(i) + " (from " + to_string(particle1) + " to " +
                   to_string(particle2) + ")";
        if (subsystem1 != subsystem2)
            return "the subsystem of entry " + to_string(i) + " (from " + to_string(subsystem1) + " to " +
                   to_string(subsystem2) + ")";
    }
    const int numSubsystems = now.getNumSubsystems(); // looks at every particle
    for (int i = 0; i < numSubsystems; i++)
        if (before.getSubsystemScale(i) != now.getSubsystemScale(i))
            return "the scale of subsystem " + to_string(i);
    if (before.getNumBonds() != now.getNumBonds())
        return "the number of bonds";
    for (int i = 0; i < now.getNumBonds(); i++) {
        pair<int, int> bond1, bond2;
        before.getBondParameters(i, bond1.first, bond1.second);
        now.getBondParameters(i, bond2.first, bond2.second);
        if (bond1 != bond2)
            return "bond " + to_string(i);
    }
    if (before.getNumGlobalParameters() != now.getNumGlobalParameters())
        return "the number of global parameters";
    for (int i = 0; i < now.getNumGlobalParameters(); i++)
        if (before.getGlobalParameterName(i) != now.getGlobalParameterName(i))
            return "the name of global parameter " + to_string(i);
    if (before.getNumEnergyParameterDerivatives() != now.getNumEnergyParameterDerivatives())
        return "the number of energy parameter derivatives";
    return "";
}

} // namespace

PaiNNStudentForceImpl::PaiNNStudentForceImpl(const PaiNNStudentForce& owner) : owner(owner), current(owner) {
    forceGroup = owner.getForceGroup();
}

void PaiNNStudentForceImpl::initialize(ContextImpl& context) {
    const System& system = context.getSystem();
    for (int i = 0; i < current.getNumParticles(); i++) {
        int particle, atomicNumber, subsystem;
        current.getParticleParameters(i, particle, atomicNumber, subsystem);
        checkParticle(system, particle, "entry " + to_string(i));
    }
    for (int i = 0; i < current.getNumBonds(); i++) {
        int particle1, particle2;
        current.getBondParameters(i, particle1, particle2);
        checkParticle(system, particle1, "an end of bond " + to_string(i));
        checkParticle(system, particle2, "an end of bond " + to_string(i));
    }
    if (current.usesPeriodicBoundaryConditions()) {
        Vec3 box[3];
        system.getDefaultPeriodicBoxVectors(box[0], box[1], box[2]);
        checkPeriodicBox(box, current.getModel().getCutoff());
    }
    string name = CalcPaiNNStudentForceKernel::Name();
    if (current.getEvaluationMethod() == PaiNNStudentForce::LibTorch &&
        context.getPlatform().supportsKernels({torchKernelName()}))
        name = torchKernelName();
    kernel = context.getPlatform().createKernel(name, context);
    kernel.getAs<CalcPaiNNStudentForceKernel>().initialize(system, owner);
}

double PaiNNStudentForceImpl::calcForcesAndEnergy(ContextImpl& context, bool includeForces, bool includeEnergy,
                                                  int groups) {
    if ((groups & (1 << forceGroup)) == 0)
        return 0;
    CalcPaiNNStudentForceKernel& calc = kernel.getAs<CalcPaiNNStudentForceKernel>();
    if (Meeting::Seat* seat = Meeting::Seat::ofThisThread())
        return seat->execute(calc, context, includeForces, includeEnergy);
    return calc.execute(context, includeForces, includeEnergy);
}

map<string, double> PaiNNStudentForceImpl::getDefaultParameters() {
    map<string, double> parameters;
    for (int i = 0; i < current.getNumGlobalParameters(); i++)
        parameters[current.getGlobalParameterName(i)] = current.getGlobalParameterDefaultValue(i);
    return parameters;
}

vector<string> PaiNNStudentForceImpl::getKernelNames() {
    return {CalcPaiNNStudentForceKernel::Name()};
}

void PaiNNStudentForceImpl::updateParametersInContext(ContextImpl& context) {
    string change = findChange(current, owner);
    if (!change.empty())
        throw OpenMMException("PaiNNStudentForce: updateParametersInContext() can only change elements, but " + change +
                              " has changed too; make a new Context or call reinitialize()");
    kernel.getAs<CalcPaiNNStudentForceKernel>().copyParametersToContext(context, owner);
    current = owner;
    context.systemChanged();
}

void PaiNNStudentForceImpl::getSubsystemEnergies(ContextImpl& context, vector<double>& energies) {
    vector<int> subsystems(current.getNumParticles());
    for (int i = 0; i < current.getNumParticles(); i++) {
        int particle, atomicNumber;
        current.getParticleParameters(i, particle, atomicNumber, subsystems[i]);
    }
    energies.assign(current.getNumSubsystems(), 0.0);
    kernel.getAs<CalcPaiNNStudentForceKernel>().computeSubsystemEnergies(context, subsystems, energies);
}

void PaiNNStudentForceImpl::getParticleEnergies(ContextImpl& context, vector<double>& energies) {
    kernel.getAs<CalcPaiNNStudentForceKernel>().computeParticleEnergies(context, energies);
}

vector<pair<int, int>> PaiNNStudentForceImpl::findBonds(const PaiNNStudentForce& force) {
    vector<pair<int, int>> bonds;
    if (force.usesPeriodicBoundaryConditions()) {
        for (int i = 0; i < force.getNumBonds(); i++) {
            int particle1, particle2;
            force.getBondParameters(i, particle1, particle2);
            bonds.emplace_back(particle1, particle2);
        }
        return bonds;
    }
    map<int, int> last; // by subsystem: the particle that ends its chain
    for (int i = 0; i < force.getNumParticles(); i++) {
        int particle, atomicNumber, subsystem;
        force.getParticleParameters(i, particle, atomicNumber, subsystem);
        auto added = last.emplace(subsystem, particle);
        if (!added.second) {
            bonds.emplace_back(added.first->second, particle);
            added.first->second = particle;
        }
    }
    return bonds;
}

} // namespace PaiNNPlugin
