// SPDX-License-Identifier: MIT
#ifndef PAINN_TESTS_BADFILES_H_
#define PAINN_TESTS_BADFILES_H_

#include <string>
#include <vector>

namespace PaiNNPlugin {

/** A file that must be refused, and the whole sentence that says why. */
struct BadFile {
    std::string name, bytes, message;
};

/** Files whose outer layer is wrong: length, header, table of tensors. */
std::vector<BadFile> badContainers();

/** Files with sound tables, whose metadata are wrong or do not fit the tensors. */
std::vector<BadFile> badModels();

} // namespace PaiNNPlugin

#endif
