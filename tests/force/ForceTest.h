// SPDX-License-Identifier: MIT
#ifndef PAINN_TESTS_FORCETEST_H_
#define PAINN_TESTS_FORCETEST_H_

#include "../Compare.h"
#include "Cluster.h"
#include "internal/TorchEngine.h"
#include <cstdlib>
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
    bool hasCuda = false;
    for (int i = 0; i < OpenMM::Platform::getNumPlatforms(); i++)
        hasCuda = hasCuda || OpenMM::Platform::getPlatform(i).getName() == "CUDA";
    for (const std::string& failure : OpenMM::Platform::getPluginLoadFailures())
        if (!hasCuda && failure.find("libOpenMMPaiNNCUDA.so: ") != std::string::npos)
            std::cout << failure << std::endl; // without OpenMM's own plugin for CUDA, or a driver
        else
            ADD_FAILURE() << failure;
}

/** How far forces and energies may be from those of the exact network. */
struct Bars {
    double largest, median; ///< forces, of their RMS
    double energy;          ///< kJ/mol an atom
};
inline constexpr Bars EXACT = {0, 0, 0}, SINGLE = {3e-5, 2e-6, 2e-5};
/** Double precision with filters from tables. */
inline constexpr Bars DOUBLE = {1e-11, 2e-12, 1e-10};

/** What is expected of a platform. */
struct PlatformTraits {
    const char *name, *platform;
    const char* precision; ///< property of the platform, "" if it has none
    Bars bars;
    bool isOnHost;  ///< works on OpenMM's own arrays; otherwise forces are summed in steps of 2^-32 kJ/mol/nm
    bool hasNative; ///< has a kernel of its own, not that of the CPU through a host copy
    PaiNNStudentForce::EvaluationMethod method = PaiNNStudentForce::Kernels;
};

// OpenCL in double precision, so that only the network's own counts.
inline const PlatformTraits PLATFORMS[] = {
    {"Reference", "Reference", "", EXACT, true, true},    {"CPU", "CPU", "", SINGLE, true, true},
    {"OpenCL", "OpenCL", "double", SINGLE, false, false}, {"CUDASingle", "CUDA", "single", SINGLE, false, true},
    {"CUDAMixed", "CUDA", "mixed", SINGLE, false, true},  {"CUDADouble", "CUDA", "double", DOUBLE, false, true}};

/** The LibTorch engine (reliability row 4). */
inline const PlatformTraits TORCH_PLATFORMS[] = {
    {"ReferenceTorch", "Reference", "", DOUBLE, true, true, PaiNNStudentForce::LibTorch},
    {"CPUTorch", "CPU", "", SINGLE, true, true, PaiNNStudentForce::LibTorch},
    {"CUDASingleTorch", "CUDA", "single", SINGLE, false, true, PaiNNStudentForce::LibTorch},
    {"CUDAMixedTorch", "CUDA", "mixed", SINGLE, false, true, PaiNNStudentForce::LibTorch},
    {"CUDADoubleTorch", "CUDA", "double", DOUBLE, false, true, PaiNNStudentForce::LibTorch}};

/** The same through a copy on the host, which is how CUDA has it too. */
inline const PlatformTraits TORCH_COPY_PLATFORMS[] = {
    {"OpenCLTorch", "OpenCL", "double", SINGLE, false, false, PaiNNStudentForce::LibTorch}};

inline void PrintTo(const PlatformTraits& traits, std::ostream* out) {
    *out << traits.name;
}

