// SPDX-License-Identifier: MIT
#ifndef PAINN_UPDATE_H_
#define PAINN_UPDATE_H_

#include "Dense.h"
#include "Features.h"
#include <optional>

namespace PaiNNPlugin {

/** F6 and B6: scalars and vectors of an atom mix. In the last block the vectors stay, since nothing reads them after
 * it. */
class Update {
public:
    /** What backward() needs of forward(). */
    struct Tape {
        std::vector<double> V, W; ///< [numAtoms][3][H] the two mixed vectors; Student: V is v itself
        std::vector<double> n;    ///< [numAtoms][H] |V|
        std::vector<double> pqr;  ///< [numAtoms][3H] what the MLP says; Canonical: [p, g, h]
        Perceptron::Tape networkTape;
    };
    Update(const NetworkParameters& parameters, int block);
    /** Update the features in place. The tape, overwritten, is nullptr without a backward pass. */
    void forward(Features& features, Tape* tape) const;
    /** Turn the adjoint of the features after the update into that before it. */
    void backward(const Tape& tape, Features& adjoint) const;

private:
    void mix(const std::vector<double>& v, Tape& tape) const;
    void mixBackward(const std::vector<double>& V_adj, const std::vector<double>& W_adj,
                     std::vector<double>& v_adj) const;
    int H;
    bool isStudent, isLast;
    double normEpsilon;           // added to |V|^2
    std::array<double, 9> mixing; // Student
    std::optional<Dense> U;       // Canonical: H -> 2H, rows [V | W]
    Perceptron network;           // 2H -> H -> 3H
};

} // namespace PaiNNPlugin

#endif
