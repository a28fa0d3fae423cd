// SPDX-License-Identifier: MIT
#ifndef PAINN_TESTS_LONGTESTS_H_
#define PAINN_TESTS_LONGTESTS_H_

#include <cstdlib>

namespace PaiNNPlugin {

/** How often a test does something: more often in `make test-long`, which sets PAINN_LONG_TESTS. */
inline int repeats(int usual, int longer) {
    return std::getenv("PAINN_LONG_TESTS") == nullptr ? usual : longer;
}

} // namespace PaiNNPlugin

#endif
