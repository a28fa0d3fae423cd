// SPDX-License-Identifier: MIT
#ifndef PAINN_READOUT_H_
#define PAINN_READOUT_H_

#include "Dense.h"
#include "Features.h"

namespace PaiNNPlugin {

/** F7 and B7: the energy of an atom from its scalars. */
class Readout {
public:
    explicit Readout(const NetworkParameters& parameters);
    /** @param energies  out, overwritten: [numAtoms] kJ/mol. The tape, overwritten, is nullptr without a backward pass.
     */
    void forward(const Features& features, std::vector<double>& energies, Perceptron::Tape* tape) const;
    /** Overwrite the adjoint of the last features; that of the vectors is zero. */
    void backward(int numAtoms, const Perceptron::Tape& tape, Features& adjoint) const;

private:
    Perceptron network; // H -> ... -> 1
};

} // namespace PaiNNPlugin

#endif
