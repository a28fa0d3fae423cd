// SPDX-License-Identifier: MIT
#include "FastEvaluator.h"
#include "SpinBarrier.h"
#include "Stages.h"
#include <algorithm>
#include <array>
#include <chrono>

namespace PaiNNPlugin {

namespace {

/** The arithmetic of an atom is about that of so many of its edges. */
const int EDGES_PER_ATOM = 12;

std::vector<int> findStarts(const std::vector<int>& subsystems) {
    std::vector<int> starts;
    for (size_t i = 0; i < subsystems.size(); i++)
        if (i == 0 || subsystems[i] != subsystems[i - 1])
            starts.push_back(static_cast<int>(i));
    starts.push_back(static_cast<int>(subsystems.size()));
    return starts;
}

/** Atoms begin <= i < end, all active. */
struct Tile {
    int begin, end;
};

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
          starts(findStarts(subsystems)), candidates(starts, network->parameters->cutoff, options.skin),
          times(options.times), stages(*network, kernels, work, this->elements, candidates, edges) {}
    void makeTiles(const std::vector<char>& active);
    std::shared_ptr<const FastNetwork> network;
    const Kernels& kernels;
    OpenMM::ThreadPool& threads;
    std::vector<int> elements, starts;
    EdgeList candidates;
    Edges edges;
    Workspace work;
    StageTimes* times;
    Stages stages;
    std::vector<Tile> tiles;
    std::vector<int> tileOfThread; ///< [threads + 1] the tiles of each thread
    std::vector<std::unique_ptr<Scratch>> scratch;
};

/** Share the atoms of the active subsystems among threads: each gets neighbouring tiles of about equal work. */
void FastEvaluator::State::makeTiles(const std::vector<char>& active) {
    int numAtoms = 0;
    for (size_t s = 0; s < active.size(); s++)
        numAtoms += active[s] ? starts[s + 1] - starts[s] : 0;
    const int pool = threads.getNumThreads();
    // Several tiles for each thread, in whole blocks of 8 rows.
    const int size = pool == 1 ? Scratch::TILE : std::clamp((numAtoms / (3 * pool) + 7) / 8 * 8, 8, Scratch::TILE);
    tiles.clear();
    std::vector<double> cost = {0}; // of all tiles before
    for (size_t s = 0; s < active.size();) {
        size_t next = s + 1;
        if (active[s]) {
            while (next < active.size() && active[next])
                next++;
            for (int i = starts[s]; i < starts[next]; i += size) {
                const Tile tile = {i, std::min(i + size, starts[next])};
                tiles.push_back(tile);
                cost.push_back(cost.back() + candidates.first[tile.end] - candidates.first[tile.begin] +
                               EDGES_PER_ATOM * (tile.end - tile.begin));
            }
        }
        s = next;
    }
    const int numThreads = std::max(1, std::min(pool, static_cast<int>(tiles.size())));
    tileOfThread.assign(1, 0);
    for (int t = 1; t <= numThreads; t++) {
        const auto place = std::lower_bound(cost.begin(), cost.end(), cost.back() * (t - 0.001) / numThreads);
        tileOfThread.push_back(t == numThreads ? static_cast<int>(tiles.size())
                                               : std::max<int>(place - cost.begin(), tileOfThread.back()));
    }
    while (static_cast<int>(scratch.size()) < numThreads)
        scratch.push_back(std::make_unique<Scratch>(*network));
    int most = 0; // edges of one atom
    for (size_t i = 0; i + 1 < candidates.first.size(); i++)
        most = std::max(most, candidates.first[i + 1] - candidates.first[i]);
    for (auto& s : scratch)
        s->geometry_adj.resize(4 * most);
}

/** One evaluation: what all threads share. */
struct FastEvaluator::Pass {
    State& state;
    const std::vector<double>& positions;
    const Box* box;
    std::vector<double>& energies;
    std::vector<double>* forces;
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
            for (int n = state.tileOfThread[thread]; n < state.tileOfThread[thread + 1]; n++)
                stage(state.tiles[n].begin, state.tiles[n].end);
        };
        auto wait = [&] { timed(sumOf(&StageTimes::waiting), [&] { barrier.wait(); }); };

