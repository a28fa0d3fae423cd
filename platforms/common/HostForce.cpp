// SPDX-License-Identifier: MIT
#include "HostForce.h"
#include "ValueChecks.h"
#include "internal/PeriodicBox.h"
#include "openmm/OpenMMException.h"
#include <cmath>
#include <new>

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

HostForce::HostForce(const PaiNNStudentForce& force, const EvaluatorFactory& makeEvaluator)
    : cutoff(force.getModel().getCutoff()), periodic(force.usesPeriodicBoundaryConditions()), atoms(force) {
    try {
        evaluator = makeEvaluator(force.getModel(), atoms.findElements(force), atoms.subsystemOf);
    }
    catch (const bad_alloc&) {
        failForMemory(static_cast<int>(atoms.particles.size()));
    }
    catch (const exception& e) {
        throw OpenMMException(e.what()); // evaluators do not know this class
    }
}

void HostForce::setElements(const PaiNNStudentForce& force) {
    evaluator->setElements(atoms.findElements(force));
}

double HostForce::evaluate(const vector<Vec3>& positions, const Vec3* box, const map<string, double>& parameters,
                           vector<Vec3>* forces, map<string, double>& derivatives) {
    readPositions(positions);
    const Box* usedBox = convertBox(box);
    scales.clear();
    active.clear();
    bool anyForces = false;
    for (const Subsystem& subsystem : atoms.subsystems) {
        // A scale of 0 means "not there": whatever the network would say, even infinity, must not be multiplied by it.
        const double scale = findScale(subsystem.scale, parameters);
        scales.push_back(scale);
        active.push_back(scale != 0 || subsystem.differentiate);
        anyForces = anyForces || (forces != nullptr && scale != 0);
    }
    evaluateActive(usedBox, anyForces);
    for (size_t i = 0; i < atoms.subsystems.size(); i++) {
        checkEnergies(atoms.subsystems[i]);
        if (anyForces && scales[i] != 0)
            checkForces(atoms.subsystems[i]);
    }
    double energy = 0;
    for (size_t i = 0; i < atoms.subsystems.size(); i++) {
        if (!active[i])
            continue;
        const Subsystem& subsystem = atoms.subsystems[i];
        double unscaled = 0;
        for (int j = subsystem.first; j < subsystem.last; j++)
            unscaled += atomEnergies[j];
        if (subsystem.differentiate)
            derivatives[subsystem.scale] += unscaled;
        if (scales[i] == 0)
            continue;
        energy += scales[i] * unscaled;
        for (int j = subsystem.first; anyForces && j < subsystem.last; j++)
            (*forces)[atoms.particles[j]] +=
                Vec3(atomForces[3 * j], atomForces[3 * j + 1], atomForces[3 * j + 2]) * scales[i];
    }
    return energy;
}

void HostForce::computeParticleEnergies(const vector<Vec3>& positions, const Vec3* box, vector<double>& energies) {
    readPositions(positions);
    active.assign(atoms.subsystems.size(), 1);
    evaluateActive(convertBox(box), false);
    for (const Subsystem& subsystem : atoms.subsystems)
        checkEnergies(subsystem);
    energies.assign(atoms.entries.size(), 0.0);
    for (size_t i = 0; i < atoms.entries.size(); i++)
        energies[atoms.entries[i]] = atomEnergies[i];
}

void HostForce::readPositions(const vector<Vec3>& positions) {
    x.resize(3 * atoms.particles.size());
    for (size_t i = 0; i < atoms.particles.size(); i++) {
        const Vec3& p = positions[atoms.particles[i]];
        if (!isUsable(p))
            failAtPosition(atoms.particles[i], p);
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
        failAtSamePlace(atoms.particles[e.atom1], atoms.particles[e.atom2], getPosition(e.atom1));
    }
    catch (const bad_alloc&) {
        failForMemory(static_cast<int>(atoms.particles.size()));
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

void HostForce::failAt(const char* quantity, const char* units, int atom) const {
    failAtValue({quantity, units, evaluator->getLargestValue(), "of single precision"}, atoms.particles[atom],
                getPosition(atom));
}

Vec3 HostForce::getPosition(int atom) const {
    return Vec3(x[3 * atom], x[3 * atom + 1], x[3 * atom + 2]);
}

} // namespace PaiNNPlugin
