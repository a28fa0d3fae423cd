// SPDX-License-Identifier: MIT
#include "PaiNNStudentForceProxy.h"
#include "PaiNNStudentForce.h"
#include "StrictNode.h"
#include "internal/Base64.h"
#include "internal/OpenMMVersion.h"
#include "internal/PaiNNStudentForceImpl.h"
#include "internal/Sha256.h"
#include "openmm/Platform.h"
#include "openmm/serialization/SerializationNode.h"
#include <limits>
#include <memory>

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

namespace {

const int VERSION = 1;
const int MAX_INT = numeric_limits<int>::max();

/** Adds a child node for everything of one kind. */
void writeParticles(const PaiNNStudentForce& force, SerializationNode& node) {
    for (int i = 0; i < force.getNumParticles(); i++) {
        int particle, atomicNumber, subsystem;
        force.getParticleParameters(i, particle, atomicNumber, subsystem);
        node.createChildNode("Particle")
            .setStringProperty("index", to_string(particle))
            .setStringProperty("element", to_string(atomicNumber))
            .setStringProperty("subsystem", to_string(subsystem));
    }
}

void readParticles(const SerializationNode& node, PaiNNStudentForce& force) {
    for (const SerializationNode& child : StrictNode(node, {}, {"Particle"}).getChildren()) {
        StrictNode particle(child, {"index", "element", "subsystem"}, {});
        force.addParticle(particle.getInt("index", 0, MAX_INT), particle.getInt("element", 1, 118),
                          particle.getInt("subsystem", 0, MAX_SUBSYSTEM));
    }
}

void writeBonds(const PaiNNStudentForce& force, SerializationNode& node) {
    for (int i = 0; i < force.getNumBonds(); i++) {
        int particle1, particle2;
        force.getBondParameters(i, particle1, particle2);
        node.createChildNode("Bond")
            .setStringProperty("p1", to_string(particle1))
            .setStringProperty("p2", to_string(particle2));
    }
}

void readBonds(const SerializationNode& node, PaiNNStudentForce& force) {
    for (const SerializationNode& child : StrictNode(node, {}, {"Bond"}).getChildren()) {
        StrictNode bond(child, {"p1", "p2"}, {});
        force.addBond(bond.getInt("p1", 0, MAX_INT), bond.getInt("p2", 0, MAX_INT));
    }
}

void writeScales(const PaiNNStudentForce& force, SerializationNode& node) {
    // Not only those of subsystems that have particles: the force may be unfinished.
    for (int i = 0; i <= MAX_SUBSYSTEM; i++)
        if (!force.getSubsystemScale(i).empty())
            node.createChildNode("Scale")
                .setStringProperty("subsystem", to_string(i))
                .setStringProperty("parameter", force.getSubsystemScale(i));
}

void readScales(const SerializationNode& node, PaiNNStudentForce& force) {
    StrictNode scales(node, {}, {"Scale"});
    for (const SerializationNode& child : scales.getChildren()) {
        StrictNode scale(child, {"subsystem", "parameter"}, {});
        int subsystem = scale.getInt("subsystem", 0, MAX_SUBSYSTEM);
        if (!force.getSubsystemScale(subsystem).empty())
            scales.fail("has two scales for subsystem " + to_string(subsystem));
        if (scale.getText("parameter").empty())
            scale.fail("has an empty 'parameter'");
        force.setSubsystemScale(subsystem, scale.getText("parameter"));
    }
}

void writeParameters(const PaiNNStudentForce& force, SerializationNode& node) {
    for (int i = 0; i < force.getNumGlobalParameters(); i++)
        node.createChildNode("Parameter")
            .setStringProperty("name", force.getGlobalParameterName(i))
            .setDoubleProperty("default", force.getGlobalParameterDefaultValue(i));
}

void readParameters(const SerializationNode& node, PaiNNStudentForce& force) {
    for (const SerializationNode& child : StrictNode(node, {}, {"Parameter"}).getChildren()) {
        StrictNode parameter(child, {"name", "default"}, {});
        force.addGlobalParameter(parameter.getText("name"), parameter.getDouble("default"));
    }
}

void writeDerivatives(const PaiNNStudentForce& force, SerializationNode& node) {
    for (int i = 0; i < force.getNumEnergyParameterDerivatives(); i++)
        node.createChildNode("Parameter").setStringProperty("name", force.getEnergyParameterDerivativeName(i));
}

void readDerivatives(const SerializationNode& node, PaiNNStudentForce& force) {
    for (const SerializationNode& child : StrictNode(node, {}, {"Parameter"}).getChildren())
        force.addEnergyParameterDerivative(StrictNode(child, {"name"}, {}).getText("name"));
}

/** Version 1 of the XML was first written without it, and still is where the kernels evaluate. */
void readEvaluationMethod(const StrictNode& node, PaiNNStudentForce& force) {
    if (!node.has("evaluationMethod"))
        return;
    const string& method = node.getText("evaluationMethod");
    if (method != "Kernels" && method != "LibTorch")
        node.fail("has '" + method.substr(0, 40) + "' as 'evaluationMethod', but Kernels or LibTorch is needed");
    force.setEvaluationMethod(method == "LibTorch" ? PaiNNStudentForce::LibTorch : PaiNNStudentForce::Kernels);
}

PaiNNStudentModel readModel(const SerializationNode& child) {
    StrictNode node(child, {"sha256", "base64"}, {});
    string bytes = decodeBase64(node.getText("base64"));
    string hash = sha256Hex(bytes);
    if (hash != node.getText("sha256"))
        node.fail("holds a damaged model: its SHA-256 is " + hash + " instead of " +
                  node.getText("sha256").substr(0, 64));
    return PaiNNStudentModel::fromBytes(bytes);
}

} // namespace

