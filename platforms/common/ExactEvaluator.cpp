// SPDX-License-Identifier: MIT
#include "ExactEvaluator.h"
#include <algorithm>

using namespace std;

namespace PaiNNPlugin {

ExactEvaluator::ExactEvaluator(shared_ptr<const NetworkParameters> parameters, const vector<int>& elements,
                               const vector<int>& subsystems)
    : network(move(parameters)) {
    const int n = static_cast<int>(subsystems.size());
    for (int i = 0; i < n; i++)
        if (i == 0 || subsystems[i] != subsystems[i - 1])
            first.push_back(i);
    first.push_back(n);
    setElements(elements);
}

void ExactEvaluator::setElements(const vector<int>& all) {
    elements.clear();
    for (size_t i = 0; i + 1 < first.size(); i++)
        elements.emplace_back(all.begin() + first[i], all.begin() + first[i + 1]);
}

void ExactEvaluator::evaluate(const vector<double>& positions, const Box* boxes, const vector<char>& active,
                              vector<double>& atomEnergies, vector<double>* forces) {
    const int n = first.back();
    atomEnergies.assign(n, 0.0);
    if (forces != nullptr)
        forces->assign(3 * n, 0.0);
    for (size_t i = 0; i < elements.size(); i++) {
        if (!active[i])
            continue;
        x.assign(positions.begin() + 3 * first[i], positions.begin() + 3 * first[i + 1]);
        try {
            network.evaluate(elements[i], x, boxes == nullptr ? nullptr : boxes + i, energies,
                             forces == nullptr ? nullptr : &forcesOf);
        }
        catch (const CoincidentAtoms& e) {
            throw CoincidentAtoms{first[i] + e.atom1, first[i] + e.atom2};
        }
        copy(energies.begin(), energies.end(), atomEnergies.begin() + first[i]);
        if (forces != nullptr)
            copy(forcesOf.begin(), forcesOf.end(), forces->begin() + 3 * first[i]);
    }
}

} // namespace PaiNNPlugin
