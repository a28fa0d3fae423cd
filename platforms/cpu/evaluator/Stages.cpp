// SPDX-License-Identifier: MIT
#include "Stages.h"
#include <algorithm>

namespace PaiNNPlugin {

void Workspace::resize(const FastNetwork& network, int numAtoms) {
    const size_t N = numAtoms, H = network.H, L = network.blocks.size();
    blocks.resize(L);
    for (size_t l = 0; l < L; l++) {
        const FastBlock& block = network.blocks[l];
        if (l > 0) {
            blocks[l].c.reserve(N * (network.isStudent ? H : 3 * H));
            blocks[l].v.reserve(N * 3 * H);
            blocks[l].contextSlope.reserve(N * block.context[0].numOut);
        }
        blocks[l].vMessage.reserve(N * 3 * H);
        blocks[l].updateSlope.reserve(N * block.update[0].numOut);
        if (l + 1 < L || !network.isStudent)
            blocks[l].qr.reserve(N * 2 * H);
    }
    s.reserve(network.isStudent ? 0 : N * H);
    for (int parity = 0; parity < 2; parity++) {
        s_adj[parity].reserve(N * H);
        v_adj[parity].reserve(N * 3 * H);
    }
}

void Edges::resize(const EdgeList& candidates) {
    const size_t size = candidates.neighbor.size();
    count.resize(candidates.first.size() - 1);
    for (std::vector<int>* array : {&atom, &element, &slot, &cell})
        array->resize(size);
    t.resize(size);
    towards.resize(3 * size);
    d.resize(size);
    u.resize(3 * size);
    geometry_adj.resize(4 * size);
}

Scratch::Scratch(const FastNetwork& network)
    : s(TILE * network.H), input(TILE * 2 * network.H), pqr(TILE * 3 * network.H), c_adj(TILE * 3 * network.H) {
    int widest = 0;
    for (const FastBlock& block : network.blocks)
        widest = std::max({widest, block.context[0].numOut, block.update[0].numOut});
    hidden.reserve(TILE * widest);
    if (!network.isStudent) {
        VW.reserve(TILE * 6 * network.H);
        VW_adj.reserve(TILE * 6 * network.H);
    }
    for (const PackedLayer& layer : network.readout) {
        x.emplace_back(TILE * layer.numOut);
        slope.emplace_back(TILE * layer.numOut);
    }
}

MessageInput Stages::messageInput(int block) const {
    const FastBlock& b = network.blocks[block];
    const float* firstContext = network.isStudent ? network.embedding.data() : network.firstContext.data();
    return {network.H,
            !network.isStudent,
            b.table.data(),
            b.tableParts,
            block == 0 ? firstContext : work.blocks[block].c.data(),
            block == 0 ? nullptr : work.blocks[block].v.data()};
}

UpdateInput Stages::updateInput(int block) const {
    return {network.H, network.isStudent, block + 1 == static_cast<int>(network.blocks.size()),
            static_cast<float>(network.parameters->normEpsilon), network.blocks[block].mixing};
}

EdgeRow Stages::edgeRow(int block, int atom) const {
    const int e = candidates.first[atom];
    return {edges.count[atom],     edges.atom.data() + e, (block == 0 ? edges.element : edges.atom).data() + e,
            edges.cell.data() + e, edges.t.data() + e,    edges.towards.data() + 3 * static_cast<size_t>(e)};
}

void Stages::message(int block, int begin, int end, Scratch& scratch) const {
    const size_t H = network.H;
    const MessageInput input = messageInput(block);
    for (int i = begin; i < end; i++) {
        const float* sBefore = block == 0          ? &network.embedding[elements[i] * H]
                               : network.isStudent ? &work.blocks[block].c[i * H]
                                                   : &work.s[i * H];
        float* s = &scratch.s[(i - begin) * H];
        float* v = &work.blocks[block].vMessage[i * 3 * H];
        std::copy(sBefore, sBefore + H, s);
        if (block == 0)
            std::fill(v, v + 3 * H, 0.0f);
        else
            std::copy(input.v + i * 3 * H, input.v + (i + 1) * 3 * H, v);
        kernels.message(input, edgeRow(block, i), s, v);
    }
}

void Stages::update(int block, int begin, int end, Scratch& scratch) const {
    const size_t H = network.H;
    const int rows = end - begin;
    const FastBlock& weights = network.blocks[block];
    const UpdateInput input = updateInput(block);
    Workspace::Block& w = work.blocks[block];
    const float* v = &w.vMessage[begin * 3 * H];
    if (!network.isStudent)
        kernels.multiplyMatrix(3 * rows, weights.vectorMix.numIn, weights.vectorMix.numOut, v, H,
                               weights.vectorMix.forward.data(), nullptr, false, scratch.VW.data(), 2 * H);
    kernels.norm(input, rows, scratch.s.data(), network.isStudent ? v : scratch.VW.data(),
                 network.isStudent ? H : 2 * H, scratch.input.data());

    const PackedLayer *first = &weights.update[0], *second = &weights.update[1];
    const size_t M = first->numOut;
    kernels.multiplyMatrix(rows, first->numIn, first->numOut, scratch.input.data(), 2 * H, first->forward.data(),
                           first->bias.data(), false, scratch.hidden.data(), M);
    kernels.activate(rows, first->numOut, scratch.hidden.data(), M, &w.updateSlope[begin * M], M);
    const int columns = network.isStudent && input.isLast ? network.H : second->numOut; // nothing reads q and r there
    kernels.multiplyMatrix(rows, second->numIn, columns, scratch.hidden.data(), M, second->forward.data(),
                           second->bias.data(), false, scratch.pqr.data(), 3 * H);
    if (columns > network.H)
        for (int r = 0; r < rows; r++)
            std::copy(&scratch.pqr[(3 * r + 1) * H], &scratch.pqr[(3 * r + 1) * H] + 2 * H, &w.qr[(begin + r) * 2 * H]);
    kernels.combine(input, rows, scratch.pqr.data(), v, scratch.VW.data(), scratch.s.data(),
                    input.isLast ? nullptr : &work.blocks[block + 1].v[begin * 3 * H]);
}

void Stages::context(int block, int begin, int end, Scratch& scratch) const {
    const size_t H = network.H;
    const int rows = end - begin;
    Workspace::Block& w = work.blocks[block];
    if (network.isStudent) {
        std::copy(&scratch.s[0], &scratch.s[0] + rows * H, &w.c[begin * H]);
        return;
    }
    std::copy(&scratch.s[0], &scratch.s[0] + rows * H, &work.s[begin * H]);
    const PackedLayer *first = &network.blocks[block].context[0], *second = &network.blocks[block].context[1];
    const size_t M = first->numOut;
    kernels.multiplyMatrix(rows, first->numIn, first->numOut, scratch.s.data(), H, first->forward.data(),
                           first->bias.data(), false, scratch.hidden.data(), M);
    kernels.activate(rows, first->numOut, scratch.hidden.data(), M, &w.contextSlope[begin * M], M);
    kernels.multiplyMatrix(rows, second->numIn, second->numOut, scratch.hidden.data(), M, second->forward.data(),
                           second->bias.data(), false, &w.c[begin * 3 * H], 3 * H);
}

void Stages::readout(int begin, int end, Scratch& scratch, double* energies) const {
    const int rows = end - begin;
    const float* x = scratch.s.data();
    size_t width = network.H;
    for (size_t l = 0; l < network.readout.size(); l++) {
        const PackedLayer& layer = network.readout[l];
        kernels.multiplyMatrix(rows, layer.numIn, layer.numOut, x, width, layer.forward.data(), layer.bias.data(),
                               false, scratch.x[l].data(), layer.numOut);
        kernels.activate(rows, layer.numOut, scratch.x[l].data(), layer.numOut, scratch.slope[l].data(), layer.numOut);
        x = scratch.x[l].data();
        width = layer.numOut;
    }
    for (int r = 0; r < rows; r++) {
        double energy = network.readoutBias;
        for (size_t k = 0; k < width; k++)
            energy += static_cast<double>(network.readoutWeight[k]) * x[r * width + k];
        energies[begin + r] += energy;
    }
}

void Stages::readoutBackward(int parity, int begin, int end, Scratch& scratch) const {
    const size_t H = network.H;
    const int rows = end - begin, layers = static_cast<int>(network.readout.size());
    float* s_adj = &work.s_adj[parity][begin * H];
    std::fill(&work.v_adj[parity][begin * 3 * H], &work.v_adj[parity][begin * 3 * H] + rows * 3 * H, 0.0f);
    // The activations in scratch.x are not needed any more: their adjoints take their place.
    for (int l = layers; l >= 0; l--) {
        float* to = l == 0 ? s_adj : scratch.x[l - 1].data();
        const size_t width = l == 0 ? H : network.readout[l - 1].numOut;
        if (l == layers)
            for (int r = 0; r < rows; r++)
                std::copy(&network.readoutWeight[0], &network.readoutWeight[0] + width, to + r * width);
        else
            kernels.multiplyMatrix(rows, network.readout[l].numOut, network.readout[l].numIn, scratch.x[l].data(),
                                   network.readout[l].numOut, network.readout[l].backward.data(), nullptr, false, to,
                                   width);
        if (l > 0)
            kernels.scale(rows, static_cast<int>(width), scratch.slope[l - 1].data(), width, to, width);
    }
}

void Stages::updateBackward(int block, int begin, int end, Scratch& scratch) const {
    const size_t H = network.H;
    const int rows = end - begin;
    const FastBlock& weights = network.blocks[block];
    const UpdateInput input = updateInput(block);
    const Workspace::Block& w = work.blocks[block];
    float *s_adj = &work.s_adj[block % 2][begin * H], *v_adj = &work.v_adj[block % 2][begin * 3 * H];
    const float* v = &w.vMessage[begin * 3 * H];
    if (!network.isStudent)
        kernels.multiplyMatrix(3 * rows, weights.vectorMix.numIn, weights.vectorMix.numOut, v, H,
                               weights.vectorMix.forward.data(), nullptr, false, scratch.VW.data(), 2 * H);
    const bool hasVectors = !(network.isStudent && input.isLast);
    kernels.combineBackward(input, rows, hasVectors ? &w.qr[begin * 2 * H] : nullptr, v, scratch.VW.data(), s_adj,
                            v_adj, scratch.pqr.data(), scratch.VW_adj.data());

    const PackedLayer *first = &weights.update[0], *second = &weights.update[1];
    const size_t M = first->numOut;
    kernels.multiplyMatrix(rows, second->numOut, second->numIn, scratch.pqr.data(), 3 * H, second->backward.data(),
                           nullptr, false, scratch.hidden.data(), M);
    kernels.scale(rows, first->numOut, &w.updateSlope[begin * M], M, scratch.hidden.data(), M);
    kernels.multiplyMatrix(rows, first->numOut, first->numIn, scratch.hidden.data(), M, first->backward.data(), nullptr,
                           false, scratch.input.data(), 2 * H);
    if (network.isStudent) {
        kernels.normBackward(input, rows, scratch.input.data(), v, H, s_adj, v_adj, H);
        return;
    }
    kernels.normBackward(input, rows, scratch.input.data(), scratch.VW.data(), 2 * H, s_adj, scratch.VW_adj.data(),
                         2 * H);
    kernels.multiplyMatrix(3 * rows, weights.vectorMix.numOut, weights.vectorMix.numIn, scratch.VW_adj.data(), 2 * H,
                           weights.vectorMix.backward.data(), nullptr, true, v_adj, H);
}

void Stages::messageBackward(int block, int begin, int end, Scratch& scratch) const {
    const size_t H = network.H, widthC = network.isStudent ? H : 3 * H;
    const MessageInput input = messageInput(block);
    const MessageAdjoint adjoint = {work.s_adj[block % 2].data(), work.v_adj[block % 2].data()};
    float *s_adj = nullptr, *v_adj = nullptr;
    if (block > 0) { // behind the update of the block before
        s_adj = &work.s_adj[(block - 1) % 2][begin * H];
        v_adj = &work.v_adj[(block - 1) % 2][begin * 3 * H];
        std::copy(adjoint.s + begin * H, adjoint.s + end * H, s_adj);
        std::copy(adjoint.v + begin * 3 * H, adjoint.v + end * 3 * H, v_adj);
        std::fill(&scratch.c_adj[0], &scratch.c_adj[0] + (end - begin) * widthC, 0.0f);
    }
    const bool isLast = block + 1 == static_cast<int>(network.blocks.size());
    for (int i = begin; i < end; i++) {
        const EdgeRow row = edgeRow(block, i);
        const int sender = block == 0 ? elements[i] : i;
        kernels.messageBackward(input, adjoint, row, sender, i,
                                block == 0 ? nullptr : &scratch.c_adj[(i - begin) * widthC],
                                block == 0 ? nullptr : v_adj + (i - begin) * 3 * H, scratch.geometry_adj.data());
        const int* slot = edges.slot.data() + candidates.first[i];
        for (int e = 0; e < row.count; e++) {
            double* sum = &edges.geometry_adj[4 * static_cast<size_t>(slot[e])];
            for (int k = 0; k < 4; k++)
                sum[k] = (isLast ? 0.0 : sum[k]) + scratch.geometry_adj[4 * e + k];
        }
    }
    if (block > 0)
        contextBackward(block, begin, end, scratch, s_adj);
}

/** B5a: add to s_adj what the contexts pass back. */
void Stages::contextBackward(int block, int begin, int end, Scratch& scratch, float* s_adj) const {
    const size_t H = network.H;
    const int rows = end - begin;
    if (network.isStudent) {
        for (size_t k = 0; k < rows * H; k++)
            s_adj[k] += scratch.c_adj[k];
        return;
    }
    const PackedLayer *first = &network.blocks[block].context[0], *second = &network.blocks[block].context[1];
    const size_t M = first->numOut;
    kernels.multiplyMatrix(rows, second->numOut, second->numIn, scratch.c_adj.data(), 3 * H, second->backward.data(),
                           nullptr, false, scratch.hidden.data(), M);
    kernels.scale(rows, first->numOut, &work.blocks[block].contextSlope[begin * M], M, scratch.hidden.data(), M);
    kernels.multiplyMatrix(rows, first->numOut, first->numIn, scratch.hidden.data(), M, first->backward.data(), nullptr,
                           true, s_adj, H);
}

} // namespace PaiNNPlugin
