// SPDX-License-Identifier: MIT
#ifndef PAINN_TESTS_HOST_KERNELS_H_
#define PAINN_TESTS_HOST_KERNELS_H_

#include <cstddef>
#include <map>
#include <string>

namespace PaiNNPlugin {

/** The kernels of one model, compiled for the host. */
struct HostKernels {
    using Function = void (*)(const void* arguments, int argument);
    std::string defines;      ///< the lines that they were compiled with
    size_t argumentBytes = 0; ///< of their first argument
    std::map<std::string, Function> functions;
};

/** All that are compiled into this program, by KernelChoice::name(). */
inline std::map<std::string, HostKernels>& hostKernels() {
    static std::map<std::string, HostKernels> all;
    return all;
}

} // namespace PaiNNPlugin

#endif
