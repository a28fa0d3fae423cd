// SPDX-License-Identifier: MIT
#ifndef PAINN_TESTS_CUDA_BATCH_H_
#define PAINN_TESTS_CUDA_BATCH_H_

#include "CudaEvaluator.h"
#include "HostDevice.h"
#include "KernelChoice.h"

namespace PaiNNPlugin {

struct CudaResult {
    std::vector<double> energies, subsystemEnergies, forces; ///< kJ/mol [atoms], [subsystems]; kJ/mol/nm [atoms][3]
    bool operator==(const CudaResult& other) const {
        return energies == other.energies && subsystemEnergies == other.subsystemEnergies && forces == other.forces;
    }
};

/** A batch of subsystems with arrays as a Context has them, an emulated device and an evaluator. */
class CudaBatch {
public:
    static constexpr int UNUSED_SLOTS = 5;

    /** @param box   [9] or nothing */
    CudaBatch(const KernelChoice& choice, std::shared_ptr<const NetworkParameters> parameters,
              const std::vector<Atoms>& molecules, const double* box = nullptr, uint64_t slotSeed = 0)
        : choice(choice), device(hostKernels().at(choice.name), choice.limits) {
        for (size_t m = 0; m < molecules.size(); m++) {
            elements.insert(elements.end(), molecules[m].elements.begin(), molecules[m].elements.end());
            subsystems.resize(elements.size(), static_cast<int>(m));
            positions.insert(positions.end(), molecules[m].positions.begin(), molecules[m].positions.end());
        }
        numSlots = static_cast<int>(elements.size()) + UNUSED_SLOTS;
        paddedSlots = (numSlots + 31) / 32 * 32;
        const size_t realBytes = choice.precision == CudaPrecision::Double ? 8 : 4;
        posq = DeviceMemory(device, 4 * realBytes * paddedSlots);
        if (choice.precision == CudaPrecision::Mixed)
            correction = DeviceMemory(device, 4 * sizeof(float) * paddedSlots);
        forces = DeviceMemory(device, 3 * sizeof(long long) * paddedSlots);
        ContextArrays context;
        context.posq = posq.get();
        context.posqCorrection = correction.get();
        context.forces = forces.get();
        context.paddedSlots = paddedSlots;
        network = std::make_shared<CudaNetwork>(parameters, choice.precision, device);
        evaluator = std::make_unique<CudaEvaluator>(network, elements, subsystems, box != nullptr, device, context);
        if (box != nullptr)
            setBox(box);
        setSlots(slotSeed);
    }
    void setBox(const double* box) {
        double rows[3][3];
        std::copy(box, box + 9, &rows[0][0]);
        evaluator->setBox(rows, nullptr);
    }
    /** Atoms into other slots; 0: in order. */
    void setSlots(uint64_t seed) {
        Random random(seed);
        std::vector<int> all(numSlots);
        for (int k = 0; k < numSlots; k++)
            all[k] = k;
        for (int k = numSlots - 1; k > 0 && seed != 0; k--)
            std::swap(all[k], all[random.integer(k + 1)]);
        slots.assign(all.begin(), all.begin() + elements.size());
        evaluator->setSlots(slots, nullptr);
    }
    CudaResult evaluate(bool withForces = true) {
        if (choice.precision == CudaPrecision::Double)
            uploadPositions<double>();
        else
            uploadPositions<float>();
        std::vector<long long> steps(3 * paddedSlots, PRESENT);
        device.upload(forces.get(), steps.data(), steps.size() * sizeof(long long), nullptr);
        evaluator->launch(withForces, nullptr);
        device.download(steps.data(), forces.get(), steps.size() * sizeof(long long), nullptr);
        CudaResult result;
        evaluator->getAtomEnergies(result.energies, nullptr);
        evaluator->getSubsystemEnergies(result.subsystemEnergies, nullptr);
        for (int slot : slots)
            for (int k = 0; k < 3; k++) {
                long long& step = steps[k * paddedSlots + slot];
                result.forces.push_back(static_cast<double>(step - PRESENT) * 0x1p-32);
                step = PRESENT;
            }
        for (long long step : steps)
            if (step != PRESENT)
                throw std::runtime_error("a force was added in the slot of nobody");
        return result;
    }
    /** The part of a result that belongs to one subsystem. */
    CudaResult partOf(const CudaResult& all, int subsystem) const {
        CudaResult part;
        part.subsystemEnergies = {all.subsystemEnergies[subsystem]};
        for (size_t i = 0; i < elements.size(); i++)
            if (subsystems[i] == subsystem) {
                part.energies.push_back(all.energies[i]);
                part.forces.insert(part.forces.end(), &all.forces[3 * i], &all.forces[3 * i] + 3);
            }
        return part;
    }

    const KernelChoice choice;
    HostDevice device;
    std::vector<int> elements, subsystems, slots;
    std::vector<double> positions;
    std::shared_ptr<CudaNetwork> network;
    std::unique_ptr<CudaEvaluator> evaluator;

private:
    static constexpr long long PRESENT = 987654321; ///< what others have added to the forces

    template <class T> void uploadPositions() {
        std::vector<T> values(4 * paddedSlots, NAN); // where there is no atom
        std::vector<float> rest(4 * paddedSlots, NAN);
        for (size_t i = 0; i < slots.size(); i++)
            for (int k = 0; k < 3; k++) {
                const double x = positions[3 * i + k];
                values[4 * slots[i] + k] = static_cast<T>(x);
                rest[4 * slots[i] + k] = static_cast<float>(x - static_cast<T>(x));
            }
        device.upload(posq.get(), values.data(), values.size() * sizeof(T), nullptr);
        if (correction.get() != 0)
            device.upload(correction.get(), rest.data(), rest.size() * sizeof(float), nullptr);
    }
    DeviceMemory posq, correction, forces;
    int numSlots = 0, paddedSlots = 0;
};

} // namespace PaiNNPlugin

#endif
