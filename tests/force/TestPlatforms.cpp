// SPDX-License-Identifier: MIT
// Which kernel each platform has, and which network it evaluates: the exact one or the fast one. Seen from outside, by
// the size of its errors and by what it obeys.
#include "ForceTest.h"
#include "openmm/Kernel.h"
#include "openmm/internal/ContextImpl.h"
#include "openmm/internal/ForceImpl.h"
#include <cstdlib>
#include <fstream>
#include <typeinfo>

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

namespace {

/** An environment variable, until the end of the scope. */
class Environment {
public:
    Environment(const char* name, const char* value) : name(name) {
        const char* present = getenv(name);
        if (present != nullptr)
            before = present;
        wasSet = (present != nullptr);
        setenv(name, value, 1);
    }
    ~Environment() {
        if (wasSet)
            setenv(name, before.c_str(), 1);
        else
            unsetenv(name);
    }

private:
    const char* name;
    string before;
    bool wasSet;
};

} // namespace

/** The molecule that the bundled student was trained for: the atoms of a PDB file. */
static Cluster readAlanineDipeptide() {
    Cluster cluster(0);
    ifstream file(string(PAINN_MODELS) + "/../examples/data/alanine_dipeptide.pdb");
    const map<string, int> known = {{"H", 1}, {"C", 6}, {"N", 7}, {"O", 8}};
    for (string line; getline(file, line);)
        if (line.substr(0, 4) == "ATOM") {
            Vec3 x;
            for (int k = 0; k < 3; k++)
                x[k] = 0.1 * stod(line.substr(30 + 8 * k, 8));
            cluster.positions.push_back(x);
            cluster.elements.push_back(known.at(line.substr(77, 1)));
        }
    return cluster;
}

class Platforms : public PlatformTest {
protected:
    vector<double> computeForces(const PaiNNStudentModel& model, const Cluster& cluster) const {
        System system;
        addParticles(system, cluster.size());
        system.addForce(makeForce(model, cluster));
        VerletIntegrator integrator(0.001);
        auto context = makeContext(system, integrator);
        context->setPositions(cluster.positions);
        return getForces(*context);
    }
};

/** A force that does nothing but ask the platform for our kernel, to see of which class it is. */
class KernelAsker : public Force {
public:
    mutable string found; ///< name of the class, as the compiler writes it

protected:
    class Impl : public ForceImpl {
    public:
        explicit Impl(const KernelAsker& owner) : owner(owner) {}
        void initialize(ContextImpl& context) override {
            Kernel kernel = context.getPlatform().createKernel("CalcPaiNNStudentForce", context);
            const KernelImpl& implementation = kernel.getImpl();
            owner.found = typeid(implementation).name();
        }
        const Force& getOwner() const override {
            return owner;
        }
        void updateContextState(ContextImpl&, bool&) override {}
        double calcForcesAndEnergy(ContextImpl&, bool, bool, int) override {
            return 0;
        }
        map<string, double> getDefaultParameters() override {
            return {};
        }
        vector<string> getKernelNames() override {
            return {"CalcPaiNNStudentForce"};
        }

    private:
        const KernelAsker& owner;
    };
    ForceImpl* createImpl() const override {
        return new Impl(*this);
    }
};

TEST_P(Platforms, hasTheKernelThatIsMeantForIt) {
    System system;
    addParticles(system, 2);
    KernelAsker* asker = new KernelAsker();
    system.addForce(asker);
    VerletIntegrator integrator(0.001);
    auto context = makeContext(system, integrator);
    const string expected = isCuda() ? "Cuda" : isOnHost() ? "Host" : "HostCopy";
    EXPECT_NE(asker->found.find(to_string(expected.size() + 27) + expected + "CalcPaiNNStudentForceKernel"),
              string::npos)
        << asker->found;
}

TEST_P(Platforms, precisionIsThatOfTheKernel) {
    PaiNNStudentModel model = makeModel();
    Cluster cluster(20);
    Exact exact(model, cluster);
    Difference d = difference(exact.forces, computeForces(model, cluster));
    ASSERT_TRUE(d.finite);
    if (isExact()) {
        EXPECT_LT(d.max, 1e-12);
    }
    else {
        EXPECT_GT(d.max, GetParam().bars.largest * 1e-3); // tables, or rounding to single precision, show
        EXPECT_LT(d.max, GetParam().bars.largest);
        EXPECT_LT(d.median, GetParam().bars.median);
    }
}

