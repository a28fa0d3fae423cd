// SPDX-License-Identifier: MIT
#include "HostForce.h"
#include "internal/PeriodicBox.h"
#include "openmm/OpenMMException.h"
#include <algorithm>
#include <cmath>
#include <limits>
#include <new>
#include <sstream>

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

namespace {

// Beyond this, nm, neighbouring doubles are so far apart (1.5e-8 nm) that distances mean nothing.
const double LARGEST_COORDINATE = 1e8;

[[noreturn]] void fail(const string& message) {
    throw OpenMMException("PaiNNStudentForce: " + message);
}

string describe(const Vec3& v) {
    ostringstream text;
    text << "(" << v[0] << ", " << v[1] << ", " << v[2] << ")";
    return text.str();
}

double findScale(const string& name, const map<string, double>& parameters) {
    if (name.empty())
        return 1;
    auto parameter = parameters.find(name);
    if (parameter == parameters.end())
        fail("the Context has no global parameter '" + name + "'");
    if (!isfinite(parameter->second))
        fail("the global parameter '" + name + "' is " + to_string(parameter->second) + ", but it must be finite");
    return parameter->second;
}

} // namespace

HostForce::HostForce(const PaiNNStudentForce& force, const EvaluatorFactory& makeEvaluator)
    : cutoff(force.getModel().getCutoff()), periodic(force.usesPeriodicBoundaryConditions()) {
    map<int, vector<pair<int, int>>> members; // by subsystem: (particle, entry)
    for (int i = 0; i < force.getNumParticles(); i++) {
        int particle, atomicNumber, subsystem;
        force.getParticleParameters(i, particle, atomicNumber, subsystem);
        members[subsystem].emplace_back(particle, i);
    }
    vector<int> subsystemOf;
    for (auto& [index, pairs] : members) {
        sort(pairs.begin(), pairs.end());
        Subsystem subsystem;
        subsystem.scale = force.getSubsystemScale(index);
        subsystem.differentiate = false;
        for (int i = 0; i < force.getNumEnergyParameterDerivatives(); i++)
            if (force.getEnergyParameterDerivativeName(i) == subsystem.scale)
                subsystem.differentiate = true;
        subsystem.first = static_cast<int>(particles.size());
        for (auto [particle, entry] : pairs) {
            particles.push_back(particle);
            entries.push_back(entry);
            subsystemOf.push_back(static_cast<int>(subsystems.size()));
        }
        subsystem.last = static_cast<int>(particles.size());
        subsystems.push_back(subsystem);
    }
    try {
        evaluator = makeEvaluator(force.getModel(), findElements(force), subsystemOf);
    }
    catch (const bad_alloc&) {
        failForMemory();
    }
    catch (const exception& e) {
        throw OpenMMException(e.what()); // evaluators do not know this class
    }
}

vector<int> HostForce::findElements(const PaiNNStudentForce& force) const {
    const vector<int>& known = force.getModel().getElements();
    vector<int> elements;
    for (int entry : entries) {
        int particle, atomicNumber, index;
        force.getParticleParameters(entry, particle, atomicNumber, index);
        auto element = lower_bound(known.begin(), known.end(), atomicNumber);
        elements.push_back(static_cast<int>(element - known.begin()));
    }
    return elements;
}

void HostForce::setElements(const PaiNNStudentForce& force) {
    evaluator->setElements(findElements(force));
}

