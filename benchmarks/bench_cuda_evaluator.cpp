// SPDX-License-Identifier: MIT
// Times the CUDA evaluator alone with CUDA's events, and compares its forces with those of the exact network.
// bench_cuda_evaluator MODEL [--precision single|mixed|double] [--sizes 22x1,1000x1] [--repeats N] [--json FILE]
// [--kernels] [--clocks] [--once]: MODEL is a .safetensors file, or "student" or "canonical" for a random network of
// 128 channels, or "student:32" for one of 32. With --once nothing is timed: one evaluation with forces, which are
// compared, and one without; for tools under which a launch takes seconds.
#include "Compare.h"
#include "CudaBench.h"
#include "PaiNNStudentModel.h"
#include "cuda/Nvrtc.h"
#include "internal/windowsExportPaiNN.h"
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

using namespace PaiNNPlugin;
using nlohmann::json;

namespace {

struct Options {
    std::string model, precision = "mixed", jsonFile,
                       sizes = "22x1,22x16,22x64,22x256,50x1,50x64,300x1,1000x1,5000x1,20000x1,100000x1";
    int repeats = 30;
    bool kernels = false, once = false, clocks = false; ///< clocks: print where the time of the molecule kernel goes
};

Options readOptions(int argc, char** argv) {
    Options options;
    for (int i = 1; i < argc; i++) {
        const std::string word = argv[i];
        auto value = [&] {
            if (i + 1 == argc)
                throw std::invalid_argument(word + " needs a value");
            return std::string(argv[++i]);
        };
        if (word == "--precision")
            options.precision = value();
        else if (word == "--sizes")
            options.sizes = value();
        else if (word == "--repeats")
            options.repeats = std::stoi(value());
        else if (word == "--json")
            options.jsonFile = value();
        else if (word == "--kernels")
            options.kernels = true;
        else if (word == "--once")
            options.once = true;
        else if (word == "--clocks")
            options.clocks = true;
        else if (options.model.empty() && word.compare(0, 2, "--") != 0)
            options.model = word;
        else
            throw std::invalid_argument("unknown argument " + word);
    }
    if (options.model.empty())
        throw std::invalid_argument("no model was named");
    return options;
}

std::shared_ptr<const NetworkParameters> loadModel(const std::string& name) {
    const std::string family = name.substr(0, name.find(':'));
    if (family != "student" && family != "canonical")
        return PaiNNStudentModel(name).getParameters();
    RandomNetworkOptions options;
    options.family = family == "student" ? Family::Student : Family::Canonical;
    options.numChannels = family == name ? 128 : std::stoi(name.substr(family.size() + 1));
    options.numBasis = 20;
    return randomNetwork(options);
}

CudaPrecision findPrecision(const std::string& name) {
    if (name == "single")
        return CudaPrecision::Single;
    if (name == "mixed")
        return CudaPrecision::Mixed;
    if (name == "double")
        return CudaPrecision::Double;
    throw std::invalid_argument("the precision is single, mixed or double, not " + name);
}

std::string getCommit() {
    if (const char* given = std::getenv("PAINN_COMMIT"))
        return given;
    std::string text;
    if (FILE* pipe = popen("git rev-parse HEAD 2>/dev/null", "r")) {
        char line[64];
        if (std::fgets(line, sizeof(line), pipe) != nullptr)
            text = std::string(line).substr(0, 40);
        pclose(pipe);
    }
    return text.empty() ? "unknown" : text;
}

/** Forces of the device against the exact network's, at the positions that the device was given, and against those of
 * some more evaluations. */
json compare(BenchContext& context, const BenchNetwork& network, const BenchmarkSystem& system,
             const std::vector<double>& positions, int again) {
    std::vector<double> x = positions;
    if (network.network->precision == CudaPrecision::Single)
        for (double& value : x)
            value = static_cast<float>(value);
    const std::vector<double> found = context.computeForces();
    std::vector<double> energies;
    context.getEvaluator().getSubsystemEnergies(0, system.copies, energies, nullptr);
    bool isSame = true;
    for (int n = 0; n < again; n++)
        isSame = isSame && context.computeForces() == found;
    json result = {{"same_bits", isSame}};
    if (system.atoms.size() * system.copies <= 1500) {
        const ExactNetwork exact(network.network->parameters);
        const size_t length = 3 * system.atoms.size();
        std::vector<double> expected;
        double energyError = 0;
        for (int c = 0; c < system.copies; c++) {
            std::vector<double> atomEnergies, forces;
            const std::vector<double> own(x.begin() + c * length, x.begin() + (c + 1) * length);
            exact.evaluate(system.atoms.elements, own, system.periodic ? &system.box : nullptr, atomEnergies, &forces);
            double energy = 0;
            for (double value : atomEnergies)
                energy += value;
            energyError = std::max(energyError, std::fabs(energy - energies[c]) / system.atoms.size());
            expected.insert(expected.end(), forces.begin(), forces.end());
        }
        const Difference d = difference(expected, found);
        result["force_error_max"] = d.max;
        result["force_error_median"] = d.median;
        result["force_rms"] = d.rms;
        result["energy_error_per_atom"] = energyError;
    }
    return result;
}

json measure(BenchNetwork& network, const std::string& size, int repeats, bool once) {
    const size_t cross = size.find('x');
    const int atoms = std::stoi(size), copies = cross == std::string::npos ? 1 : std::stoi(size.substr(cross + 1));
    const BenchmarkSystem system = makeBenchmarkSystem(atoms, copies, network.network->parameters->numElements());
    const std::vector<double> positions = movePositions(system, 1);
    const double before = network.compileSeconds;
    BenchContext context(network, system);
    context.setPositions(positions);
    json result = compare(context, network, system, positions, once ? 0 : 5);
    if (once) {
        context.getEvaluator().launch(false, nullptr);
        network.device->synchronize(nullptr);
        std::printf("%6d x %4d  once with forces and once without, dF max %8.1e, compiled %5.1f s\n", copies, atoms,
                    result.value("force_error_max", NAN), network.compileSeconds - before);
        std::fflush(stdout);
        return result;
    }
    if (network.clocks)
        return {{"same_bits", result["same_bits"]}};
    const BenchTime both = timeCalls([&] { context.getEvaluator().launch(true, nullptr); }, repeats);
    const BenchTime energy = timeCalls([&] { context.getEvaluator().launch(false, nullptr); }, repeats);
    // A list of candidates, where there is one, that is made anew every time.
    const BenchTime anew = timeCalls(
        [&] {
            context.setBox();
            context.getEvaluator().launch(true, nullptr);
        },
        repeats);
    result.update({{"compile_s", network.compileSeconds - before},
                   {"atoms", atoms},
                   {"copies", copies},
                   {"memory_bytes", context.getEvaluator().getMemory()},
                   {"forces_s", both.device},
                   {"forces_alone_s", both.alone},
                   {"launch_s", both.host},
                   {"energy_s", energy.device},
                   {"forces_new_list_s", anew.device}});
    std::printf("%6d x %4d  %10.2f  %10.2f  %10.2f  %10.2f  %10.2f  %9.3f  %8.1e  %8.1e  %s  %5.1f\n", copies, atoms,
                1e6 * both.device, 1e6 * anew.device, 1e6 * energy.device, 1e6 * both.alone, 1e6 * both.host,
                1e9 * both.device / copies / atoms / 1e3, result.value("force_error_max", NAN),
                result.value("force_error_median", NAN), result["same_bits"] ? "same     " : "DIFFERENT",
                network.compileSeconds - before);
    std::fflush(stdout);
    return result;
}

int run(int argc, char** argv) {
    const Options options = readOptions(argc, argv);
    PAINN_CUDA(cuInit(0));
    CUdevice device;
    PAINN_CUDA(cuDeviceGet(&device, 0));
    CUcontext context;
    PAINN_CUDA(cuDevicePrimaryCtxRetain(&context, device));
    PAINN_CUDA(cuCtxSetCurrent(context));
    bool allSame = true;
    json document;
    {
        BenchNetwork network(device, loadModel(options.model), findPrecision(options.precision), options.kernels,
                             options.clocks);
        document = {{"model", std::filesystem::path(options.model).filename().string()},
                    {"precision", options.precision},
                    {"device", getDeviceName(device)},
                    {"compute_capability", network.device->getLimits().computeCapability},
                    {"driver_cuda", getDriverVersion()},
                    {"nvrtc", Nvrtc().getVersion()},
                    {"commit", getCommit()},
                    {"load_s", network.loadSeconds},
                    {"repeats", options.repeats}};
        std::printf("%s, driver for CUDA %s, NVRTC %s, %s precision, commit %s\nnetwork "
                    "loaded in %.2f s\n",
                    getDeviceName(device).c_str(), getDriverVersion().c_str(), Nvrtc().getVersion().c_str(),
                    options.precision.c_str(), getCommit().c_str(), network.loadSeconds);
        if (!options.once)
            std::printf("%-13s  %10s  %10s  %10s  %10s  %10s  %9s  %8s  %8s  %s       compiled s\n", "copies x atoms",
                        "E+F us", "new list us", "E us", "E+F wait us", "launch us", "us/atom", "dF max", "median",
                        "bits");
        std::istringstream sizes(options.sizes);
        for (std::string size; std::getline(sizes, size, ',');)
            try {
                document["systems"].push_back(measure(network, size, options.repeats, options.once));
                allSame = allSame && document["systems"].back()["same_bits"];
            }
            catch (const std::exception& e) { // the other sizes may still work
                std::printf("%s: %s\n", size.c_str(), e.what());
                document["systems"].push_back({{"size", size}, {"error", e.what()}});
                allSame = false;
            }
    }
    if (!options.jsonFile.empty())
        std::ofstream(options.jsonFile) << document.dump(1) << "\n";
    return allSame ? 0 : 1;
}

} // namespace

extern "C" OPENMM_EXPORT_PAINN int benchCudaEvaluator(int argc, char** argv) {
    try {
        return run(argc, argv);
    }
    catch (const std::exception& e) {
        std::fprintf(stderr, "bench_cuda_evaluator: %s\n", e.what());
        return 2;
    }
}
