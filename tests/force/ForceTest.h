// SPDX-License-Identifier: MIT
#ifndef PAINN_TESTS_FORCETEST_H_
#define PAINN_TESTS_FORCETEST_H_

#include "../Compare.h"
#include "Cluster.h"
#include <filesystem>
#include <iostream>
#include <memory>

/** What the tests of the Force share: platforms, what is expected of each, and Contexts on them. */
namespace PaiNNPlugin {

/** OpenMM's own plugins, then ours of this build: an installed copy of ours beside OpenMM's is left alone. */
inline void loadPlugins() {
    static bool loaded = false;
    if (loaded)
        return;
    loaded = true;
    std::vector<std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(PAINN_OPENMM_PLUGIN_DIR))
        for (const char* name : {"OpenMMCPU.", "OpenMMPME.", "OpenMMOpenCL.", "OpenMMCUDA.", "OpenMMHIP."})
            if (entry.path().filename().string().find(name) != std::string::npos)
                files.push_back(entry.path().string());
    // As OpenMM does: a plugin comes after the shorter names that it builds on.
    std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.size() < b.size(); });
    for (const std::string& file : files)
        try {
            OpenMM::Platform::loadPluginLibrary(file);
        }
        catch (const OpenMM::OpenMMException& e) {
            std::cout << e.what() << std::endl; // e.g. no driver for a platform, which is then skipped
        }
    OpenMM::Platform::loadPluginsFromDirectory(PAINN_PLUGIN_DIR);
    for (const std::string& failure : OpenMM::Platform::getPluginLoadFailures())
        ADD_FAILURE() << failure;
}

/** What is expected of a platform. */
struct PlatformTraits {
    const char* name;
    bool isExact;    ///< the exact network in double precision; otherwise filters from tables, in single precision
    bool isOnHost;   ///< works on OpenMM's own arrays; otherwise forces are summed in steps of 2^-32 kJ/mol/nm
    bool isHostCopy; ///< has no kernel of its own: no parameter derivatives
};

inline const PlatformTraits PLATFORMS[] = {
    {"Reference", true, true, false}, {"CPU", false, true, false}, {"OpenCL", false, false, true}};

inline void PrintTo(const PlatformTraits& traits, std::ostream* out) {
    *out << traits.name;
}

/** A suite that runs on every platform. A platform that is not there is skipped, and that is said. */
class PlatformTest : public ::testing::TestWithParam<PlatformTraits> {
protected:
    void SetUp() override {
        loadPlugins();
        for (int i = 0; i < OpenMM::Platform::getNumPlatforms(); i++)
            if (OpenMM::Platform::getPlatform(i).getName() == GetParam().name)
                platform = &OpenMM::Platform::getPlatform(i);
        if (platform == nullptr)
            GTEST_SKIP() << "this OpenMM has no platform " << GetParam().name;
        // Some installations have the platform but no device.
        OpenMM::System system;
        system.addParticle(1);
        OpenMM::VerletIntegrator integrator(0.001);
        try {
            OpenMM::Context context(system, integrator, *platform, getProperties());
        }
        catch (const OpenMM::OpenMMException& e) {
            GTEST_SKIP() << "no Context on " << GetParam().name << ": " << e.what();
        }
    }
    bool isExact() const {
        return GetParam().isExact;
    }
    bool isOnHost() const {
        return GetParam().isOnHost;
    }
    bool hasThreads() const {
        return platform->getName() == "CPU";
    }
    /** Double precision of the platform itself, so that only the network's own precision counts. */
    std::map<std::string, std::string> getProperties() const {
        std::map<std::string, std::string> properties;
        if (!isOnHost())
            properties["Precision"] = "double";
        return properties;
    }
    /**
     * How far an energy may be from that of the exact network, kJ/mol: in single precision the 2e-5 kJ/mol an atom of
     * reliability row 2, for models with energies like those of makeModel().
     *
     * @param numAtoms   that contribute to the energy
     * @param exact      allowed on an exact platform, kJ/mol
     */
    double getTolerance(double numAtoms, double exact) const {
        return isExact() ? exact : std::max(exact, 2e-5 * numAtoms);
    }
    /** Whether forces are those of the exact network; on an exact platform to a part of their RMS. */
    ::testing::AssertionResult forcesAgree(const std::vector<double>& expected, const std::vector<double>& found,
                                           double exact = 1e-12) const {
        const double rms = difference(expected, expected).rms;
        const double step = (isOnHost() || rms == 0 ? 0 : 5e-10 / rms);
        if (isExact())
            return arraysAgree(expected, found, exact + step);
        const double median = difference(expected, found).median;
        if (median > 2e-6 + step)
            return ::testing::AssertionFailure() << "median difference " << median << " of RMS " << rms;
        return arraysAgree(expected, found, 3e-5 + step);
    }
    std::unique_ptr<OpenMM::Context> makeContext(const OpenMM::System& system, OpenMM::Integrator& integrator) const {
        return std::make_unique<OpenMM::Context>(system, integrator, *platform, getProperties());
    }
    /** A Context at the positions of a cluster, and what it needs. */
    struct Simulation {
        OpenMM::System system;
        PaiNNStudentForce* force = nullptr; // owned by the System
        std::unique_ptr<OpenMM::Integrator> integrator;
        std::unique_ptr<OpenMM::Context> context;
    };
    /** The usual: one force for all particles of the System, which are the atoms of a cluster; by default Verlet. */
    std::unique_ptr<Simulation> simulate(const PaiNNStudentModel& model, const Cluster& cluster,
                                         std::unique_ptr<OpenMM::Integrator> integrator = nullptr) const {
        auto result = std::make_unique<Simulation>();
        addParticles(result->system, cluster.size());
        result->force = makeForce(model, cluster);
        result->system.addForce(result->force);
        result->integrator = std::move(integrator);
        if (result->integrator == nullptr)
            result->integrator = std::make_unique<OpenMM::VerletIntegrator>(0.001);
        result->context = makeContext(result->system, *result->integrator);
        result->context->setPositions(cluster.positions);
        return result;
    }
    OpenMM::Platform* platform = nullptr;
};

#define PAINN_ALL_PLATFORMS(suite)                                                                                     \
    INSTANTIATE_TEST_SUITE_P(Platforms, suite, ::testing::ValuesIn(PLATFORMS),                                         \
                             [](const auto& info) { return std::string(info.param.name); })

inline double getEnergy(OpenMM::Context& context, int groups = -1) {
    return context.getState(OpenMM::State::Energy, false, groups).getPotentialEnergy();
}

inline std::vector<double> getForces(OpenMM::Context& context, int groups = -1) {
    return flatten(context.getState(OpenMM::State::Forces, false, groups).getForces());
}

/** The message of the OpenMMException that a call throws; fails if it throws none or another one. */
template <class Call> std::string getMessage(Call call) {
    try {
        call();
    }
    catch (const OpenMM::OpenMMException& e) {
        return e.what();
    }
    ADD_FAILURE() << "no exception";
    return "";
}

/** Check that a call throws an OpenMMException whose message holds a text. */
#define EXPECT_MESSAGE(call, text)                                                                                     \
    EXPECT_NE(getMessage([&] { call; }).find(text), std::string::npos) << getMessage([&] { call; })

} // namespace PaiNNPlugin

#endif