PaiNNStudentForceProxy::PaiNNStudentForceProxy() : SerializationProxy("PaiNNStudentForce") {}

void PaiNNStudentForceProxy::serialize(const void* object, SerializationNode& node) const {
    const PaiNNStudentForce& force = *reinterpret_cast<const PaiNNStudentForce*>(object);
    node.setStringProperty("version", to_string(VERSION))
        .setStringProperty("forceGroup", to_string(force.getForceGroup()))
        .setStringProperty("name", force.getName())
        .setStringProperty("periodic", force.usesPeriodicBoundaryConditions() ? "1" : "0");
    // Absent otherwise, so that earlier versions of this plugin can read what they know.
    if (force.getEvaluationMethod() == PaiNNStudentForce::LibTorch)
        node.setStringProperty("evaluationMethod", "LibTorch");
    node.createChildNode("Model")
        .setStringProperty("sha256", force.getModel().getHash())
        .setStringProperty("base64", encodeBase64(force.getModel().getBytes()));
    writeParticles(force, node.createChildNode("Particles"));
    writeBonds(force, node.createChildNode("Bonds"));
    writeParameters(force, node.createChildNode("GlobalParameters"));
    writeScales(force, node.createChildNode("SubsystemScales"));
    writeDerivatives(force, node.createChildNode("EnergyParameterDerivatives"));
}

void* PaiNNStudentForceProxy::deserialize(const SerializationNode& root) const {
    // The version comes first: a later one may hold what this reader does not know.
    string version = root.getStringProperty("version", "");
    if (version != to_string(VERSION))
        throw OpenMMException("PaiNNStudentForce: cannot read the XML: it has version '" + version.substr(0, 40) +
                              "', but this plugin reads version " + to_string(VERSION));
    StrictNode node(
        root, {"type", "version", "forceGroup", "name", "periodic", "evaluationMethod"},
        {"Model", "Particles", "Bonds", "GlobalParameters", "SubsystemScales", "EnergyParameterDerivatives"});
    auto force = make_unique<PaiNNStudentForce>(readModel(node.getChild("Model")));
    force->setForceGroup(node.getInt("forceGroup", 0, 31));
    force->setName(node.getText("name"));
    force->setUsesPeriodicBoundaryConditions(node.getInt("periodic", 0, 1) == 1);
    readEvaluationMethod(node, *force);
    readParticles(node.getChild("Particles"), *force);
    readBonds(node.getChild("Bonds"), *force);
    readParameters(node.getChild("GlobalParameters"), *force);
    readScales(node.getChild("SubsystemScales"), *force);
    readDerivatives(node.getChild("EnergyParameterDerivatives"), *force);
    return force.release();
}

namespace {

// Runs when the library is loaded; the registry keeps the proxy until the program ends. Another OpenMM has another
// layout of SerializationNode, so that reading one there would crash: it says instead that it knows no
// PaiNNStudentForce.
const bool registered = [] {
    if (!isSupportedOpenMM(Platform::getOpenMMVersion()))
        return false;
    SerializationProxy::registerProxy(typeid(PaiNNStudentForce), new PaiNNStudentForceProxy());
    return true;
}();

} // namespace

} // namespace PaiNNPlugin
