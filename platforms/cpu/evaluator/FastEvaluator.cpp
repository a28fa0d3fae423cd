// SPDX-License-Identifier: MIT
#include "FastEvaluator.h"
#include "SpinBarrier.h"
#include "Stages.h"
#include <algorithm>
#include <array>
#include <chrono>

namespace PaiNNPlugin {

namespace {

std::vector<int> findStarts(const std::vector<int>& subsystems) {
    std::vector<int> starts;
    for (size_t i = 0; i < subsystems.size(); i++)
        if (i == 0 || subsystems[i] != subsystems[i - 1])
            starts.push_back(static_cast<int>(i));
    starts.push_back(static_cast<int>(subsystems.size()));
    return starts;
}

/** Calls a function and adds the time to a sum, if there is one. */
template <class Function> void timed(double* sum, Function function) {
    if (sum == nullptr) {
        function();
        return;
    }
    const auto start = std::chrono::steady_clock::now();
    function();
    *sum += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

} // namespace

struct FastEvaluator::State {
    State(std::shared_ptr<const FastNetwork> network, const std::vector<int>& elements,
          const std::vector<int>& subsystems, OpenMM::ThreadPool& threads, const FastEvaluatorOptions& options)
        : network(network), kernels(getKernels(options.level)), threads(threads), elements(elements),
          sortedElements(elements), starts(findStarts(subsystems)), subsystems(subsystems),
          candidates(starts, network->parameters->cutoff, options.skin), times(options.times),
          stages(*network, kernels, work, sortedElements, candidates, pairs) {}
    void plan(const std::vector<char>& active);
    void sortAtoms(const std::vector<double>& unsorted);
    std::shared_ptr<const FastNetwork> network;
    const Kernels& kernels;
    OpenMM::ThreadPool& threads;
    std::vector<int> elements, sortedElements, starts, subsystems;
    std::vector<double> positions, energies, forces; ///< sorted
    EdgeList candidates;
    Pairs pairs;
    Workspace work;
    StageTimes* times;
    Stages stages;
    TilePlan tiles;
    std::vector<std::unique_ptr<Scratch>> scratch; ///< [threads]
    bool isPlanned = false;                        ///< for the list of candidates as it is
};

/** Set what depends on the list of candidates, so that threads need no memory: they could not say that there is none.
 */
void FastEvaluator::State::plan(const std::vector<char>& active) {
    isPlanned = false;
    tiles = planTiles(starts, active, candidates, threads.getNumThreads());
    pairs.resize(tiles.numPairs, candidates.neighbor.size());
    work.resize(*network, static_cast<int>(elements.size()));
    while (static_cast<int>(scratch.size()) < tiles.numThreads())
        scratch.push_back(std::make_unique<Scratch>(*network));
    for (int thread = 0; thread < tiles.numThreads(); thread++)
        scratch[thread]->reserve(tiles.mostPairs);
    isPlanned = true;
}

/** Bring elements and positions into the order of the candidates. */
void FastEvaluator::State::sortAtoms(const std::vector<double>& unsorted) {
    positions.resize(unsorted.size());
    for (size_t i = 0; i < elements.size(); i++) {
        const size_t from = candidates.order[i];
        sortedElements[i] = elements[from];
        std::copy_n(&unsorted[3 * from], 3, &positions[3 * i]);
    }
    energies.assign(elements.size(), 0.0);
    forces.assign(unsorted.size(), 0.0);
}

/** One evaluation: what all threads share. */
struct FastEvaluator::Pass {
    State& state;
    Boxes boxes;
    bool withForces;
    int numThreads;
    SpinBarrier barrier{numThreads};
    std::vector<CoincidentAtoms> coincident = std::vector<CoincidentAtoms>(numThreads, {-1, -1});
    std::atomic<bool> failed{false};

