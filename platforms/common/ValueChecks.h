// SPDX-License-Identifier: MIT
#ifndef PAINN_VALUE_CHECKS_H_
#define PAINN_VALUE_CHECKS_H_

#include "openmm/Vec3.h"
#include <map>
#include <string>

/** The sentences that all platforms have for values that they cannot work with, thrown as OpenMM::OpenMMException. */
namespace PaiNNPlugin {

/** Beyond this, nm, neighbouring doubles are so far apart (1.5e-8 nm) that distances mean nothing. */
inline constexpr double LARGEST_COORDINATE = 1e8;

/** Whether a position can be worked with. */
bool isUsable(const OpenMM::Vec3& position);

/** A value of one particle that came out wrong. */
struct ParticleValue {
    const char* name;    ///< "energy of" or "force on"
    const char* units;   ///< of the value
    double largest;      ///< that can be trusted; the largest double if all can
    const char* limitOf; ///< what does not allow more, e.g. "of single precision"
};

[[noreturn]] void failAtPosition(int particle, const OpenMM::Vec3& position);
[[noreturn]] void failAtSamePlace(int particle1, int particle2, const OpenMM::Vec3& position);
[[noreturn]] void failForMemory(int numParticles);
[[noreturn]] void failAtValue(const ParticleValue& value, int particle, const OpenMM::Vec3& position);

/**
 * Get the scale of a subsystem.
 *
 * @param name         the global parameter, "" for a scale of 1
 * @param parameters   the global parameters of the Context
 */
double findScale(const std::string& name, const std::map<std::string, double>& parameters);

} // namespace PaiNNPlugin

#endif
