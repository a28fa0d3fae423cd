// SPDX-License-Identifier: MIT
#ifndef PAINN_CUDA_EVALUATOR_H_
#define PAINN_CUDA_EVALUATOR_H_

#include "CudaNetwork.h"
#include "Device.h"
#include "ExactNetwork.h"
#include <memory>
#include <vector>

namespace PaiNNPlugin {

/** Subsystems of different Contexts can be evaluated together up to this size, each in a box of its own. */
inline constexpr int MOST_ATOMS_SHARED = 256;

/** The arrays of a Context that an evaluation reads and adds to, by slot; they stay where they are. */
struct ContextArrays {
    Device::Address posq = 0;           ///< [slots] x, y, z, charge: float4, double4 in double precision; nm
    Device::Address posqCorrection = 0; ///< [slots] float4, mixed precision only: added to posq in double
    Device::Address forces = 0;         ///< [3][paddedSlots] 64-bit integers in steps of 2^-32 kJ/mol/nm, added to
    int paddedSlots = 0;
};

/** What went wrong on the device in an earlier evaluation; atoms count as in the evaluator's constructor. */
struct DeviceStatus {
    enum Problem { None = 0, BadPosition = 1, Coincident = 2, BadEnergy = 3, BadForce = 4 };
    int problem = None;
    int atom1 = -1, atom2 = -1; ///< atom2: only with Coincident
};

/**
 * The network on a device for a batch of subsystems whose atoms do not see each other. Positions are read from and
 * forces added to the own arrays of one Context or several; nothing waits for the device but what says so. A
 * subsystem's energy and forces do not depend, in any bit, on the other subsystems, on the order of the Context's slots
 * or on earlier calls.
 */
class CudaEvaluator {
public:
    /**
     * @param elements    [atoms] index into NetworkParameters::atomicNumbers
     * @param subsystems  [atoms] from 0 without holes, ascending
     * @param contexts    [subsystems] the Context of each; all the same where a subsystem is larger than
     * MOST_ATOMS_SHARED
     * @param device      must live as long as this object, and hold the kernels made from network's getSource()
     */
    CudaEvaluator(std::shared_ptr<const CudaNetwork> network, const std::vector<int>& elements,
                  const std::vector<int>& subsystems, bool periodic, Device& device,
                  const std::vector<ContextArrays>& contexts);
    ~CudaEvaluator();
    void setElements(const std::vector<int>& elements, Device::Stream stream);
    /** @param slots   [atoms] where each atom stands in its Context's arrays; to be called after every reordering */
    void setSlots(const std::vector<int>& slots, Device::Stream stream);
    /** @param scales   [subsystems] what forces are multiplied by; where it is 0, nothing is added or judged, whatever
     * the network gives. 1 at first.
     *  @param wanted   [subsystems] not 0: energies are judged although the scale is 0 */
    void setScales(const std::vector<double>& scales, const std::vector<char>& wanted, Device::Stream stream);
    /** @param boxes   [subsystems] nm, reduced; needed before the first evaluation of a periodic system */
    void setBoxes(const std::vector<Box>& boxes, Device::Stream stream);
    /** Start an evaluation. */
    void launch(bool withForces, Device::Stream stream);
    /** Unscaled energies of the last evaluation with the atoms' references, kJ/mol, of the subsystems first <= s <
     * last; waits. */
    void getSubsystemEnergies(int first, int last, std::vector<double>& energies, Device::Stream stream);
    /** Likewise of the atoms first <= i < last; waits. */
    void getAtomEnergies(int first, int last, std::vector<double>& energies, Device::Stream stream);
    /** Where the device keeps the unscaled energies of the last evaluation without references, from a subsystem on:
     * double. */
    Device::Address getDeviceEnergies(int subsystem) const;
    /** Look, without waiting, at what evaluations have reported so far; the first problem since resetStatus(). */
    DeviceStatus getStatus() const;
    /** [subsystems] the first problem of each since resetStatus(); waits. */
    std::vector<DeviceStatus> getProblems(Device::Stream stream) const;
    /** Bytes on the device, beside edges and candidates. */
    size_t getMemory() const;
    /** Forget problems. To be called when nothing is under way. */
    void resetStatus();

private:
    struct State;
    std::unique_ptr<State> state;
};

} // namespace PaiNNPlugin

#endif
