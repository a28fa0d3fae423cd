// SPDX-License-Identifier: MIT
#include "PaiNNStudentForce.h"
#include "internal/OpenMMVersion.h"
#include "internal/PaiNNStudentForceImpl.h"
#include "openmm/OpenMMException.h"
#include "openmm/Platform.h"
#include <algorithm>
#include <cmath>

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

namespace {

const string NO_SCALE;

[[noreturn]] void fail(const string& message) {
    throw OpenMMException("PaiNNStudentForce: " + message);
}

void checkIndex(const string& things, int index, size_t size) {
    if (index < 0 || index >= static_cast<int>(size))
        fail("index is " + to_string(index) + ", but the force has " + to_string(size) + " " + things +
             ", counted from 0");
}

void checkNotNegative(const string& argument, int particle) {
    if (particle < 0)
        fail(argument + " is " + to_string(particle) +
             ", but the index of a particle in the System cannot be negative");
}

void checkSubsystem(int subsystem) {
    if (subsystem < 0 || subsystem > MAX_SUBSYSTEM)
        fail("subsystem is " + to_string(subsystem) + ", allowed are 0 to " + to_string(MAX_SUBSYSTEM));
}

void checkParticle(const PaiNNStudentModel& model, int particle, int atomicNumber, int subsystem) {
    checkNotNegative("particle", particle);
    checkSubsystem(subsystem);
    const vector<int>& elements = model.getElements();
    if (binary_search(elements.begin(), elements.end(), atomicNumber))
        return;
    string allowed;
    for (int element : elements)
        allowed += (allowed.empty() ? "" : ", ") + to_string(element);
    fail("atomicNumber is " + to_string(atomicNumber) + " for particle " + to_string(particle) +
         ", but the model has only the elements " + allowed);
}

void checkBond(int particle1, int particle2) {
    checkNotNegative("particle1", particle1);
    checkNotNegative("particle2", particle2);
    if (particle1 == particle2)
        fail("particle1 and particle2 are both " + to_string(particle1) + ", but a bond joins two different particles");
}

void checkDefaultValue(const string& name, double value) {
    if (!isfinite(value))
        fail("defaultValue of the global parameter '" + name + "' is " + to_string(value) + ", but it must be finite");
}

bool isGlobalParameter(const PaiNNStudentForce& force, const string& name) {
    for (int i = 0; i < force.getNumGlobalParameters(); i++)
        if (force.getGlobalParameterName(i) == name)
            return true;
    return false;
}

/** Everything that needs no System: an exception at this point leaks nothing, a later one leaks most of the Context. */
void checkForce(const PaiNNStudentForce& force, const map<int, string>& scales) {
    string version = Platform::getOpenMMVersion();
    if (!isSupportedOpenMM(version))
        fail("this plugin was built for OpenMM " + SUPPORTED_OPENMM + ", but OpenMM " + version +
             " is running; install the two of one version");
    if (force.getNumParticles() == 0)
        fail("the force has no particles; add at least one with addParticle()");
    vector<pair<int, int>> entries;
    vector<bool> used(force.getNumSubsystems(), false);
    for (int i = 0; i < force.getNumParticles(); i++) {
        int particle, atomicNumber, subsystem;
        force.getParticleParameters(i, particle, atomicNumber, subsystem);
        entries.emplace_back(particle, i);
        used[subsystem] = true;
    }
    sort(entries.begin(), entries.end());
    for (size_t i = 1; i < entries.size(); i++)
        if (entries[i].first == entries[i - 1].first)
            fail("particle " + to_string(entries[i].first) + " was added twice, as entries " +
                 to_string(entries[i - 1].second) + " and " + to_string(entries[i].second) +
                 "; a particle can be added once");
    for (const auto& [subsystem, scale] : scales) {
        if (!isGlobalParameter(force, scale))
            fail("subsystem " + to_string(subsystem) + " is scaled by '" + scale +
                 "', which is not a global parameter of the force; add it with addGlobalParameter()");
        if (subsystem >= static_cast<int>(used.size()) || !used[subsystem])
            fail("subsystem " + to_string(subsystem) + " is scaled by '" + scale + "', but no particle belongs to it");
    }
    for (int i = 0; i < force.getNumEnergyParameterDerivatives(); i++)
        if (!isGlobalParameter(force, force.getEnergyParameterDerivativeName(i)))
            fail("the derivative by '" + force.getEnergyParameterDerivativeName(i) +
                 "' was requested, which is not a global parameter of the force");
}

} // namespace

PaiNNStudentForce::PaiNNStudentForce(const PaiNNStudentModel& model) : model(model) {}

int PaiNNStudentForce::addParticle(int particle, int atomicNumber, int subsystem) {
    checkParticle(model, particle, atomicNumber, subsystem);
    particles.push_back({particle, atomicNumber, subsystem});
    return getNumParticles() - 1;
}

void PaiNNStudentForce::getParticleParameters(int index, int& particle, int& atomicNumber, int& subsystem) const {
    checkIndex("particles", index, particles.size());
    particle = particles[index].particle;
    atomicNumber = particles[index].atomicNumber;
    subsystem = particles[index].subsystem;
}

