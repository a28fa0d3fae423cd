// SPDX-License-Identifier: MIT
#include "CudaNetworkTable.h"
#include <tuple>

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

namespace {

/**
 * OpenMM's compiler for a network's kernels. Not with OpenMM's own options, which ask for fast-math in some Contexts;
 * --fmad=false: see fuse() in the kernels.
 */
CudaDevice::Compiler makeCompiler(CudaContext& cc, const PaiNNStudentModel& model, CudaPrecision precision) {
    return [&cc, model, precision](const DeviceLimits& limits, int group) {
        const KernelSource source = CudaNetwork::getSource(*model.getParameters(), precision, limits, group);
        return cc.createModule(source.text, source.defines, "--fmad=false");
    };
}

} // namespace

LoadedNetwork::LoadedNetwork(CudaContext& cc, const PaiNNStudentModel& model, CudaPrecision precision)
    : device(cc.getDevice()), network(make_shared<CudaNetwork>(model.getParameters(), precision, device)) {}

shared_ptr<LoadedNetwork> getLoadedNetwork(CudaContext& cc, const PaiNNStudentModel& model) {
    static mutex lock;
    static map<tuple<CUcontext, string, CudaPrecision>, weak_ptr<LoadedNetwork>> networks; // string: the model's hash
    const CudaPrecision precision = cc.getUseDoublePrecision()  ? CudaPrecision::Double
                                    : cc.getUseMixedPrecision() ? CudaPrecision::Mixed
                                                                : CudaPrecision::Single;
    lock_guard<mutex> guard(lock); // held while a network is loaded, so that nobody else loads it too
    weak_ptr<LoadedNetwork>& known = networks[{cc.getContext(), model.getHash(), precision}];
    shared_ptr<LoadedNetwork> network = known.lock();
    if (network == nullptr) {
        network = make_shared<LoadedNetwork>(cc, model, precision);
        known = network;
    }
    // Kernels are compiled when an evaluator is made, so always by a Context that lives.
    network->device.setCompiler(makeCompiler(cc, model, precision), model.getHash() +
                                                                        to_string(static_cast<int>(precision)) +
                                                                        " on device " + to_string(cc.getDeviceIndex()));
    for (auto entry = networks.begin(); entry != networks.end();)
        entry = (entry->second.expired() ? networks.erase(entry) : next(entry));
    return network;
}

} // namespace PaiNNPlugin
