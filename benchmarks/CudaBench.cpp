// SPDX-License-Identifier: MIT
#include "CudaBench.h"
#include "cuda/Nvrtc.h"
#include <chrono>
#include <cstdio>
#include <functional>

namespace PaiNNPlugin {

namespace {

double now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/** Registers, spilled bytes and static shared memory of every kernel. */
void reportKernels(CUmodule module, const std::string& text) {
    const std::string after = "(const Arrays arrays";
    for (size_t end = text.find(after); end != std::string::npos; end = text.find(after, end + 1)) {
        const size_t space = text.rfind(' ', end);
        const std::string name = text.substr(space + 1, end - space - 1);
        CUfunction function;
        if (cuModuleGetFunction(&function, module, name.c_str()) != CUDA_SUCCESS)
            continue;
        int registers = 0, local = 0, shared = 0, threads = 0;
        cuFuncGetAttribute(&registers, CU_FUNC_ATTRIBUTE_NUM_REGS, function);
        cuFuncGetAttribute(&local, CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES, function);
        cuFuncGetAttribute(&shared, CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES, function);
        cuFuncGetAttribute(&threads, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, function);
        std::printf("    %-24s %3d registers, %4d bytes local, %5d bytes static shared, up to %4d threads\n",
                    name.c_str(), registers, local, shared, threads);
    }
}

} // namespace

BenchNetwork::BenchNetwork(CUdevice cuDevice, std::shared_ptr<const NetworkParameters> parameters,
                           CudaPrecision precision, bool report, bool clocks)
    : clocks(clocks) {
    device = std::make_unique<CudaDevice>(cuDevice);
    device->setCompiler([this, parameters, precision, report](const DeviceLimits& limits, int group) {
        beginCompiling();
        const KernelSource source = CudaNetwork::getSource(*parameters, precision, limits, group);
        std::string text;
        for (const auto& define : source.defines)
            text += "#define " + define.first + " " + define.second + "\n";
        if (this->clocks)
            text += "#define PAINN_CLOCKS 1\n";
        text += source.text;
        // As OpenMM does: code for the virtual architecture, which the driver translates.
        const std::string code = Nvrtc().compile(
            text, {"-arch=compute_" + std::to_string(limits.computeCapability), "-std=c++17", "--fmad=false"});
        CUmodule module;
        PAINN_CUDA(cuModuleLoadDataEx(&module, code.c_str(), 0, nullptr, nullptr));
        endCompiling();
        std::lock_guard<std::mutex> guard(lock);
        if (report)
            reportKernels(module, source.text);
        return module;
    });
    const double start = now();
    network = std::make_shared<CudaNetwork>(parameters, precision, *device);
    loadSeconds = now() - start;
}

void BenchNetwork::beginCompiling() {
    std::lock_guard<std::mutex> guard(lock);
    if (numCompiling++ == 0)
        compilingSince = now();
}

void BenchNetwork::endCompiling() {
    std::lock_guard<std::mutex> guard(lock);
    if (--numCompiling == 0)
        compileSeconds += now() - compilingSince;
}

BenchContext::BenchContext(BenchNetwork& network, const BenchmarkSystem& system)
    : network(network), system(system), numAtoms(system.atoms.size() * system.copies),
      paddedSlots((numAtoms + 31) / 32 * 32) {
    CudaDevice& device = *network.device;
    const bool isDouble = network.network->precision == CudaPrecision::Double;
    posq = DeviceMemory(device, static_cast<size_t>(paddedSlots) * 4 * (isDouble ? 8 : 4));
    if (network.network->precision == CudaPrecision::Mixed)
        correction = DeviceMemory(device, static_cast<size_t>(paddedSlots) * 16);
    forces = DeviceMemory(device, static_cast<size_t>(paddedSlots) * 3 * 8);
    ContextArrays arrays;
    arrays.posq = posq.get();
    arrays.posqCorrection = correction.get();
    arrays.forces = forces.get();
    arrays.paddedSlots = paddedSlots;
    std::vector<int> elements, subsystems, slots;
    for (int c = 0; c < system.copies; c++)
        for (int element : system.atoms.elements) {
            slots.push_back(static_cast<int>(slots.size()));
            elements.push_back(element);
            subsystems.push_back(c);
        }
    evaluator = std::make_unique<CudaEvaluator>(network.network, elements, subsystems, system.periodic, device,
                                                std::vector<ContextArrays>(system.copies, arrays));
    evaluator->setSlots(slots, nullptr);
    setBox();
}

void BenchContext::setPositions(const std::vector<double>& x) {
    if (network.network->precision == CudaPrecision::Double) {
        std::vector<double> values(4 * numAtoms, 0.0);
        for (int i = 0; i < numAtoms; i++)
            for (int k = 0; k < 3; k++)
                values[4 * i + k] = x[3 * i + k];
        network.device->upload(posq.get(), values.data(), values.size() * 8, nullptr);
    }
    else {
        std::vector<float> values(4 * numAtoms, 0.0f), rest(4 * numAtoms, 0.0f);
        for (int i = 0; i < numAtoms; i++)
            for (int k = 0; k < 3; k++) {
                values[4 * i + k] = static_cast<float>(x[3 * i + k]);
                rest[4 * i + k] = static_cast<float>(x[3 * i + k] - values[4 * i + k]);
            }
        network.device->upload(posq.get(), values.data(), values.size() * 4, nullptr);
        if (correction.get() != 0)
            network.device->upload(correction.get(), rest.data(), rest.size() * 4, nullptr);
    }
    network.device->synchronize(nullptr);
}

void BenchContext::setBox() {
    evaluator->setBoxes(std::vector<Box>(system.copies, system.box), nullptr);
}

std::vector<double> BenchContext::computeForces() {
    PAINN_CUDA(cuMemsetD8Async(forces.get(), 0, forces.size(), nullptr));
    evaluator->launch(true, nullptr);
    std::vector<long long> steps(3 * paddedSlots);
    network.device->download(steps.data(), forces.get(), forces.size(), nullptr);
    const DeviceStatus status = evaluator->getStatus();
    if (status.problem != DeviceStatus::None)
        throw std::runtime_error("the device reports problem " + std::to_string(status.problem) + " of atom " +
                                 std::to_string(status.atom1));
    std::vector<double> result;
    for (int i = 0; i < numAtoms; i++)
        for (int k = 0; k < 3; k++)
            result.push_back(static_cast<double>(steps[static_cast<size_t>(k) * paddedSlots + i]) / 4294967296.0);
    return result;
}

BenchTime timeCalls(const std::function<void()>& call, int repeats) {
    CUevent first, last;
    PAINN_CUDA(cuEventCreate(&first, CU_EVENT_DEFAULT));
    PAINN_CUDA(cuEventCreate(&last, CU_EVENT_DEFAULT));
    auto median = [](std::vector<double>& samples) {
        std::sort(samples.begin(), samples.end());
        return samples[samples.size() / 2];
    };
    auto runAlone = [&] {
        const double start = now();
        call();
        PAINN_CUDA(cuStreamSynchronize(nullptr));
        return now() - start;
    };
    double once = runAlone();
    for (int k = 0; k < 20 && once * k < 0.2; k++) // lists grow, clocks rise
        once = runAlone();
    const int inARow = std::max(1, std::min(200, static_cast<int>(5e-3 / once)));
    std::vector<double> device, host, alone;
    for (int n = 0; n < repeats; n++) {
        alone.push_back(runAlone());
        PAINN_CUDA(cuEventRecord(first, nullptr));
        const double start = now();
        for (int k = 0; k < inARow; k++)
            call();
        host.push_back((now() - start) / inARow);
        PAINN_CUDA(cuEventRecord(last, nullptr));
        PAINN_CUDA(cuEventSynchronize(last));
        float milliseconds = 0;
        PAINN_CUDA(cuEventElapsedTime(&milliseconds, first, last));
        device.push_back(1e-3 * milliseconds / inARow);
    }
    cuEventDestroy(first);
    cuEventDestroy(last);
    return {median(device), median(host), median(alone)};
}

std::string getDeviceName(CUdevice device) {
    char name[256];
    PAINN_CUDA(cuDeviceGetName(name, sizeof(name), device));
    return name;
}

std::string getDriverVersion() {
    int version = 0;
    PAINN_CUDA(cuDriverGetVersion(&version));
    return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

} // namespace PaiNNPlugin