// Reference and CUDA have kernels that know nothing of it.
TEST_P(Platforms, onlyTheFastNetworkObeysTheInstructionSet) {
    PaiNNStudentModel model = makeModel();
    Cluster cluster(5);
    {
        Environment simd("PAINN_SIMD", "bad");
        if (isExact() || isCuda()) {
            computeForces(model, cluster);
        }
        else {
            EXPECT_MESSAGE(computeForces(model, cluster), "PAINN_SIMD");
        }
    }
    Environment simd("PAINN_SIMD", "portable");
    EXPECT_TRUE(forcesAgree(Exact(model, cluster).forces, computeForces(model, cluster)));
}

/** 50 distorted geometries of a molecule against the exact network (reliability rows 2 and 3). */
void compareDistorted(Context& context, const PaiNNStudentModel& model, const Cluster& rest, const string& name) {
    vector<double> expected, found;
    double energyError = 0;
    mt19937 random(4);
    for (int frame = 0; frame < 50; frame++) {
        Cluster cluster = rest;
        for (Vec3& p : cluster.positions)
            for (int k = 0; k < 3; k++)
                p[k] += 0.01 * (random() / 2147483648.0 - 1);
        context.setPositions(cluster.positions);
        const Exact exact(model, cluster);
        const vector<double> forces = getForces(context);
        const double error = fabs(getEnergy(context) - exact.energy) / rest.size();
        EXPECT_TRUE(isfinite(error));
        energyError = max(energyError, error);
        expected.insert(expected.end(), exact.forces.begin(), exact.forces.end());
        found.insert(found.end(), forces.begin(), forces.end());
    }
    const Difference d = difference(expected, found);
    EXPECT_TRUE(d.finite);
    EXPECT_LE(energyError, 2e-5) << "kJ/mol an atom";
    EXPECT_LE(d.median, 2e-6) << "of the RMS force";
    EXPECT_LE(d.max, 3e-5) << "of the RMS force";
    cout << name << ": energy " << energyError << " kJ/mol an atom, forces " << d.max << " at most, " << d.median
         << " in the median, of their RMS" << endl;
}

TEST_P(Platforms, trainedStudentIsAccurate) {
    if (!isCuda())
        GTEST_SKIP() << "CPU and what uses its network: see InstructionSets; Reference is the exact network";
    const PaiNNStudentModel model(string(PAINN_MODELS) + "/alanine-dipeptide.safetensors");
    const Cluster rest = readAlanineDipeptide();
    System system;
    addParticles(system, rest.size());
    system.addForce(makeForce(model, rest));
    VerletIntegrator integrator(0.001);
    compareDistorted(*makeContext(system, integrator), model, rest, GetParam().name);
}

PAINN_ALL_PLATFORMS(Platforms);

/** Reliability row 2 on the CPU platform, with every instruction set that PAINN_SIMD can ask for. */
class InstructionSets : public ::testing::TestWithParam<string> {
protected:
    void SetUp() override {
        loadPlugins();
        roundsPositions = false;
    }
    /** @return false if the processor lacks the set */
    bool compare(const PaiNNStudentModel& model, const Cluster& rest) {
        Environment simd("PAINN_SIMD", GetParam().c_str());
        System system;
        addParticles(system, rest.size());
        system.addForce(makeForce(model, rest));
        VerletIntegrator integrator(0.001);
        unique_ptr<Context> context;
        try {
            context = make_unique<Context>(system, integrator, Platform::getPlatform("CPU"));
        }
        catch (const OpenMMException& e) {
            EXPECT_NE(string(e.what()).find("this processor cannot run it"), string::npos) << e.what();
            return false;
        }
        compareDistorted(*context, model, rest, GetParam());
        return true;
    }
};

TEST_P(InstructionSets, trainedStudent) {
    const Cluster molecule = readAlanineDipeptide();
    ASSERT_EQ(22, molecule.size());
    if (!compare(PaiNNStudentModel(string(PAINN_MODELS) + "/alanine-dipeptide.safetensors"), molecule))
        GTEST_SKIP() << "this processor has no " << GetParam();
}

TEST_P(InstructionSets, randomNetworks) {
    for (const char* family : {"student", "canonical"})
        for (int hidden : {8, 64}) {
            ModelOptions options;
            options.family = family;
            options.hidden = hidden;
            options.blocks = 3;
            options.basisSize = 16;
            if (!compare(makeModelFor(Cluster(27), options), Cluster(27)))
                GTEST_SKIP() << "this processor has no " << GetParam();
        }
}

INSTANTIATE_TEST_SUITE_P(All, InstructionSets, ::testing::Values("portable", "avx2", "avx512"),
                         [](const auto& info) { return info.param; });

} // namespace PaiNNPlugin
