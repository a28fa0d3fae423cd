// SPDX-License-Identifier: MIT
#ifndef PAINN_CUDA_EVALUATOR_STATE_H_
#define PAINN_CUDA_EVALUATOR_STATE_H_

#include "CudaEvaluator.h"
#include <array>

namespace PaiNNPlugin {

/** The threads of a block that searches edges; each of its warps sorts a row of candidates in shared memory. */
constexpr int EDGE_THREADS = 128;

/** What an evaluator has on the device, and the launches that it consists of. */
struct CudaEvaluator::State {
    State(std::shared_ptr<const CudaNetwork> network, const std::vector<int>& subsystems, bool periodic, Device& device,
          const std::vector<ContextArrays>& contexts);
    Device::Address allocate(size_t bytes) {
        return memory.emplace_back(device, bytes).get();
    }
    bool replace(DeviceMemory& memory, size_t bytes);
    void allocateFeatures();
    bool allocateEdges(int capacity);
    void allocateCells();
    bool allocateCandidates(int capacity);
    void requestCandidates(Device::Stream stream);
    void growRows(Device::Stream stream);
    void prepare();
    Launch makeLaunch(const char* kernel, int gridX, int gridY, int threads, size_t sharedBytes, int argument) const;
    void addMessage(std::vector<Launch>& list, bool backward, int l) const;
    void addNode(std::vector<Launch>& list, const std::array<const char*, 3>& names, int l) const;
    Launch makeMolecule() const;
    bool areSmallMolecules();
    void addStages(std::vector<Launch>& list, bool withForces) const;
    std::vector<Launch> listLaunches(bool withForces);
    template <class T> void upload(Device::Address to, const std::vector<T>& values, Device::Stream stream) {
        device.upload(to, values.data(), values.size() * sizeof(T), stream);
    }

    std::shared_ptr<const CudaNetwork> network;
    Device& device;
    int realBytes;
    MoleculeForm molecule;
    Arrays arrays;
    std::vector<Home> homes;
    std::vector<int> elements, starts;
    int largest = 0;     ///< atoms of a subsystem
    int clusters = -1;   ///< of the molecule kernel that the device works on at a time; -1: not asked yet
    bool canGrow = true; ///< rows of edges and candidates; not when memory was too short for it
    std::vector<DeviceMemory> memory;
    DeviceMemory edges, candidates;
    MappedMemory mapped;                  ///< of report
    Report* report;                       ///< what kernels show
    std::unique_ptr<LaunchList> lists[2]; ///< without and with forces
};

} // namespace PaiNNPlugin

#endif
