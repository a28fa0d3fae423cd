// SPDX-License-Identifier: MIT
#include "HostForce.h"
#include "ValueChecks.h"
#include "internal/PeriodicBox.h"
#include "openmm/OpenMMException.h"
#include <cmath>

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

namespace {

Vec3 at(const double* x, int atom) {
    return Vec3(x[3 * atom], x[3 * atom + 1], x[3 * atom + 2]);
}

} // namespace

HostForce::HostForce(const PaiNNStudentForce& force, const EvaluatorFactory& makeEvaluator)
    : model(force.getModel()), periodic(force.usesPeriodicBoundaryConditions()), atoms(force),
      elements(atoms.findElements(force)), alone(make_unique<HostBatch>(vector<HostForce*>{this}, makeEvaluator)) {}

HostForce::~HostForce() = default;

void HostForce::setElements(const PaiNNStudentForce& force) {
    elements = atoms.findElements(force);
}

double HostForce::evaluate(const HostQuery& query) {
    vector<HostQuery> queries = {query};
    alone->evaluate(queries);
    if (queries[0].error)
        rethrow_exception(queries[0].error);
    return queries[0].energy;
}

void HostForce::computeParticleEnergies(const vector<Vec3>& positions, const Vec3* box, vector<double>& energies) {
    evaluate({&positions, box, nullptr, nullptr, nullptr, &energies});
}

bool HostForce::begin(const HostQuery& query, double* x, Box* boxes, char* active) {
    for (size_t i = 0; i < atoms.particles.size(); i++) {
        const Vec3& p = (*query.positions)[atoms.particles[i]];
        if (!isUsable(p))
            failAtPosition(atoms.particles[i], p);
        for (int k = 0; k < 3; k++)
            x[3 * i + k] = p[k];
    }
    if (periodic)
        checkPeriodicBox(query.box, model.getCutoff());
    scales.clear();
    anyForces = false;
    for (size_t s = 0; s < atoms.subsystems.size(); s++) {
        for (int i = 0; periodic && i < 3; i++)
            for (int j = 0; j < 3; j++)
                boxes[s][i][j] = query.box[i][j];
        const Subsystem& subsystem = atoms.subsystems[s];
        // A scale of 0 means "not there": whatever the network would say, even infinity, must not be multiplied by it.
        const double scale = query.particleEnergies != nullptr ? 1 : findScale(subsystem.scale, *query.parameters);
        scales.push_back(scale);
        active[s] = scale != 0 || subsystem.differentiate;
        anyForces = anyForces || (query.forces != nullptr && scale != 0);
    }
    return anyForces;
}

void HostForce::finish(HostQuery& query, const double* x, const double* atomEnergies, const double* atomForces,
                       double largest) const {
    for (size_t s = 0; s < atoms.subsystems.size(); s++) {
        checkEnergies(atoms.subsystems[s], x, atomEnergies, largest);
        if (anyForces && scales[s] != 0)
            checkForces(atoms.subsystems[s], x, atomForces, largest);
    }
    if (query.particleEnergies != nullptr) {
        query.particleEnergies->assign(atoms.entries.size(), 0.0);
        for (size_t i = 0; i < atoms.entries.size(); i++)
            (*query.particleEnergies)[atoms.entries[i]] = atomEnergies[i];
        return;
    }
    for (size_t s = 0; s < atoms.subsystems.size(); s++) {
        const Subsystem& subsystem = atoms.subsystems[s];
        double unscaled = 0;
        for (int i = subsystem.first; i < subsystem.last; i++)
            unscaled += atomEnergies[i];
        if (subsystem.differentiate)
            (*query.derivatives)[subsystem.scale] += unscaled;
        if (scales[s] == 0)
            continue;
        query.energy += scales[s] * unscaled;
        for (int i = subsystem.first; anyForces && i < subsystem.last; i++)
            (*query.forces)[atoms.particles[i]] += at(atomForces, i) * scales[s];
    }
}

// Written so that NaN fails.
void HostForce::checkEnergies(const Subsystem& subsystem, const double* x, const double* energies,
                              double largest) const {
    for (int i = subsystem.first; i < subsystem.last; i++)
        if (!(fabs(energies[i]) <= largest))
            failAtValue({"energy of", "kJ/mol", largest, "of single precision"}, atoms.particles[i], at(x, i));
}

void HostForce::checkForces(const Subsystem& subsystem, const double* x, const double* forces, double largest) const {
    for (int i = 3 * subsystem.first; i < 3 * subsystem.last; i++)
        if (!(fabs(forces[i]) <= largest))
            failAtValue({"force on", "kJ/mol/nm", largest, "of single precision"}, atoms.particles[i / 3],
                        at(x, i / 3));
}

} // namespace PaiNNPlugin
