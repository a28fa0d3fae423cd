// SPDX-License-Identifier: MIT
#ifndef PAINN_DEVICE_H_
#define PAINN_DEVICE_H_

#include "Arrays.h"
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace PaiNNPlugin {

/** One launch of a kernel: extern "C" void NAME(const Arrays arrays, int argument). */
struct Launch {
    const char* kernel;       ///< a string literal
    int gridX = 1, gridY = 1; ///< blocks
    int threads = 256;        ///< of a block
    size_t sharedBytes = 0;   ///< dynamic shared memory of a block
    int cluster = 1;          ///< blocks along x that make a cluster
    Arrays arrays{};
    int argument = 0;
};

/** Launches that are made again and again in the same order, as a CUDA graph where there are such. */
class LaunchList {
public:
    virtual ~LaunchList() = default;
};

/** What a device can do. */
struct DeviceLimits {
    int computeCapability = 0; ///< 10 major + minor
    int multiprocessors = 1;
    size_t sharedBytes = 0;      ///< dynamic shared memory that a block may have
    bool hasTensorCores = false; ///< mma of TF32
    bool hasClusters = false;
};

/**
 * Where the kernels of one network run: a GPU through CUDA's driver or, in tests, the host. A stream is CUDA's handle
 * (CUstream); the host has only 0. What is called with the same stream happens in that order.
 */
class Device {
public:
    using Address = uint64_t;
    using Stream = void*;
    virtual ~Device() = default;
    virtual const DeviceLimits& getLimits() const = 0;
    /** Get memory, filled with zeros. @throws OpenMMException that says how many bytes were asked for */
    virtual Address allocate(size_t bytes) = 0;
    virtual void release(Address address) noexcept = 0;
    /** Copy to the device; `from` may be changed as soon as this returns. Does not wait for the device. */
    virtual void upload(Address to, const void* from, size_t bytes, Stream stream) = 0;
    /** Copy from the device and wait for it. */
    virtual void download(void* to, Address from, size_t bytes, Stream stream) = 0;
    /** Get memory of the host that kernels can write, filled with zeros; one address serves both. */
    virtual void* allocateMapped(size_t bytes) = 0;
    virtual void releaseMapped(void* memory) noexcept = 0;
    /** How many clusters of a launch the device works on at a time; 0: it cannot have any of that kind. */
    virtual int countClusters(const Launch& launch) = 0;
    virtual std::unique_ptr<LaunchList> prepare(const std::vector<Launch>& launches) = 0;
    /** Start all launches of a list; does not wait for them. */
    virtual void run(LaunchList& list, Stream stream) = 0;
    virtual void synchronize(Stream stream) = 0;
};

/** Memory of a device that is given back at the end. */
class DeviceMemory {
public:
    DeviceMemory() = default;
    DeviceMemory(Device& device, size_t bytes) : device(&device), address(device.allocate(bytes)), bytes(bytes) {}
    DeviceMemory(DeviceMemory&& other) noexcept {
        swap(other);
    }
    DeviceMemory& operator=(DeviceMemory&& other) noexcept {
        swap(other);
        return *this;
    }
    ~DeviceMemory() {
        if (device != nullptr)
            device->release(address);
    }
    template <class T> T* as() const {
        return reinterpret_cast<T*>(address);
    }
    Device::Address get() const {
        return address;
    }
    size_t size() const {
        return bytes;
    }

private:
    void swap(DeviceMemory& other) noexcept {
        std::swap(device, other.device);
        std::swap(address, other.address);
        std::swap(bytes, other.bytes);
    }
    Device* device = nullptr;
    Device::Address address = 0;
    size_t bytes = 0;
};

/** Memory of the host that kernels can write, likewise. */
class MappedMemory {
public:
    MappedMemory(Device& device, size_t bytes) : device(device), memory(device.allocateMapped(bytes)) {}
    ~MappedMemory() {
        device.releaseMapped(memory);
    }
    MappedMemory(const MappedMemory&) = delete;
    MappedMemory& operator=(const MappedMemory&) = delete;
    template <class T> T* as() const {
        return static_cast<T*>(memory);
    }

private:
    Device& device;
    void* memory;
};

} // namespace PaiNNPlugin

#endif
