// SPDX-License-Identifier: MIT
#include "FastNetwork.h"
#include "Dense.h"

namespace PaiNNPlugin {

namespace {

static_assert(TABLE_TERMS == FilterTable::TERMS);

/** Where index k of an array made of parts stands when each part is padded. */
int padIndex(int k, int part) {
    return k / part * padChannels(part) + k % part;
}

AlignedArray padRows(const std::vector<double>& values, int rows, int parts, int width) {
    const size_t H = padChannels(width);
    AlignedArray result(rows * parts * H);
    for (size_t k = 0; k < values.size(); k++)
        result[padIndex(static_cast<int>(k), width)] = static_cast<float>(values[k]);
    return result;
}

/** Reorder the rows of a table and pad them. */
void packTable(const FilterTable& table, const std::vector<int>& order, int width, FastBlock& block) {
    const size_t chunks = padChannels(width) / CHANNEL_TILE, cells = table.getGrid().numCells, parts = block.tableParts;
    block.table.reserve(cells * chunks * parts * TABLE_TERMS * CHANNEL_TILE);
    for (size_t cell = 0; cell < cells; cell++) {
        const double* terms = table.getTerms(static_cast<int>(cell));
        for (size_t part = 0; part < parts; part++)
            for (int k = 0; k < TABLE_TERMS; k++)
                for (int h = 0; h < width; h++) {
                    const size_t chunk = h / CHANNEL_TILE * cells + cell;
                    block.table[((chunk * parts + part) * TABLE_TERMS + k) * CHANNEL_TILE + h % CHANNEL_TILE] =
                        static_cast<float>(terms[(k * 3 + order[part]) * width + h]);
                }
    }
}

} // namespace

PackedLayer::PackedLayer(const LinearLayer& layer, int inputPart, int outputPart, const std::vector<int>& order)
    : numIn(layer.numIn / inputPart * padChannels(inputPart)),
      numOut(layer.numOut / outputPart * padChannels(outputPart)), forward(static_cast<size_t>(numIn) * numOut),
      backward(static_cast<size_t>(numIn) * numOut), bias(numOut) {
    for (int out = 0; out < layer.numOut; out++) {
        const int place = out / outputPart;
        const int from = (order.empty() ? place : order[place]) * outputPart + out % outputPart;
        const size_t o = padIndex(out, outputPart);
        for (int in = 0; in < layer.numIn; in++) {
            const size_t i = padIndex(in, inputPart);
            const float w = static_cast<float>(layer.weight[static_cast<size_t>(from) * layer.numIn + in]);
            forward[(o / CHANNEL_TILE * numIn + i) * CHANNEL_TILE + o % CHANNEL_TILE] = w;
            backward[(i / CHANNEL_TILE * numOut + o) * CHANNEL_TILE + i % CHANNEL_TILE] = w;
        }
        if (!layer.bias.empty())
            bias[o] = static_cast<float>(layer.bias[from]);
    }
}

std::shared_ptr<const FastNetwork> FastNetwork::create(std::shared_ptr<const NetworkParameters> parameters) {
    return std::make_shared<const FastNetwork>(parameters);
}

FastNetwork::FastNetwork(std::shared_ptr<const NetworkParameters> p)
    : parameters(p), isStudent(p->family == Family::Student), H(padChannels(p->numChannels)), grid() {
    const int width = p->numChannels;
    // Parts of the model's rows in the order scalar, direction, vector (F4).
    const std::vector<int> order = isStudent ? std::vector<int>{0, 2, 1} : std::vector<int>{0, 1, 2};
    const int numCells = FilterTable::chooseNumCells(*p);
    for (size_t l = 0; l < p->blocks.size(); l++) {
        const InteractionBlock& from = p->blocks[l];
        FastBlock& block = blocks.emplace_back();
        const FilterTable table(*p, static_cast<int>(l), numCells);
        grid = table.getGrid();
        block.tableParts = l == 0 ? 2 : 3;
        packTable(table, order, width, block);
        if (!isStudent) {
            const int hidden = from.context[0].numOut;
            block.context[0] = PackedLayer(from.context[0], width, hidden);
            block.context[1] = PackedLayer(from.context[1], hidden, width, order);
            block.vectorMix = PackedLayer(from.vectorMix, width, width);
        }
        const int hidden = from.update[0].numOut;
        block.update[0] = PackedLayer(from.update[0], width, hidden);
        LinearLayer pqr = from.update[1];
        if (isStudent && l + 1 == p->blocks.size()) { // nothing reads q and r
            pqr.numOut = width;
            pqr.weight.resize(static_cast<size_t>(width) * pqr.numIn);
            pqr.bias.resize(pqr.bias.empty() ? 0 : width);
        }
        block.update[1] = PackedLayer(pqr, hidden, width);
        for (int k = 0; k < 9; k++)
            block.mixing[k] = isStudent && l + 1 < p->blocks.size() ? static_cast<float>(from.mixing[k]) : 0.0f;
    }
    const int elements = p->numElements();
    embedding = padRows(p->embedding, elements, 1, width);
    std::vector<double> c = p->embedding; // [elements][parts][width] contexts in the first block
    if (!isStudent) {
        c.resize(3 * c.size());
        Perceptron(p->blocks[0].context).forward(elements, p->embedding.data(), c.data(), nullptr);
    }
    const size_t parts = isStudent ? 1 : 3, used = isStudent ? 1 : 2;
    firstContext.reserve(elements * used * H);
    for (size_t e = 0; e < static_cast<size_t>(elements); e++)
        for (size_t part = 0; part < used; part++)
            for (size_t h = 0; h < static_cast<size_t>(width); h++)
                firstContext[((h / CHANNEL_TILE * elements + e) * used + part) * CHANNEL_TILE + h % CHANNEL_TILE] =
                    static_cast<float>(c[(e * parts + order[part]) * width + h]);
    for (size_t l = 0; l + 1 < p->readout.size(); l++)
        readout.emplace_back(p->readout[l], p->readout[l].numIn, p->readout[l].numOut);
    const LinearLayer& last = p->readout.back();
    readoutWeight = padRows(last.weight, 1, 1, last.numIn);
    readoutBias = last.bias.empty() ? 0 : last.bias[0];
}

} // namespace PaiNNPlugin
