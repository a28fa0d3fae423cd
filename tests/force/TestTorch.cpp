// SPDX-License-Identifier: MIT
// What is particular to the LibTorch engine; what it shares with the kernels is in the other tests
// (PAINN_TORCH_PLATFORMS), and what concerns Python's process in tests/python/test_torch_engine_process.py.
#include "ForceTest.h"
#include "NetworkParameters.h"

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

class TorchEngine : public ::testing::Test {
protected:
    void SetUp() override {
        if (!getTorchVersion().empty())
            return;
        if (getenv("PAINN_REQUIRE_TORCH") != nullptr)
            FAIL() << "this build has no LibTorch engine";
        GTEST_SKIP() << "this build has no LibTorch engine, since CMake found no PyTorch";
    }
};

// A PyTorch without CUDA, or without such a device.
TEST_F(TorchEngine, refusesADeviceThatIsNotThere) {
    TorchOptions options;
    options.cudaDevice = 99;
    string message;
    try {
        loadTorchEngine()(makeModel().getParameters(), {0, 1}, {0, 0}, options);
    }
    catch (const exception& e) {
        message = e.what();
    }
    const bool noCuda =
        message.find("is one for processors only, but the Context is on CUDA: install the torch==" + getTorchVersion() +
                     " that is built for CUDA") != string::npos;
    const bool noDevice = message.find("is on CUDA's device 99, but PyTorch sees ") != string::npos;
    EXPECT_TRUE(noCuda || noDevice) << message;
    EXPECT_EQ(message.find('\n'), string::npos) << message;
}

TEST_F(TorchEngine, anotherMethodIsRefused) {
    PaiNNStudentForce force(makeModel());
    EXPECT_EQ(force.getEvaluationMethod(), PaiNNStudentForce::Kernels);
    EXPECT_MESSAGE(force.setEvaluationMethod(static_cast<PaiNNStudentForce::EvaluationMethod>(2)),
                   "the evaluation method is 2; it must be Kernels (0) or LibTorch (1)");
}

TEST_F(TorchEngine, worksBesideKernelsInOneSystem) {
    loadPlugins();
    PaiNNStudentModel model = makeModel();
    Cluster cluster(10);
    System system;
    addParticles(system, 10);
    PaiNNStudentForce* forces[2];
    for (int i = 0; i < 2; i++) {
        forces[i] = makeForce(model, cluster);
        forces[i]->setEvaluationMethod(i == 0 ? PaiNNStudentForce::LibTorch : PaiNNStudentForce::Kernels);
        forces[i]->setForceGroup(i);
        system.addForce(forces[i]);
    }
    VerletIntegrator integrator(0.001);
    Context context(system, integrator, Platform::getPlatformByName("Reference"));
    context.setPositions(cluster.positions);
    EXPECT_NEAR(getEnergy(context, 1), getEnergy(context, 2), 1e-9);
    EXPECT_TRUE(arraysAgree(getForces(context, 2), getForces(context, 1), DOUBLE.largest));
    EXPECT_NEAR(getEnergy(context), 2 * getEnergy(context, 2), 1e-9);
}

} // namespace PaiNNPlugin
