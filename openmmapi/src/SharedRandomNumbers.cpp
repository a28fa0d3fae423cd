// SPDX-License-Identifier: MIT
#include "SharedRandomNumbers.h"
#include "openmm/CompoundIntegrator.h"
#include "openmm/CustomIntegrator.h"
#include "openmm/MonteCarloAnisotropicBarostat.h"
#include "openmm/MonteCarloBarostat.h"
#include "openmm/MonteCarloFlexibleBarostat.h"
#include "openmm/MonteCarloMembraneBarostat.h"
#include "openmm/QTBIntegrator.h"

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

namespace {

template <class... Classes, class Base> bool isOneOf(const Base& object) {
    return ((dynamic_cast<const Classes*>(&object) != nullptr) || ...);
}

} // namespace

bool sharesRandomNumbers(const Integrator& integrator) {
    if (auto compound = dynamic_cast<const CompoundIntegrator*>(&integrator)) {
        for (int i = 0; i < compound->getNumIntegrators(); i++)
            if (sharesRandomNumbers(compound->getIntegrator(i)))
                return true;
        return false;
    }
    return isOneOf<CustomIntegrator, QTBIntegrator>(integrator);
}

bool sharesRandomNumbers(const System& system) {
    for (int i = 0; i < system.getNumForces(); i++)
        if (isOneOf<MonteCarloBarostat, MonteCarloAnisotropicBarostat, MonteCarloFlexibleBarostat,
                    MonteCarloMembraneBarostat>(system.getForce(i)))
            return true;
    return false;
}

} // namespace PaiNNPlugin