    /** The network on one thread's tiles: stages forward, then backward. */
    void run(int thread) {
        const Stages& stages = state.stages;
        const int L = static_cast<int>(state.network->blocks.size());
        Scratch& scratch = *state.scratch[thread];
        auto sumOf = [&](double StageTimes::* stage) {
            return thread == 0 && state.times != nullptr ? &(state.times->*stage) : nullptr;
        };
        auto forTiles = [&](auto stage) {
            for (int n = state.tiles.first[thread]; n < state.tiles.first[thread + 1]; n++)
                stage(state.tiles.tiles[n]);
        };
        auto wait = [&] { timed(sumOf(&StageTimes::waiting), [&] { barrier.wait(); }); };

        forTiles([&](Tile& tile) {
            timed(sumOf(&StageTimes::geometry), [&] {
                stages.measure(state.positions, boxes, tile, scratch, state.energies.data(), coincident[thread]);
            });
        });
        if (coincident[thread].atom1 >= 0)
            failed = true;
        wait();
        if (failed)
            return;
        for (int l = 0; l < L; l++) {
            forTiles([&](Tile& tile) {
                timed(sumOf(&StageTimes::message), [&] { stages.message(l, tile, scratch); });
                timed(sumOf(&StageTimes::update), [&] {
                    stages.update(l, tile, scratch);
                    if (l + 1 < L)
                        stages.context(l + 1, tile, scratch);
                });
                if (l + 1 < L)
                    return;
                timed(sumOf(&StageTimes::readout), [&] { finish(tile, scratch); });
                if (withForces)
                    timed(sumOf(&StageTimes::updateBackward), [&] { stages.updateBackward(l, tile, scratch); });
            });
            if (l + 1 < L || withForces)
                wait();
        }
        if (!withForces)
            return;
        for (int l = L - 1; l >= 0; l--) {
            forTiles([&](Tile& tile) {
                timed(sumOf(&StageTimes::messageBackward), [&] { stages.messageBackward(l, tile, scratch); });
                if (l > 0)
                    timed(sumOf(&StageTimes::updateBackward), [&] { stages.updateBackward(l - 1, tile, scratch); });
            });
            wait();
        }
        forTiles([&](Tile& tile) {
            timed(sumOf(&StageTimes::forces),
                  [&] { stages.computeForces(state.positions, boxes, tile, state.forces.data()); });
        });
    }

    CoincidentAtoms firstCoincident() const {
        CoincidentAtoms first = {-1, -1};
        for (const CoincidentAtoms& pair : coincident)
            if (pair.atom1 >= 0 &&
                (first.atom1 < 0 || std::array{pair.atom1, pair.atom2} < std::array{first.atom1, first.atom2}))
                first = pair;
        return first;
    }

    /** F7, B7 and F9: the references are large, so they are added last. */
    void finish(const Tile& tile, Scratch& scratch) {
        state.stages.readout(tile, scratch, state.energies.data());
        for (int i = tile.begin; i < tile.end; i++)
            state.energies[i] += state.network->parameters->atomReferences[state.sortedElements[i]];
        if (withForces)
            state.stages.readoutBackward(tile, scratch);
    }
};

FastEvaluator::FastEvaluator(std::shared_ptr<const FastNetwork> network, const std::vector<int>& elements,
                             const std::vector<int>& subsystems, OpenMM::ThreadPool& threads,
                             const FastEvaluatorOptions& options)
    : state(std::make_unique<State>(network, elements, subsystems, threads, options)) {}

FastEvaluator::~FastEvaluator() = default;

void FastEvaluator::setElements(const std::vector<int>& elements) {
    state->elements = elements;
}

void FastEvaluator::evaluate(const std::vector<double>& positions, const Box* boxes, const std::vector<char>& active,
                             std::vector<double>& atomEnergies, std::vector<double>* forces) {
    State& s = *state;
    const size_t numAtoms = s.elements.size();
    timed(s.times == nullptr ? nullptr : &s.times->list, [&] {
        if (s.candidates.update(positions, boxes, active) || !s.isPlanned)
            s.plan(active);
        s.sortAtoms(positions);
    });
    const int numThreads = s.tiles.numThreads();
    Pass pass{s, {boxes, s.subsystems.data()}, forces != nullptr, numThreads};
    if (numThreads == 1) // no need to wake a thread
        pass.run(0);
    else {
        s.threads.execute([&](OpenMM::ThreadPool&, int thread) {
            if (thread < numThreads)
                pass.run(thread);
        });
        s.threads.waitForThreads();
    }
    if (pass.failed)
        throw pass.firstCoincident();
    atomEnergies.resize(numAtoms);
    if (forces != nullptr)
        forces->resize(3 * numAtoms);
    for (size_t i = 0; i < numAtoms; i++) {
        const size_t to = s.candidates.order[i];
        atomEnergies[to] = s.energies[i];
        if (forces != nullptr)
            std::copy_n(&s.forces[3 * i], 3, forces->data() + 3 * to);
    }
}

} // namespace PaiNNPlugin
