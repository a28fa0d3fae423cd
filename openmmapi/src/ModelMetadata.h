// SPDX-License-Identifier: MIT
#ifndef PAINN_MODELMETADATA_H_
#define PAINN_MODELMETADATA_H_

#include "NetworkParameters.h"
#include <optional>
#include <string>
#include <vector>

namespace PaiNNPlugin {

/** What the JSON text of a model file says (docs/model-format.md), checked, still in the units of the file. */
struct ModelMetadata {
    Family family = Family::Canonical;
    int hidden = 0, blocks = 0; ///< H and L
    RadialBasis::Type basisType = RadialBasis::Type::Gaussian;
    int basisSize = 0; ///< K
    double basisExponent = 1;
    double cutoff = 0; ///< length units
    CutoffFunction cutoffFunction;
    std::optional<CutoffFunction> envelope;
    double normEpsilon = 0;
    double nmPerLength = 0;                          ///< nm in one length unit
    double kilojoulesPerEnergy = 0;                  ///< kJ/mol in one energy unit
    std::vector<int> elements;                       ///< [E] atomic numbers, ascending
    std::optional<std::vector<int>> trainedElements; ///< atomic numbers, ascending; absent when unknown
    std::vector<double> atomReferences;              ///< [E] energy units, or empty
    std::optional<int> repulsionExponent;
    std::vector<int> readout; ///< widths, H first, 1 last
    std::string name;
};

/**
 * Read the metadata, strictly: every key known, every required key there, every value of its type and within its
 * limits.
 *
 * @param text   the JSON text
 * @throws OpenMM::OpenMMException that names the key, what was found and what is allowed
 */
ModelMetadata readMetadata(const std::string& text);

} // namespace PaiNNPlugin

#endif
