// SPDX-License-Identifier: MIT
#ifndef PAINN_TESTS_HOST_KERNEL_CALL_H_
#define PAINN_TESTS_HOST_KERNEL_CALL_H_

namespace PaiNNPlugin {

/** Makes HostLaunch::kernel of a kernel: callKernel<A, kernel> for void kernel(const A, int). */
template <class Arguments, void (*KERNEL)(const Arguments, int)> void callKernel(const void* arguments, int argument) {
    KERNEL(*static_cast<const Arguments*>(arguments), argument);
}

} // namespace PaiNNPlugin

#endif
