// SPDX-License-Identifier: MIT
// The memory of a GPU: nothing stays behind, and too little of it is an exception (rows 30, 33 of the scoreboard of
// tests). Other programs on the same GPU would disturb these figures, so scripts/test_cuda.sh runs them by themselves.
#include "ForceTest.h"
#include "ProcessResources.h"
#include <dlfcn.h>
#include <functional>
#include <malloc.h>

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

namespace {

/** The first GPU through its driver, in a CUcontext that OpenMM does not use. The headers of CUDA are not needed. */
class Gpu {
public:
    Gpu() {
        library = dlopen("libcuda.so.1", RTLD_NOW);
        if (library == nullptr)
            throw runtime_error("no libcuda.so.1");
        int device = 0;
        check(find<int(unsigned)>("cuInit")(0));
        check(find<int(int*, int)>("cuDeviceGet")(&device, 0));
        check(find<int(void**, int)>("cuDevicePrimaryCtxRetain")(&context, device));
    }
    /** Bytes that nobody has, and all. */
    size_t getFree() {
        size_t free = 0, total = 0;
        inContext([&] { check(find<int(size_t*, size_t*)>("cuMemGetInfo_v2")(&free, &total)); });
        return free;
    }
    /** Take memory until about so many bytes are left. */
    void fill(size_t left) {
        inContext([&] {
            for (size_t piece = size_t(1) << 33; piece >= size_t(1) << 20; piece /= 2)
                while (getFree() > left + piece) {
                    unsigned long long address = 0;
                    if (find<int(unsigned long long*, size_t)>("cuMemAlloc_v2")(&address, piece) != 0)
                        break;
                    ballast.push_back(address);
                }
        });
    }
    void release() {
        inContext([&] {
            for (unsigned long long address : ballast)
                check(find<int(unsigned long long)>("cuMemFree_v2")(address));
        });
        ballast.clear();
    }

private:
    template <class Signature> Signature* find(const char* name) {
        void* function = dlsym(library, name);
        if (function == nullptr)
            throw runtime_error(name);
        return reinterpret_cast<Signature*>(function);
    }
    template <class Use> void inContext(Use use) {
        check(find<int(void*)>("cuCtxPushCurrent_v2")(context));
        use();
        void* popped = nullptr;
        check(find<int(void**)>("cuCtxPopCurrent_v2")(&popped));
    }
    static void check(int result) {
        if (result != 0)
            throw runtime_error("CUDA error " + to_string(result));
    }
    void *library = nullptr, *context = nullptr;
    vector<unsigned long long> ballast;
};

} // namespace

class CudaAlone : public PlatformTest {
protected:
    /** A System of a cluster, with the network or without, as every cycle uses one. */
    static unique_ptr<System> makeSystem(const PaiNNStudentModel& model, const Cluster& cluster, bool withNetwork) {
        auto system = make_unique<System>();
        addParticles(*system, cluster.size());
        if (withNetwork) {
            PaiNNStudentForce* force = makeForce(model, cluster);
            force->addGlobalParameter("scale", 1.0);
            force->setSubsystemScale(0, "scale");
            force->addEnergyParameterDerivative("scale");
            system->addForce(force);
        }
        return system;
    }
    /** What a cycle with the network leaves behind must be what one without leaves: OpenMM's own leave a thread each,
     * for one. */
    static void expectNothingLeft(int numCycles, const function<void(bool withNetwork)>& cycle) {
        // Each thread that OpenMM leaves behind would keep an arena of malloc's, as others left it, until there are
        // eight for each core.
        mallopt(M_ARENA_MAX, 1);
        Gpu gpu;
        struct Growth {
            double deviceBytes, bytes, threads, files;
        } growth[2];
        for (bool withNetwork : {false, true}) {
            for (int i = 0; i < 20; i++)
                cycle(withNetwork);
            const int number = withNetwork ? numCycles : numCycles / 3;
            const double free = gpu.getFree(), resident = getResidentMemory();
            const double threads = countOf("/proc/self/task"), files = countOf("/proc/self/fd");
            for (int i = 0; i < number; i++)
                cycle(withNetwork);
            growth[withNetwork] = {(free - gpu.getFree()) / number, (getResidentMemory() - resident) / number,
                                   (countOf("/proc/self/task") - threads) / number,
                                   (countOf("/proc/self/fd") - files) / number};
        }
        cout << "a cycle leaves behind, with the network and without: " << growth[1].bytes << ", " << growth[0].bytes
             << " bytes of resident memory; " << growth[1].deviceBytes << ", " << growth[0].deviceBytes
             << " on the GPU; " << growth[1].threads << ", " << growth[0].threads << " threads" << endl;
        EXPECT_LE(growth[1].deviceBytes, max(0.0, growth[0].deviceBytes));
        EXPECT_LE(growth[1].threads, growth[0].threads);
        EXPECT_LE(growth[1].files, growth[0].files);
        EXPECT_LT(growth[1].bytes - growth[0].bytes, 10000);
    }
};

