// SPDX-License-Identifier: MIT
#ifndef PAINN_TESTS_HOST_DEVICE_H_
#define PAINN_TESTS_HOST_DEVICE_H_

#include "Device.h"
#include "HostGpu.h"
#include "HostKernels.h"
#include <map>
#include <string>

namespace PaiNNPlugin {

/**
 * A device on the host, for tests. Memory is surrounded by guards, whose change is an exception of the next run(), and
 * a word and an abort at the end of the device. What is asked to happen in a stream has happened when the call returns.
 */
class HostDevice : public Device {
public:
    HostDevice(const HostKernels& kernels, const DeviceLimits& limits);
    ~HostDevice() override;
    const DeviceLimits& getLimits() const override {
        return limits;
    }
    Address allocate(size_t bytes) override;
    void release(Address address) noexcept override;
    void upload(Address to, const void* from, size_t bytes, Stream stream) override;
    void download(void* to, Address from, size_t bytes, Stream stream) override;
    void* allocateMapped(size_t bytes) override;
    void releaseMapped(void* memory) noexcept override;
    int countClusters(const Launch& launch) override {
        return limits.multiprocessors / launch.cluster;
    }
    std::unique_ptr<LaunchList> prepare(const std::vector<Launch>& launches) override;
    void run(LaunchList& list, Stream stream) override;
    void synchronize(Stream stream) override;
    /** @throws std::runtime_error if something was written outside of what was allocated, or released twice */
    void check();
    size_t numAllocations() const {
        return allocations.size();
    }

    HostGpu gpu;
    int numLaunches = 0; ///< so far

private:
    struct Allocation {
        unsigned char* memory;
        size_t bytes;
    };
    void checkRange(Address address, size_t bytes, const char* what) const;
    void checkGuards(const Allocation& allocation);
    const HostKernels& kernels;
    const DeviceLimits limits;
    std::map<Address, Allocation> allocations;
    std::string fault; ///< the first that was noticed where nothing can be thrown
};

} // namespace PaiNNPlugin

#endif
