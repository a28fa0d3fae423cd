// SPDX-License-Identifier: MIT
// Compiles kernels by NVRTC, as OpenMM does, but into machine code, which needs no GPU: CompileKernels FAMILY CHANNELS
// BLOCKS PRECISION CAPABILITY [repulsion]. A warning is a failure. Where there is no NVRTC it says so and gives 77.
#include "KernelChoice.h"
#include "Nvrtc.h"
#include <iostream>
#include <memory>

using namespace PaiNNPlugin;

namespace {

/** What OpenMM puts in front of every source: names that the kernels must bear with. */
std::string getPrelude(CudaPrecision precision) {
    std::string text;
    for (const char* name : {"SQRT", "RSQRT", "EXP", "LOG", "POW", "COS", "SIN", "TAN", "ERF", "ERFC", "FMA", "FABS"})
        text += std::string("#define ") + name + " reservedByOpenMM\n";
    text += "#define SYNC_WARPS __syncwarp();\n#define SHFL(var, srcLane) __shfl_sync(0xffffffff, var, srcLane);\n"
            "#define BALLOT(var) __ballot_sync(0xffffffff, var);\n";
    const std::string real = precision == CudaPrecision::Double ? "double" : "float";
    const std::string mixed = precision == CudaPrecision::Single ? "float" : "double";
    for (const char* number : {"", "2", "3", "4"})
        text +=
            "typedef " + real + number + " real" + number + ";\ntypedef " + mixed + number + " mixed" + number + ";\n";
    // OpenMM's double4 is deprecated by CUDA 13; that is not ours.
    return "#pragma nv_diag_suppress 1444\n" + text + "#pragma nv_diag_default 1444\ntypedef unsigned int tileflags;\n";
}

} // namespace

int main(int argc, char** argv) {
    try {
        const KernelChoice choice(std::vector<std::string>(argv + 1, argv + argc));
        std::unique_ptr<Nvrtc> compiler;
        try {
            compiler = std::make_unique<Nvrtc>();
        }
        catch (const std::exception& e) {
            std::cout << "skipped " << choice.name << ": " << e.what() << std::endl;
            return 77;
        }
        const std::string source = getPrelude(choice.precision) + choice.getDefines() + choice.getSource().text;
        const std::string architecture = "-arch=sm_" + std::to_string(choice.limits.computeCapability);
        const std::string code = compiler->compile(source, {architecture}, true);
        std::cout << choice.name << " by NVRTC " << compiler->getVersion() << ": " << code.size() << " bytes\n";
        const size_t said = compiler->log.find_first_not_of(std::string(" \n\0", 3));
        if (said != std::string::npos) {
            std::cout << compiler->log << std::endl;
            return 1;
        }
        return 0;
    }
    catch (const std::exception& e) {
        std::cout << e.what() << std::endl;
        return 1;
    }
}
