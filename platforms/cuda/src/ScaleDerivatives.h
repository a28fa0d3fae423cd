// SPDX-License-Identifier: MIT
#ifndef PAINN_SCALE_DERIVATIVES_H_
#define PAINN_SCALE_DERIVATIVES_H_

#include "Device.h"
#include "ForceEntries.h"
#include "NetworkParameters.h"
#include "openmm/cuda/CudaContext.h"
#include <map>

namespace PaiNNPlugin {

/**
 * Adds the derivatives of the energy by scale parameters, which are the unscaled energies of subsystems, to those of a
 * Context: on the device, so that nobody waits. The references of the atoms, which may be large, are added on the host
 * in double precision.
 */
class ScaleDerivatives {
public:
    /** To be made before the Context's arrays are, since it tells the Context which derivatives there are. */
    ScaleDerivatives(OpenMM::CudaContext& cc, const PaiNNStudentForce& force, const ForceEntries& atoms);
    ~ScaleDerivatives();
    /** @param elements   [atoms] index into NetworkParameters::atomicNumbers */
    void setElements(const NetworkParameters& parameters, const ForceEntries& atoms, const std::vector<int>& elements);
    /** @param energies   where the device has the energies of subsystems without references */
    void add(Device::Address energies);

private:
    void initialize();
    OpenMM::CudaContext& cc;
    const int numSubsystems;
    std::vector<std::string> scaleOf;         ///< [subsystems] what to differentiate by, "" for nothing
    std::map<std::string, double> references; ///< kJ/mol, by scale
    CUmodule module = nullptr;
    CUfunction kernel = nullptr;
    OpenMM::CudaArray indices; ///< [subsystems] of the derivative in the Context's array, -1 for none
};

} // namespace PaiNNPlugin

#endif
