// SPDX-License-Identifier: MIT
#ifndef PAINN_SAFETENSORSFILE_H_
#define PAINN_SAFETENSORSFILE_H_

#include "JsonReader.h"
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace PaiNNPlugin {

/** The outer layer of a model file: where the metadata and every tensor are. Knows nothing of networks. */
class SafetensorsFile {
public:
    static constexpr uint64_t maxFileSize = 256ull << 20, maxHeaderSize = 1ull << 20, maxTensors = 4096, maxRank = 4;
    struct Tensor {
        std::vector<uint64_t> shape; ///< every entry >= 1
        uint64_t numElements;        ///< product of shape
        uint64_t begin, end;         ///< bytes, counted from the end of the header; end = begin + 4 numElements
    };
    /**
     * Read a whole file into memory. Only regular files are opened, and one that changes its size meanwhile is refused.
     *
     * @throws OpenMM::OpenMMException
     */
    static std::string readFile(const std::string& path);
    /**
     * Check a file's contents and find its tensors. They fill the data exactly, without holes and overlaps.
     *
     * @param bytes   the whole file; it must outlive this object
     * @throws OpenMM::OpenMMException
     */
    explicit SafetensorsFile(const std::string& bytes);
    /** Get the text under "openmmpainn" in the header's __metadata__. */
    const std::string& getMetadata() const {
        return metadata;
    }
    /** Get all tensors by name. */
    const std::map<std::string, Tensor>& getTensors() const {
        return tensors;
    }
    /** Get the values of a tensor, [numElements], not checked. */
    std::vector<double> getValues(const Tensor& tensor) const;

private:
    void readMetadata(const JsonValue& header);
    void readTensor(const std::string& name, const JsonValue& entry);
    void checkLayout() const;
    const std::string& bytes;
    uint64_t dataStart, dataSize;
    std::string metadata;
    std::map<std::string, Tensor> tensors;
};

/** A shape as text, e.g. [3, 8]. */
std::string describe(const std::vector<uint64_t>& shape);

} // namespace PaiNNPlugin

#endif