double HostForce::evaluate(const vector<Vec3>& positions, const Vec3* box, const map<string, double>& parameters,
                           vector<Vec3>* forces, map<string, double>& derivatives) {
    readPositions(positions);
    const Box* usedBox = convertBox(box);
    scales.clear();
    active.clear();
    bool anyForces = false;
    for (const Subsystem& subsystem : subsystems) {
        // A scale of 0 means "not there": whatever the network would say, even infinity, must not be multiplied by it.
        const double scale = findScale(subsystem.scale, parameters);
        scales.push_back(scale);
        active.push_back(scale != 0 || subsystem.differentiate);
        anyForces = anyForces || (forces != nullptr && scale != 0);
    }
    evaluateActive(usedBox, anyForces);
    for (size_t i = 0; i < subsystems.size(); i++) {
        checkEnergies(subsystems[i]);
        if (anyForces && scales[i] != 0)
            checkForces(subsystems[i]);
    }
    double energy = 0;
    for (size_t i = 0; i < subsystems.size(); i++) {
        if (!active[i])
            continue;
        const Subsystem& subsystem = subsystems[i];
        double unscaled = 0;
        for (int j = subsystem.first; j < subsystem.last; j++)
            unscaled += atomEnergies[j];
        if (subsystem.differentiate)
            derivatives[subsystem.scale] += unscaled;
        if (scales[i] == 0)
            continue;
        energy += scales[i] * unscaled;
        for (int j = subsystem.first; anyForces && j < subsystem.last; j++)
            (*forces)[particles[j]] +=
                Vec3(atomForces[3 * j], atomForces[3 * j + 1], atomForces[3 * j + 2]) * scales[i];
    }
    return energy;
}

void HostForce::computeParticleEnergies(const vector<Vec3>& positions, const Vec3* box, vector<double>& energies) {
    readPositions(positions);
    active.assign(subsystems.size(), 1);
    evaluateActive(convertBox(box), false);
    for (const Subsystem& subsystem : subsystems)
        checkEnergies(subsystem);
    energies.assign(entries.size(), 0.0);
    for (size_t i = 0; i < entries.size(); i++)
        energies[entries[i]] = atomEnergies[i];
}

void HostForce::readPositions(const vector<Vec3>& positions) {
    x.resize(3 * particles.size());
    for (size_t i = 0; i < particles.size(); i++) {
        const Vec3& p = positions[particles[i]];
        // Written so that NaN fails.
        if (!(fabs(p[0]) <= LARGEST_COORDINATE && fabs(p[1]) <= LARGEST_COORDINATE && fabs(p[2]) <= LARGEST_COORDINATE))
            fail("the position of particle " + to_string(particles[i]) + " is " + describe(p) +
                 " nm, but coordinates must be finite and at most 1e8 nm");
        for (int k = 0; k < 3; k++)
            x[3 * i + k] = p[k];
    }
}

const Box* HostForce::convertBox(const Vec3* box) {
    if (!periodic)
        return nullptr;
    checkPeriodicBox(box, cutoff);
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            networkBox[i][j] = box[i][j];
    return &networkBox;
}

void HostForce::evaluateActive(const Box* box, bool withForces) {
    try {
        evaluator->evaluate(x, box, active, atomEnergies, withForces ? &atomForces : nullptr);
    }
    catch (const CoincidentAtoms& e) {
        fail("particles " + to_string(particles[e.atom1]) + " and " + to_string(particles[e.atom2]) +
             " are at the same place, " + describe(getPosition(e.atom1)) + " nm, where no force exists");
    }
    catch (const bad_alloc&) {
        failForMemory();
    }
}

// Written so that NaN fails.
void HostForce::checkEnergies(const Subsystem& subsystem) const {
    for (int i = subsystem.first; i < subsystem.last; i++)
        if (!(fabs(atomEnergies[i]) <= evaluator->getLargestValue()))
            failAt("energy of", "kJ/mol", i);
}

void HostForce::checkForces(const Subsystem& subsystem) const {
    for (int i = 3 * subsystem.first; i < 3 * subsystem.last; i++)
        if (!(fabs(atomForces[i]) <= evaluator->getLargestValue()))
            failAt("force on", "kJ/mol/nm", i / 3);
}

void HostForce::failAt(const string& quantity, const char* units, int atom) const {
    ostringstream limit;
    if (evaluator->getLargestValue() < numeric_limits<double>::max())
        limit << ", or larger than the " << evaluator->getLargestValue() << " " << units << " of single precision";
    fail("the " + quantity + " particle " + to_string(particles[atom]) + " at " + describe(getPosition(atom)) +
         " nm is not finite" + limit.str() + ": it is too close to another particle");
}

void HostForce::failForMemory() const {
    fail("there is not enough memory to evaluate " + to_string(particles.size()) + " particles");
}

Vec3 HostForce::getPosition(int atom) const {
    return Vec3(x[3 * atom], x[3 * atom + 1], x[3 * atom + 2]);
}

} // namespace PaiNNPlugin
