// SPDX-License-Identifier: MIT
// The CUDA evaluator, run by the emulator, against the exact network, and that nothing but a subsystem itself has an
// influence on its bits.
#include "Compare.h"
#include "CudaBatch.h"
#include "ExactNetwork.h"

using namespace PaiNNPlugin;

namespace {

const Box CUBIC = {{{1.3, 0, 0}, {0, 1.2, 0}, {0, 0, 1.25}}};
const Box TRICLINIC = {{{1.4, 0, 0}, {0.5, 1.3, 0}, {-0.4, 0.3, 1.2}}};
const Box LARGE = {{{1.8, 0, 0}, {0.5, 1.8, 0}, {-0.4, 0.3, 1.8}}};

// Bars: of the RMS of all forces, and for the mean energy of atoms in kJ/mol. The Context's forces have steps of 2e-10
// kJ/mol/nm, which is what double precision shows.
struct Bars {
    double forceMax, forceMedian, energy, relativeEnergy;
};
const Bars SINGLE = {3e-5, 2e-6, 2e-5, 1.5e-7}, DOUBLE = {5e-11, 1e-11, 0, 1e-12};

/** A choice of kernels that was compiled into this program. */
class HostKernelTest : public ::testing::TestWithParam<std::string> {
protected:
    HostKernelTest() : choice(split(GetParam())), parameters(randomNetwork(choice.options)) {}
    static std::vector<std::string> split(const std::string& name) {
        std::vector<std::string> words(1);
        for (char c : name)
            if (c == '_')
                words.emplace_back();
            else
                words.back() += c;
        return words;
    }
    /** Atoms where the device's numbers can have them. */
    Atoms place(Atoms atoms) const {
        if (choice.precision == CudaPrecision::Single)
            for (double& x : atoms.positions)
                x = static_cast<float>(x);
        return atoms;
    }
    Atoms molecule(int numAtoms, uint64_t seed) const {
        return place(randomMolecule(numAtoms, 4, seed));
    }
    Atoms liquid(int numAtoms, double spacing, uint64_t seed) const {
        return place(PaiNNPlugin::liquid(numAtoms, spacing, seed));
    }
    CudaBatch batch(const std::vector<Atoms>& molecules, const Box* box = nullptr, uint64_t slotSeed = 0) const {
        return CudaBatch(choice, parameters, molecules, box != nullptr ? &(*box)[0][0] : nullptr, slotSeed);
    }
    /** A result against the exact network; a system of a few atoms has no median to speak of. */
    void expectExact(const Atoms& atoms, const Box* box, const CudaResult& found, const std::string& what,
                     double slack = 1) const {
        std::vector<double> energies, forces;
        ExactNetwork(parameters).evaluate(atoms.elements, atoms.positions, box, energies, &forces);
        const Bars& bars = choice.precision == CudaPrecision::Double ? DOUBLE : SINGLE;
        const Difference d = difference(forces, found.forces);
        EXPECT_TRUE(d.finite) << what;
        if (d.rms > 0) {
            EXPECT_LE(d.max, slack * bars.forceMax) << what << ": RMS " << d.rms;
            if (atoms.size() > 10) {
                EXPECT_LE(d.median, slack * bars.forceMedian) << what << ": RMS " << d.rms;
            }
        }
        double error = 0, size = 0, exactSum = 0, sum = 0;
        for (int i = 0; i < atoms.size(); i++) {
            error += (found.energies[i] - energies[i]) / atoms.size();
            size = std::max(size, std::fabs(energies[i] - parameters->atomReferences[atoms.elements[i]]));
            exactSum += energies[i];
            sum += found.energies[i];
        }
        // Some random networks give an atom hundreds of kJ/mol, of which a float has 7 digits; and floats have
        // distances of bonds to 1e-8 nm.
        double allowed = std::max(bars.energy, bars.relativeEnergy * (size + 1));
        if (choice.precision != CudaPrecision::Double)
            allowed = std::max(allowed, 1e-8 * d.rms);
        EXPECT_LE(std::fabs(error), slack * allowed) << what << ": energies up to " << size;
        ASSERT_EQ(found.subsystemEnergies.size(), 1u);
        EXPECT_NEAR(found.subsystemEnergies[0], sum, 1e-12 * (std::fabs(exactSum) + atoms.size() * size)) << what;
    }
    const KernelChoice choice;
    const std::shared_ptr<const NetworkParameters> parameters;
};

TEST_P(HostKernelTest, compiledForThisModel) {
    EXPECT_EQ(choice.getDefines(), hostKernels().at(choice.name).defines);
}

TEST_P(HostKernelTest, agreesWithExactNetwork) {
    const std::vector<Atoms> systems = {molecule(22, 3), molecule(2, 5),     molecule(1, 6),
                                        molecule(60, 8), liquid(64, 0.3, 4), liquid(8, 2.0, 5)};
    for (const Box* box : std::vector<const Box*>{nullptr, &CUBIC, &TRICLINIC})
        for (size_t n = 0; n < systems.size(); n++) {
            if (box != nullptr && n == 5) // floats have no digits for atoms far outside of their box
                continue;
            CudaBatch one = batch({systems[n]}, box, n);
            expectExact(systems[n], box, one.evaluate(), "system " + std::to_string(n));
            EXPECT_EQ(one.evaluator->getStatus().problem, DeviceStatus::None);
        }
}

TEST_P(HostKernelTest, subsystemsDoNotSeeEachOther) {
    std::vector<Atoms> molecules;
    std::vector<CudaResult> alone;
    for (int m = 0; m < 5; m++) {
        molecules.push_back(molecule(1 + m * 13 % 40, m)); // all at about the same place
        alone.push_back(batch({molecules.back()}).evaluate());
    }
    Random random(1);
    for (int trial = 0; trial < 4; trial++) {
        std::vector<Atoms> chosen;
        std::vector<int> which;
        std::vector<double> scales;
        std::vector<char> wanted;
        for (int n = 1 + random.integer(7); n > 0; n--) {
            which.push_back(random.integer(5));
            chosen.push_back(molecules[which.back()]);
            scales.push_back(std::array<double, 3>{0, 1, -0.5}[random.integer(3)]);
            wanted.push_back(1);
        }
        CudaBatch all = batch(chosen, nullptr, trial);
        all.evaluator->setScales(scales, wanted, nullptr);
        const CudaResult result = all.evaluate();
        for (size_t m = 0; m < which.size(); m++) {
            CudaResult part = all.partOf(result, static_cast<int>(m)), expected = alone[which[m]];
            EXPECT_EQ(part.energies, expected.energies) << "trial " << trial << ", subsystem " << m;
            EXPECT_EQ(part.subsystemEnergies, expected.subsystemEnergies) << "trial " << trial << ", subsystem " << m;
            for (double& f : expected.forces)
                f *= scales[m];
            EXPECT_LE(difference(expected.forces, part.forces).max, scales[m] == -0.5 ? 1e-9 : 0)
                << "trial " << trial << ", subsystem " << m << ", scale " << scales[m];
        }
    }
}

TEST_P(HostKernelTest, neitherSlotsNorOrderChangeABit) {
    CudaBatch all = batch({molecule(22, 1), liquid(90, 0.22, 2), molecule(3, 3)}, &TRICLINIC);
    const CudaResult expected = all.evaluate();
    for (uint64_t seed = 1; seed < 4; seed++) {
        all.device.gpu.seed = seed;
        all.setSlots(seed);
        EXPECT_TRUE(all.evaluate() == expected) << "seed " << seed;
    }
}

/** Each in arrays and a box of its own; few molecules (one cluster each) and many (the chain of kernels). */
TEST_P(HostKernelTest, subsystemsOfSeveralContexts) {
    for (int number : {3, 16}) {
        std::vector<Atoms> molecules;
        std::vector<Box> boxes;
        for (int m = 0; m < number; m++) {
            molecules.push_back(molecule(2 + m * 7 % 21, m));
            Box box = TRICLINIC;
            for (int k = 0; k < 3; k++)
                box[k][k] += 0.1 * m;
            boxes.push_back(box);
        }
        for (bool periodic : {false, true}) {
            CudaBatch all(choice, parameters, molecules, periodic ? &TRICLINIC[0][0] : nullptr, 5, true);
            if (periodic)
                all.setBoxes(boxes);
            const CudaResult result = all.evaluate();
            for (int m = 0; m < number; m += number - 1) {
                CudaBatch one = batch({molecules[m]}, periodic ? &boxes[m] : nullptr);
                EXPECT_TRUE(all.partOf(result, m) == one.evaluate()) << number << " Contexts, " << m;
            }
        }
    }
}

TEST_P(HostKernelTest, energiesAlone) {
    CudaBatch all = batch({molecule(22, 1), molecule(9, 2)});
    const CudaResult expected = all.evaluate(), found = all.evaluate(false);
    EXPECT_EQ(found.energies, expected.energies);
    EXPECT_EQ(found.subsystemEnergies, expected.subsystemEnergies);
    EXPECT_EQ(found.forces, std::vector<double>(expected.forces.size(), 0.0));
    EXPECT_TRUE(all.evaluate() == expected);
}

TEST_P(HostKernelTest, takesNewElements) {
    Atoms atoms = molecule(20, 1);
    CudaBatch one = batch({atoms});
    const CudaResult before = one.evaluate();
    for (int& e : atoms.elements)
        e = (e + 1) % 4;
    one.evaluator->setElements(atoms.elements, nullptr);
    const CudaResult after = one.evaluate();
    EXPECT_FALSE(before == after);
    EXPECT_TRUE(after == batch({atoms}).evaluate());
}

TEST_P(HostKernelTest, everySubsystemHasItsOwnProblem) {
    CudaBatch all = batch({molecule(5, 1), molecule(12, 2), molecule(7, 3)}, nullptr, 3);
    const CudaResult good = all.evaluate();
    const std::vector<double> positions = all.positions;
    std::copy(&all.positions[3 * 1], &all.positions[3 * 2], &all.positions[3 * 3]);
    all.positions[3 * 20] = NAN;
    all.evaluate();
    const std::vector<DeviceStatus> problems = all.evaluator->getProblems(nullptr);
    ASSERT_EQ(problems.size(), 3u);
    EXPECT_EQ(problems[0].problem, DeviceStatus::Coincident);
    EXPECT_EQ(problems[0].atom1, 1);
    EXPECT_EQ(problems[0].atom2, 3);
    EXPECT_EQ(problems[1].problem, DeviceStatus::None);
    EXPECT_EQ(problems[2].problem, DeviceStatus::BadPosition);
    EXPECT_EQ(problems[2].atom1, 20);
    all.evaluator->resetStatus();
    for (const DeviceStatus& one : all.evaluator->getProblems(nullptr))
        EXPECT_EQ(one.problem, DeviceStatus::None);
    all.positions = positions;
    EXPECT_TRUE(all.evaluate() == good);
    EXPECT_EQ(all.evaluator->getStatus().problem, DeviceStatus::None);
}

TEST_P(HostKernelTest, namesAtomsAtTheSamePlace) {
    CudaBatch all = batch({molecule(5, 1), molecule(12, 2)}, nullptr, 3);
    const CudaResult good = all.evaluate();
    const std::vector<double> positions = all.positions;
    std::copy(&all.positions[3 * 8], &all.positions[3 * 9], &all.positions[3 * 13]);
    all.evaluate();
    DeviceStatus status = all.evaluator->getStatus();
    EXPECT_EQ(status.problem, DeviceStatus::Coincident);
    EXPECT_EQ(std::min(status.atom1, status.atom2), 8);
    EXPECT_EQ(std::max(status.atom1, status.atom2), 13);
    all.positions = positions;
    EXPECT_TRUE(all.evaluate() == good);
    EXPECT_EQ(all.evaluator->getStatus().problem, DeviceStatus::Coincident) << "stays until it is forgotten";
    all.evaluator->resetStatus();
    all.evaluate();
    EXPECT_EQ(all.evaluator->getStatus().problem, DeviceStatus::None);
}

TEST_P(HostKernelTest, badPositions) {
    CudaBatch all = batch({molecule(5, 1), molecule(12, 2)}, nullptr, 4);
    const CudaResult good = all.evaluate();
    for (double bad : {std::nan(""), HUGE_VAL, 1e30}) {
        const double before = std::exchange(all.positions[3 * 7 + 1], bad);
        const CudaResult result = all.evaluate();
        EXPECT_TRUE(all.partOf(result, 0) == all.partOf(good, 0))
            << "the other subsystem has nothing to do with " << bad;
        EXPECT_EQ(all.evaluator->getStatus().problem, DeviceStatus::BadPosition) << bad;
        EXPECT_EQ(all.evaluator->getStatus().atom1, 7);
        all.evaluator->resetStatus();
        all.evaluator->setScales({1, 0}, {1, 0}, nullptr); // nobody looks at it
        all.evaluate();
        EXPECT_EQ(all.evaluator->getStatus().problem, DeviceStatus::None) << bad;
        all.evaluator->setScales({1, 0}, {1, 1}, nullptr);
        all.evaluate();
        EXPECT_EQ(all.evaluator->getStatus().problem, DeviceStatus::BadPosition) << bad;
        all.evaluator->resetStatus();
        all.evaluator->setScales({1, 1}, {1, 1}, nullptr);
        all.positions[3 * 7 + 1] = before;
        EXPECT_TRUE(all.evaluate() == good) << "after " << bad;
    }
}

TEST_P(HostKernelTest, moreEdgesThanThereIsRoomFor) {
    const Atoms dense = liquid(180, 0.13, 3); // everybody sees nearly everybody
    CudaBatch one = batch({dense});
    const CudaResult first = one.evaluate();
    expectExact(dense, nullptr, first, "dense", 5); // energies and forces of a star
    EXPECT_TRUE(one.evaluate() == first) << "with longer rows";
}

TEST_P(HostKernelTest, kernelsForManyAtoms) {
    const std::vector<Atoms> molecules = {liquid(280, 0.25, 3), molecule(3, 1)};
    CudaBatch few = batch(molecules, &LARGE);
    const CudaResult result = few.evaluate();
    for (int multiprocessors : {18, 2}) { // so that each has some or many atoms
        KernelChoice small = choice;
        small.limits.multiprocessors = multiprocessors;
        CudaBatch many(small, parameters, molecules, &LARGE[0][0]);
        many.device.gpu.seed = 1;
        EXPECT_TRUE(many.evaluate() == result) << multiprocessors << " multiprocessors";
    }
    for (int m = 0; m < 2; m++)
        expectExact(molecules[m], &LARGE, few.partOf(result, m), "molecule " + std::to_string(m), 2);
}

TEST_P(HostKernelTest, clustersChangeNoBit) {
    if (!choice.limits.hasClusters || choice.precision == CudaPrecision::Double)
        GTEST_SKIP() << "nothing for clusters";
    KernelChoice plain = choice;
    plain.limits.hasClusters = false;
    const std::vector<std::vector<Atoms>> batches = {
        {molecule(22, 1)},
        {molecule(13, 5), molecule(1, 2), molecule(9, 3)},
        {molecule(22, 1), molecule(1, 2), molecule(9, 3), molecule(48, 4)}};
    for (const std::vector<Atoms>& molecules : batches)
        for (const Box* box : std::vector<const Box*>{nullptr, &LARGE}) {
            CudaBatch without(plain, parameters, molecules, box != nullptr ? &(*box)[0][0] : nullptr),
                with = batch(molecules, box);
            const size_t number = molecules.size();
            const CudaResult expected = without.evaluate();
            for (uint64_t seed = 0; seed < 3; seed++) {
                with.device.gpu.seed = seed;
                EXPECT_TRUE(with.evaluate() == expected) << number << " molecules, seed " << seed;
                EXPECT_EQ(with.evaluate(false).energies, expected.energies) << number << " molecules, seed " << seed;
            }
        }
}

TEST_P(HostKernelTest, candidatesChangeNoBit) {
    if (choice.options.numBlocks > 1)
        GTEST_SKIP() << "for small models, because it takes long";
    const Box box = {{{2.9, 0, 0}, {0.5, 2.9, 0}, {-0.4, 0.3, 2.9}}};
    for (const Box* used : std::vector<const Box*>{nullptr, &box}) {
        Atoms atoms = liquid(1600, 0.24, 3);
        CudaBatch kept = batch({atoms}, used);
        Random random(3);
        const int numSteps = 4;
        for (int step = 0; step < numSteps; step++) {
            const bool isLast = step == numSteps - 1;
            kept.positions = atoms.positions;
            const CudaResult result = kept.evaluate(isLast);
            EXPECT_TRUE(result == batch({atoms}, used).evaluate(isLast)) << "step " << step;
            if (isLast)
                expectExact(atoms, used, result, "large", 2);
            const double largest = step == 1 ? 0.06 : 0.01;
            for (double& x : atoms.positions)
                x += random.uniform(-largest, largest);
            atoms = place(atoms);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Kernels, HostKernelTest, ::testing::ValuesIn([] {
                             std::vector<std::string> names;
                             for (const auto& kernels : hostKernels())
                                 names.push_back(kernels.first);
                             return names;
                         }()),
                         [](const auto& info) { return info.param; });

} // namespace
