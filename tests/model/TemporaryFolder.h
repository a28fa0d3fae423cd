// SPDX-License-Identifier: MIT
#ifndef PAINN_TESTS_TEMPORARYFOLDER_H_
#define PAINN_TESTS_TEMPORARYFOLDER_H_

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

namespace PaiNNPlugin {

/** A folder of its own for a test, removed at the end. */
class TemporaryFolder {
public:
    TemporaryFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "painn-test-XXXXXX").string();
        if (mkdtemp(name.data()) == nullptr)
            throw std::runtime_error("no temporary folder can be made");
        folder = name;
    }
    ~TemporaryFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(folder, ignored);
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    std::string path(const std::string& name) const {
        return folder + "/" + name;
    }

private:
    std::string folder;
};

} // namespace PaiNNPlugin

#endif