void PaiNNStudentForce::setParticleParameters(int index, int particle, int atomicNumber, int subsystem) {
    checkIndex("particles", index, particles.size());
    checkParticle(model, particle, atomicNumber, subsystem);
    particles[index] = {particle, atomicNumber, subsystem};
}

int PaiNNStudentForce::addBond(int particle1, int particle2) {
    checkBond(particle1, particle2);
    bonds.emplace_back(particle1, particle2);
    return getNumBonds() - 1;
}

void PaiNNStudentForce::getBondParameters(int index, int& particle1, int& particle2) const {
    checkIndex("bonds", index, bonds.size());
    particle1 = bonds[index].first;
    particle2 = bonds[index].second;
}

void PaiNNStudentForce::setBondParameters(int index, int particle1, int particle2) {
    checkIndex("bonds", index, bonds.size());
    checkBond(particle1, particle2);
    bonds[index] = {particle1, particle2};
}

int PaiNNStudentForce::getNumSubsystems() const {
    int largest = -1;
    for (const ParticleInfo& info : particles)
        largest = max(largest, info.subsystem);
    return largest + 1;
}

void PaiNNStudentForce::setSubsystemScale(int subsystem, const string& globalParameter) {
    checkSubsystem(subsystem);
    if (globalParameter.empty())
        subsystemScales.erase(subsystem);
    else
        subsystemScales[subsystem] = globalParameter;
}

const string& PaiNNStudentForce::getSubsystemScale(int subsystem) const {
    checkSubsystem(subsystem);
    auto scale = subsystemScales.find(subsystem);
    return scale == subsystemScales.end() ? NO_SCALE : scale->second;
}

int PaiNNStudentForce::addGlobalParameter(const string& name, double defaultValue) {
    if (name.empty())
        fail("name of a global parameter is empty");
    if (isGlobalParameter(*this, name))
        fail("name is '" + name + "', but the force has a global parameter of this name already");
    checkDefaultValue(name, defaultValue);
    globalParameters.push_back({name, defaultValue});
    return getNumGlobalParameters() - 1;
}

const string& PaiNNStudentForce::getGlobalParameterName(int index) const {
    checkIndex("global parameters", index, globalParameters.size());
    return globalParameters[index].name;
}

void PaiNNStudentForce::setGlobalParameterName(int index, const string& name) {
    checkIndex("global parameters", index, globalParameters.size());
    if (name.empty())
        fail("name of a global parameter is empty");
    if (name != globalParameters[index].name && isGlobalParameter(*this, name))
        fail("name is '" + name + "', but the force has a global parameter of this name already");
    globalParameters[index].name = name;
}

double PaiNNStudentForce::getGlobalParameterDefaultValue(int index) const {
    checkIndex("global parameters", index, globalParameters.size());
    return globalParameters[index].defaultValue;
}

void PaiNNStudentForce::setGlobalParameterDefaultValue(int index, double defaultValue) {
    checkIndex("global parameters", index, globalParameters.size());
    checkDefaultValue(globalParameters[index].name, defaultValue);
    globalParameters[index].defaultValue = defaultValue;
}

void PaiNNStudentForce::addEnergyParameterDerivative(const string& name) {
    if (!isGlobalParameter(*this, name))
        fail("name is '" + name + "', which is not a global parameter of the force; add it with addGlobalParameter()");
    // Asking twice is the same as asking once, as with OpenMM's own forces.
    if (find(energyParameterDerivatives.begin(), energyParameterDerivatives.end(), name) ==
        energyParameterDerivatives.end())
        energyParameterDerivatives.push_back(name);
}

const string& PaiNNStudentForce::getEnergyParameterDerivativeName(int index) const {
    checkIndex("energy parameter derivatives", index, energyParameterDerivatives.size());
    return energyParameterDerivatives[index];
}

void PaiNNStudentForce::setEvaluationMethod(EvaluationMethod method) {
    if (method != Kernels && method != LibTorch)
        fail("the evaluation method is " + to_string(static_cast<int>(method)) +
             "; it must be Kernels (0) or LibTorch (1)");
    evaluationMethod = method;
}

ForceImpl* PaiNNStudentForce::createImpl() const {
    checkForce(*this, subsystemScales);
    return new PaiNNStudentForceImpl(*this);
}

void PaiNNStudentForce::updateParametersInContext(Context& context) {
    dynamic_cast<PaiNNStudentForceImpl&>(getImplInContext(context)).updateParametersInContext(getContextImpl(context));
}

void PaiNNStudentForce::getSubsystemEnergies(Context& context, vector<double>& energies) {
    dynamic_cast<PaiNNStudentForceImpl&>(getImplInContext(context))
        .getSubsystemEnergies(getContextImpl(context), energies);
}

void PaiNNStudentForce::getParticleEnergies(Context& context, vector<double>& energies) {
    dynamic_cast<PaiNNStudentForceImpl&>(getImplInContext(context))
        .getParticleEnergies(getContextImpl(context), energies);
}

} // namespace PaiNNPlugin
