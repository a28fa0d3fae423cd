// SPDX-License-Identifier: MIT
#ifndef PAINN_SHARED_RANDOM_NUMBERS_H_
#define PAINN_SHARED_RANDOM_NUMBERS_H_

#include "openmm/Integrator.h"
#include "openmm/System.h"

/** Who draws from the one generator that OpenMM has for the process, on every platform. */
namespace PaiNNPlugin {

bool sharesRandomNumbers(const OpenMM::Integrator& integrator);
bool sharesRandomNumbers(const OpenMM::System& system);

} // namespace PaiNNPlugin

#endif
