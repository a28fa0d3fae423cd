// SPDX-License-Identifier: MIT
#ifndef PAINN_CUDA_DEVICE_H_
#define PAINN_CUDA_DEVICE_H_

#include "Device.h"
#include <cuda.h>
#include <functional>
#include <map>
#include <mutex>
#include <string>

namespace PaiNNPlugin {

/**
 * A GPU with the kernels of one network, through CUDA's driver. The CUcontext it was made in has to be current whenever
 * anything of it is called or destroyed. May be used by several threads at once, each with streams of its own.
 */
class CudaDevice : public Device {
public:
    /** What a device can do. Needs no CUcontext. */
    static DeviceLimits findLimits(CUdevice device);
    /** Gives the module with a group of kernels (CudaNetwork::getGroup), which the device unloads at its end. May be
     * called by several threads at once, for different groups. */
    using Compiler = std::function<CUmodule(const DeviceLimits&, int group)>;
    explicit CudaDevice(CUdevice device);
    ~CudaDevice() override;
    CudaDevice(const CudaDevice&) = delete;
    CudaDevice& operator=(const CudaDevice&) = delete;
    const DeviceLimits& getLimits() const override {
        return limits;
    }
    Address allocate(size_t bytes) override;
    void release(Address address) noexcept override;
    void upload(Address to, const void* from, size_t bytes, Stream stream) override;
    void download(void* to, Address from, size_t bytes, Stream stream) override;
    void* allocateMapped(size_t bytes) override;
    void releaseMapped(void* memory) noexcept override;
    int countClusters(const Launch& launch) override;
    std::unique_ptr<LaunchList> prepare(const std::vector<Launch>& launches) override;
    void run(LaunchList& list, Stream stream) override;
    void synchronize(Stream stream) override;
    /**
     * What compiles kernels when they are prepared for the first time; may be replaced or taken away after that.
     *
     * @param cacheName   of what it compiles, if it goes through OpenMM's cache: what has been compiled under this name
     *                    in this process is taken to be there
     */
    void setCompiler(const Compiler& compiler, const std::string& cacheName = "");

private:
    struct Function {
        CUfunction function = nullptr;
        size_t sharedBytes = 0; // dynamic shared memory that it was allowed so far
        int cluster = 8;        // largest cluster that it was allowed so far
    };
    void compile(const std::vector<Launch>& launches);
    CUfunction getFunction(const Launch& launch);
    const DeviceLimits limits;
    std::mutex lock; // of what follows
    Compiler compiler;
    std::string cacheName;
    std::map<int, CUmodule> modules; // by group
    std::map<std::string, Function> functions;
};

} // namespace PaiNNPlugin

#endif
