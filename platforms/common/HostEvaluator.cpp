// SPDX-License-Identifier: MIT
#include "HostEvaluator.h"
#include "internal/PeriodicBox.h"
#include "openmm/OpenMMException.h"
#include <algorithm>
#include <cmath>
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

bool isFinite(const Vec3& v) {
    return isfinite(v[0]) && isfinite(v[1]) && isfinite(v[2]);
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

HostEvaluator::HostEvaluator(const PaiNNStudentForce& force)
    : network(force.getModel().getParameters()), cutoff(force.getModel().getCutoff()),
      periodic(force.usesPeriodicBoundaryConditions()), numEntries(force.getNumParticles()) {
    map<int, vector<pair<int, int>>> members; // by subsystem: (particle, entry)
    for (int i = 0; i < numEntries; i++) {
        int particle, atomicNumber, subsystem;
        force.getParticleParameters(i, particle, atomicNumber, subsystem);
        members[subsystem].emplace_back(particle, i);
    }
    for (auto& [index, pairs] : members) {
        sort(pairs.begin(), pairs.end());
        Subsystem subsystem = {index, force.getSubsystemScale(index), false, {}, {}, {}};
        for (int i = 0; i < force.getNumEnergyParameterDerivatives(); i++)
            if (force.getEnergyParameterDerivativeName(i) == subsystem.scale)
                subsystem.differentiate = true;
        for (auto [particle, entry] : pairs) {
            subsystem.particles.push_back(particle);
            subsystem.entries.push_back(entry);
        }
        subsystems.push_back(subsystem);
    }
    setElements(force);
}

void HostEvaluator::setElements(const PaiNNStudentForce& force) {
    const vector<int>& known = force.getModel().getElements();
    for (Subsystem& subsystem : subsystems) {
        subsystem.elements.clear();
        for (int entry : subsystem.entries) {
            int particle, atomicNumber, index;
            force.getParticleParameters(entry, particle, atomicNumber, index);
            auto element = lower_bound(known.begin(), known.end(), atomicNumber);
            subsystem.elements.push_back(static_cast<int>(element - known.begin()));
        }
    }
}

double HostEvaluator::evaluate(const vector<Vec3>& positions, const Vec3* box, const map<string, double>& parameters,
                               vector<Vec3>* forces, map<string, double>& derivatives) {
    checkPositions(positions);
    const Box* usedBox = convertBox(box);
    double energy = 0;
    for (const Subsystem& subsystem : subsystems) {
        // A scale of 0 means "not there": whatever the network would say, even infinity, must not be multiplied by it.
        double scale = findScale(subsystem.scale, parameters);
        if (scale == 0 && !subsystem.differentiate)
            continue;
        bool withForces = (forces != nullptr && scale != 0);
        evaluateAlone(subsystem, positions, usedBox, withForces);
        double unscaled = 0;
        for (double atomEnergy : atomEnergies)
            unscaled += atomEnergy;
        if (subsystem.differentiate)
            derivatives[subsystem.scale] += unscaled;
        if (scale == 0)
            continue;
        energy += scale * unscaled;
        if (withForces)
            for (size_t i = 0; i < subsystem.particles.size(); i++)
                (*forces)[subsystem.particles[i]] +=
                    Vec3(atomForces[3 * i], atomForces[3 * i + 1], atomForces[3 * i + 2]) * scale;
    }
    return energy;
}

void HostEvaluator::computeParticleEnergies(const vector<Vec3>& positions, const Vec3* box, vector<double>& energies) {
    checkPositions(positions);
    const Box* usedBox = convertBox(box);
    energies.assign(numEntries, 0.0);
    for (const Subsystem& subsystem : subsystems) {
        evaluateAlone(subsystem, positions, usedBox, false);
        for (size_t i = 0; i < subsystem.entries.size(); i++)
            energies[subsystem.entries[i]] = atomEnergies[i];
    }
}

void HostEvaluator::checkPositions(const vector<Vec3>& positions) const {
    for (const Subsystem& subsystem : subsystems)
        for (int particle : subsystem.particles) {
            const Vec3& p = positions[particle];
            // Written so that NaN fails.
            if (!(fabs(p[0]) <= LARGEST_COORDINATE && fabs(p[1]) <= LARGEST_COORDINATE &&
                  fabs(p[2]) <= LARGEST_COORDINATE))
                fail("the position of particle " + to_string(particle) + " is " + describe(p) +
                     " nm, but coordinates must be finite and at most 1e8 nm");
        }
}

const Box* HostEvaluator::convertBox(const Vec3* box) {
    if (!periodic)
        return nullptr;
    checkPeriodicBox(box, cutoff);
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            networkBox[i][j] = box[i][j];
    return &networkBox;
}

void HostEvaluator::evaluateAlone(const Subsystem& subsystem, const vector<Vec3>& positions, const Box* box,
                                  bool withForces) {
    const vector<int>& particles = subsystem.particles;
    x.clear();
    for (int particle : particles)
        for (int k = 0; k < 3; k++)
            x.push_back(positions[particle][k]);
    try {
        network.evaluate(subsystem.elements, x, box, atomEnergies, withForces ? &atomForces : nullptr);
    }
    catch (const CoincidentAtoms& e) {
        fail("particles " + to_string(particles[e.atom1]) + " and " + to_string(particles[e.atom2]) +
             " are at the same place, " + describe(positions[particles[e.atom1]]) + " nm, where no force exists");
    }
    for (size_t i = 0; i < particles.size(); i++) {
        if (!isfinite(atomEnergies[i]))
            fail("the energy of particle " + to_string(particles[i]) + " at " + describe(positions[particles[i]]) +
                 " nm is not finite: it is too close to another particle");
        Vec3 force = withForces ? Vec3(atomForces[3 * i], atomForces[3 * i + 1], atomForces[3 * i + 2]) : Vec3();
        if (!isFinite(force))
            fail("the force on particle " + to_string(particles[i]) + " at " + describe(positions[particles[i]]) +
                 " nm is not finite: it is too close to another particle");
    }
}

} // namespace PaiNNPlugin
