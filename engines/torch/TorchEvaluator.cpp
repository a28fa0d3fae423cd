// SPDX-License-Identifier: MIT
#include "TorchEvaluator.h"
#include "FullPrecision.h"
#include "NeighborList.h"
#include "TorchNetwork.h"
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/AutogradState.h>
#include <c10/core/GradMode.h>
#include <limits>
#include <new>
#include <stdexcept>
#include <string>
#include <torch/csrc/autograd/autograd.h>
#include <type_traits>

/** Of the OpenMP that PyTorch brings along, if it does; holds for the thread that calls it. */
extern "C" void omp_set_num_threads(int number) __attribute__((weak));

namespace PaiNNPlugin {

namespace {

/**
 * Up to here one thread works alone. More are woken for every operation and spin until the last has done its part: that
 * takes longer than the part where molecules are small, and a hundred times longer where other programs want the cores.
 */
const int64_t MOST_ATOMS_ALONE = 128;

void chooseThreads(int most, int64_t numAtoms) {
    at::get_num_threads(); // lets PyTorch make its own choice for this thread, which it does once
    if (omp_set_num_threads != nullptr)
        omp_set_num_threads(numAtoms <= MOST_ATOMS_ALONE ? 1 : most);
}

[[noreturn]] void fail(const std::string& message) {
    throw std::runtime_error("PaiNNStudentForce: LibTorch: " + message);
}

/** Do something with PyTorch. Its errors become those of evaluators, without the stack that it writes into them. */
template <class Job> void withTorch(const Job& job) {
    try {
        job();
    }
    catch (const c10::OutOfMemoryError&) {
        throw std::bad_alloc();
    }
    catch (const c10::Error& e) {
        const std::string message = e.what_without_backtrace();
        if (message.find("DefaultCPUAllocator") != std::string::npos)
            throw std::bad_alloc();
        fail(message);
    }
}

at::Device findDevice(int cudaDevice) {
    if (cudaDevice < 0)
        return at::kCPU;
    const std::string install = "install the torch==" PAINN_TORCH_VERSION " that is built for CUDA";
    if (!at::globalContext().hasCUDART())
        fail("the PyTorch that is loaded is one for processors only, but the Context is on CUDA: " + install);
    const int64_t number = static_cast<int64_t>(at::getNumGPUs());
    if (cudaDevice >= number)
        fail("the Context is on CUDA's device " + std::to_string(cudaDevice) + ", but PyTorch sees " +
             std::to_string(number) + " devices: check the driver and CUDA_VISIBLE_DEVICES, or " + install);
    return at::Device(at::kCUDA, static_cast<at::DeviceIndex>(cudaDevice));
}

} // namespace

/** Some subsystems: their atoms and pairs one after the other. */
struct TorchEvaluator::Input {
    std::vector<int> atoms;             // [n] index into all atoms
    std::vector<int64_t> elements;      // [n]
    std::vector<int64_t> lower, higher; // [P] index into atoms
    std::vector<double> u, d;           // [P][3]; [P] nm

