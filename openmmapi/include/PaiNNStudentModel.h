// SPDX-License-Identifier: MIT
#ifndef OPENMM_PAINNSTUDENTMODEL_H_
#define OPENMM_PAINNSTUDENTMODEL_H_

#include "internal/windowsExportPaiNN.h"
#include <memory>
#include <string>
#include <vector>

namespace PaiNNPlugin {

struct NetworkParameters;

/**
 * A trained PaiNN network, read from a .safetensors file (docs/model-format.md) and checked completely. It cannot be
 * changed after that. Copies share the weights, and models with the same bytes share them too, however they were
 * loaded.
 *
 * The file holds no code, and no path or address that it names is ever followed.
 */
class OPENMM_EXPORT_PAINN PaiNNStudentModel {
public:
    /**
     * Read a model file.
     *
     * @param path   a .safetensors file, at most 256 MiB
     * @throws OpenMM::OpenMMException naming the file, what was found and what is allowed
     */
    explicit PaiNNStudentModel(const std::string& path);
    /**
     * Make a model of the contents of a model file.
     *
     * @param bytes   the whole file
     */
    static PaiNNStudentModel fromBytes(const std::string& bytes);
    /** Get the model's name, "" if it has none. */
    const std::string& getName() const;
    /** Get the architecture in one line: family, channels, blocks, basis, cutoff function. */
    const std::string& getArchitecture() const;
    /** Get the cutoff distance, measured in nm. */
    double getCutoff() const;
    /** Get the number of weights, all tensors of the file counted. */
    long long getNumParameters() const;
    /** Get the atomic numbers that the model accepts, ascending. */
    const std::vector<int>& getElements() const;
    /** Get the metadata of the file: a JSON text (docs/model-format.md). */
    const std::string& getMetadata() const;
    /**
     * Get what a user must know before trusting results: one sentence each, empty for a flawless model. They come from
     * the network itself (not rotation invariant, energy jump at the cutoff with its size in kJ/mol, cutoff only once
     * differentiable, elements it never saw), not from a claim in the file.
     */
    const std::vector<std::string>& getWarnings() const;
    /** Get the SHA-256 of the file's bytes, 64 hexadecimal digits. */
    const std::string& getHash() const;
    /** Get the bytes of the file. PaiNNStudentModel::fromBytes() of them gives an equal model. */
    const std::string& getBytes() const;
    /** Get the network's parameters in nm and kJ/mol, for evaluators. */
    std::shared_ptr<const NetworkParameters> getParameters() const;

private:
    struct Data;
    explicit PaiNNStudentModel(std::shared_ptr<const Data> data);
    std::shared_ptr<const Data> data;
};

} // namespace PaiNNPlugin

#endif
