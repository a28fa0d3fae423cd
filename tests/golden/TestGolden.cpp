// SPDX-License-Identifier: MIT
// The whole exact network against other programs' results in double precision (reliability row 1).
#include "Compare.h"
#include "ExactNetwork.h"
#include "GoldenFile.h"
#include "PaiNNStudentModel.h"

using namespace PaiNNPlugin;

namespace {

/** Compare energies without their large atom references, and forces; atom by atom where the file has that. */
void compare(const std::string& name, double energyTolerance, double forceTolerance) {
    const std::string path = std::string(PAINN_TEST_DATA) + "/" + name;
    const PaiNNStudentModel model(path + ".safetensors");
    const ExactNetwork network(model.getParameters());
    const std::vector<GoldenFrame> frames = readGoldenFrames(path + ".txt");
    ASSERT_GE(frames.size(), 3u);
    for (const GoldenFrame& frame : frames) {
        SCOPED_TRACE(name + ", frame " + frame.title);
        const std::vector<int> elements = frame.elements();
        Box box;
        std::vector<double> energies, energiesAlone, forces;
        network.evaluate(elements, frame.get("positions"), frame.findBox(box), energies, &forces);
        network.evaluate(elements, frame.get("positions"), frame.findBox(box), energiesAlone, nullptr);
        EXPECT_EQ(energies, energiesAlone);
        EXPECT_TRUE(arraysAgree(frame.get("forces"), forces, forceTolerance));

        std::vector<double> references;
        for (int element : elements)
            references.push_back(model.getParameters()->atomReferences.at(element));
        for (size_t i = 0; i < energies.size(); i++)
            energies[i] -= references[i];
        if (frame.arrays.count("interaction") != 0) {
            EXPECT_TRUE(arraysAgree(frame.get("references"), references, 1e-14));
            EXPECT_TRUE(arraysAgree(frame.get("interaction"), energies, energyTolerance));
            const double expected = total(frame.get("interaction"));
            EXPECT_TRUE(arraysAgree({expected}, {total(energies)}, energyTolerance));
        }
        else {
            const double E0 = frame.get("references").at(0), expected = frame.get("energy").at(0) - E0;
            EXPECT_TRUE(arraysAgree({E0}, {total(references)}, 1e-14));
            EXPECT_TRUE(arraysAgree({expected}, {total(energies)}, energyTolerance));
        }
    }
}

class Golden : public ::testing::TestWithParam<const char*> {};
class SchNetPack : public ::testing::TestWithParam<const char*> {};

} // namespace

TEST_P(Golden, energiesAndForcesOfPyTorch) {
    compare(std::string("golden/") + GetParam(), 1e-12, 1e-11);
}

TEST_P(SchNetPack, energiesAndForces) {
    compare(std::string("schnetpack/") + GetParam(), 1e-9, 1e-8);
}

INSTANTIATE_TEST_SUITE_P(Models, Golden,
                         ::testing::Values("student", "student_smooth", "canonical", "canonical_smooth"));
INSTANTIATE_TEST_SUITE_P(Models, SchNetPack, ::testing::Values("bessel", "gaussian_shared"));