    int64_t numPairs() const {
        return static_cast<int64_t>(d.size());
    }
    /** A copy of an array, on a device. */
    template <class T>
    static at::Tensor upload(const std::vector<T>& values, at::IntArrayRef shape, at::Device device) {
        const at::ScalarType type = std::is_same_v<T, double> ? at::kDouble : at::kLong;
        return at::from_blob(const_cast<T*>(values.data()), shape, type).to(device, type, false, true);
    }
};

TorchEvaluator::TorchEvaluator(std::shared_ptr<const NetworkParameters> parameters, const std::vector<int>& elements,
                               const std::vector<int>& subsystems, const TorchOptions& options)
    : parameters(std::move(parameters)), options(options), elements(elements), thread(std::make_unique<OwnThread>()) {
    const int n = static_cast<int>(subsystems.size());
    for (int i = 0; i < n; i++)
        if (i == 0 || subsystems[i] != subsystems[i - 1])
            first.push_back(i);
    first.push_back(n);
    thread->run([this] {
        withTorch([this] {
            network = std::make_unique<TorchNetwork>(*this->parameters, findDevice(this->options.cudaDevice),
                                                     this->options.isDouble ? at::kDouble : at::kFloat);
        });
    });
}

TorchEvaluator::~TorchEvaluator() {
    if (!thread->isHere()) { // a forked process: nothing here works, not even its end
        network.release();
        thread.release();
        return;
    }
    thread->run([this] { network.reset(); });
}

void TorchEvaluator::setElements(const std::vector<int>& newElements) {
    elements = newElements;
}

double TorchEvaluator::getLargestValue() const {
    return options.isDouble ? std::numeric_limits<double>::max() : std::numeric_limits<float>::max();
}

void TorchEvaluator::evaluate(const std::vector<double>& positions, const Box* boxes, const std::vector<char>& active,
                              std::vector<double>& atomEnergies, std::vector<double>* forces) {
    atomEnergies.assign(elements.size(), 0.0);
    if (forces != nullptr)
        forces->assign(3 * elements.size(), 0.0);
    std::vector<Input> inputs(1);
    for (size_t s = 0; s + 1 < first.size(); s++) {
        if (!active[s])
            continue;
        if (options.cudaDevice < 0 && !inputs.back().atoms.empty())
            inputs.emplace_back();
        collect(static_cast<int>(s), positions.data(), boxes == nullptr ? nullptr : boxes + s, inputs.back());
    }
    if (inputs.back().atoms.empty())
        return;
    thread->run([&] {
        withTorch([&] {
            const FullPrecision guard;
            // The backward pass in this thread too, on a GPU as well. PyTorch's threads for that may wait for Python's
            // lock (GIL), which a caller may hold.
            c10::AutogradState::get_tls_state().set_multithreading_enabled(false);
            for (const Input& input : inputs) {
                chooseThreads(options.numThreads, static_cast<int64_t>(input.atoms.size()));
                evaluate(input, atomEnergies, forces);
            }
        });
    });
}

/** Append a subsystem. */
void TorchEvaluator::collect(int subsystem, const double* positions, const Box* box, Input& input) const {
    const int begin = first[subsystem], end = first[subsystem + 1];
    const int64_t offset = static_cast<int64_t>(input.atoms.size());
    for (int i = begin; i < end; i++) {
        input.atoms.push_back(i);
        input.elements.push_back(elements[i]);
    }
    NeighborList list;
    try {
        list = findNeighbors({positions + 3 * begin, positions + 3 * end}, box, parameters->cutoff);
    }
    catch (const CoincidentAtoms& e) {
        throw CoincidentAtoms(begin + e.atom1, begin + e.atom2);
    }
    for (int i = 0; i < end - begin; i++)
        for (int e = list.first[i]; e < list.first[i + 1]; e++) {
            if (list.neighbor[e] < i)
                continue; // the pair has been there as an edge of its lower atom
            input.lower.push_back(offset + i);
            input.higher.push_back(offset + list.neighbor[e]);
            input.u.insert(input.u.end(), &list.u[3 * e], &list.u[3 * e] + 3);
            input.d.push_back(list.d[list.pair[e]]);
        }
}

/** In the thread of PyTorch. Adds to the forces. */
void TorchEvaluator::evaluate(const Input& input, std::vector<double>& atomEnergies,
                              std::vector<double>* forces) const {
    const at::Device device = network->getDevice();
    const int64_t n = static_cast<int64_t>(input.atoms.size()), P = input.numPairs();
    const bool withForces = forces != nullptr && P > 0;
    const c10::AutoGradMode gradients(withForces);
    const TorchPairs pairs = {Input::upload(input.lower, {P}, device), Input::upload(input.higher, {P}, device),
                              Input::upload(input.u, {P, 3}, device).requires_grad_(withForces),
                              Input::upload(input.d, {P}, device)};
    const at::Tensor energies = network->computeEnergies(Input::upload(input.elements, {n}, device), pairs);
    const at::Tensor onHost = energies.detach().to(at::kCPU);
    for (int64_t i = 0; i < n; i++)
        atomEnergies[input.atoms[i]] = onHost.const_data_ptr<double>()[i];
    if (!withForces)
        return;
    const at::Tensor gradient = torch::autograd::grad({energies.sum()}, {pairs.u})[0].to(at::kCPU).contiguous();
    const double* u_adj = gradient.const_data_ptr<double>(); // [P][3] kJ/mol; by r = d u it is u_adj / d
    for (int64_t p = 0; p < P; p++)
        for (int k = 0; k < 3; k++) {
            const double r_adj = u_adj[3 * p + k] / input.d[p];
            (*forces)[3 * input.atoms[input.lower[p]] + k] += r_adj;
            (*forces)[3 * input.atoms[input.higher[p]] + k] -= r_adj;
        }
}

} // namespace PaiNNPlugin

/** See MakeTorchEvaluator. */
extern "C" __attribute__((visibility("default"))) PaiNNPlugin::Evaluator*
makePaiNNTorchEvaluator(const std::shared_ptr<const PaiNNPlugin::NetworkParameters>& parameters,
                        const std::vector<int>& elements, const std::vector<int>& subsystems,
                        const PaiNNPlugin::TorchOptions& options) {
    return new PaiNNPlugin::TorchEvaluator(parameters, elements, subsystems, options);
}
