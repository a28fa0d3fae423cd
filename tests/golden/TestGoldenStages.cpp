// SPDX-License-Identifier: MIT
// Every forward stage alone, from the stored input of the stage to its stored output (whole arrays).
#include "Compare.h"
#include "GoldenFile.h"
#include "Message.h"
#include "PaiNNStudentModel.h"
#include "RadialBasis.h"
#include "Readout.h"
#include "Update.h"
#include "ZBLRepulsion.h"

using namespace PaiNNPlugin;

namespace {

const double TOLERANCE = 1e-11;

class GoldenStages : public ::testing::TestWithParam<const char*> {
protected:
    void SetUp() override {
        const std::string path = std::string(PAINN_TEST_DATA) + "/golden/" + GetParam();
        parameters = PaiNNStudentModel(path + ".safetensors").getParameters();
        frame = readGoldenFrames(path + ".txt").at(0);
        ASSERT_EQ(frame.title, "stages");
        list = findNeighbors(frame.get("positions"), nullptr, parameters->cutoff);
        for (int p : list.pair)
            d.push_back(list.d[p]);
    }
    Features features(int block, const std::string& stage) const {
        const std::string name = "blocks." + std::to_string(block) + "." + stage;
        return {frame.get(name + ".s"), frame.get(name + ".v")};
    }
    int numBlocks() const {
        return static_cast<int>(parameters->blocks.size());
    }
    std::shared_ptr<const NetworkParameters> parameters;
    GoldenFrame frame;
    NeighborList list;
    std::vector<double> d; // [numEdges] nm
};

} // namespace

TEST_P(GoldenStages, edges) {
    std::vector<double> edges;
    for (int i = 0; i < list.numAtoms(); i++)
        for (int e = list.first[i]; e < list.first[i + 1]; e++)
            edges.insert(edges.end(), {double(i), double(list.neighbor[e])});
    EXPECT_EQ(edges, frame.get("edges"));
}

TEST_P(GoldenStages, basis) {
    const size_t K = parameters->basis.size();
    std::vector<double> phi(d.size() * K);
    for (size_t e = 0; e < d.size(); e++)
        evaluateBasis(parameters->basis, d[e], &phi[e * K], nullptr);
    EXPECT_TRUE(arraysAgree(frame.get("basis"), phi, TOLERANCE));
}

TEST_P(GoldenStages, filter) {
    for (int block = 0; block < numBlocks(); block++) {
        const RadialFilter filter(*parameters, block);
        std::vector<double> f(d.size() * filter.getWidth());
        filter.evaluate(static_cast<int>(d.size()), d.data(), f.data(), nullptr);
        EXPECT_TRUE(arraysAgree(frame.get("blocks." + std::to_string(block) + ".filter"), f, TOLERANCE));
    }
}

TEST_P(GoldenStages, message) {
    for (int block = 0; block < numBlocks(); block++) {
        Features x;
        if (block > 0)
            x = features(block - 1, "update");
        else {
            const int H = parameters->numChannels;
            for (int element : frame.elements())
                x.s.insert(x.s.end(), &parameters->embedding[element * H], &parameters->embedding[element * H] + H);
            x.v.assign(3 * x.s.size(), 0.0);
        }
        Message(*parameters, block).forward(list, x, nullptr);
        EXPECT_TRUE(arraysAgree(features(block, "message").s, x.s, TOLERANCE));
        EXPECT_TRUE(arraysAgree(features(block, "message").v, x.v, TOLERANCE));
    }
}

TEST_P(GoldenStages, update) {
    for (int block = 0; block < numBlocks(); block++) {
        Features x = features(block, "message");
        Update(*parameters, block).forward(x, nullptr);
        EXPECT_TRUE(arraysAgree(features(block, "update").s, x.s, TOLERANCE));
        // The vectors of the last block reach no energy, so Update leaves them as they were.
        if (block < numBlocks() - 1) {
            EXPECT_TRUE(arraysAgree(features(block, "update").v, x.v, TOLERANCE));
        }
    }
}

TEST_P(GoldenStages, readoutAndRepulsion) {
    std::vector<double> energies;
    Readout(*parameters).forward(features(numBlocks() - 1, "update"), energies, nullptr);
    EXPECT_TRUE(arraysAgree(frame.get("readout"), energies, TOLERANCE));

    std::vector<double> repulsion(energies.size(), 0.0), expected = frame.get("interaction");
    for (size_t i = 0; i < expected.size(); i++)
        expected[i] -= frame.get("readout")[i];
    ZBLRepulsion(*parameters).forward(list, frame.elements(), repulsion);
    EXPECT_TRUE(arraysAgree(expected, repulsion, TOLERANCE));
}

INSTANTIATE_TEST_SUITE_P(Models, GoldenStages,
                         ::testing::Values("student", "student_smooth", "canonical", "canonical_smooth"));
