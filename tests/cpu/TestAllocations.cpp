// SPDX-License-Identifier: MIT
// Every allocation fails once (reliability rows 30 and 33): an exception, nothing left behind, and what was there
// before goes on with the same bits.
#include "../force/Cluster.h"
#include "FastHostEvaluator.h"
#include "FastTest.h"
#include "HostForce.h"
#include "openmm/OpenMMException.h"
#include <atomic>
#include <cstdlib>
#include <new>

namespace {

thread_local long allocationsLeft = -1; // of this thread, before one fails; negative: none fails
thread_local bool isMain = false;       // the thread of the tests
std::atomic<long> numByOthers{0};       // allocations of all other threads
std::atomic<long> numLive{0};           // allocations of all threads that have not been freed

void* allocate(size_t size, size_t alignment) {
    if (allocationsLeft >= 0 && allocationsLeft-- == 0)
        throw std::bad_alloc();
    void* result = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    if (result == nullptr)
        throw std::bad_alloc();
    numLive++;
    if (!isMain)
        numByOthers++;
    return result;
}

void release(void* pointer) {
    if (pointer != nullptr)
        numLive--;
    std::free(pointer);
}

} // namespace

void* operator new(size_t size) {
    return allocate(size, alignof(std::max_align_t));
}
void* operator new(size_t size, std::align_val_t alignment) {
    return allocate(size, static_cast<size_t>(alignment));
}
void operator delete(void* pointer) noexcept {
    release(pointer);
}
void operator delete(void* pointer, size_t) noexcept {
    release(pointer);
}
void operator delete(void* pointer, std::align_val_t) noexcept {
    release(pointer);
}
void operator delete(void* pointer, size_t, std::align_val_t) noexcept {
    release(pointer);
}

