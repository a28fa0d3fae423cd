// SPDX-License-Identifier: MIT
#ifndef PAINN_STRICT_NODE_H_
#define PAINN_STRICT_NODE_H_

#include "openmm/serialization/SerializationNode.h"
#include <map>
#include <string>
#include <vector>

namespace PaiNNPlugin {

/**
 * Reads a SerializationNode without the leniency of its own getters, which take 0 for what is not a number. Each
 * function throws an OpenMMException that names the node, the attribute, what was found and what is allowed.
 */
class StrictNode {
public:
    /**
     * @param node         the node; it must outlive this object
     * @param attributes   all attributes that it may have
     * @param children     the names of all child nodes that it may have
     */
    StrictNode(const OpenMM::SerializationNode& node, const std::vector<std::string>& attributes,
               const std::vector<std::string>& children);
    const std::string& getText(const std::string& attribute) const;
    bool has(const std::string& attribute) const {
        return attributes.count(attribute) != 0;
    }
    /** A decimal number from lowest to highest; nothing may stand before or after it. */
    int getInt(const std::string& attribute, int lowest, int highest) const;
    /** A finite number. */
    double getDouble(const std::string& attribute) const;
    /** The child of this name, of which there must be exactly one. */
    const OpenMM::SerializationNode& getChild(const std::string& name) const;
    const std::vector<OpenMM::SerializationNode>& getChildren() const {
        return node.getChildren();
    }
    [[noreturn]] void fail(const std::string& fault) const;

private:
    const OpenMM::SerializationNode& node;
    std::map<std::string, std::string> attributes;
};

} // namespace PaiNNPlugin

#endif
