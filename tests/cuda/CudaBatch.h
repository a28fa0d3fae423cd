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

    /** @param box     [9] or nothing
     *  @param apart   every molecule in a Context of its own */
    CudaBatch(const KernelChoice& choice, std::shared_ptr<const NetworkParameters> parameters,
              const std::vector<Atoms>& molecules, const double* box = nullptr, uint64_t slotSeed = 0,
              bool apart = false)
        : choice(choice), apart(apart), device(hostKernels().at(choice.name), choice.limits) {
        for (size_t m = 0; m < molecules.size(); m++) {
            elements.insert(elements.end(), molecules[m].elements.begin(), molecules[m].elements.end());
            subsystems.resize(elements.size(), static_cast<int>(m));
            positions.insert(positions.end(), molecules[m].positions.begin(), molecules[m].positions.end());
        }
        // Contexts stand behind each other in the same memory, each with room for all atoms.
        numSlots = static_cast<int>(elements.size()) + UNUSED_SLOTS;
        paddedSlots = (numSlots + 31) / 32 * 32;
        const size_t realBytes = choice.precision == CudaPrecision::Double ? 8 : 4;
        const size_t numContexts = apart ? molecules.size() : 1;
        posq = DeviceMemory(device, numContexts * 4 * realBytes * paddedSlots);
        if (choice.precision == CudaPrecision::Mixed)
            correction = DeviceMemory(device, numContexts * 4 * sizeof(float) * paddedSlots);
        forces = DeviceMemory(device, numContexts * 3 * sizeof(long long) * paddedSlots);
        std::vector<ContextArrays> contexts(molecules.size());
        for (size_t m = 0; m < molecules.size(); m++) {
            const size_t n = apart ? m : 0;
            contexts[m].posq = posq.get() + n * 4 * realBytes * paddedSlots;
            contexts[m].posqCorrection = correction.get() == 0 ? 0 : correction.get() + n * 16 * paddedSlots;
            contexts[m].forces = forces.get() + n * 3 * sizeof(long long) * paddedSlots;
            contexts[m].paddedSlots = paddedSlots;
        }
        network = std::make_shared<CudaNetwork>(parameters, choice.precision, device);
        evaluator = std::make_unique<CudaEvaluator>(network, elements, subsystems, box != nullptr, device, contexts);
        if (box != nullptr)
            setBox(box);
        setSlots(slotSeed);
    }
    /** Each subsystem in a box of its own, [subsystems]. */
    void setBoxes(const std::vector<Box>& boxes) {
        evaluator->setBoxes(boxes, nullptr);
    }
    void setBox(const double* box) {
        Box rows;
        std::copy(box, box + 9, rows[0].data());
        evaluator->setBoxes(std::vector<Box>(subsystems.back() + 1, rows), nullptr);
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
        std::vector<long long> steps(forces.size() / sizeof(long long), PRESENT);
        device.upload(forces.get(), steps.data(), steps.size() * sizeof(long long), nullptr);
        evaluator->launch(withForces, nullptr);
        device.download(steps.data(), forces.get(), steps.size() * sizeof(long long), nullptr);
        CudaResult result;
        evaluator->getAtomEnergies(0, static_cast<int>(elements.size()), result.energies, nullptr);
        evaluator->getSubsystemEnergies(0, subsystems.back() + 1, result.subsystemEnergies, nullptr);
        for (size_t i = 0; i < slots.size(); i++)
            for (int k = 0; k < 3; k++) {
                long long& step = steps[(3 * contextOf(i) + k) * paddedSlots + slots[i]];
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
    const bool apart;
    HostDevice device;
    std::vector<int> elements, subsystems, slots;
    std::vector<double> positions;
    std::shared_ptr<CudaNetwork> network;
    std::unique_ptr<CudaEvaluator> evaluator;

private:
    static constexpr long long PRESENT = 987654321; ///< what others have added to the forces

    size_t contextOf(size_t atom) const {
        return apart ? subsystems[atom] : 0;
    }
    template <class T> void uploadPositions() {
        std::vector<T> values(posq.size() / sizeof(T), NAN); // where there is no atom
        std::vector<float> rest(values.size(), NAN);
        for (size_t i = 0; i < slots.size(); i++)
            for (int k = 0; k < 3; k++) {
                const double x = positions[3 * i + k];
                const size_t place = 4 * (contextOf(i) * paddedSlots + slots[i]) + k;
                values[place] = static_cast<T>(x);
                rest[place] = static_cast<float>(x - static_cast<T>(x));
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
