// SPDX-License-Identifier: MIT
#ifndef PAINN_CUDA_BENCH_H_
#define PAINN_CUDA_BENCH_H_

#include "BenchmarkSystems.h"
#include "CudaDevice.h"
#include "CudaError.h"
#include "CudaEvaluator.h"
#include <functional>
#include <mutex>
#include <string>

namespace PaiNNPlugin {

/** A GPU with a network's kernels and weights. */
struct BenchNetwork {
    /** @param report   whether to print what the compiler made of each kernel
     *  @param clocks   make kernels that print where their time goes */
    BenchNetwork(CUdevice device, std::shared_ptr<const NetworkParameters> parameters, CudaPrecision precision,
                 bool report, bool clocks);
    const bool clocks; ///< the kernels print where their time goes
    double compileSeconds = 0,
           loadSeconds = 0; ///< compileSeconds: while anything was being compiled, by one thread or several
    std::unique_ptr<CudaDevice> device;
    std::shared_ptr<const CudaNetwork> network;

private:
    void beginCompiling();
    void endCompiling();
    std::mutex lock; ///< of what threads that compile write and print
    int numCompiling = 0;
    double compilingSince = 0;
};

/** A system on the device in arrays as a Context has them, and its evaluator. */
class BenchContext {
public:
    BenchContext(BenchNetwork& network, const BenchmarkSystem& system);
    void setPositions(const std::vector<double>& x);
    /** Have the list of candidates made anew. */
    void setBox();
    /** Forces [atoms][3] kJ/mol/nm. @throws std::runtime_error if the device reports a problem */
    std::vector<double> computeForces();
    CudaEvaluator& getEvaluator() {
        return *evaluator;
    }

private:
    BenchNetwork& network;
    const BenchmarkSystem& system;
    int numAtoms, paddedSlots;
    DeviceMemory posq, correction, forces;
    std::unique_ptr<CudaEvaluator> evaluator;
};

/** Times of one call, s: the median over repeats of many calls in a row, on the device and until the host is free. */
struct BenchTime {
    double device = 0; ///< from the start of a call to that of the next one, when calls follow each other
    double host = 0;   ///< the time that the host spends in a call
    double alone = 0;  ///< a call and the wait for it
};

BenchTime timeCalls(const std::function<void()>& call, int repeats);

std::string getDeviceName(CUdevice device);
/** The version of CUDA that the driver supports. */
std::string getDriverVersion();

} // namespace PaiNNPlugin

#endif
