// SPDX-License-Identifier: MIT
#ifndef PAINN_CONTEXT_COMPUTATIONS_H_
#define PAINN_CONTEXT_COMPUTATIONS_H_

#include "CudaPaiNNStudentKernel.h"
#include "internal/PaiNNStudentForceImpl.h"
#include "openmm/common/ComputeForceInfo.h"

/** What a CudaContext asks of CudaCalcPaiNNStudentForceKernel. It owns these objects and deletes them after the kernel,
 * when it calls them no more. */
namespace PaiNNPlugin {

/** Which molecules may change places in the Context's arrays, and which particles must stay together. */
class CudaCalcPaiNNStudentForceKernel::ForceInfo : public OpenMM::ComputeForceInfo {
public:
    ForceInfo(int numParticles, const PaiNNStudentForce& force)
        : elements(numParticles, 0), bonds(PaiNNStudentForceImpl::findBonds(force)) {
        setElements(force);
    }
    void setElements(const PaiNNStudentForce& force) {
        for (int i = 0; i < force.getNumParticles(); i++) {
            int particle, atomicNumber, subsystem;
            force.getParticleParameters(i, particle, atomicNumber, subsystem);
            elements[particle] = atomicNumber;
        }
    }
    bool areParticlesIdentical(int particle1, int particle2) override {
        return elements[particle1] == elements[particle2];
    }
    int getNumParticleGroups() override {
        return static_cast<int>(bonds.size());
    }
    void getParticlesInGroup(int index, std::vector<int>& particles) override {
        particles = {bonds[index].first, bonds[index].second};
    }
    bool areGroupsIdentical(int, int) override {
        return true; // a bond only says that two particles belong together
    }

private:
    std::vector<int> elements; // [particles of the System] atomic numbers, 0 for those not in the force
    std::vector<std::pair<int, int>> bonds;
};

class CudaCalcPaiNNStudentForceKernel::SlotListener : public OpenMM::ComputeContext::ReorderListener {
public:
    explicit SlotListener(CudaCalcPaiNNStudentForceKernel& kernel) : kernel(kernel) {}
    void execute() override {
        kernel.self->slotChanges++; // looked at by the next evaluation, which knows the stream
    }

private:
    CudaCalcPaiNNStudentForceKernel& kernel;
};

/** An exception may have ended an evaluation between the kernel and the end: nothing is left of it. */
class CudaCalcPaiNNStudentForceKernel::BeginComputation : public OpenMM::ComputeContext::ForcePreComputation {
public:
    explicit BeginComputation(CudaCalcPaiNNStudentForceKernel& kernel) : kernel(kernel) {}
    void computeForceAndEnergy(bool, bool, int) override {
        kernel.wasExecuted = false;
    }

private:
    CudaCalcPaiNNStudentForceKernel& kernel;
};

/** Adds the energy on the host, in double precision, when all forces have been started. */
class CudaCalcPaiNNStudentForceKernel::EnergyComputation : public OpenMM::ComputeContext::ForcePostComputation {
public:
    explicit EnergyComputation(CudaCalcPaiNNStudentForceKernel& kernel) : kernel(kernel) {}
    double computeForceAndEnergy(bool, bool includeEnergy, int) override {
        return includeEnergy && kernel.wasExecuted ? kernel.finishEnergy() : 0;
    }

private:
    CudaCalcPaiNNStudentForceKernel& kernel;
};

} // namespace PaiNNPlugin

#endif
