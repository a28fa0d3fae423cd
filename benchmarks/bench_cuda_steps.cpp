// SPDX-License-Identifier: MIT
// Times steps of the Langevin middle integrator on OpenMM's CUDA platform in mixed precision, with the network and
// without. bench_cuda_steps MODEL [--json FILE]. OpenMM's plugins are loaded from beside it, ours from the folder
// PAINN_PLUGIN_DIR.
#include "BenchmarkSystems.h"
#include "OpenMM.h"
#include "OpenMMPaiNN.h"
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

using namespace OpenMM;
using namespace PaiNNPlugin;

namespace {

const int STEPS = 2000;

double now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/** The time of a step, s: the median of some runs. The energy is scaled down so that random atoms stay where they are.
 */
double timeSteps(const PaiNNStudentModel& model, const BenchmarkSystem& molecule, bool withNetwork) {
    System system;
    PaiNNStudentForce* force = new PaiNNStudentForce(model);
    force->addGlobalParameter("scale", 1e-3);
    std::vector<Vec3> positions;
    const std::vector<double> x = movePositions(molecule, 1);
    for (int c = 0; c < molecule.copies; c++) {
        for (int i = 0; i < molecule.atoms.size(); i++) {
            const int particle = system.addParticle(12.0);
            force->addParticle(particle, model.getElements()[molecule.atoms.elements[i]], c);
            positions.emplace_back(x[3 * particle], x[3 * particle + 1], x[3 * particle + 2]);
        }
        force->setSubsystemScale(c, "scale");
    }
    if (molecule.periodic) {
        force->setUsesPeriodicBoundaryConditions(true);
        const auto& box = molecule.box;
        system.setDefaultPeriodicBoxVectors(Vec3(box[0][0], 0, 0), Vec3(0, box[1][1], 0), Vec3(0, 0, box[2][2]));
    }
    if (withNetwork)
        system.addForce(force);
    else
        delete force;
    LangevinMiddleIntegrator integrator(300, 1000, 0.001); // friction, 1/ps, that keeps atoms near their places
    integrator.setRandomNumberSeed(1);
    Context context(system, integrator, Platform::getPlatformByName("CUDA"), {{"Precision", "mixed"}});
    std::vector<double> samples;
    for (int n = 0; n < 5; n++) {
        context.setPositions(positions);
        context.setVelocitiesToTemperature(300, 1);
        integrator.step(100);
        context.getState(State::Energy);
        const double start = now();
        integrator.step(STEPS);
        context.getState(State::Energy); // waits
        samples.push_back((now() - start) / STEPS);
    }
    std::sort(samples.begin(), samples.end());
    return samples[2];
}

void run(int argc, char** argv) {
    if (argc < 2)
        throw std::invalid_argument("no model was named");
    Platform::loadPluginsFromDirectory(PAINN_OPENMM_PLUGIN_DIR);
    if (const char* folder = std::getenv("PAINN_PLUGIN_DIR"))
        Platform::loadPluginsFromDirectory(folder);
    const PaiNNStudentModel model(argv[1]);
    const int elements = static_cast<int>(model.getElements().size());
    nlohmann::json document;
    std::printf("%-14s  %12s  %12s  %12s\n", "copies x atoms", "step us", "without us", "ns/day at 1 fs");
    const std::pair<int, int> sizes[] = {{22, 1}, {22, 16}, {22, 64}, {300, 1}, {1000, 1}, {5000, 1}};
    for (auto [size, copies] : sizes) {
        const BenchmarkSystem molecule = makeBenchmarkSystem(size, copies, elements);
        const double with = timeSteps(model, molecule, true), without = timeSteps(model, molecule, false);
        document.push_back({{"atoms", size}, {"copies", copies}, {"step_s", with}, {"step_without_s", without}});
        std::printf("%6d x %5d  %12.2f  %12.2f  %12.1f\n", copies, size, 1e6 * with, 1e6 * without,
                    86400 / with * 1e-6);
        std::fflush(stdout);
    }
    if (argc > 3 && std::strcmp(argv[2], "--json") == 0)
        std::ofstream(argv[3]) << document.dump(1) << "\n";
}

} // namespace

int main(int argc, char** argv) {
    try {
        run(argc, argv);
        return 0;
    }
    catch (const std::exception& e) {
        std::fprintf(stderr, "bench_cuda_steps: %s\n", e.what());
        return 2;
    }
}
