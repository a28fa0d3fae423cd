// SPDX-License-Identifier: MIT
#include "EdgeList.h"
#include "CandidateSearch.h"
#include "SpaceCurve.h"
#include <algorithm>
#include <cmath>
#include <limits>
#include <new>
#include <numeric>

namespace PaiNNPlugin {

namespace {

/** Distances are compared with this relative margin, far above rounding errors. */
const double MARGIN = 1e-6;

/** Cubes for sorting atoms, relative to the cutoff. */
const double CUBE = 0.25;

} // namespace

EdgeList::EdgeList(const std::vector<int>& starts, double cutoff, double skin)
    : starts(starts), cutoff(cutoff), wantedSkin(skin), skin(skin) {}

bool EdgeList::update(const std::vector<double>& positions, const Box* boxes, const std::vector<char>& active) {
    if (isCurrent(positions, boxes, active))
        return false;
    referencePositions.clear();
    referenceActive = active;
    skin = wantedSkin;
    referenceBoxes.assign(boxes, boxes + (boxes == nullptr ? 0 : active.size()));
    for (size_t s = 0; s < referenceBoxes.size(); s++)
        for (int k = 0; k < 3 && active[s]; k++)
            skin = std::min(skin, std::max((0.5 * boxes[s][k][k] - cutoff) * (1 - MARGIN), 0.0));
    build(positions, boxes);
    referencePositions = positions;
    return true;
}

bool EdgeList::isCurrent(const std::vector<double>& positions, const Box* boxes,
                         const std::vector<char>& active) const {
    if (referencePositions.size() != positions.size() || referencePositions.empty() || active != referenceActive)
        return false;
    const double limit = 0.5 * skin * (1 - MARGIN), limit2 = limit * limit;
    for (size_t s = 0; s < active.size(); s++) {
        if (!active[s] || starts[s + 1] - starts[s] <= ALL_PAIRS)
            continue;
        if (skin == 0 || (boxes == nullptr) != referenceBoxes.empty() ||
            (boxes != nullptr && boxes[s] != referenceBoxes[s]))
            return false;
        for (int i = 3 * starts[s]; i < 3 * starts[s + 1]; i += 3) {
            const double x = positions[i] - referencePositions[i], y = positions[i + 1] - referencePositions[i + 1],
                         z = positions[i + 2] - referencePositions[i + 2];
            if (x * x + y * y + z * z > limit2)
                return false;
        }
    }
    return true;
}

void EdgeList::build(const std::vector<double>& positions, const Box* boxes) {
    order.resize(starts.back());
    std::iota(order.begin(), order.end(), 0);
    first.assign(1, 0);
    neighbor.clear();
    mirror.clear();
    for (size_t s = 0; s + 1 < starts.size(); s++) {
        const int begin = starts[s], end = starts[s + 1];
        if (!referenceActive[s])
            first.insert(first.end(), end - begin, first.back());
        else if (end - begin <= ALL_PAIRS)
            addAllPairs(begin, end);
        else
            addNeighbors(begin, end, positions, boxes == nullptr ? nullptr : boxes + s);
    }
}

/** @throws std::bad_alloc if there are more candidates than an index can count */
void EdgeList::checkRoom(size_t more) const {
    if (neighbor.size() + more > static_cast<size_t>(std::numeric_limits<int>::max()))
        throw std::bad_alloc();
}

void EdgeList::addNeighbors(int begin, int end, const std::vector<double>& positions, const Box* box) {
    const std::vector<int> sorted = sortAlongCurve(&positions[3 * begin], end - begin, box, CUBE * cutoff);
    std::vector<double> x;
    x.reserve(3 * sorted.size());
    for (size_t n = 0; n < sorted.size(); n++) {
        order[begin + n] = begin + sorted[n];
        const double* from = &positions[3 * order[begin + n]];
        x.insert(x.end(), from, from + 3);
    }
    const int offset = first.back();
    const Candidates found = findCandidates(x, box, cutoff + skin);
    checkRoom(found.neighbor.size());
    for (int j : found.neighbor)
        neighbor.push_back(begin + j);
    for (int i = 1; i <= end - begin; i++)
        first.push_back(offset + found.first[i]);
    // In ascending order of i, every atom j meets its lower neighbours i one by one.
    mirror.resize(neighbor.size());
    std::vector<int> next(first.begin() + begin, first.begin() + end);
    for (int i = begin; i < end; i++)
        for (int k = first[i]; k < first[i + 1]; k++)
            if (neighbor[k] > i) {
                const int other = next[neighbor[k] - begin]++;
                mirror[k] = other;
                mirror[other] = k;
            }
}

void EdgeList::addAllPairs(int begin, int end) {
    const int offset = first.back(), others = end - begin - 1;
    checkRoom(static_cast<size_t>(others + 1) * others);
    for (int i = 0; i <= others; i++) {
        for (int j = 0; j <= others; j++)
            if (j != i) {
                neighbor.push_back(begin + j);
                mirror.push_back(offset + j * others + (i < j ? i : i - 1));
            }
        first.push_back(offset + (i + 1) * others);
    }
}

} // namespace PaiNNPlugin
