// SPDX-License-Identifier: MIT
#include "ModelWarnings.h"
#include "ExactNetwork.h"
#include <algorithm>
#include <cmath>
#include <cstdio>

using namespace std;

namespace PaiNNPlugin {

namespace {

/** Energies of a pair at the cutoff are sums of a few hundred terms in double: below this, kJ/mol, they agree. */
constexpr double negligibleJump = 1e-6;

/** Whether M = a I: only then does M v turn with v. */
bool commutesWithRotations(const array<double, 9>& M) {
    return M[0] == M[4] && M[0] == M[8] && M[1] == 0 && M[2] == 0 && M[3] == 0 && M[5] == 0 && M[6] == 0 && M[7] == 0;
}

bool isRotationInvariant(const NetworkParameters& network) {
    if (network.family == Family::Student)
        for (size_t l = 0; l + 1 < network.blocks.size(); l++) // the vectors of the last block are never used
            if (!commutesWithRotations(network.blocks[l].mixing))
                return false;
    return true;
}

/** Whether the energy's second derivative is continuous at the cutoff, for a network whose energy does not jump there.
 */
bool isTwiceDifferentiable(const NetworkParameters& network) {
    bool cosineCutoff = network.cutoffFunction.type == CutoffFunction::Type::Cosine;
    // Canonical: the filter carries the cutoff function and the envelope as factors, and two double zeros make a
    // fourfold one.
    if (!network.envelope || network.family == Family::Canonical)
        return !cosineCutoff || network.envelope;
    // Student: the cutoff function acts inside the filter network, so the envelope is the only factor.
    return network.envelope->type != CutoffFunction::Type::Cosine;
}

vector<int> elementsOfPairs(const NetworkParameters& network) {
    const vector<int> common = {1, 6, 7, 8, 9, 16, 17};
    vector<int> all, chosen;
    for (int e = 0; e < network.numElements(); e++) {
        all.push_back(e);
        if (find(common.begin(), common.end(), network.atomicNumbers[e]) != common.end())
            chosen.push_back(e);
    }
    return all.size() < 8 || chosen.empty() ? all : chosen;
}

/** A positive number with three digits, in every locale. */
string threeDigits(double x) {
    char text[32];
    snprintf(text, sizeof(text), "%.3g", x);
    string result = text;
    replace(result.begin(), result.end(), ',', '.');
    return result;
}

string symbolList(const vector<int>& atomicNumbers) {
    string result;
    for (int z : atomicNumbers)
        result += (result.empty() ? "" : ", ") + elementSymbol(z);
    return result;
}

} // namespace

CutoffJump findCutoffJump(const shared_ptr<const NetworkParameters>& network) {
    ExactNetwork exact(network);
    auto energy = [&](const vector<int>& elements, const vector<double>& positions) {
        vector<double> atomEnergies;
        exact.evaluate(elements, positions, nullptr, atomEnergies, nullptr);
        double sum = 0;
        for (double e : atomEnergies)
            sum += e;
        return sum;
    };
    vector<int> elements = elementsOfPairs(*network);
    double inside = network->cutoff * (1 - 1e-12);
    CutoffJump result;
    for (size_t i = 0; i < elements.size(); i++)
        for (size_t j = i; j < elements.size(); j++) {
            int a = elements[i], b = elements[j];
            double jump =
                fabs(energy({a, b}, {0, 0, 0, inside, 0, 0}) - energy({a}, {0, 0, 0}) - energy({b}, {0, 0, 0}));
            if (result.atomicNumber1 == 0 || !isfinite(jump) || jump > result.size)
                result = {jump, network->atomicNumbers[a], network->atomicNumbers[b]};
            if (!isfinite(jump))
                return result;
        }
    return result;
}

vector<string> findWarnings(const shared_ptr<const NetworkParameters>& network,
                            const optional<vector<int>>& trainedElements) {
    vector<string> warnings;
    bool student = network->family == Family::Student;
    if (!isRotationInvariant(*network))
        warnings.push_back(
            "The energy changes when a molecule is rotated, because the network mixes the x, y and z components of its "
            "vectors: angular momentum is not conserved and results depend on the orientation.");
    CutoffJump jump;
    if (student && !network->envelope)
        jump = findCutoffJump(network);
    if (!isfinite(jump.size))
        warnings.push_back("The energy of the pair " + elementSymbol(jump.atomicNumber1) + "-" +
                           elementSymbol(jump.atomicNumber2) +
                           " at the cutoff is not a finite number: the weights are unusable.");
    else if (jump.size > negligibleJump)
        warnings.push_back(
            "The energy jumps when two atoms cross the cutoff of " + threeDigits(network->cutoff) + " nm, by up to " +
            threeDigits(jump.size) + " kJ/mol for a pair " + elementSymbol(jump.atomicNumber1) + "-" +
            elementSymbol(jump.atomicNumber2) +
            ", because its filters do not vanish there: a molecule wider than the cutoff does not conserve energy.");
    if (!isTwiceDifferentiable(*network))
        warnings.push_back("The energy is only once differentiable at the cutoff of " + threeDigits(network->cutoff) +
                           " nm" + (jump.size > negligibleJump ? ", even where it does not jump" : "") +
                           ": forces have a kink there.");
    if (!trainedElements)
        warnings.push_back(
            "The file does not say which elements the network was trained on: some that it accepts may give "
            "meaningless results.");
    else {
        vector<int> unseen;
        set_difference(network->atomicNumbers.begin(), network->atomicNumbers.end(), trainedElements->begin(),
                       trainedElements->end(), back_inserter(unseen));
        if (!unseen.empty())
            warnings.push_back(
                "The network accepts elements that it was never trained on, for which its results are meaningless: " +
                symbolList(unseen) + ".");
    }
    if (student) {
        warnings.push_back(
            "The norm of the vector features has a kink where they vanish: forces at exactly symmetric sites, such as "
            "the carbon of a perfect methane, are not defined, and its derivative is taken as zero there.");
        warnings.push_back(
            "The network was made for molecules without periodic boundaries: results in a periodic box are an "
            "extrapolation.");
    }
    return warnings;
}

string elementSymbol(int atomicNumber) {
    static const char* const symbols = "H HeLiBeB C N O F NeNaMgAlSiP S ClArK CaScTiV CrMnFeCoNiCuZnGaGeAsSeBrKrRbSrY "
                                       "ZrNbMoTcRuRhPdAgCdInSnSbTeI XeCsBa"
                                       "LaCePrNdPmSmEuGdTbDyHoErTmYbLuHfTaW ReOsIrPtAuHgTlPbBiPoAtRnFrRaAcThPaU "
                                       "NpPuAmCmBkCfEsFmMdNoLrRfDbSgBhHsMtDsRgCn"
                                       "NhFlMcLvTsOg";
    string symbol(symbols + 2 * (atomicNumber - 1), 2);
    return symbol[1] == ' ' ? symbol.substr(0, 1) : symbol;
}

} // namespace PaiNNPlugin
