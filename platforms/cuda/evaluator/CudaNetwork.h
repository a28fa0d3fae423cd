// SPDX-License-Identifier: MIT
#ifndef PAINN_CUDA_NETWORK_H_
#define PAINN_CUDA_NETWORK_H_

#include "Device.h"
#include "FilterTable.h"
#include "MoleculeLayout.h"
#include "NetworkParameters.h"
#include <map>
#include <memory>
#include <string>

namespace PaiNNPlugin {

enum class CudaPrecision { Single, Mixed, Double };

/** What kernels are compiled from: one text, and the macros in front of it. */
struct KernelSource {
    std::string text;
    std::map<std::string, std::string> defines;
};

/**
 * The weights and filter tables of one model on one device, laid out as the kernels want them. Shared by all evaluators
 * of that model, precision and device.
 */
class CudaNetwork {
public:
    /**
     * The kernels of a model: its shape becomes constants.
     *
     * @param group   of kernels, see getGroup(), so that nobody waits for the compilation of what he does not need, and
     * threads can compile several; 0: all
     */
    static KernelSource getSource(const NetworkParameters& parameters, CudaPrecision precision,
                                  const DeviceLimits& limits, int group = 0);
    /** The group of a kernel, from 1 on. */
    static int getGroup(const std::string& kernel);
    CudaNetwork(std::shared_ptr<const NetworkParameters> parameters, CudaPrecision precision, Device& device);
    ~CudaNetwork();
    CudaNetwork(const CudaNetwork&) = delete;

    static Shape getShape(const NetworkParameters& parameters);
    /** How many atoms a block of a node kernel works on when there are many. */
    static int manyColumns(const Shape& shape, CudaPrecision precision, const DeviceLimits& limits);

    static MoleculeForm getMoleculeForm(const Shape& shape, CudaPrecision precision, const DeviceLimits& limits);

    const std::shared_ptr<const NetworkParameters> parameters;
    const CudaPrecision precision;
    const Shape shape;
    const bool hasTensorCores;
    const int numCells; ///< of the filter tables
    /** Addresses and sizes that belong to the network; an evaluator adds its own. */
    Arrays arrays{};

private:
    struct State;
    template <class Real> class Loader;
    std::unique_ptr<State> state;
};

} // namespace PaiNNPlugin

#endif
