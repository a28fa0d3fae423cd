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
std::atomic<long> numLive{0};           // allocations of all threads that have not been freed

void* allocate(size_t size, size_t alignment) {
    if (allocationsLeft >= 0 && allocationsLeft-- == 0)
        throw std::bad_alloc();
    void* result = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    if (result == nullptr)
        throw std::bad_alloc();
    numLive++;
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
        host.evaluate(cluster.positions, nullptr, parameters, &forces, derivatives);
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