/** A suite that runs on every platform. A platform that is not there is skipped, and that is said. */
class PlatformTest : public ::testing::TestWithParam<PlatformTraits> {
protected:
    void SetUp() override {
        loadPlugins();
        roundsPositions = std::string(GetParam().precision) == "single";
        for (int i = 0; i < OpenMM::Platform::getNumPlatforms(); i++)
            if (OpenMM::Platform::getPlatform(i).getName() == GetParam().platform)
                platform = &OpenMM::Platform::getPlatform(i);
        std::string missing;
        if (platform == nullptr)
            missing = "this OpenMM has no platform " + std::string(GetParam().platform);
        else
            try { // Some installations have the platform but no device.
                OpenMM::System system;
                system.addParticle(1);
                OpenMM::VerletIntegrator integrator(0.001);
                OpenMM::Context context(system, integrator, *platform, getProperties());
            }
            catch (const OpenMM::OpenMMException& e) {
                missing = std::string("no Context on ") + GetParam().name + ": " + e.what();
            }
        if (missing.empty() && isTorch() && getTorchVersion().empty()) {
            missing = "this build has no LibTorch engine, since CMake found no PyTorch";
            if (std::getenv("PAINN_REQUIRE_TORCH") != nullptr)
                FAIL() << missing;
        }
        evaluationMethod = GetParam().method;
        if (!missing.empty() && isCuda() && std::getenv("PAINN_REQUIRE_CUDA") != nullptr)
            FAIL() << missing;
        if (!missing.empty())
            GTEST_SKIP() << missing;
    }
    void TearDown() override {
        roundsPositions = false;
        evaluationMethod = PaiNNStudentForce::Kernels;
    }
    bool isTorch() const {
        return GetParam().method == PaiNNStudentForce::LibTorch;
    }
    /** Whether the same evaluation gives the same bits again: PyTorch's sums on a GPU have no fixed order. */
    bool repeatsBits() const {
        return !isTorch() || !isCuda();
    }
    /** How far an energy may be from that of the same evaluation before, kJ/mol. */
    double getNoise(double numAtoms) const {
        return repeatsBits() ? 0 : getTolerance(numAtoms, 0);
    }
    bool isCuda() const {
        return std::string(GetParam().platform) == "CUDA";
    }
    bool isSingle() const {
        return std::string(GetParam().precision) == "single";
    }
    bool hasNative() const {
        return GetParam().hasNative;
    }
    bool isExact() const {
        return GetParam().bars.largest == 0;
    }
    bool isOnHost() const {
        return GetParam().isOnHost;
    }
    bool hasThreads() const {
        return platform->getName() == "CPU";
    }
    std::map<std::string, std::string> getProperties() const {
        std::map<std::string, std::string> properties;
        if (*GetParam().precision != 0)
            properties["Precision"] = GetParam().precision;
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
        return std::max(exact, GetParam().bars.energy * numAtoms);
    }
    /**
     * Whether forces are those of the exact network; on an exact platform to a part of their RMS.
     *
     * @param slack   kJ/mol/nm, allowed on other platforms besides
     */
    ::testing::AssertionResult forcesAgree(const std::vector<double>& expected, const std::vector<double>& found,
                                           double exact = 1e-12, double slack = 0) const {
        const double rms = difference(expected, expected).rms;
        const double step = (isOnHost() || rms == 0 ? 0 : 5e-10 / rms) + (isExact() || rms == 0 ? 0 : slack / rms);
        const Bars& bars = GetParam().bars;
        const double median = difference(expected, found).median;
        if (!isExact() && median > bars.median + step)
            return ::testing::AssertionFailure() << "median difference " << median << " of RMS " << rms;
        return arraysAgree(expected, found, (isExact() ? exact : bars.largest) + step);
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

/** At the beginning of a test of bits. */
#define PAINN_NEEDS_BITS()                                                                                             \
    if (!repeatsBits())                                                                                                \
    GTEST_SKIP() << "PyTorch's sums on a GPU have no fixed order"

/** At the beginning of a test that takes PyTorch 10 s and more. */
#define PAINN_SLOW_WITH_TORCH()                                                                                        \
    if (isTorch() && std::getenv("PAINN_LONG_TESTS") == nullptr)                                                       \
    GTEST_SKIP() << "slow with PyTorch: part of make test-long"

#define PAINN_ALL_PLATFORMS(suite)                                                                                     \
    INSTANTIATE_TEST_SUITE_P(Platforms, suite, ::testing::ValuesIn(PLATFORMS),                                         \
                             [](const auto& info) { return std::string(info.param.name); })

/** The same suite with the LibTorch engine. */
#define PAINN_TORCH_PLATFORMS(suite)                                                                                   \
    INSTANTIATE_TEST_SUITE_P(LibTorch, suite, ::testing::ValuesIn(TORCH_PLATFORMS),                                    \
                             [](const auto& info) { return std::string(info.param.name); })

/** Likewise through a copy on the host. */
#define PAINN_TORCH_COPY_PLATFORMS(suite)                                                                              \
    INSTANTIATE_TEST_SUITE_P(LibTorchCopy, suite, ::testing::ValuesIn(TORCH_COPY_PLATFORMS),                           \
                             [](const auto& info) { return std::string(info.param.name); })

/** The same suite on CUDA alone, in every precision. */
#define PAINN_CUDA_PLATFORMS(suite)                                                                                    \
    INSTANTIATE_TEST_SUITE_P(Platforms, suite, ::testing::ValuesIn(std::end(PLATFORMS) - 3, std::end(PLATFORMS)),      \
                             [](const auto& info) { return std::string(info.param.name); })

inline double getEnergy(OpenMM::Context& context, int groups = -1) {
    return context.getState(OpenMM::State::Energy, false, groups).getPotentialEnergy();
}

inline std::vector<double> getForces(OpenMM::Context& context, int groups = -1) {
    return flatten(context.getState(OpenMM::State::Forces, false, groups).getForces());
}

/**
 * As getForces(), but of the platform's own kind of exception: CUDA reports a force that is not finite, or a bad
 * position, not before the next evaluation, if no energy is asked for.
 */
inline std::vector<double> getCheckedForces(OpenMM::Context& context) {
    if (context.getPlatform().getName() == "CUDA")
        getForces(context);
    return getForces(context);
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
