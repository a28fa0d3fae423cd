// SPDX-License-Identifier: MIT
#include "CudaDevice.h"
#include "CudaError.h"
#include "CudaLaunchList.h"
#include "CudaNetwork.h"
#include <algorithm>
#include <cstring>
#include <future>
#include <set>

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

namespace {

int getAttribute(CUdevice device, CUdevice_attribute attribute) {
    int value = 0;
    PAINN_CUDA(cuDeviceGetAttribute(&value, attribute, device));
    return value;
}

[[noreturn]] void failToAllocate(CUresult result, size_t bytes, const char* where, const char* call, int line) {
    const string error = describeCudaError(result, call, __FILE__, line);
    if (result != CUDA_ERROR_OUT_OF_MEMORY)
        throw OpenMMException(error);
    size_t free = 0, total = 0;
    string rest;
    if (cuMemGetInfo(&free, &total) == CUDA_SUCCESS && strcmp(where, "device") == 0)
        rest = ", which has " + to_string(free) + " of its " + to_string(total) + " bytes left";
    throw OpenMMException("PaiNNStudentForce: out of memory: " + to_string(bytes) + " bytes were asked for on the " +
                          where + rest + "; use fewer or smaller systems (" + error + ")");
}

/** What has been compiled in this process and is in OpenMM's cache, by name and group. */
set<pair<string, int>> cached;
mutex cachedLock;

bool isCached(const string& name, int group) {
    lock_guard<mutex> guard(cachedLock);
    return cached.count({name, group}) != 0;
}

void noteCached(const string& name, int group) {
    lock_guard<mutex> guard(cachedLock);
    if (!name.empty())
        cached.insert({name, group});
}

} // namespace

