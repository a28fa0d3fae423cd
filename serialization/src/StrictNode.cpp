// SPDX-License-Identifier: MIT
#include "StrictNode.h"
#include "openmm/OpenMMException.h"
#include <algorithm>
#include <charconv>
#include <cmath>

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

namespace {

/** Text from a file, short enough for a message. */
string quote(const string& text) {
    return "'" + (text.size() > 40 ? text.substr(0, 40) + "..." : text) + "'";
}

/** std::from_chars knows no locale, unlike the functions of the C library. */
template <class T> bool parse(const string& text, T& value) {
    auto result = from_chars(text.data(), text.data() + text.size(), value);
    return result.ec == errc() && result.ptr == text.data() + text.size();
}

} // namespace

StrictNode::StrictNode(const SerializationNode& node, const vector<string>& allowed, const vector<string>& children)
    : node(node), attributes(node.getProperties()) {
    for (const auto& attribute : attributes)
        if (find(allowed.begin(), allowed.end(), attribute.first) == allowed.end())
            fail("has the unknown attribute " + quote(attribute.first));
    for (const SerializationNode& child : node.getChildren())
        if (find(children.begin(), children.end(), child.getName()) == children.end())
            fail("has the unknown child " + quote(child.getName()));
}

const string& StrictNode::getText(const string& attribute) const {
    auto found = attributes.find(attribute);
    if (found == attributes.end())
        fail("lacks the attribute '" + attribute + "'");
    return found->second;
}

int StrictNode::getInt(const string& attribute, int lowest, int highest) const {
    const string& text = getText(attribute);
    int value;
    if (!parse(text, value) || value < lowest || value > highest)
        fail("has " + quote(text) + " as '" + attribute + "', but a whole number from " + to_string(lowest) + " to " +
             to_string(highest) + " is needed");
    return value;
}

double StrictNode::getDouble(const string& attribute) const {
    const string& text = getText(attribute);
    double value;
    if (!parse(text, value) || !isfinite(value))
        fail("has " + quote(text) + " as '" + attribute + "', but a finite number is needed");
    return value;
}

const SerializationNode& StrictNode::getChild(const string& name) const {
    const SerializationNode* found = nullptr;
    for (const SerializationNode& child : node.getChildren())
        if (child.getName() == name) {
            if (found != nullptr)
                fail("has two children '" + name + "', but one is needed");
            found = &child;
        }
    if (found == nullptr)
        fail("lacks the child '" + name + "'");
    return *found;
}

void StrictNode::fail(const string& fault) const {
    throw OpenMMException("PaiNNStudentForce: cannot read the XML: the node " + quote(node.getName()) + " " + fault);
}

} // namespace PaiNNPlugin
