// SPDX-License-Identifier: MIT
#include "ForceEntries.h"
#include <algorithm>
#include <map>

using namespace std;

namespace PaiNNPlugin {

ForceEntries::ForceEntries(const PaiNNStudentForce& force) {
    map<int, vector<pair<int, int>>> members; // by subsystem: (particle, entry)
    for (int i = 0; i < force.getNumParticles(); i++) {
        int particle, atomicNumber, subsystem;
        force.getParticleParameters(i, particle, atomicNumber, subsystem);
        members[subsystem].emplace_back(particle, i);
    }
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
}

vector<int> ForceEntries::findElements(const PaiNNStudentForce& force) const {
    const vector<int>& known = force.getModel().getElements();
    vector<int> elements;
    for (int entry : entries) {
        int particle, atomicNumber, subsystem;
        force.getParticleParameters(entry, particle, atomicNumber, subsystem);
        auto element = lower_bound(known.begin(), known.end(), atomicNumber);
        elements.push_back(static_cast<int>(element - known.begin()));
    }
    return elements;
}

} // namespace PaiNNPlugin
