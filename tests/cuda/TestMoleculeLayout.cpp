// SPDX-License-Identifier: MIT
// The shared memory of the molecule kernel: what is used of each array fits into the room that it has, whatever the
// network.
#include "CudaNetwork.h"
#include <gtest/gtest.h>

using namespace PaiNNPlugin;

namespace {

/** As the kernels use them; kernels/MoleculeArrays.cuh asserts the same of the network that it is compiled for. */
void expectRoom(const Shape& shape, const MoleculeForm& form) {
    const MoleculeMemory m = moleculeMemory(shape, form);
    const int N = form.atoms, columns = (N + 7) / 8 * 8, pairs = N * (N - 1) / 2, blocks = shape.H / SLICE;
    EXPECT_GE(m.gathered - m.products, blocks * SLICE * rowOf(columns) * 4);
    EXPECT_GE(m.gathered - m.products, blocks * ((3 * N + 3) / 4) * 16);
    EXPECT_GE(m.gathered - m.products, pairs * 8);
    EXPECT_GE(m.vectors - m.gathered, columns * gatheredRow(shape) * 4);
    EXPECT_GE(m.positions - m.filterSlopes, pairs * SLICE * 8);
    EXPECT_GE(m.pairs - m.neighbors, (N * N + 4) * 2);
    if (form.hasReadout) {
        EXPECT_GE(m.lastLayer - m.filters, readoutSize(shape) * 4);
        EXPECT_GE(m.positions - m.lastLayer, lastLayerSize(shape) * 8);
    }
    if (!shape.isStudent) {
        EXPECT_GE(m.outputs - m.vectors, blocks * SLICE * rowOf(3 * columns) * 4);
        EXPECT_GE(m.outputs - m.vectors, 3 * columns * gatheredRow(shape) * 4);
        EXPECT_GE(m.readout - m.outputs, 2 * 2 * SLICE * rowOf(3 * columns) * 4);
    }
    EXPECT_GE(m.readout - m.outputs, 2 * 3 * SLICE * rowOf(columns) * 4);
    EXPECT_LE(N, MOST_MOLECULE_ATOMS);
    EXPECT_LE(pairs, 32 * moleculeWarps(shape));
    EXPECT_LE(pairs * MOST_MOLECULE_ATOMS, 65536);
    for (int offset : {m.scale, m.stage, m.filters, m.filterSlopes, m.lastLayer, m.positions, m.pairs, m.before,
                       m.after, m.adjoint, m.local, m.products, m.gathered, m.vectors, m.outputs, m.readout, m.forces})
        EXPECT_EQ(offset % 16, 0);
}

} // namespace

TEST(MoleculeLayout, everythingHasItsRoom) {
    DeviceLimits limits;
    limits.computeCapability = 90;
    limits.multiprocessors = 132;
    limits.hasTensorCores = limits.hasClusters = true;
    int found = 0;
    for (size_t sharedBytes : {101376, 232448})
        for (int isStudent : {0, 1})
            for (int H = 16; H <= 128; H += 16)
                for (int L = 1; L <= 8; L++)
                    for (int width : {0, 16, H / 2 / 16 * 16 + 16, 4 * H}) {
                        Shape shape{isStudent, H, L, width == 0 ? 0 : 1, {H, width}};
                        limits.sharedBytes = sharedBytes;
                        const MoleculeForm form = CudaNetwork::getMoleculeForm(shape, CudaPrecision::Mixed, limits);
                        if (form.atoms == 0)
                            continue;
                        found++;
                        SCOPED_TRACE(std::string(isStudent ? "student" : "canonical") + " H = " + std::to_string(H) +
                                     ", L = " + std::to_string(L) + ", readout " + std::to_string(width));
                        EXPECT_LE(moleculeMemory(shape, form).size, static_cast<int>(sharedBytes));
                        expectRoom(shape, form);
                    }
    EXPECT_GT(found, 500);
}
