// SPDX-License-Identifier: MIT
#include "HostBatch.h"
#include "HostForce.h"
#include "ValueChecks.h"
#include "openmm/OpenMMException.h"
#include <algorithm>
#include <new>

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

HostBatch::HostBatch(const vector<HostForce*>& forces, const EvaluatorFactory& makeEvaluator)
    : forces(forces), firstAtom(1, 0), firstSubsystem(1, 0) {
    vector<int> subsystems;
    for (const HostForce* force : forces) {
        for (int subsystem : force->getAtoms().subsystemOf)
            subsystems.push_back(firstSubsystem.back() + subsystem);
        firstSubsystem.push_back(firstSubsystem.back() + static_cast<int>(force->getAtoms().subsystems.size()));
        firstAtom.push_back(static_cast<int>(subsystems.size()));
        elements.insert(elements.end(), force->getElements().begin(), force->getElements().end());
    }
    x.resize(3 * subsystems.size());
    boxes.resize(firstSubsystem.back());
    active.resize(firstSubsystem.back());
    try {
        evaluator = makeEvaluator(forces[0]->getModel(), elements, subsystems);
    }
    catch (const bad_alloc&) {
        failForMemory(firstAtom.back());
    }
    catch (const exception& e) {
        throw OpenMMException(e.what()); // evaluators do not know this class
    }
}

void HostBatch::evaluate(vector<HostQuery>& queries) {
    takeElements();
    bool withForces = false;
    for (size_t n = 0; n < forces.size(); n++) {
        try {
            const bool any = forces[n]->begin(queries[n], x.data() + 3 * firstAtom[n], boxes.data() + firstSubsystem[n],
                                              active.data() + firstSubsystem[n]);
            withForces = withForces || any;
        }
        catch (...) {
            fail(queries[n], n);
        }
    }
    evaluateActive(queries, withForces);
    for (size_t n = 0; n < forces.size(); n++) {
        if (queries[n].error)
            continue;
        try {
            forces[n]->finish(queries[n], x.data() + 3 * firstAtom[n], atomEnergies.data() + firstAtom[n],
                              withForces ? atomForces.data() + 3 * firstAtom[n] : nullptr,
                              evaluator->getLargestValue());
        }
        catch (...) {
            fail(queries[n], n);
        }
    }
}

/** Forces may have been given other elements since the last evaluation. */
void HostBatch::takeElements() {
    bool changed = false;
    for (size_t n = 0; n < forces.size(); n++) {
        const vector<int>& now = forces[n]->getElements();
        const auto known = elements.begin() + firstAtom[n];
        if (equal(now.begin(), now.end(), known))
            continue;
        copy(now.begin(), now.end(), known);
        changed = true;
    }
    if (changed)
        evaluator->setElements(elements);
}

/** Whoever has atoms at the same place is left out, and the others are evaluated again. */
void HostBatch::evaluateActive(vector<HostQuery>& queries, bool withForces) {
    for (;;) {
        try {
            evaluator->evaluate(x, forces[0]->isPeriodic() ? boxes.data() : nullptr, active, atomEnergies,
                                withForces ? &atomForces : nullptr);
            return;
        }
        catch (const CoincidentAtoms& e) {
            const size_t n = upper_bound(firstAtom.begin(), firstAtom.end(), e.atom1) - firstAtom.begin() - 1;
            const vector<int>& particles = forces[n]->getAtoms().particles;
            try {
                failAtSamePlace(particles[e.atom1 - firstAtom[n]], particles[e.atom2 - firstAtom[n]],
                                Vec3(x[3 * e.atom1], x[3 * e.atom1 + 1], x[3 * e.atom1 + 2]));
            }
            catch (...) {
                fail(queries[n], n);
            }
        }
        catch (const bad_alloc&) {
            failForMemory(firstAtom.back());
        }
        catch (const exception& e) {
            throw OpenMMException(e.what()); // as above
        }
    }
}

/** Note the exception that is being handled, and leave the force out. */
void HostBatch::fail(HostQuery& query, size_t force) {
    query.error = current_exception();
    fill(active.begin() + firstSubsystem[force], active.begin() + firstSubsystem[force + 1], 0);
}

} // namespace PaiNNPlugin
