// SPDX-License-Identifier: MIT
#include "ScaleDerivatives.h"
#include "CudaError.h"
#include <algorithm>

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

namespace {

const int THREADS = 128;

// A block per derivative. The Context's array has many rows, which are summed when they are read: we use the first.
const char* const SOURCE = R"(
extern "C" __global__ void addDerivatives(DERIVATIVE* __restrict__ derivatives, const double* __restrict__ energies,
        const int* __restrict__ indices, int numSubsystems) {
    __shared__ double sums[THREADS];
    double sum = 0;
    for (int i = threadIdx.x; i < numSubsystems; i += THREADS)
        if (indices[i] == blockIdx.x)
            sum += energies[i];
    sums[threadIdx.x] = sum;
    __syncthreads();
    for (int half = THREADS/2; half > 0; half /= 2) {
        if (threadIdx.x < half)
            sums[threadIdx.x] += sums[threadIdx.x+half];
        __syncthreads();
    }
    if (threadIdx.x == 0)
        derivatives[blockIdx.x] += (DERIVATIVE) sums[0];
}
)";

} // namespace

ScaleDerivatives::ScaleDerivatives(CudaContext& cc, const PaiNNStudentForce& force, const ForceEntries& atoms)
    : cc(cc), numSubsystems(static_cast<int>(atoms.subsystems.size())) {
    for (int i = 0; i < force.getNumEnergyParameterDerivatives(); i++) // of those that scale nothing, too
        cc.addEnergyParameterDerivative(force.getEnergyParameterDerivativeName(i));
    for (const ForceEntries::Subsystem& subsystem : atoms.subsystems)
        scaleOf.push_back(subsystem.differentiate ? subsystem.scale : "");
}

ScaleDerivatives::~ScaleDerivatives() {
    if (module != nullptr)
        cuModuleUnload(module);
}

void ScaleDerivatives::setElements(const NetworkParameters& parameters, const ForceEntries& atoms,
                                   const vector<int>& elements) {
    references.clear();
    for (size_t i = 0; i < elements.size(); i++) {
        const string& scale = scaleOf[atoms.subsystemOf[i]];
        if (!scale.empty())
            references[scale] += parameters.atomReferences[elements[i]];
    }
}

/** The Context knows all derivatives, those of other forces too, only after all forces were initialized. */
void ScaleDerivatives::initialize() {
    const bool isWide = cc.getUseDoublePrecision() || cc.getUseMixedPrecision();
    module =
        cc.createModule(SOURCE, {{"DERIVATIVE", isWide ? "double" : "float"}, {"THREADS", to_string(THREADS)}}, "");
    kernel = cc.getKernel(module, "addDerivatives");
    const vector<string>& names = cc.getEnergyParamDerivNames();
    vector<int> values;
    for (const string& scale : scaleOf) {
        auto name = find(names.begin(), names.end(), scale);
        values.push_back(scale.empty() ? -1 : static_cast<int>(name - names.begin()));
    }
    indices.initialize<int>(cc, values.size(), "painnDerivatives");
    indices.upload(values);
}

void ScaleDerivatives::add(Device::Address energies) {
    if (!indices.isInitialized())
        initialize();
    CUdeviceptr derivatives = cc.getEnergyParamDerivBuffer().getDevicePointer();
    int number = numSubsystems;
    void* arguments[] = {&derivatives, &energies, &indices.getDevicePointer(), &number};
    const unsigned int blocks = static_cast<unsigned int>(cc.getEnergyParamDerivNames().size());
    PAINN_CUDA(cuLaunchKernel(kernel, blocks, 1, 1, THREADS, 1, 1, 0, cc.getCurrentStream(), arguments, nullptr));
    map<string, double>& onHost = cc.getEnergyParamDerivWorkspace();
    for (const auto& [scale, reference] : references)
        onHost[scale] += reference;
}

} // namespace PaiNNPlugin
