// SPDX-License-Identifier: MIT
#include "CudaNetwork.h"
#include "Dense.h"
#include "KernelSource.h"
#include "MoleculeStages.h"
#include "PackedWeights.h"
#include "ZBLRepulsion.h"
#include <array>
#include <locale>
#include <sstream>

namespace PaiNNPlugin {

namespace {

const int PARTS = 3;
/** Blocks of a cluster that devices can have (above 8 by special request). */
const int MOST_BLOCKS = 16;
/** nm: how much further than the cutoff candidates may be. */
const double SKIN = 0.1;

int pad(int width) {
    return (width + TILE_ROWS - 1) / TILE_ROWS * TILE_ROWS;
}

std::string toText(double x) {
    std::ostringstream text;
    text.imbue(std::locale::classic());
    text.precision(17);
    text << std::scientific << x;
    return text.str();
}

/** Rows of the model's filters in the order scalar, direction, vector (F4). */
std::array<int, PARTS> rowOrder(const NetworkParameters& parameters) {
    return parameters.family == Family::Student ? std::array<int, PARTS>{0, 2, 1} : std::array<int, PARTS>{0, 1, 2};
}

/** So fine that the errors of the tables are of the order of the rounding errors in double precision. */
int chooseNumCells(const NetworkParameters& parameters, CudaPrecision precision) {
    return precision == CudaPrecision::Double ? FilterTable::chooseNumCells(parameters, {1e-13, 1e-12})
                                              : FilterTable::chooseNumCells(parameters);
}

bool usesTensorCores(CudaPrecision precision, const DeviceLimits& limits) {
    return precision != CudaPrecision::Double && limits.hasTensorCores;
}

} // namespace

Shape CudaNetwork::getShape(const NetworkParameters& p) {
    Shape shape = {};
    shape.isStudent = p.family == Family::Student;
    shape.H = pad(p.numChannels);
    shape.L = static_cast<int>(p.blocks.size());
    shape.numHidden = static_cast<int>(p.readout.size()) - 1;
    shape.readout[0] = shape.H;
    for (int k = 0; k < shape.numHidden; k++)
        shape.readout[k + 1] = pad(p.readout[k].numOut);
    return shape;
}

int CudaNetwork::getGroup(const std::string& kernel) {
    // As the kernels' files have them.
    static const std::map<std::string, int> groups = {
        {"molecule", 2},      {"messageUnshared", 3}, {"messageBackUnshared", 3}, {"message", 4},
        {"messageBack", 4},   {"nodeFew", 5},         {"nodeTurnFew", 6},         {"nodeBackFew", 7},
        {"nodeSome", 8},      {"nodeTurnSome", 9},    {"nodeBackSome", 10},       {"nodeMany", 11},
        {"nodeTurnMany", 12}, {"nodeBackMany", 13}};
    const auto found = groups.find(kernel);
    return found == groups.end() ? 1 : found->second;
}

KernelSource CudaNetwork::getSource(const NetworkParameters& p, CudaPrecision precision, const DeviceLimits& limits,
                                    int group) {
    const Shape shape = getShape(p);
    const TableGrid grid = FilterTable::makeGrid(p, chooseNumCells(p, precision));
    const MoleculeForm molecule = getMoleculeForm(shape, precision, limits);
    std::string widths;
    for (int k = 0; k <= shape.numHidden; k++)
        widths += (k == 0 ? "" : ", ") + std::to_string(shape.readout[k]);
    KernelSource source;
    source.text = kernelSource;
    source.defines = {
        {"PAINN_KERNEL", ""},
        {"PAINN_GROUP", std::to_string(group)},
        {"PAINN_PRECISION", std::to_string(static_cast<int>(precision))},
        {"PAINN_CAPABILITY", std::to_string(limits.computeCapability)},
        {"PAINN_TENSOR_CORES", usesTensorCores(precision, limits) ? "1" : "0"},
        {"PAINN_STUDENT", std::to_string(shape.isStudent)},
        {"PAINN_H", std::to_string(shape.H)},
        {"PAINN_L", std::to_string(shape.L)},
        {"PAINN_MANY", std::to_string(manyColumns(shape, precision, limits) / 8)},
        {"PAINN_MOLECULE_ATOMS", std::to_string(std::max(molecule.atoms, 1))},
        {"PAINN_MOLECULE_STAGE", std::to_string(molecule.hasStage)},
        {"PAINN_MOLECULE_READOUT", std::to_string(molecule.hasReadout)},
        {"PAINN_READOUT_LAYERS", std::to_string(shape.numHidden)},
        {"PAINN_READOUT_WIDTHS", widths},
        {"PAINN_CELLS", std::to_string(grid.numCells)},
        {"PAINN_CUTOFF", toText(p.cutoff)},
        {"PAINN_SKIN", toText(SKIN)},
        {"PAINN_TABLE_FIRST", toText(grid.first)},
        {"PAINN_CELL_WIDTH", toText(grid.cellWidth)},
        {"PAINN_DIRECTION_EPSILON", toText(shape.isStudent ? RadialFilter::DIRECTION_EPSILON : 0)},
        {"PAINN_NORM_EPSILON", toText(p.normEpsilon)},
        {"PAINN_REPULSION", p.repulsion ? "1" : "0"},
        {"PAINN_REPULSION_P", std::to_string(p.repulsion ? p.repulsion->p : 2)},
    };
    return source;
}

int CudaNetwork::manyColumns(const Shape& shape, CudaPrecision precision, const DeviceLimits& limits) {
    const size_t bytes = precision == CudaPrecision::Double ? 8 : 4;
    for (int columns : {32, 16})
        if (nodeMemory(shape, columns).size * bytes <= limits.sharedBytes)
            return columns;
    return 8;
}

MoleculeForm CudaNetwork::getMoleculeForm(const Shape& shape, CudaPrecision precision, const DeviceLimits& limits) {
    if (!limits.hasClusters || !usesTensorCores(precision, limits) || shape.H / SLICE > MOST_BLOCKS)
        return {};
    // Each 8 atoms have a block for their readout. Weights that are there in time are worth more than a few atoms.
    for (const MoleculeForm& form : {MoleculeForm{MOST_MOLECULE_ATOMS, 1, 1},
                                     {24, 1, 1},
                                     {24, 0, 1},
                                     {24, 0, 0},
                                     {16, 1, 1},
                                     {16, 0, 1},
                                     {16, 0, 0}})
        if (form.atoms <= shape.H && static_cast<size_t>(moleculeMemory(shape, form).size) <= limits.sharedBytes)
            return form;
    return {};
}

struct CudaNetwork::State {
    std::vector<DeviceMemory> memory;
};

/** Fills the device's arrays with numbers of one type. */
template <class Real> class CudaNetwork::Loader {
public:
    Loader(CudaNetwork& network, Device& device)
        : network(network), device(device), p(*network.parameters), width(p.numChannels), H(network.shape.H) {}
    void load() {
        Arrays& arrays = network.arrays;
        arrays.numElements = p.numElements();
        arrays.table = upload(makeTables());
        const std::vector<Real> weights = makeWeights();
        arrays.weights = upload(weights);
        if constexpr (std::is_same<Real, float>::value)
            if (network.hasTensorCores)
                arrays.stages = upload(packStages(network.shape, weights));
        std::vector<Real> embedding(4 * p.numElements() * H);
        for (size_t k = 0; k < p.embedding.size(); k++)
            embedding[4 * padded(k)] = static_cast<Real>(p.embedding[k]);
        arrays.embedding = upload(embedding);
        if (!network.shape.isStudent)
            arrays.firstContext = upload(makeFirstContext());
        if (p.repulsion)
            arrays.repulsion = upload(makeRepulsion());
        std::vector<double> readout(lastLayerSize(network.shape));
        const LinearLayer& last = p.readout.back();
        readout[0] = last.bias.empty() ? 0 : last.bias[0];
        for (size_t k = 0; k < last.weight.size(); k++)
            readout[1 + k] = last.weight[k];
        arrays.readout = upload(readout);
    }

private:
    /** Index k of an array [...][channels], with padded channels. */
    size_t padded(size_t k) const {
        return k / width * H + k % width;
    }
    template <class T> Device::Address upload(const std::vector<T>& values) {
        network.state->memory.emplace_back(device, values.size() * sizeof(T));
        const Device::Address address = network.state->memory.back().get();
        device.upload(address, values.data(), values.size() * sizeof(T), nullptr);
        return address;
    }
    std::vector<Real> makeTables() const {
        const std::array<int, PARTS> order = rowOrder(p);
        const int L = network.shape.L, slices = H / SLICE;
        const int numCells = network.numCells;
        std::vector<Real> result(static_cast<size_t>(L) * slices * numCells * TABLE_QUADS * SLICE * 4);
        for (int l = 0; l < L; l++) {
            const FilterTable table(p, l, numCells);
            for (int cell = 0; cell < numCells; cell++)
                for (int part = 0; part < PARTS; part++)
                    for (int k = 0; k < TABLE_TERMS; k++)
                        for (int h = 0; h < width; h++) {
                            const size_t row = (static_cast<size_t>(l) * slices + h / SLICE) * numCells + cell;
                            const int place = part * TABLE_TERMS + k;
                            result[((row * TABLE_QUADS + place / 4) * SLICE + h % SLICE) * 4 + place % 4] =
                                static_cast<Real>(table.getTerms(cell)[(k * PARTS + order[part]) * width + h]);
                        }
        }
        return result;
    }
    std::vector<Real> makeWeights() const {
        const Shape& shape = network.shape;
        WeightPacker<Real> packer(numWeights(shape), network.hasTensorCores);
        for (int l = 0; l < shape.L; l++) {
            const InteractionBlock& block = p.blocks[l];
            auto add = [&](const LinearLayer& layer, int which, int back) {
                packer.add(layer, width, width, layerOffset(shape, l, which), blockLayer(shape, which), false);
                packer.add(layer, width, width, layerOffset(shape, l, back), blockLayer(shape, back), true);
            };
            add(block.update[0], UPDATE0, UPDATE0_BACK);
            add(block.update[1], UPDATE1, UPDATE1_BACK);
            if (shape.isStudent) {
                for (int k = 0; k < 9; k++)
                    packer.weights[layerOffset(shape, l, NUM_LAYERS) + k] = static_cast<Real>(block.mixing[k]);
                continue;
            }
            add(block.context[0], CONTEXT0, CONTEXT0_BACK);
            add(block.context[1], CONTEXT1, CONTEXT1_BACK);
            add(block.vectorMix, MIX, MIX_BACK);
        }
        for (int k = 0; k < shape.numHidden; k++)
            for (bool back : {false, true})
                packer.add(p.readout[k], p.readout[k].numOut, p.readout[k].numIn, readoutOffset(shape, k, back),
                           readoutLayer(shape, k, back), back);
        return packer.weights;
    }
    /** F5a of the first block, where it depends on the element alone: [elements][H][4]. */
    std::vector<Real> makeFirstContext() const {
        std::vector<double> c(PARTS * p.embedding.size());
        Perceptron(p.blocks[0].context).forward(p.numElements(), p.embedding.data(), c.data(), nullptr);
        std::vector<Real> result(4 * p.numElements() * H);
        for (size_t k = 0; k < c.size(); k++) {
            const size_t element = k / (PARTS * width), part = k / width % PARTS, h = k % width;
            result[4 * (element * H + h) + part] = static_cast<Real>(c[k]);
        }
        return result;
    }
    /** F8: [elements][elements][4]: range in nm, 1 / screening length in 1/nm, k Z1 Z2 in kJ/mol nm. */
    std::vector<double> makeRepulsion() const {
        std::vector<double> result;
        for (int e1 = 0; e1 < p.numElements(); e1++)
            for (int e2 = 0; e2 < p.numElements(); e2++) {
                // The same bits for both orders of a pair's elements.
                const ZBLPair pair = ZBLRepulsion(p).getPair(std::min(e1, e2), std::max(e1, e2));
                for (double x : {pair.range, 1 / pair.length, pair.coulomb, 0.0})
                    result.push_back(x);
            }
        return result;
    }
    CudaNetwork& network;
    Device& device;
    const NetworkParameters& p;
    const int width, H;
};

CudaNetwork::CudaNetwork(std::shared_ptr<const NetworkParameters> p, CudaPrecision precision, Device& device)
    : parameters(p), precision(precision), shape(getShape(*p)),
      hasTensorCores(usesTensorCores(precision, device.getLimits())), numCells(chooseNumCells(*p, precision)),
      state(std::make_unique<State>()) {
    if (precision == CudaPrecision::Double)
        Loader<double>(*this, device).load();
    else
        Loader<float>(*this, device).load();
    device.synchronize(nullptr);
}

CudaNetwork::~CudaNetwork() = default;

} // namespace PaiNNPlugin
