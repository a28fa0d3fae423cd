// SPDX-License-Identifier: MIT
#ifndef PAINN_TESTS_LONGTESTS_H_
#define PAINN_TESTS_LONGTESTS_H_

#include <cstdlib>

namespace PaiNNPlugin {

/**
 * How often a test does something: more often in `make test-long`, which sets PAINN_LONG_TESTS, less often under
 * ThreadSanitizer, which makes everything some twenty times slower and sets PAINN_FEW_TURNS.
 */
inline int repeats(int usual, int longer) {
    if (std::getenv("PAINN_FEW_TURNS") != nullptr)
        return usual < 100 ? usual : usual / 50;
    return std::getenv("PAINN_LONG_TESTS") == nullptr ? usual : longer;
}

} // namespace PaiNNPlugin

#endif