namespace PaiNNPlugin {

/** Calls a function once for each of its allocations, which then fails, and a last time without; how many there are. */
template <class Function, class Check> long failEverywhere(Function function, Check check) {
    for (long n = 0;; n++) {
        const long before = numLive;
        bool failed = false;
        try {
            allocationsLeft = n;
            function();
        }
        catch (const std::bad_alloc&) {
            failed = true;
        }
        catch (const OpenMM::OpenMMException& e) {
            failed = std::string(e.what()).find("not enough memory") != std::string::npos;
            EXPECT_TRUE(failed) << e.what();
        }
        const bool fired = allocationsLeft < 0;
        allocationsLeft = -1;
        EXPECT_EQ(failed, fired) << "allocation " << n; // none is swallowed
        check(n, before);
        if (!fired || ::testing::Test::HasFailure())
            return n;
    }
}

class AllocationsTest : public ::testing::TestWithParam<Family> {
protected:
    std::shared_ptr<const NetworkParameters> makeParameters() const {
        RandomNetworkOptions options;
        options.family = GetParam();
        options.repulsion = true;
        options.numBlocks = 2;
        return randomNetwork(options);
    }
};

const auto NOTHING_IS_LEFT = [](long n, long before) { EXPECT_EQ(before, numLive) << "allocation " << n; };

TEST_P(AllocationsTest, makingANetwork) {
    const auto parameters = makeParameters();
    EXPECT_GT(failEverywhere([&] { FastNetwork::create(parameters); }, NOTHING_IS_LEFT), 20);
}

TEST_P(AllocationsTest, makingAnEvaluator) {
    const auto network = FastNetwork::create(makeParameters());
    const Atoms small = randomMolecule(9, 4, 1), large = liquid(60, 0.25, 2);
    OpenMM::ThreadPool threads(2);
    std::vector<int> elements = small.elements, subsystems(9, 0);
    elements.insert(elements.end(), large.elements.begin(), large.elements.end());
    subsystems.resize(elements.size(), 1);
    std::vector<double> positions = small.positions;
    positions.insert(positions.end(), large.positions.begin(), large.positions.end());
    auto cycle = [&] {
        FastEvaluator evaluator(network, elements, subsystems, threads);
        std::vector<double> energies, forces;
        evaluator.evaluate(positions, nullptr, {1, 1}, energies, &forces);
    };
    EXPECT_GT(failEverywhere(cycle, NOTHING_IS_LEFT), 20);
}

// The arrays of an evaluation grow when there are more neighbours, or more subsystems, than before.
TEST_P(AllocationsTest, evaluatorsGoOn) {
    const auto network = FastNetwork::create(makeParameters());
    const std::vector<Atoms> molecules = {liquid(60, 0.4, 2), randomMolecule(9, 4, 1), liquid(50, 0.25, 3)};
    const Result expected = Batch(network, molecules, 2).evaluate();
    long numFailed = 0;
    for (long n = 0, fired = 1; fired; n++) {
        Batch batch(network, molecules, 2);
        batch.active[2] = 0;
        for (double& x : batch.positions)
            x *= 2;
        batch.evaluate();
        for (double& x : batch.positions)
            x *= 0.5;
        batch.active[2] = 1;
        Result result;
        result.forces.reserve(batch.positions.size());
        allocationsLeft = n;
        try {
            batch.evaluator->evaluate(batch.positions, nullptr, batch.active, result.energies, &result.forces);
        }
        catch (const std::bad_alloc&) {
            numFailed++;
        }
        fired = allocationsLeft < 0;
        allocationsLeft = -1;
        ASSERT_EQ(numFailed, n + fired) << "allocation " << n; // none is swallowed
        ASSERT_TRUE(batch.evaluate() == expected) << "after allocation " << n << " failed";
    }
    EXPECT_GT(numFailed, 5);
}

// An exception in a thread of a pool would end the program.
TEST_P(AllocationsTest, threadsNeedNoMemory) {
    isMain = true;
    const auto network = FastNetwork::create(makeParameters());
    Batch batch(network, {liquid(300, 0.4, 2), randomMolecule(9, 4, 1), randomMolecule(35, 4, 1)}, 3);
    batch.evaluate(); // and the threads have started
    const long before = numByOthers;
    for (double scale : {0.8, 0.8, 0.9}) { // more and more pairs
        for (double& x : batch.positions)
            x *= scale;
        batch.evaluate();
    }
    batch.active[0] = 0;
    batch.evaluate();
    EXPECT_EQ(numByOthers, before);
}

TEST_P(AllocationsTest, throughTheForce) {
    ModelOptions options;
    options.family = GetParam() == Family::Student ? "student" : "canonical";
    const PaiNNStudentModel model = makeModel(options);
    const Cluster cluster(45);
    const std::unique_ptr<PaiNNStudentForce> force(makeForce(model, cluster));
    OpenMM::ThreadPool threads(2);
    const EvaluatorFactory factory = [&](const PaiNNStudentModel& m, const std::vector<int>& elements,
                                         const std::vector<int>& subsystems) {
        return std::make_unique<FastHostEvaluator>(m, elements, subsystems, threads);
    };
    const std::map<std::string, double> parameters;
    auto cycle = [&] {
        HostForce host(*force, factory);
        std::vector<OpenMM::Vec3> forces(cluster.size());
        std::map<std::string, double> derivatives;
        host.evaluate({&cluster.positions, nullptr, &parameters, &forces, &derivatives});
    };
    // The register of networks keeps the place of one that is gone until it is asked for another.
    const PaiNNStudentModel other = makeModelFor(cluster, options);
    const auto kept = getFastNetwork(other);
    auto check = [&](long n, long before) {
        getFastNetwork(other);
        NOTHING_IS_LEFT(n, before);
    };
    EXPECT_GT(failEverywhere(cycle, check), 100);
}

INSTANTIATE_TEST_SUITE_P(Families, AllocationsTest, ::testing::Values(Family::Student, Family::Canonical),
                         [](const auto& info) { return info.param == Family::Student ? "Student" : "Canonical"; });

} // namespace PaiNNPlugin
