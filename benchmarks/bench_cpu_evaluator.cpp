// SPDX-License-Identifier: MIT
// Times the fast CPU evaluator with a random network of the published student's size (H = 128, L = 3, K = 20).
// bench_cpu_evaluator [threads [repeats [student|canonical [largest number of atoms]]]]
#include "ExactNetwork.h"
#include "FastEvaluator.h"
#include "NeighborList.h"
#include "RandomNetwork.h"
#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>

using namespace PaiNNPlugin;

namespace {

/** The processor time of all threads: what others do on the machine does not count. */
double seconds() {
    timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}

double wallSeconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/** Atoms near the places of a cubic lattice with 100 atoms/nm^3, in any order. */
Atoms liquid(int numAtoms, Box& box) {
    Random random(5);
    Atoms atoms;
    const double spacing = 0.21544;
    int side = 1;
    while (side * side * side < numAtoms)
        side++;
    box = {};
    for (int k = 0; k < 3; k++)
        box[k][k] = spacing * side;
    std::vector<int> sites(side * side * side);
    for (size_t n = 0; n < sites.size(); n++) {
        sites[n] = static_cast<int>(n);
        std::swap(sites[n], sites[random.integer(static_cast<int>(n) + 1)]);
    }
    for (int n = 0; n < numAtoms; n++) {
        atoms.elements.push_back(random.integer(4));
        for (int k : {sites[n] % side, sites[n] / side % side, sites[n] / side / side})
            atoms.positions.push_back(spacing * (k + random.uniform(-0.2, 0.2)));
    }
    return atoms;
}

/** The fastest of some evaluations, ms. */
double measure(const char* name, const std::shared_ptr<const FastNetwork>& network, const Atoms& atoms, const Box* box,
               int copies, OpenMM::ThreadPool& threads, int repeats, bool withForces) {
    std::vector<int> elements, subsystems;
    std::vector<double> positions, energies, forces;
    for (int c = 0; c < copies; c++)
        for (int i = 0; i < atoms.size(); i++) {
            elements.push_back(atoms.elements[i]);
            subsystems.push_back(c);
            for (int k = 0; k < 3; k++)
                positions.push_back(atoms.positions[3 * i + k]);
        }
    StageTimes times;
    FastEvaluatorOptions options;
    options.times = &times;
    FastEvaluator evaluator(network, elements, subsystems, threads, options);
    const std::vector<char> active(copies, 1);
    const std::vector<Box> boxes(copies, box == nullptr ? Box{} : *box);
    double best = 1e30, bestWall = 1e30;
    StageTimes stages; // of the fastest
    for (int n = 0; n < repeats; n++) {
        times = StageTimes();
        const double start = seconds(), wallStart = wallSeconds();
        evaluator.evaluate(positions, box == nullptr ? nullptr : boxes.data(), active, energies,
                           withForces ? &forces : nullptr);
        const double time = seconds() - start;
        bestWall = std::min(bestWall, wallSeconds() - wallStart);
        if (time < best) {
            best = time;
            stages = times;
        }
    }
    const NeighborList list = findNeighbors(atoms.positions, box, network->parameters->cutoff);
    std::printf("%-28s %5d x %5d atoms, %6zu edges each: %9.4f ms of processor, %9.4f ms, %8.4f ms each\n", name,
                copies, atoms.size(), list.neighbor.size(), best * 1e3, bestWall * 1e3, bestWall * 1e3 / copies);
    std::printf(
        "    ms: list %.3f, geometry %.3f, message %.3f, update %.3f, readout %.3f, message back %.3f, update back "
        "%.3f, forces %.3f, waiting %.3f\n",
        stages.list * 1e3, stages.geometry * 1e3, stages.message * 1e3, stages.update * 1e3, stages.readout * 1e3,
        stages.messageBackward * 1e3, stages.updateBackward * 1e3, stages.forces * 1e3, stages.waiting * 1e3);
    return best;
}

} // namespace

int main(int argc, char** argv) {
    const int numThreads = argc > 1 ? std::atoi(argv[1]) : 1, repeats = argc > 2 ? std::atoi(argv[2]) : 200,
              largest = argc > 4 ? std::atoi(argv[4]) : 20000;
    RandomNetworkOptions options;
    options.family = argc > 3 && std::strcmp(argv[3], "canonical") == 0 ? Family::Canonical : Family::Student;
    options.numChannels = 128;
    options.numBasis = 20;
    const double start = seconds();
    const auto network = FastNetwork::create(randomNetwork(options));
    std::printf("%s, %d threads, %d cells, network made in %.3f s\n", options.describe().c_str(), numThreads,
                network->grid.numCells, seconds() - start);
    OpenMM::ThreadPool threads(numThreads);
    Atoms molecule = randomMolecule(22, 4, 3);
    for (double& x : molecule.positions)
        x *= 1.2; // about as many edges as alanine dipeptide

    measure("energy", network, molecule, nullptr, 1, threads, repeats, false);
    measure("energy and forces", network, molecule, nullptr, 1, threads, repeats, true);
    measure("energy and forces", network, molecule, nullptr, 64, threads, std::max(repeats / 20, 3), true);
    for (int size : {300, 1000, 4096, 19683}) {
        if (size > largest)
            break;
        Box box;
        const Atoms atoms = liquid(size, box);
        measure("energy and forces", network, atoms, size < 1000 ? nullptr : &box, 1, threads,
                std::max(repeats * 20 / size, 3), true);
    }
    return 0;
}
