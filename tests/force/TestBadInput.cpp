// SPDX-License-Identifier: MIT
// Wrong use of the Force: each mistake gets a sentence that names the argument, what was found and what is allowed.
#include "ForceTest.h"
#include "internal/OpenMMVersion.h"

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

/** What a user does wrong with a force of four particles, and what the message has to say. */
struct Mistake {
    const char* name;
    void (*make)(PaiNNStudentForce& force);
    const char* message;
};

void PrintTo(const Mistake& mistake, ostream* out) {
    *out << mistake.name;
}

// Found by a setter or, at the latest, when a Context is made.
const Mistake mistakes[] = {
    {"negativeParticle", [](PaiNNStudentForce& f) { f.addParticle(-1, 1); }, "particle is -1"},
    {"particleBeyondSystem", [](PaiNNStudentForce& f) { f.addParticle(6, 1); },
     "entry 4 is particle 6, but the System has only 6"},
    {"particleFarBeyondSystem", [](PaiNNStudentForce& f) { f.addParticle(2147483647, 1); },
     "entry 4 is particle 2147483647"},
    {"duplicate", [](PaiNNStudentForce& f) { f.addParticle(2, 1); }, "particle 2 was added twice, as entries 2 and 4"},
    {"duplicateInOtherSubsystem", [](PaiNNStudentForce& f) { f.addParticle(0, 1, 9); },
     "particle 0 was added twice, as entries 0 and 4"},
    {"unknownElement", [](PaiNNStudentForce& f) { f.addParticle(4, 17); },
     "atomicNumber is 17 for particle 4, but the model has only the elements 1, 6, 7, 8"},
    {"elementZero", [](PaiNNStudentForce& f) { f.addParticle(4, 0); }, "atomicNumber is 0"},
    {"negativeElement", [](PaiNNStudentForce& f) { f.addParticle(4, -6); }, "atomicNumber is -6"},
    {"elementBetween", [](PaiNNStudentForce& f) { f.addParticle(4, 5); }, "atomicNumber is 5"},
    {"negativeSubsystem", [](PaiNNStudentForce& f) { f.addParticle(4, 1, -1); },
     "subsystem is -1, allowed are 0 to 1000000"},
    {"hugeSubsystem", [](PaiNNStudentForce& f) { f.addParticle(4, 1, 1000001); }, "subsystem is 1000001"},
    {"setIndexNegative", [](PaiNNStudentForce& f) { f.setParticleParameters(-1, 0, 1); },
     "index is -1, but the force has 4 particles"},
    {"setIndexTooBig", [](PaiNNStudentForce& f) { f.setParticleParameters(4, 0, 1); },
     "index is 4, but the force has 4 particles"},
    {"setUnknownElement", [](PaiNNStudentForce& f) { f.setParticleParameters(0, 0, 9); }, "atomicNumber is 9"},
    {"setDuplicate", [](PaiNNStudentForce& f) { f.setParticleParameters(3, 1, 6); }, "particle 1 was added twice"},
    {"getIndexTooBig",
     [](PaiNNStudentForce& f) {
         int i, j, k;
         f.getParticleParameters(7, i, j, k);
     },
     "index is 7"},
    {"bondNegative", [](PaiNNStudentForce& f) { f.addBond(0, -2); }, "particle2 is -2"},
    {"bondToItself", [](PaiNNStudentForce& f) { f.addBond(3, 3); }, "particle1 and particle2 are both 3"},
    {"bondBeyondSystem", [](PaiNNStudentForce& f) { f.addBond(0, 6); }, "an end of bond 0 is particle 6"},
    {"bondIndex", [](PaiNNStudentForce& f) { f.setBondParameters(0, 0, 1); }, "index is 0, but the force has 0 bonds"},
    {"bondGetIndex",
     [](PaiNNStudentForce& f) {
         int i, j;
         f.getBondParameters(-1, i, j);
     },
     "index is -1"},
    {"scaleUndefined", [](PaiNNStudentForce& f) { f.setSubsystemScale(0, "lambda"); },
     "subsystem 0 is scaled by 'lambda', which is not a global parameter"},
    {"scaleWithoutParticles",
     [](PaiNNStudentForce& f) {
         f.addGlobalParameter("lambda", 1);
         f.setSubsystemScale(3, "lambda");
     },
     "no particle belongs to it"},
    {"scaleNegativeSubsystem", [](PaiNNStudentForce& f) { f.setSubsystemScale(-3, "lambda"); }, "subsystem is -3"},
    {"scaleRenamed",
     [](PaiNNStudentForce& f) {
         f.addGlobalParameter("a", 1);
         f.setSubsystemScale(0, "a");
         f.setGlobalParameterName(0, "b");
     },
     "is scaled by 'a', which is not a global parameter"},
    {"parameterTwice",
     [](PaiNNStudentForce& f) {
         f.addGlobalParameter("a", 1);
         f.addGlobalParameter("a", 2);
     },
     "a global parameter of this name already"},
    {"parameterRenamedToOther",
     [](PaiNNStudentForce& f) {
         f.addGlobalParameter("a", 1);
         f.addGlobalParameter("b", 2);
         f.setGlobalParameterName(1, "a");
     },
     "a global parameter of this name already"},
    {"parameterUnnamed", [](PaiNNStudentForce& f) { f.addGlobalParameter("", 1); },
     "name of a global parameter is empty"},
    {"parameterNaN", [](PaiNNStudentForce& f) { f.addGlobalParameter("a", NAN); }, "must be finite"},
    {"parameterInfinite",
     [](PaiNNStudentForce& f) {
         f.addGlobalParameter("a", 1);
         f.setGlobalParameterDefaultValue(0, INFINITY);
     },
     "must be finite"},
    {"parameterIndex", [](PaiNNStudentForce& f) { f.getGlobalParameterName(0); },
     "index is 0, but the force has 0 global parameters"},
    {"derivativeUndefined", [](PaiNNStudentForce& f) { f.addEnergyParameterDerivative("a"); },
     "name is 'a', which is not a global parameter"},
    {"derivativeRenamed",
     [](PaiNNStudentForce& f) {
         f.addGlobalParameter("a", 1);
         f.addEnergyParameterDerivative("a");
         f.setGlobalParameterName(0, "b");
     },
     "the derivative by 'a' was requested"},
    {"derivativeIndex", [](PaiNNStudentForce& f) { f.getEnergyParameterDerivativeName(2); },
     "index is 2, but the force has 0 energy parameter derivatives"},
    {"forceGroup", [](PaiNNStudentForce& f) { f.setForceGroup(32); }, "Force group"},
};

