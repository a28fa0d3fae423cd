// SPDX-License-Identifier: MIT
#include "CudaEvaluatorState.h"

namespace PaiNNPlugin {

CudaEvaluator::CudaEvaluator(std::shared_ptr<const CudaNetwork> network, const std::vector<int>& elements,
                             const std::vector<int>& subsystems, bool periodic, Device& device,
                             const ContextArrays& context)
    : state(std::make_unique<State>(network, subsystems, periodic, device, context)) {
    const int S = state->arrays.numSubsystems;
    setElements(elements, nullptr);
    setScales(std::vector<double>(S, 1.0), std::vector<char>(S, 1), nullptr);
    state->prepare();
    device.synchronize(nullptr);
}

CudaEvaluator::~CudaEvaluator() = default;

void CudaEvaluator::setElements(const std::vector<int>& elements, Device::Stream stream) {
    state->elements = elements;
    state->upload(state->arrays.elements, elements, stream);
}

void CudaEvaluator::setSlots(const std::vector<int>& slots, Device::Stream stream) {
    state->upload(state->arrays.slots, slots, stream);
}

void CudaEvaluator::setScales(const std::vector<double>& scales, const std::vector<char>& wanted,
                              Device::Stream stream) {
    std::vector<Scale> values;
    for (size_t s = 0; s < scales.size(); s++)
        values.push_back({scales[s], scales[s] != 0 || wanted[s], 0});
    state->upload(state->arrays.scales, values, stream);
}

void CudaEvaluator::setBox(const double box[3][3], Device::Stream stream) {
    state->device.upload(state->arrays.box, box, 9 * sizeof(double), stream);
    state->requestCandidates(stream);
}

void CudaEvaluator::launch(bool withForces, Device::Stream stream) {
    State& s = *state;
    s.growRows(stream);
    s.prepare();
    s.device.run(*s.lists[withForces], stream);
}

void CudaEvaluator::getSubsystemEnergies(std::vector<double>& energies, Device::Stream stream) {
    State& s = *state;
    energies.resize(s.arrays.numSubsystems);
    s.device.download(energies.data(), s.arrays.subsystemEnergies, energies.size() * sizeof(double), stream);
    for (size_t k = 0; k < energies.size(); k++)
        for (int i = s.starts[k]; i < s.starts[k + 1]; i++)
            energies[k] += s.network->parameters->atomReferences[s.elements[i]];
}

void CudaEvaluator::getAtomEnergies(std::vector<double>& energies, Device::Stream stream) {
    State& s = *state;
    energies.resize(s.arrays.numAtoms);
    s.device.download(energies.data(), s.arrays.atomEnergies, energies.size() * sizeof(double), stream);
    for (size_t i = 0; i < energies.size(); i++)
        energies[i] += s.network->parameters->atomReferences[s.elements[i]];
}

Device::Address CudaEvaluator::getDeviceEnergies() const {
    return state->arrays.subsystemEnergies;
}

DeviceStatus CudaEvaluator::getStatus() const {
    DeviceStatus status;
    status.problem = state->report->problem;
    status.atom1 = state->report->atom1;
    status.atom2 = state->report->atom2;
    return status;
}

size_t CudaEvaluator::getMemory() const {
    size_t bytes = 0;
    for (const DeviceMemory& memory : state->memory)
        bytes += memory.size();
    return bytes;
}

void CudaEvaluator::resetStatus() {
    const Report empty = {};
    const Report before = *state->report;
    Report kept = empty;
    kept.mostEdges = before.mostEdges;
    kept.mostCandidates = before.mostCandidates;
    state->device.upload(state->arrays.report, &kept, sizeof(kept), nullptr);
    state->device.synchronize(nullptr);
    *state->report = kept;
}

} // namespace PaiNNPlugin
