// SPDX-License-Identifier: MIT
#ifndef PAINN_MESSAGE_H_
#define PAINN_MESSAGE_H_

#include "Features.h"
#include "NeighborList.h"
#include "RadialFilter.h"
#include <optional>

namespace PaiNNPlugin {

/** F5 and B5: atoms receive from their neighbours. */
class Message {
public:
    /** What backward() needs of forward(). */
    struct Tape {
        std::vector<double> v;     ///< [numAtoms][3][H] the vectors before the message
        std::vector<double> c;     ///< [numAtoms][3H] what an atom sends: [scalar | as the filter's rows]
        std::vector<double> f, df; ///< [numPairs][3H] filters, and their derivatives by d in 1/nm
        Perceptron::Tape contextTape;
    };
    Message(const NetworkParameters& parameters, int block);
    /** Add the message to the features. The tape, overwritten, is nullptr without a backward pass. */
    void forward(const NeighborList& list, Features& features, Tape* tape) const;
    /** Turn the adjoint of the features after the message into that before it; add to the adjoint of the geometry. */
    void backward(const NeighborList& list, const Tape& tape, Features& adjoint, GeometryAdjoint& geometry) const;

private:
    int H;
    int vectorRows, directionRows; // where these parts of filter and context begin
    RadialFilter filter;
    std::optional<Perceptron> context; // Canonical: H -> H -> 3H
};

} // namespace PaiNNPlugin

#endif
