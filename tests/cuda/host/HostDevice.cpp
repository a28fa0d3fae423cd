// SPDX-License-Identifier: MIT
#include "HostDevice.h"
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <stdexcept>

namespace PaiNNPlugin {

namespace {

constexpr size_t GUARD = 4096;            // before and behind an allocation
constexpr unsigned char UNTOUCHED = 0xff; // NaN
constexpr std::align_val_t ALIGNMENT{GUARD};

struct HostLaunchList : LaunchList {
    std::vector<Launch> launches;
};

} // namespace

HostDevice::HostDevice(const HostKernels& kernels, const DeviceLimits& limits) : kernels(kernels), limits(limits) {
    if (kernels.argumentBytes != sizeof(Arrays))
        throw std::logic_error("Arrays are not the same on the device and on the host");
}

HostDevice::~HostDevice() {
    for (const auto& allocation : allocations)
        checkGuards(allocation.second);
    if (!fault.empty()) {
        std::fprintf(stderr, "HostDevice: %s\n", fault.c_str());
        std::abort();
    }
    while (!allocations.empty())
        release(allocations.begin()->first);
}

Device::Address HostDevice::allocate(size_t bytes) {
    Allocation result = {static_cast<unsigned char*>(::operator new(bytes + 2 * GUARD, ALIGNMENT)), bytes};
    std::memset(result.memory, UNTOUCHED, bytes + 2 * GUARD);
    std::memset(result.memory + GUARD, 0, bytes);
    const auto address = reinterpret_cast<Address>(result.memory + GUARD);
    allocations[address] = result;
    return address;
}

void HostDevice::release(Address address) noexcept {
    if (address == 0)
        return;
    const auto found = allocations.find(address);
    if (found == allocations.end()) {
        if (fault.empty())
            fault = "memory was released that is not allocated";
        return;
    }
    checkGuards(found->second);
    ::operator delete(found->second.memory, ALIGNMENT);
    allocations.erase(found);
}

void HostDevice::checkGuards(const Allocation& allocation) {
    const unsigned char* memory = allocation.memory + GUARD;
    auto isTouched = [](unsigned char c) { return c != UNTOUCHED; };
    const unsigned char* below = std::find_if(memory - GUARD, memory, isTouched);
    const unsigned char* end = memory + allocation.bytes;
    const unsigned char* above = std::find_if(end, end + GUARD, isTouched);
    if (fault.empty() && (below != memory || above != end + GUARD))
        fault = "byte " + std::to_string((below != memory ? below : above) - memory) + " of an allocation of " +
                std::to_string(allocation.bytes) + " bytes was written";
}

void HostDevice::check() {
    for (const auto& allocation : allocations)
        checkGuards(allocation.second);
    if (!fault.empty()) {
        const std::string what = fault;
        fault.clear();
        throw std::runtime_error("HostDevice: " + what);
    }
}

void HostDevice::checkRange(Address address, size_t bytes, const char* what) const {
    auto found = allocations.upper_bound(address);
    if (found == allocations.begin() ||
        (--found, address + bytes > found->first + found->second.bytes || address < found->first))
        throw std::runtime_error("HostDevice: " + std::string(what) + " of " + std::to_string(bytes) +
                                 " bytes where not so many are allocated");
}

void HostDevice::upload(Address to, const void* from, size_t bytes, Stream) {
    if (bytes == 0)
        return;
    checkRange(to, bytes, "upload");
    std::memcpy(reinterpret_cast<void*>(to), from, bytes);
}

void HostDevice::download(void* to, Address from, size_t bytes, Stream) {
    if (bytes == 0)
        return;
    checkRange(from, bytes, "download");
    std::memcpy(to, reinterpret_cast<const void*>(from), bytes);
}

void* HostDevice::allocateMapped(size_t bytes) {
    return reinterpret_cast<void*>(allocate(bytes));
}

void HostDevice::releaseMapped(void* memory) noexcept {
    release(reinterpret_cast<Address>(memory));
}

std::unique_ptr<LaunchList> HostDevice::prepare(const std::vector<Launch>& launches) {
    for (const Launch& launch : launches) {
        const std::string name = "HostDevice: kernel " + std::string(launch.kernel);
        if (kernels.functions.count(launch.kernel) == 0)
            throw std::runtime_error(name + " does not exist");
        if (launch.sharedBytes > limits.sharedBytes)
            throw std::runtime_error(name + " wants " + std::to_string(launch.sharedBytes) +
                                     " bytes of shared memory of " + std::to_string(limits.sharedBytes));
        if (launch.cluster > 1 && !limits.hasClusters)
            throw std::runtime_error(name + " wants clusters");
    }
    auto list = std::make_unique<HostLaunchList>();
    list->launches = launches;
    return list;
}

void HostDevice::run(LaunchList& list, Stream) {
    for (const Launch& launch : dynamic_cast<HostLaunchList&>(list).launches) {
        HostLaunch hostLaunch;
        hostLaunch.name = launch.kernel;
        hostLaunch.kernel = kernels.functions.at(launch.kernel);
        hostLaunch.arguments = &launch.arrays;
        hostLaunch.argument = launch.argument;
        hostLaunch.gridX = launch.gridX;
        hostLaunch.gridY = launch.gridY;
        hostLaunch.threads = launch.threads;
        hostLaunch.sharedBytes = launch.sharedBytes;
        hostLaunch.cluster = launch.cluster;
        gpu.run(hostLaunch);
        numLaunches++;
        try {
            check();
        }
        catch (const std::runtime_error& e) {
            throw std::runtime_error(std::string(e.what()) + " by kernel " + launch.kernel);
        }
    }
}

void HostDevice::synchronize(Stream) {
    check();
}

} // namespace PaiNNPlugin
