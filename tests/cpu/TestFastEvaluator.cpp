// SPDX-License-Identifier: MIT
// The fast evaluator against the exact network, and that nothing but a subsystem itself has an influence on its bits.
#include "Compare.h"
#include "ExactNetwork.h"
#include "FastEvaluator.h"
#include "RandomNetwork.h"

using namespace PaiNNPlugin;

namespace {

// The figures of reliability row 2.
const double FORCE_MEDIAN = 2e-6, FORCE_MAX = 3e-5; // of the RMS of all forces
const double ENERGY = 2e-5;                         // kJ/mol/atom

struct Result {
    std::vector<double> energies, forces;
    double size = 0; ///< exact results: the largest energy of an atom without its reference, kJ/mol
    bool operator==(const Result& other) const {
        return energies == other.energies && forces == other.forces;
    }
};

const Box CUBIC = {{{1.3, 0, 0}, {0, 1.2, 0}, {0, 0, 1.25}}};
const Box TRICLINIC = {{{1.4, 0, 0}, {0.5, 1.3, 0}, {-0.4, 0.3, 1.2}}};

/** A batch of subsystems with an evaluator. */
struct Batch {
    Batch(std::shared_ptr<const FastNetwork> network, const std::vector<Atoms>& molecules, int numThreads = 1,
          const FastEvaluatorOptions& options = FastEvaluatorOptions())
        : threads(numThreads), active(molecules.size(), 1) {
        for (size_t m = 0; m < molecules.size(); m++) {
            elements.insert(elements.end(), molecules[m].elements.begin(), molecules[m].elements.end());
            subsystems.resize(elements.size(), static_cast<int>(m));
            positions.insert(positions.end(), molecules[m].positions.begin(), molecules[m].positions.end());
        }
        evaluator = std::make_unique<FastEvaluator>(network, elements, subsystems, threads, options);
    }
    Result evaluate(const Box* box = nullptr) {
        Result result;
        evaluator->evaluate(positions, box, active, result.energies, &result.forces);
        return result;
    }
    /** The part of a result that belongs to one subsystem. */
    Result partOf(const Result& all, int subsystem) const {
        Result part;
        for (size_t i = 0; i < elements.size(); i++)
            if (subsystems[i] == subsystem) {
                part.energies.push_back(all.energies[i]);
                for (int k = 0; k < 3; k++)
                    part.forces.push_back(all.forces[3 * i + k]);
            }
        return part;
    }
    OpenMM::ThreadPool threads;
    std::vector<int> elements, subsystems;
    std::vector<double> positions;
    std::vector<char> active;
    std::unique_ptr<FastEvaluator> evaluator;
};

Result evaluateExactly(std::shared_ptr<const NetworkParameters> parameters, const Atoms& atoms, const Box* box) {
    Result result;
    ExactNetwork(parameters).evaluate(atoms.elements, atoms.positions, box, result.energies, &result.forces);
    for (int i = 0; i < atoms.size(); i++)
        result.size =
            std::max(result.size, std::fabs(result.energies[i] - parameters->atomReferences[atoms.elements[i]]));
    return result;
}

/** How far two results are apart; a system of a few atoms has no median to speak of. */
void expectAgreement(const Result& exact, const Result& fast, const std::string& what) {
    const Difference d = difference(exact.forces, fast.forces);
    const size_t numAtoms = exact.energies.size();
    EXPECT_TRUE(d.finite) << what;
    if (d.rms > 0) {
        EXPECT_LE(d.max, FORCE_MAX) << what << ": RMS " << d.rms;
        if (numAtoms > 10) {
            EXPECT_LE(d.median, FORCE_MEDIAN) << what << ": RMS " << d.rms;
        }
    }
    double error = 0;
    for (size_t i = 0; i < numAtoms; i++)
        error += (fast.energies[i] - exact.energies[i]) / numAtoms;
    // Some random networks give an atom hundreds of kJ/mol, of which a float has 7 digits.
    EXPECT_LE(std::fabs(error), std::max(ENERGY, 1.5e-7 * exact.size)) << what << ": energies up to " << exact.size;
}

Atoms liquid(int numAtoms, double spacing, uint64_t seed) {
    Random random(seed);
    Atoms atoms;
    int side = 1;
    while (side * side * side < numAtoms)
        side++;
    for (int n = 0; n < numAtoms; n++) {
        atoms.elements.push_back(random.integer(4));
        for (int k : {n % side, n / side % side, n / side / side})
            atoms.positions.push_back(spacing * (k + random.uniform(-0.25, 0.25)));
    }
    return atoms;
}

std::vector<RandomNetworkOptions> models() {
    std::vector<RandomNetworkOptions> result;
    for (Family family : {Family::Student, Family::Canonical}) {
        RandomNetworkOptions options;
        options.family = family;
        result.push_back(options);
        options.basis = RadialBasis::Type::Bessel;
        options.numChannels = 21;
        options.envelope = CutoffFunction{CutoffFunction::Type::Polynomial, 4};
        options.references = true;
        result.push_back(options);
        options.repulsion = true;
        options.cutoffFunction = {CutoffFunction::Type::Polynomial, 3};
        options.numBlocks = 2;
        result.push_back(options);
        options.numBlocks = 1;
        options.numChannels = 1;
        options.numBasis = 3;
        result.push_back(options);
    }
    return result;
}

class FastModelTest : public ::testing::TestWithParam<RandomNetworkOptions> {};

TEST_P(FastModelTest, agreesWithExactNetworkOnEveryLevel) {
    const auto parameters = randomNetwork(GetParam());
    const auto network = FastNetwork::create(parameters);
    const std::vector<Atoms> systems = {randomMolecule(22, 4, 3), randomMolecule(2, 4, 5), randomMolecule(1, 4, 6),
                                        randomMolecule(60, 4, 8), liquid(64, 0.3, 4)};
    for (const Box* box : std::vector<const Box*>{nullptr, &CUBIC, &TRICLINIC})
        for (size_t n = 0; n < systems.size(); n++) {
            const Result exact = evaluateExactly(parameters, systems[n], box);
            for (SimdLevel level : availableSimdLevels()) {
                FastEvaluatorOptions options;
                options.level = level;
                Batch batch(network, {systems[n]}, 1, options);
                expectAgreement(exact, batch.evaluate(box),
                                "system " + std::to_string(n) + " level " + std::to_string(static_cast<int>(level)));
            }
        }
}

TEST_P(FastModelTest, subsystemsDoNotSeeEachOther) {
    const auto network = FastNetwork::create(randomNetwork(GetParam()));
    std::vector<Atoms> molecules;
    std::vector<Result> alone;
    for (int m = 0; m < 12; m++) {
        molecules.push_back(randomMolecule(1 + m * 13 % 50, 4, m)); // all at about the same place
        alone.push_back(Batch(network, {molecules.back()}).evaluate());
    }
    Random random(1);
    for (int trial = 0; trial < 20; trial++) {
        std::vector<Atoms> chosen;
        std::vector<int> which;
        for (int n = 1 + random.integer(15); n > 0; n--) {
            which.push_back(random.integer(12));
            chosen.push_back(molecules[which.back()]);
        }
        Batch batch(network, chosen);
        for (char& a : batch.active)
            a = random.integer(4) > 0;
        const Result all = batch.evaluate();
        for (size_t m = 0; m < which.size(); m++) {
            const Result part = batch.partOf(all, static_cast<int>(m));
            if (batch.active[m])
                EXPECT_TRUE(part == alone[which[m]]) << "trial " << trial << ", slot " << m;
            else
                EXPECT_TRUE(part.energies == std::vector<double>(part.energies.size(), 0.0) &&
                            part.forces == std::vector<double>(part.forces.size(), 0.0));
        }
    }
}

TEST_P(FastModelTest, threadsChangeNoBit) {
    const auto network = FastNetwork::create(randomNetwork(GetParam()));
    const std::vector<Atoms> molecules = {randomMolecule(22, 4, 1), liquid(300, 0.22, 2), randomMolecule(3, 4, 3),
                                          randomMolecule(90, 4, 4)};
    Result expected;
    for (int numThreads : {1, 2, 7}) {
        Batch batch(network, molecules, numThreads);
        const Result found = batch.evaluate();
        if (numThreads == 1)
            expected = found;
        EXPECT_TRUE(found == expected) << numThreads << " threads";
        EXPECT_TRUE(batch.evaluate() == expected) << "again with " << numThreads << " threads";
        std::vector<double> energies;
        batch.evaluator->evaluate(batch.positions, nullptr, batch.active, energies, nullptr);
        EXPECT_EQ(energies, expected.energies) << "energies alone";
    }
}

TEST_P(FastModelTest, skinChangesNoBit) {
    const auto network = FastNetwork::create(randomNetwork(GetParam()));
    FastEvaluatorOptions noSkin;
    noSkin.skin = 0;
    Box box = TRICLINIC;
    for (const Box* used : std::vector<const Box*>{nullptr, &box}) {
        const std::vector<Atoms> molecules = {liquid(90, 0.25, 7), randomMolecule(10, 4, 1)};
        Batch kept(network, molecules, 2), fresh(network, molecules, 1, noSkin);
        Random random(3);
        for (int step = 0; step < 40; step++) {
            const double largest = step % 10 == 9 ? 0.3 : 0.004; // now and then a jump
            for (double& x : kept.positions)
                x += random.uniform(-largest, largest);
            if (step % 13 == 12) // wrapped by another
                for (size_t i = 0; i < kept.positions.size() && used != nullptr; i += 3)
                    for (int k = 0; k < 3; k++)
                        kept.positions[i + k] += (*used)[2][k];
            if (step % 17 == 16)
                box[1][1] *= 1.001;
            if (step == 20)
                kept.active[1] = fresh.active[1] = 0;
            fresh.positions = kept.positions;
            ASSERT_TRUE(kept.evaluate(used) == fresh.evaluate(used)) << "step " << step;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Models, FastModelTest, ::testing::ValuesIn(models()), [](const auto& info) {
    return info.param.describe() + "H" + std::to_string(info.param.numChannels);
});

TEST(FastEvaluatorTest, publishedSize) {
    for (Family family : {Family::Student, Family::Canonical}) {
        RandomNetworkOptions options;
        options.family = family;
        options.numChannels = 128;
        options.numBasis = 20;
        const auto parameters = randomNetwork(options);
        const auto network = FastNetwork::create(parameters);
        for (uint64_t seed : {1, 2, 3}) {
            const Atoms molecule = randomMolecule(22, 4, seed);
            expectAgreement(evaluateExactly(parameters, molecule, nullptr), Batch(network, {molecule}).evaluate(),
                            options.describe());
        }
    }
}

TEST(FastEvaluatorTest, thousandAtomsWithLargeReferences) {
    for (Family family : {Family::Student, Family::Canonical}) {
        RandomNetworkOptions options;
        options.family = family;
        options.numChannels = 32;
        options.references = true;
        const auto parameters = randomNetwork(options);
        const Atoms atoms = liquid(1000, 0.22, 11);
        expectAgreement(evaluateExactly(parameters, atoms, nullptr),
                        Batch(FastNetwork::create(parameters), {atoms}, 2).evaluate(), options.describe());
    }
}

TEST(FastEvaluatorTest, forcesAreTheDerivative) {
    RandomNetworkOptions options;
    options.repulsion = true;
    for (Family family : {Family::Student, Family::Canonical}) {
        options.family = family;
        Batch batch(FastNetwork::create(randomNetwork(options)), {randomMolecule(12, 4, 2)});
        const std::vector<double> start = batch.positions;
        const Result result = batch.evaluate();
        double power = 0;
        for (double f : result.forces)
            power += f * f;
        const double length = std::sqrt(power), step = 2e-5;
        double energy[2];
        for (int side = 0; side < 2; side++) {
            for (size_t k = 0; k < start.size(); k++)
                batch.positions[k] = start[k] + (side == 0 ? -step : step) * result.forces[k] / length;
            energy[side] = 0;
            for (double e : batch.evaluate().energies)
                energy[side] += e;
        }
        EXPECT_NEAR((energy[0] - energy[1]) / (2 * step), length, 1e-4 * length) << options.describe();
    }
}

TEST(FastEvaluatorTest, namesAtomsAtTheSamePlace) {
    const auto network = FastNetwork::create(randomNetwork({}));
    for (int size : {10, 100}) {
        Batch batch(network, {randomMolecule(5, 4, 1), liquid(size, 0.25, 2)}, 2);
        batch.evaluate();
        std::copy(&batch.positions[3 * 8], &batch.positions[3 * 9], &batch.positions[3 * 13]);
        for (int turn = 0; turn < 2; turn++)
            try {
                batch.evaluate();
                ADD_FAILURE() << "no exception";
            }
            catch (const CoincidentAtoms& e) {
                EXPECT_EQ(e.atom1, 8);
                EXPECT_EQ(e.atom2, 13);
            }
        batch.active[1] = 0; // nobody looks at them
        batch.evaluate();
        batch.active[1] = 1;
        batch.positions[3 * 13] += 0.1;
        batch.evaluate();
    }
}

TEST(FastEvaluatorTest, takesNewElements) {
    const auto network = FastNetwork::create(randomNetwork({}));
    Atoms atoms = randomMolecule(20, 4, 1);
    Batch batch(network, {atoms});
    const Result before = batch.evaluate();
    for (int& e : atoms.elements)
        e = (e + 1) % 4;
    batch.evaluator->setElements(atoms.elements);
    const Result after = batch.evaluate();
    EXPECT_FALSE(before == after);
    EXPECT_TRUE(after == Batch(network, {atoms}).evaluate());
}

TEST(FastEvaluatorTest, symmetricPlaceHasFiniteForce) {
    Atoms line;
    line.elements = {1, 1, 1};
    line.positions = {-0.125, 0, 0, 0, 0, 0, 0.125, 0, 0};
    RandomNetworkOptions options;
    options.family = Family::Student; // no epsilon in the norm, which has no derivative where a vector is 0
    for (int numBlocks : {1, 3}) {
        options.numBlocks = numBlocks;
        const auto parameters = randomNetwork(options);
        const Result fast = Batch(FastNetwork::create(parameters), {line}).evaluate();
        for (double f : fast.forces)
            EXPECT_TRUE(std::isfinite(f));
        if (numBlocks == 1) // later the middle atom's vector is only nearly 0, and its norm's derivative has any sign
            expectAgreement(evaluateExactly(parameters, line, nullptr), fast, "three atoms in a line");
    }
}

#if defined(__x86_64__)
TEST(FastEvaluatorTest, leavesTheControlRegister) {
    Batch batch(FastNetwork::create(randomNetwork({})), {randomMolecule(20, 4, 1)});
    const unsigned before = __builtin_ia32_stmxcsr();
    batch.evaluate();
    EXPECT_EQ(__builtin_ia32_stmxcsr() & ~0x3fu, before & ~0x3fu); // the lowest bits only say what has happened
}
#endif

} // namespace
