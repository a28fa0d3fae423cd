// SPDX-License-Identifier: MIT
#include "CudaEvaluatorState.h"

namespace PaiNNPlugin {

CudaEvaluator::CudaEvaluator(std::shared_ptr<const CudaNetwork> network, const std::vector<int>& elements,
                             const std::vector<int>& subsystems, bool periodic, Device& device,
                             const std::vector<ContextArrays>& contexts)
    : state(std::make_unique<State>(network, subsystems, periodic, device, contexts)) {
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

void CudaEvaluator::setBoxes(const std::vector<Box>& boxes, Device::Stream stream) {
    for (size_t s = 0; s < boxes.size(); s++)
        for (int k = 0; k < 9; k++)
            state->homes[s].box[k] = boxes[s][k / 3][k % 3];
    state->upload(state->arrays.homes, state->homes, stream);
    state->requestCandidates(stream);
}

void CudaEvaluator::launch(bool withForces, Device::Stream stream) {
    State& s = *state;
    s.growRows(stream);
    s.prepare();
    s.device.run(*s.lists[withForces], stream);
}

void CudaEvaluator::getSubsystemEnergies(int first, int last, std::vector<double>& energies, Device::Stream stream) {
    State& s = *state;
    energies.resize(last - first);
    s.device.download(energies.data(), getDeviceEnergies(first), energies.size() * sizeof(double), stream);
    for (int k = first; k < last; k++)
        for (int i = s.starts[k]; i < s.starts[k + 1]; i++)
            energies[k - first] += s.network->parameters->atomReferences[s.elements[i]];
}

void CudaEvaluator::getAtomEnergies(int first, int last, std::vector<double>& energies, Device::Stream stream) {
    State& s = *state;
    energies.resize(last - first);
    s.device.download(energies.data(), s.arrays.atomEnergies + first * sizeof(double), energies.size() * sizeof(double),
                      stream);
    for (int i = first; i < last; i++)
        energies[i - first] += s.network->parameters->atomReferences[s.elements[i]];
}

Device::Address CudaEvaluator::getDeviceEnergies(int subsystem) const {
    return state->arrays.subsystemEnergies + subsystem * sizeof(double);
}

DeviceStatus CudaEvaluator::getStatus() const {
    DeviceStatus status;
    status.problem = state->report->problem;
    status.atom1 = state->report->atom1;
    status.atom2 = state->report->atom2;
    return status;
}

std::vector<DeviceStatus> CudaEvaluator::getProblems(Device::Stream stream) const {
    std::vector<Problem> found(state->arrays.numSubsystems);
    state->device.download(found.data(), state->arrays.problems, found.size() * sizeof(Problem), stream);
    std::vector<DeviceStatus> problems;
    for (const Problem& one : found)
        problems.push_back({one.problem, one.atom1, one.atom2});
    return problems;
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
    const std::vector<Problem> none(state->arrays.numSubsystems, Problem{});
    state->upload(state->arrays.problems, none, nullptr);
    state->device.upload(state->arrays.report, &kept, sizeof(kept), nullptr);
    state->device.synchronize(nullptr);
    *state->report = kept;
}

} // namespace PaiNNPlugin
