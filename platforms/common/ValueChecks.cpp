// SPDX-License-Identifier: MIT
#include "ValueChecks.h"
#include "openmm/OpenMMException.h"
#include <cmath>
#include <limits>
#include <sstream>

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

namespace {

[[noreturn]] void fail(const string& message) {
    throw OpenMMException("PaiNNStudentForce: " + message);
}

string describe(const Vec3& v) {
    ostringstream text;
    text << "(" << v[0] << ", " << v[1] << ", " << v[2] << ")";
    return text.str();
}

} // namespace

// Written so that NaN fails.
bool isUsable(const Vec3& p) {
    return fabs(p[0]) <= LARGEST_COORDINATE && fabs(p[1]) <= LARGEST_COORDINATE && fabs(p[2]) <= LARGEST_COORDINATE;
}

void failAtPosition(int particle, const Vec3& position) {
    fail("the position of particle " + to_string(particle) + " is " + describe(position) +
         " nm, but coordinates must be finite and at most 1e8 nm");
}

void failAtSamePlace(int particle1, int particle2, const Vec3& position) {
    fail("particles " + to_string(particle1) + " and " + to_string(particle2) + " are at the same place, " +
         describe(position) + " nm, where no force exists");
}

void failForMemory(int numParticles) {
    fail("there is not enough memory to evaluate " + to_string(numParticles) + " particles");
}

void failAtValue(const ParticleValue& value, int particle, const Vec3& position) {
    ostringstream limit;
    if (value.largest < numeric_limits<double>::max())
        limit << ", or larger than the " << value.largest << " " << value.units << " " << value.limitOf;
    fail("the " + string(value.name) + " particle " + to_string(particle) + " at " + describe(position) +
         " nm is not finite" + limit.str() + ": it is too close to another particle");
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

} // namespace PaiNNPlugin
