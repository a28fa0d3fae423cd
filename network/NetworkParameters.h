// SPDX-License-Identifier: MIT
#ifndef PAINN_NETWORK_PARAMETERS_H_
#define PAINN_NETWORK_PARAMETERS_H_

#include <array>
#include <optional>
#include <vector>

namespace PaiNNPlugin {

/** The two families of PaiNN that one model can hold (docs/equations.md). */
enum class Family { Student, Canonical };

/** y = W x + b, W row-major [numOut][numIn], b [numOut] or empty when the layer has no bias. */
struct LinearLayer {
    int numIn = 0, numOut = 0;
    std::vector<double> weight, bias;
};

/** Linear layers with SiLU between them (none after the last). */
using MLP = std::vector<LinearLayer>;

/** F3: goes from 1 at d = 0 to 0 at d = cutoff. */
struct CutoffFunction {
    enum class Type { Cosine, Polynomial };
    Type type = Type::Cosine;
    int p = 3; ///< exponent of the polynomial envelope, >= 2; twice differentiable at the cutoff for every p
};

/** F2: what a distance is expanded in. */
struct RadialBasis {
    enum class Type { Gaussian, Bessel };
    Type type = Type::Gaussian;
    double exponent = 1.0;           ///< Gaussian: phi_k = exp(-exponent ((d - center_k) / width_k)^2)
    std::vector<double> centers;     ///< Gaussian: [numBasis] nm
    std::vector<double> widths;      ///< Gaussian: [numBasis] nm, > 0
    std::vector<double> frequencies; ///< Bessel: [numBasis] 1/nm, phi_k = scale sin(frequency_k d) / d
    double scale = 1.0;              ///< Bessel: nm per model length unit, so that phi_k has the model's own value
    int size() const {
        return static_cast<int>(type == Type::Gaussian ? centers.size() : frequencies.size());
    }
};

/** One interaction block: message, then update. H is the number of channels, K the size of the basis. */
struct InteractionBlock {
    MLP filter;            ///< Student: K -> H -> 3H. Canonical: one layer K -> 3H. Rows [scalar | direction/vector].
    MLP context;           ///< Canonical: H -> H -> 3H. Student: empty.
    LinearLayer vectorMix; ///< Canonical: H -> 2H on channels, no bias. Student: empty.
    std::array<double, 9> mixing; ///< Student: 3x3 on x,y,z, row-major; unused in the last block. Canonical: unused.
    MLP update;                   ///< 2H -> H -> 3H
};

/** F8: Ziegler-Biersack-Littmark repulsion, switched off at the sum of two element radii. */
struct Repulsion {
    std::vector<double> radii; ///< [numElements] nm
    int p = 6;                 ///< exponent of the polynomial envelope that switches it off
};

/**
 * Everything the network needs, checked, in nm and kJ/mol. Built by PaiNNStudentModel alone (which converts the units
 * of the file), immutable after that, and shared by all evaluators of a model.
 */
struct NetworkParameters {
    Family family = Family::Canonical;
    int numChannels = 0;                    ///< H
    double cutoff = 0;                      ///< nm
    RadialBasis basis;                      ///< K = basis.size()
    CutoffFunction cutoffFunction;          ///< inside the filter network (Student) or outside the filter (Canonical)
    std::optional<CutoffFunction> envelope; ///< multiplies the finished filter, either family
    double normEpsilon = 0;                 ///< n = sqrt(|V|^2 + normEpsilon); 0 for Student
    std::vector<int> atomicNumbers;         ///< [numElements], ascending
    std::vector<double> embedding;          ///< [numElements][H]
    std::vector<double> atomReferences;     ///< [numElements] kJ/mol, zeros when the model has none
    std::vector<InteractionBlock> blocks;   ///< [L]
    MLP readout;                            ///< H -> ... -> 1, output in kJ/mol
    std::optional<Repulsion> repulsion;
    int numElements() const {
        return static_cast<int>(atomicNumbers.size());
    }
};

} // namespace PaiNNPlugin

#endif