TEST_P(CudaAlone, contextsThatAreGoneLeaveNothing) {
    const Cluster cluster(9);
    const PaiNNStudentModel model = makeModel();
    expectNothingLeft(300, [&](bool withNetwork) {
        auto system = makeSystem(model, cluster, withNetwork);
        VerletIntegrator integrator(0.0001);
        auto context = makeContext(*system, integrator);
        context->setPositions(cluster.positions);
        integrator.step(2);
        getEnergy(*context);
    });
}

TEST_P(CudaAlone, replicasThatAreGoneLeaveNothing) {
    const Cluster cluster(9);
    const PaiNNStudentModel model = makeModel();
    expectNothingLeft(45, [&](bool withNetwork) {
        auto system = makeSystem(model, cluster, withNetwork);
        vector<unique_ptr<VerletIntegrator>> owned;
        vector<Integrator*> integrators;
        for (int i = 0; i < 3; i++) {
            owned.push_back(make_unique<VerletIntegrator>(0.0001));
            integrators.push_back(owned.back().get());
        }
        PaiNNReplicaContexts contexts(vector<System*>(integrators.size(), system.get()), integrators, *platform,
                                      getProperties());
        for (int i = 0; i < contexts.getNumContexts(); i++)
            contexts.getContext(i).setPositions(cluster.positions);
        contexts.step(3);
        getEnergy(contexts.getContext(1));
    });
}

TEST_P(CudaAlone, tooLittleMemoryIsAnException) {
    Gpu gpu;
    const PaiNNStudentModel model = makeModel();
    const Cluster cluster(9);
    System small;
    addParticles(small, cluster.size());
    small.addForce(makeForce(model, cluster));
    VerletIntegrator integrator(0.0001);
    auto context = makeContext(small, integrator);
    context->setPositions(cluster.positions);
    const double energy = getEnergy(*context);
    const vector<double> forces = getForces(*context);
    // About 0.7 GB for the edges alone; what OpenMM wants is much less.
    const int numAtoms = 160000, size = 200;
    System large;
    PaiNNStudentForce* force = new PaiNNStudentForce(model);
    for (int i = 0; i < numAtoms; i++)
        force->addParticle(large.addParticle(1), 6, i / size);
    large.addForce(force);
    int refused = 0, ours = 0, made = 0;
    for (size_t left = size_t(128) << 20; left <= size_t(16 * 128) << 20; left += size_t(128) << 20) {
        gpu.fill(left);
        try {
            VerletIntegrator another(0.0001);
            auto tried = makeContext(large, another);
            made++;
        }
        catch (const OpenMMException& e) {
            refused++;
            const string text = e.what();
            if (text.find("PaiNNStudentForce: out of memory: ") == 0) {
                ours++;
                EXPECT_NE(text.find(" bytes were asked for on the device, which has "), string::npos) << text;
                if (ours == 1)
                    cout << text << endl;
            }
        }
        EXPECT_EQ(energy, getEnergy(*context)) << left;
        EXPECT_EQ(forces, getForces(*context)) << left;
        gpu.release();
    }
    cout << refused << " refused, " << ours << " of them by us; " << made << " made" << endl;
    EXPECT_GT(ours, 0);
    EXPECT_GT(made, 0);
    VerletIntegrator another(0.0001);
    auto again = makeContext(small, another);
    again->setPositions(cluster.positions);
    EXPECT_EQ(energy, getEnergy(*again));
}

INSTANTIATE_TEST_SUITE_P(Platforms, CudaAlone, ::testing::Values(std::end(PLATFORMS)[-2]),
                         [](const auto& info) { return std::string(info.param.name); });

} // namespace PaiNNPlugin