DeviceLimits CudaDevice::findLimits(CUdevice device) {
    DeviceLimits limits;
    limits.computeCapability = 10 * getAttribute(device, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR) +
                               getAttribute(device, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
    limits.multiprocessors = getAttribute(device, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
    limits.sharedBytes =
        static_cast<size_t>(getAttribute(device, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN));
    limits.hasTensorCores = limits.computeCapability >= 80;
    limits.hasClusters =
        limits.computeCapability >= 90 && getAttribute(device, CU_DEVICE_ATTRIBUTE_CLUSTER_LAUNCH) != 0;
    return limits;
}

CudaDevice::CudaDevice(CUdevice device) : limits(findLimits(device)) {}

CudaDevice::~CudaDevice() {
    for (auto& [group, module] : modules)
        cuModuleUnload(module); // nobody can be told if it fails, e.g. because the CUcontext is gone
}

void CudaDevice::setCompiler(const Compiler& newCompiler, const string& newCacheName) {
    lock_guard<mutex> guard(lock);
    compiler = newCompiler;
    cacheName = newCacheName;
}

Device::Address CudaDevice::allocate(size_t bytes) {
    CUdeviceptr address = 0;
    const CUresult result = cuMemAlloc(&address, max<size_t>(bytes, 1));
    if (result != CUDA_SUCCESS)
        failToAllocate(result, bytes, "device", "cuMemAlloc", __LINE__);
    try {
        PAINN_CUDA(cuMemsetD8(address, 0, max<size_t>(bytes, 1)));
        PAINN_CUDA(cuStreamSynchronize(nullptr)); // streams that do not wait for the legacy one must find zeros too
    }
    catch (...) {
        cuMemFree(address);
        throw;
    }
    return address;
}

void CudaDevice::release(Address address) noexcept {
    if (address != 0)
        cuMemFree(address);
}

void CudaDevice::upload(Address to, const void* from, size_t bytes, Stream stream) {
    // From memory that is not page-locked CUDA copies what it needs before it returns.
    if (bytes > 0)
        PAINN_CUDA(cuMemcpyHtoDAsync(to, from, bytes, static_cast<CUstream>(stream)));
}

void CudaDevice::download(void* to, Address from, size_t bytes, Stream stream) {
    if (bytes > 0)
        PAINN_CUDA(cuMemcpyDtoHAsync(to, from, bytes, static_cast<CUstream>(stream)));
    synchronize(stream);
}

void* CudaDevice::allocateMapped(size_t bytes) {
    void* memory = nullptr;
    const unsigned int flags = CU_MEMHOSTALLOC_DEVICEMAP | CU_MEMHOSTALLOC_PORTABLE;
    const CUresult result = cuMemHostAlloc(&memory, max<size_t>(bytes, 1), flags);
    if (result != CUDA_SUCCESS)
        failToAllocate(result, bytes, "host", "cuMemHostAlloc", __LINE__);
    memset(memory, 0, max<size_t>(bytes, 1));
    return memory;
}

void CudaDevice::releaseMapped(void* memory) noexcept {
    if (memory != nullptr)
        cuMemFreeHost(memory);
}

int CudaDevice::countClusters(const Launch& launch) {
    compile({launch});
    const LaunchConfig config(launch, nullptr);
    int clusters = 0;
    // Some devices, and parts of devices, have clusters but none so large.
    return cuOccupancyMaxActiveClusters(&clusters, getFunction(launch), &config.config) == CUDA_SUCCESS ? clusters : 0;
}

unique_ptr<LaunchList> CudaDevice::prepare(const vector<Launch>& launches) {
    compile(launches);
    KernelLaunches list;
    for (const Launch& launch : launches)
        list.emplace_back(getFunction(launch), launch);
    return make_unique<CudaLaunchList>(list, limits.computeCapability >= 90);
}

void CudaDevice::run(LaunchList& list, Stream stream) {
    static_cast<CudaLaunchList&>(list).run(static_cast<CUstream>(stream));
}

void CudaDevice::synchronize(Stream stream) {
    PAINN_CUDA(cuStreamSynchronize(static_cast<CUstream>(stream)));
}

/**
 * Get the modules of the kernels of launches. Threads compile them: NVRTC takes one at a time, but while the driver
 * makes machine code of one, NVRTC is at the next. What only has to be read from OpenMM's cache needs none: each leaves
 * a used stack to the thread that OpenMM leaves behind with every Context.
 */
void CudaDevice::compile(const vector<Launch>& launches) {
    lock_guard<mutex> guard(lock);
    CUcontext context = nullptr;
    PAINN_CUDA(cuCtxGetCurrent(&context));
    map<int, future<CUmodule>, greater<int>> compiled; // by group, the ones that take the longest first
    for (const Launch& launch : launches) {
        const int group = CudaNetwork::getGroup(launch.kernel);
        if (modules.count(group) == 0)
            compiled[group];
    }
    for (auto& entry : compiled) {
        const auto policy = isCached(cacheName, entry.first) ? std::launch::deferred : std::launch::async;
        auto compileGroup = [this, context, group = entry.first] {
            PAINN_CUDA(cuCtxSetCurrent(context)); // of this thread, which ends with it
            return compiler(limits, group);
        };
        try {
            entry.second = async(policy, compileGroup);
        }
        catch (const system_error&) { // no more threads
            entry.second = async(std::launch::deferred, compileGroup);
        }
    }
    exception_ptr failure;
    for (auto& [group, module] : compiled)
        try {
            modules[group] = module.get();
            noteCached(cacheName, group);
        }
        catch (...) { // the others are kept, or would be nobody's to unload
            modules.erase(group);
            failure = current_exception();
        }
    if (failure != nullptr)
        rethrow_exception(failure);
}

/** Find a kernel that is compiled, and allow it what a launch needs beyond the default. */
CUfunction CudaDevice::getFunction(const Launch& launch) {
    lock_guard<mutex> guard(lock);
    Function& known = functions[launch.kernel];
    if (known.function == nullptr) {
        const CUmodule module = modules.at(CudaNetwork::getGroup(launch.kernel));
        const CUresult result = cuModuleGetFunction(&known.function, module, launch.kernel);
        if (result != CUDA_SUCCESS)
            throw OpenMMException(describeCudaError(result, launch.kernel, __FILE__, __LINE__));
    }
    if (launch.sharedBytes > known.sharedBytes) {
        PAINN_CUDA(cuFuncSetAttribute(known.function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                                      static_cast<int>(launch.sharedBytes)));
        known.sharedBytes = launch.sharedBytes;
    }
    if (launch.cluster > known.cluster) {
        PAINN_CUDA(cuFuncSetAttribute(known.function, CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED, 1));
        known.cluster = launch.cluster;
    }
    return known.function;
}

} // namespace PaiNNPlugin