        forTiles([&](int begin, int end) {
            timed(sumOf(&StageTimes::geometry),
                  [&] { stages.measure(positions, box, begin, end, energies.data(), coincident[thread]); });
        });
        if (coincident[thread].atom1 >= 0)
            failed = true;
        wait();
        if (failed)
            return;
        for (int l = 0; l < L; l++) {
            forTiles([&](int begin, int end) {
                timed(sumOf(&StageTimes::message), [&] { stages.message(l, begin, end, scratch); });
                timed(sumOf(&StageTimes::update), [&] {
                    stages.update(l, begin, end, scratch);
                    if (l + 1 < L)
                        stages.context(l + 1, begin, end, scratch);
                });
                if (l + 1 < L)
                    return;
                timed(sumOf(&StageTimes::readout), [&] { finish(begin, end, scratch); });
                if (forces != nullptr)
                    timed(sumOf(&StageTimes::updateBackward), [&] { stages.updateBackward(l, begin, end, scratch); });
            });
            if (l + 1 < L || forces != nullptr)
                wait();
        }
        if (forces == nullptr)
            return;
        for (int l = L - 1; l >= 0; l--) {
            forTiles([&](int begin, int end) {
                timed(sumOf(&StageTimes::messageBackward), [&] { stages.messageBackward(l, begin, end, scratch); });
                if (l > 0)
                    timed(sumOf(&StageTimes::updateBackward),
                          [&] { stages.updateBackward(l - 1, begin, end, scratch); });
            });
            wait();
        }
        forTiles([&](int begin, int end) {
            timed(sumOf(&StageTimes::forces), [&] { stages.computeForces(begin, end, forces->data()); });
        });
    }

    /** F7, B7 and F9: the references are large, so they are added last. */
    void finish(int begin, int end, Scratch& scratch) {
        state.stages.readout(begin, end, scratch, energies.data());
        for (int i = begin; i < end; i++)
            energies[i] += state.network->parameters->atomReferences[state.elements[i]];
        if (forces != nullptr)
            state.stages.readoutBackward((static_cast<int>(state.network->blocks.size()) - 1) % 2, begin, end, scratch);
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

void FastEvaluator::evaluate(const std::vector<double>& positions, const Box* box, const std::vector<char>& active,
                             std::vector<double>& atomEnergies, std::vector<double>* forces) {
    State& s = *state;
    const size_t numAtoms = s.elements.size();
    atomEnergies.assign(numAtoms, 0.0);
    if (forces != nullptr)
        forces->assign(3 * numAtoms, 0.0);
    timed(s.times == nullptr ? nullptr : &s.times->list, [&] {
        if (!s.candidates.update(positions, box, active))
            return;
        s.edges.resize(s.candidates);
        s.makeTiles(active);
        s.work.resize(*s.network, static_cast<int>(numAtoms));
    });
    const int numThreads = static_cast<int>(s.tileOfThread.size()) - 1;
    Pass pass{s, positions, box, atomEnergies, forces, numThreads};
    if (numThreads == 1) // no need to wake a thread
        pass.run(0);
    else {
        s.threads.execute([&](OpenMM::ThreadPool&, int thread) {
            if (thread < numThreads)
                pass.run(thread);
        });
        s.threads.waitForThreads();
    }
    if (!pass.failed)
        return;
    CoincidentAtoms first = {-1, -1};
    for (const CoincidentAtoms& pair : pass.coincident)
        if (pair.atom1 >= 0 &&
            (first.atom1 < 0 || std::array{pair.atom1, pair.atom2} < std::array{first.atom1, first.atom2}))
            first = pair;
    throw first;
}

} // namespace PaiNNPlugin
