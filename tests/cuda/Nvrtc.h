// SPDX-License-Identifier: MIT
#ifndef PAINN_TESTS_NVRTC_H_
#define PAINN_TESTS_NVRTC_H_

#include <dlfcn.h>
#include <stdexcept>
#include <string>
#include <vector>

namespace PaiNNPlugin {

/** NVIDIA's runtime compiler, opened when it is needed: it needs no driver, and its headers are not needed. */
class Nvrtc {
public:
    Nvrtc() {
        for (const char* name : {"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"})
            if (library == nullptr)
                library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
        if (library == nullptr)
            throw std::runtime_error(std::string("libnvrtc was not found: ") + dlerror());
        find(getErrorString, "nvrtcGetErrorString");
    }
    std::string getVersion() {
        int (*version)(int*, int*);
        int major = 0, minor = 0;
        find(version, "nvrtcVersion");
        check(version(&major, &minor), "nvrtcVersion");
        return std::to_string(major) + "." + std::to_string(minor);
    }
    /**
     * Compile a source.
     *
     * @param binary   get machine code, for which the options must name a device (sm_90), and not PTX
     * @throws std::runtime_error with what the compiler says
     */
    std::string compile(const std::string& source, const std::vector<std::string>& options, bool binary = false) {
        int (*create)(void**, const char*, const char*, int, const char* const*, const char* const*);
        int (*compileProgram)(void*, int, const char* const*);
        int (*destroy)(void**);
        find(create, "nvrtcCreateProgram");
        find(compileProgram, "nvrtcCompileProgram");
        find(destroy, "nvrtcDestroyProgram");
        void* program = nullptr;
        check(create(&program, source.c_str(), "kernels.cu", 0, nullptr, nullptr), "nvrtcCreateProgram");
        std::vector<const char*> texts;
        for (const std::string& option : options)
            texts.push_back(option.c_str());
        const int result = compileProgram(program, static_cast<int>(texts.size()), texts.data());
        log = get(program, "nvrtcGetProgramLogSize", "nvrtcGetProgramLog");
        std::string code;
        if (result == 0)
            code = binary ? get(program, "nvrtcGetCUBINSize", "nvrtcGetCUBIN")
                          : get(program, "nvrtcGetPTXSize", "nvrtcGetPTX");
        destroy(&program);
        if (result != 0)
            throw std::runtime_error(std::string(getErrorString(result)) + "\n" + log);
        return code;
    }
    std::string log; ///< what the compiler said last

private:
    template <class Function> void find(Function& function, const char* name) {
        function = reinterpret_cast<Function>(dlsym(library, name));
        if (function == nullptr)
            throw std::runtime_error(std::string("libnvrtc has no ") + name);
    }
    void check(int result, const char* what) {
        if (result != 0)
            throw std::runtime_error(std::string(what) + ": " + getErrorString(result));
    }
    std::string get(void* program, const char* sizeName, const char* name) {
        int (*getSize)(void*, size_t*);
        int (*getText)(void*, char*);
        find(getSize, sizeName);
        find(getText, name);
        size_t size = 0;
        check(getSize(program, &size), sizeName);
        std::string text(size, '\0');
        check(getText(program, &text[0]), name);
        return text;
    }
    void* library = nullptr;
    const char* (*getErrorString)(int) = nullptr;
};

} // namespace PaiNNPlugin

#endif