class Mistakes : public ::testing::TestWithParam<Mistake> {};

TEST_P(Mistakes, areExplained) {
    loadPlugins();
    for (const string name : {"Reference", "CPU"}) // the two that every OpenMM has
        EXPECT_MESSAGE(
            {
                System system;
                addParticles(system, 6);
                PaiNNStudentForce* force = makeForce(makeModel(), Cluster(4));
                system.addForce(force);
                GetParam().make(*force);
                VerletIntegrator integrator(0.001);
                Context context(system, integrator, Platform::getPlatform(name));
            },
            GetParam().message)
            << " on " << name;
}

INSTANTIATE_TEST_SUITE_P(All, Mistakes, ::testing::ValuesIn(mistakes),
                         [](const auto& info) { return string(info.param.name); });

TEST(Mistakes, emptyForceIsRefused) {
    loadPlugins();
    for (const string name : {"Reference", "CPU"})
        EXPECT_MESSAGE(
            {
                System system;
                addParticles(system, 2);
                system.addForce(newForce(makeModel()));
                VerletIntegrator integrator(0.001);
                Context context(system, integrator, Platform::getPlatform(name));
            },
            "the force has no particles")
            << " on " << name;
}

TEST(Mistakes, aFailedSetterChangesNothing) {
    PaiNNStudentForce force(makeModel());
    force.addParticle(3, 6, 2);
    EXPECT_MESSAGE(force.setParticleParameters(0, 4, 99, 5), "atomicNumber is 99");
    EXPECT_MESSAGE(force.addParticle(4, 99), "atomicNumber is 99");
    EXPECT_EQ(1, force.getNumParticles());
    int particle, atomicNumber, subsystem;
    force.getParticleParameters(0, particle, atomicNumber, subsystem);
    EXPECT_EQ(3, particle);
    EXPECT_EQ(6, atomicNumber);
    EXPECT_EQ(2, subsystem);
    EXPECT_EQ(3, force.getNumSubsystems());
}

TEST(Mistakes, otherVersionsOfOpenMMAreRecognised) {
    for (const char* version : {"8.6", "8.6.1", "8.6.0.dev-1234567"})
        EXPECT_TRUE(isSupportedOpenMM(version)) << version;
    for (const char* version : {"8.5.1", "8.60", "8.7", "9.0", "", "8", "18.6"})
        EXPECT_FALSE(isSupportedOpenMM(version)) << version;
}

} // namespace PaiNNPlugin
