// SPDX-License-Identifier: MIT
#include "Stages.h"
#include <algorithm>

namespace PaiNNPlugin {

void Workspace::resize(const FastNetwork& network, int numAtoms) {
    const size_t N = numAtoms, H = network.H, L = network.blocks.size();
    senderParts = network.isStudent ? 4 : 6;
    blocks.resize(L);
    for (size_t l = 0; l < L; l++) {
        const FastBlock& block = network.blocks[l];
        if (l > 0) {
            blocks[l].sender.reserve(N * senderParts * H);
            blocks[l].contextSlope.reserve(N * block.context[0].numOut);
        }
        blocks[l].vMessage.reserve(N * 3 * H);
        blocks[l].updateSlope.reserve(N * block.update[0].numOut);
        if (l + 1 < L || !network.isStudent)
            blocks[l].qr.reserve(N * 2 * H);
    }
    s.reserve(network.isStudent ? 0 : N * H);
    lastAdjoint.reserve(N * senderParts * H);
}

void Pairs::resize(size_t numPairs, size_t numCandidates) {
    for (std::vector<int>* array : {&a, &b, &cell, &candidate})
        array->resize(numPairs);
    t.resize(numPairs);
    towards.resize(3 * numPairs);
    geometry_adj.resize(4 * numCandidates);
}

Scratch::Scratch(const FastNetwork& network)
    : s(TILE * network.H), v(TILE * 3 * network.H), input(TILE * 2 * network.H), pqr(TILE * 3 * network.H),
      s_adj(TILE * network.H), v_adj(TILE * 3 * network.H), c(TILE * 3 * network.H),
      cellStart(network.grid.numCells + 1) {
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

void Scratch::reserve(size_t numPairs) {
    geometry_adj.reserve(8 * numPairs);
    measured.reserve(numPairs);
    order.reserve(numPairs);
}

/** Copy rows [parts][H] of a tile into parts of all atoms' chunks of channels. */
void Stages::pack(const Tile& tile, const float* from, int parts, AlignedArray& to, int firstPart) const {
    const size_t H = network.H, stride = work.senderParts;
    for (size_t h = 0; h < H; h += CHANNEL_TILE)
        for (size_t r = 0; r < static_cast<size_t>(tile.rows()); r++) {
            float* row = &to[(h * numAtoms() + (tile.begin + r) * CHANNEL_TILE) * stride];
            for (int part = 0; part < parts; part++)
                std::copy_n(from + (r * parts + part) * H + h, CHANNEL_TILE, row + (firstPart + part) * CHANNEL_TILE);
        }
}

/** The opposite of pack(). */
void Stages::unpack(const Tile& tile, const AlignedArray& from, int firstPart, int parts, float* to) const {
    const size_t H = network.H, stride = work.senderParts;
    for (size_t h = 0; h < H; h += CHANNEL_TILE)
        for (size_t r = 0; r < static_cast<size_t>(tile.rows()); r++) {
            const float* row = &from[(h * numAtoms() + (tile.begin + r) * CHANNEL_TILE) * stride];
            for (int part = 0; part < parts; part++)
                std::copy_n(row + (firstPart + part) * CHANNEL_TILE, CHANNEL_TILE, to + (r * parts + part) * H + h);
        }
}

MessageInput Stages::messageInput(int block) const {
    const FastBlock& b = network.blocks[block];
    const bool isFirst = block == 0;
    return {network.H,
            !network.isStudent,
            isFirst,
            network.grid.numCells,
            b.tableParts,
            b.table.data(),
            isFirst ? network.parameters->numElements() : numAtoms(),
            isFirst ? network.firstContext.data() : work.blocks[block].sender.data(),
            elements.data()};
}

PairList Stages::pairList(const Tile& tile) const {
    const size_t n = tile.firstPair;
    return {tile.begin,         tile.rows(),           tile.numPairs,
            pairs.a.data() + n, // there is no element n if the last tile has no pairs
            pairs.b.data() + n, pairs.cell.data() + n, pairs.t.data() + n, pairs.towards.data() + 3 * n};
}

/** The adjoints behind the message of a block. */
AlignedArray& Stages::adjointOf(int block) const {
    return block + 1 == static_cast<int>(network.blocks.size()) ? work.lastAdjoint : work.blocks[block + 1].sender;
}

UpdateInput Stages::updateInput(int block) const {
    return {network.H, network.isStudent, block + 1 == static_cast<int>(network.blocks.size()),
            static_cast<float>(network.parameters->normEpsilon), network.blocks[block].mixing};
}

void Stages::message(int block, const Tile& tile, Scratch& scratch) const {
    const size_t H = network.H, begin = tile.begin, rows = tile.rows();
    float* v = &work.blocks[block].vMessage[begin * 3 * H];
    if (block == 0) {
        for (size_t r = 0; r < rows; r++)
            std::copy_n(&network.embedding[elements[begin + r] * H], H, &scratch.s[r * H]);
        std::fill_n(v, rows * 3 * H, 0.0f);
    }
    else {
        const AlignedArray& sender = work.blocks[block].sender;
        if (network.isStudent)
            unpack(tile, sender, 0, 1, scratch.s.data());
        else
            std::copy_n(&work.s[begin * H], rows * H, scratch.s.data());
        unpack(tile, sender, numContexts(), 3, v);
    }
    kernels.message(messageInput(block), pairList(tile), scratch.s.data(), v);
}

void Stages::messageBackward(int block, const Tile& tile, Scratch& scratch) const {
    const size_t H = network.H, rows = tile.rows();
    const AlignedArray& adjoint = adjointOf(block);
    const PairList list = pairList(tile);
    if (block > 0) { // behind the update of the block before
        unpack(tile, adjoint, 0, 1, scratch.s_adj.data());
        unpack(tile, adjoint, 1, 3, scratch.v_adj.data());
        std::fill_n(scratch.c.data(), rows * numContexts() * H, 0.0f);
    }
    kernels.messageBackward(messageInput(block), {adjoint.data(), numAtoms(), work.senderParts}, list, scratch.c.data(),
                            scratch.v_adj.data(), scratch.geometry_adj.data());
    const bool isLast = block + 1 == static_cast<int>(network.blocks.size());
    auto keep = [&](int candidate, const float* from) {
        float* sum = &pairs.geometry_adj[4 * static_cast<size_t>(candidate)];
        for (int k = 0; k < 4; k++)
            sum[k] = (isLast ? 0.0f : sum[k]) + from[k];
    };
    for (int n = 0; n < list.count; n++) {
        const int candidate = pairs.candidate[tile.firstPair + n];
        keep(candidate, &scratch.geometry_adj[8 * static_cast<size_t>(n)]);
        if (list.b[n] >= tile.begin && list.b[n] < tile.end)
            keep(candidates.mirror[candidate], &scratch.geometry_adj[8 * static_cast<size_t>(n) + 4]);
    }
    if (block > 0)
        contextBackward(block, tile, scratch);
}

void Stages::update(int block, const Tile& tile, Scratch& scratch) const {
    const size_t H = network.H, begin = tile.begin;
    const int rows = tile.rows();
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
    kernels.multiplyMatrix(rows, second->numIn, second->numOut, scratch.hidden.data(), M, second->forward.data(),
                           second->bias.data(), false, scratch.pqr.data(), 3 * H);
    if (second->numOut > network.H)
        for (int r = 0; r < rows; r++)
            std::copy(&scratch.pqr[(3 * r + 1) * H], &scratch.pqr[(3 * r + 1) * H] + 2 * H, &w.qr[(begin + r) * 2 * H]);
    kernels.combine(input, rows, scratch.pqr.data(), v, scratch.VW.data(), scratch.s.data(), scratch.v.data());
}

void Stages::updateBackward(int block, const Tile& tile, Scratch& scratch) const {
    const size_t H = network.H, begin = tile.begin;
    const int rows = tile.rows();
    const FastBlock& weights = network.blocks[block];
    const UpdateInput input = updateInput(block);
    const Workspace::Block& w = work.blocks[block];
    float *s_adj = scratch.s_adj.data(), *v_adj = scratch.v_adj.data();
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
    if (network.isStudent)
        kernels.normBackward(input, rows, scratch.input.data(), v, H, s_adj, v_adj, H);
    else {
        kernels.normBackward(input, rows, scratch.input.data(), scratch.VW.data(), 2 * H, s_adj, scratch.VW_adj.data(),
                             2 * H);
        kernels.multiplyMatrix(3 * rows, weights.vectorMix.numOut, weights.vectorMix.numIn, scratch.VW_adj.data(),
                               2 * H, weights.vectorMix.backward.data(), nullptr, true, v_adj, H);
    }
    pack(tile, s_adj, 1, adjointOf(block), 0);
    pack(tile, v_adj, 3, adjointOf(block), 1);
}

void Stages::context(int block, const Tile& tile, Scratch& scratch) const {
    const size_t H = network.H, begin = tile.begin;
    const int rows = tile.rows();
    Workspace::Block& w = work.blocks[block];
    if (!network.isStudent) {
        std::copy_n(scratch.s.data(), rows * H, &work.s[begin * H]);
        const PackedLayer *first = &network.blocks[block].context[0], *second = &network.blocks[block].context[1];
        const size_t M = first->numOut;
        kernels.multiplyMatrix(rows, first->numIn, first->numOut, scratch.s.data(), H, first->forward.data(),
                               first->bias.data(), false, scratch.hidden.data(), M);
        kernels.activate(rows, first->numOut, scratch.hidden.data(), M, &w.contextSlope[begin * M], M);
        kernels.multiplyMatrix(rows, second->numIn, second->numOut, scratch.hidden.data(), M, second->forward.data(),
                               second->bias.data(), false, scratch.c.data(), 3 * H);
    }
    pack(tile, network.isStudent ? scratch.s.data() : scratch.c.data(), numContexts(), w.sender, 0);
    pack(tile, scratch.v.data(), 3, w.sender, numContexts());
}

/** B5a: add to s_adj what the contexts pass back. */
void Stages::contextBackward(int block, const Tile& tile, Scratch& scratch) const {
    const size_t H = network.H, begin = tile.begin;
    const int rows = tile.rows();
    if (network.isStudent) {
        for (size_t k = 0; k < rows * H; k++)
            scratch.s_adj[k] += scratch.c[k];
        return;
    }
    const PackedLayer *first = &network.blocks[block].context[0], *second = &network.blocks[block].context[1];
    const size_t M = first->numOut;
    kernels.multiplyMatrix(rows, second->numOut, second->numIn, scratch.c.data(), 3 * H, second->backward.data(),
                           nullptr, false, scratch.hidden.data(), M);
    kernels.scale(rows, first->numOut, &work.blocks[block].contextSlope[begin * M], M, scratch.hidden.data(), M);
    kernels.multiplyMatrix(rows, first->numOut, first->numIn, scratch.hidden.data(), M, first->backward.data(), nullptr,
                           true, scratch.s_adj.data(), H);
}

void Stages::readout(const Tile& tile, Scratch& scratch, double* energies) const {
    const int rows = tile.rows();
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
        energies[tile.begin + r] += energy;
    }
}

void Stages::readoutBackward(const Tile& tile, Scratch& scratch) const {
    const size_t H = network.H;
    const int rows = tile.rows(), layers = static_cast<int>(network.readout.size());
    std::fill_n(scratch.v_adj.data(), rows * 3 * H, 0.0f);
    // The activations in scratch.x are not needed any more: their adjoints take their place.
    for (int l = layers; l >= 0; l--) {
        float* to = l == 0 ? scratch.s_adj.data() : scratch.x[l - 1].data();
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

} // namespace PaiNNPlugin
