// SPDX-License-Identifier: MIT
#include "internal/TorchEngine.h"
#include "openmm/OpenMMException.h"
#include <cstdint>
#include <dlfcn.h>
#include <mutex>

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

namespace {

const string VERSION = PAINN_TORCH_VERSION; // by CMake
const char* const TORCH = "libtorch_cpu.so";

mutex lock;
string torchFolder;

[[noreturn]] void fail(const string& message) {
    throw OpenMMException("PaiNNStudentForce: LibTorch: " + message);
}

/** The folder of the library that holds a symbol. */
string folderOf(const void* symbol) {
    Dl_info info;
    if (dladdr(symbol, &info) == 0)
        return ".";
    const string path = info.dli_fname;
    return path.substr(0, path.find_last_of('/'));
}

/** The version of a PyTorch that is loaded, and where it is. Those before 2.9 do not tell their version. */
struct LoadedTorch {
    explicit LoadedTorch(void* library) {
        auto getVersion = reinterpret_cast<uint64_t (*)()>(dlsym(library, "aoti_torch_abi_version"));
        if (getVersion == nullptr)
            return;
        const uint64_t packed = getVersion(); // a byte each, from the top
        version = to_string(packed >> 56) + "." + to_string(packed >> 48 & 255) + "." + to_string(packed >> 40 & 255);
        folder = folderOf(reinterpret_cast<void*>(getVersion));
    }
    string version = "before 2.9", folder;
};

/**
 * Check the version, and load the rest of that PyTorch: the engine needs it, and may look for it elsewhere, or not find
 * it. If it cannot be loaded, the engine tells.
 */
void useTorch(void* library) {
    const LoadedTorch torch(library);
    if (torch.version != VERSION)
        fail("found PyTorch " + torch.version + (torch.folder.empty() ? "" : " in " + torch.folder) +
             ", but this plugin was built for PyTorch " + VERSION + ": pip install torch==" + VERSION);
    dlopen((torch.folder + "/libtorch.so").c_str(), RTLD_NOW | RTLD_LOCAL);
}

/** What the program has loaded already goes before anything else: there must not be two of them. */
void* openTorch(const string& here) {
    if (void* loaded = dlopen(TORCH, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD))
        return loaded;
    for (const string& folder : {torchFolder, here + "/../../torch"})
        if (!folder.empty())
            if (void* found = dlopen((folder + "/lib/" + TORCH).c_str(), RTLD_NOW | RTLD_LOCAL))
                return found;
    return dlopen(TORCH, RTLD_NOW | RTLD_LOCAL);
}

} // namespace

MakeTorchEvaluator loadTorchEngine() {
    static MakeTorchEvaluator make = nullptr;
    lock_guard<mutex> guard(lock);
    if (make != nullptr)
        return make;
    if (VERSION.empty())
        fail("this plugin was built without the engine: build it where PyTorch is installed, or use the method "
             "Kernels");
    const string here = folderOf(reinterpret_cast<void*>(&loadTorchEngine));
    // Before the engine, which would only say that a symbol is missing in another PyTorch.
    void* torch = openTorch(here);
    if (torch != nullptr)
        useTorch(torch);
    const string path = here + "/libOpenMMPaiNNTorch.so";
    void* engine = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (engine == nullptr) {
        const char* reason = dlerror();
        if (torch == nullptr)
            fail("PyTorch was not found beside OpenMM, nor has the program loaded it: pip install torch==" + VERSION +
                 " (" + reason + ")");
        fail(string("the engine cannot be loaded: ") + reason);
    }
    if (torch == nullptr) // found by the engine alone
        useTorch(dlopen(TORCH, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD));
    make = reinterpret_cast<MakeTorchEvaluator>(dlsym(engine, "makePaiNNTorchEvaluator"));
    if (make == nullptr)
        fail(path + " is not the engine of this plugin: install openmmpainn again");
    return make;
}

void setTorchFolder(const string& folder) {
    lock_guard<mutex> guard(lock);
    torchFolder = folder;
}

string getTorchVersion() {
    return VERSION;
}

} // namespace PaiNNPlugin
