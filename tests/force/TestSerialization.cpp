// SPDX-License-Identifier: MIT
// XML: exact round trips without a file, and refusal of everything that was not written by us.
#include "ForceTest.h"
#include "internal/Base64.h"
#include "internal/Sha256.h"
#include <limits>
#include <sstream>
#include <sys/resource.h>

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

namespace {

PaiNNStudentForce* makeFullForce() {
    ModelOptions options;
    options.hidden = 4;
    options.blocks = 1;
    vector<TestTensor> tensors = makeTensors(options);
    // What a text format loses first: the sign of zero, denormals, the ends of the range.
    using Limits = numeric_limits<float>;
    float special[] = {-0.0f, 1e-45f, -1e-40f, Limits::min(), -Limits::epsilon(), Limits::max(), Limits::lowest()};
    copy(begin(special), end(special), tensors[0].values.begin());
    auto force = new PaiNNStudentForce(PaiNNStudentModel::fromBytes(packModel(makeMetadata(options), tensors)));
    force->setForceGroup(7);
    force->setName("a <name> & \"more\"");
    force->setUsesPeriodicBoundaryConditions(true);
    force->addParticle(5, 6, 2);
    force->addParticle(0, 8);
    force->addParticle(1000000, 1, 1000000);
    force->addBond(5, 0);
    force->addBond(0, 1000000);
    force->addGlobalParameter("lambda", 0.1);
    force->addGlobalParameter("tiny", 5e-324);
    force->addGlobalParameter("huge", -numeric_limits<double>::max());
    force->addGlobalParameter("zero", -0.0);
    force->setSubsystemScale(2, "lambda");
    force->setSubsystemScale(1000000, "tiny");
    force->addEnergyParameterDerivative("tiny");
    force->addEnergyParameterDerivative("lambda");
    return force;
}

string toXml(const PaiNNStudentForce& force) {
    stringstream stream;
    XmlSerializer::serialize(&force, "Force", stream);
    return stream.str();
}

unique_ptr<PaiNNStudentForce> fromXml(const string& xml) {
    stringstream stream(xml);
    return unique_ptr<PaiNNStudentForce>(XmlSerializer::deserialize<PaiNNStudentForce>(stream));
}

string replaced(string text, const string& from, const string& to) {
    size_t where = text.find(from);
    if (where == string::npos)
        ADD_FAILURE() << "no " << from;
    else
        text.replace(where, from.size(), to);
    return text;
}

unique_ptr<PaiNNStudentForce> fromNode(const SerializationNode& node) {
    return unique_ptr<PaiNNStudentForce>(node.decodeObject<PaiNNStudentForce>());
}

} // namespace

TEST(Serialization, keepsEveryBit) {
    unique_ptr<PaiNNStudentForce> force(makeFullForce());
    string xml = toXml(*force);
    for (int i = 0; i < 3; i++) {
        auto copy = fromXml(xml);
        EXPECT_EQ(xml, toXml(*copy));
        xml = toXml(*copy);
        EXPECT_EQ(force->getModel().getBytes(), copy->getModel().getBytes());
        EXPECT_EQ(force->getModel().getHash(), copy->getModel().getHash());
        EXPECT_EQ(force->getModel().getParameters(), copy->getModel().getParameters()); // shared, not a second copy
        EXPECT_EQ(force->getForceGroup(), copy->getForceGroup());
        EXPECT_EQ(force->getName(), copy->getName());
        EXPECT_TRUE(copy->usesPeriodicBoundaryConditions());
        ASSERT_EQ(force->getNumParticles(), copy->getNumParticles());
        for (int j = 0; j < force->getNumParticles(); j++) {
            int a[3], b[3];
            force->getParticleParameters(j, a[0], a[1], a[2]);
            copy->getParticleParameters(j, b[0], b[1], b[2]);
            EXPECT_TRUE(equal(a, a + 3, b));
            EXPECT_EQ(force->getSubsystemScale(a[2]), copy->getSubsystemScale(a[2]));
        }
        ASSERT_EQ(force->getNumBonds(), copy->getNumBonds());
        for (int j = 0; j < force->getNumBonds(); j++) {
            int a[2], b[2];
            force->getBondParameters(j, a[0], a[1]);
            copy->getBondParameters(j, b[0], b[1]);
            EXPECT_TRUE(equal(a, a + 2, b));
        }
        ASSERT_EQ(force->getNumGlobalParameters(), copy->getNumGlobalParameters());
        for (int j = 0; j < force->getNumGlobalParameters(); j++) {
            double a = force->getGlobalParameterDefaultValue(j), b = copy->getGlobalParameterDefaultValue(j);
            EXPECT_EQ(force->getGlobalParameterName(j), copy->getGlobalParameterName(j));
            EXPECT_TRUE(a == b && signbit(a) == signbit(b)) << b;
        }
        ASSERT_EQ(force->getNumEnergyParameterDerivatives(), copy->getNumEnergyParameterDerivatives());
        for (int j = 0; j < force->getNumEnergyParameterDerivatives(); j++)
            EXPECT_EQ(force->getEnergyParameterDerivativeName(j), copy->getEnergyParameterDerivativeName(j));
    }
}

TEST(Serialization, givesTheSameEnergyInASystem) {
    loadPlugins();
    Cluster cluster(6);
    System system;
    addParticles(system, 6);
    system.addForce(makeForce(makeModel(), cluster));
    stringstream xml;
    XmlSerializer::serialize(&system, "System", xml);
    unique_ptr<System> copy(XmlSerializer::deserialize<System>(xml));
    VerletIntegrator integrator1(0.001), integrator2(0.001);
    Context context1(system, integrator1, Platform::getPlatform("Reference"));
    Context context2(*copy, integrator2, Platform::getPlatform("Reference"));
    context1.setPositions(cluster.positions);
    context2.setPositions(cluster.positions);
    EXPECT_EQ(getEnergy(context1), getEnergy(context2));
    EXPECT_EQ(getForces(context1), getForces(context2));
}

// With no file descriptor to be had, nothing that opens a file could work.
TEST(Serialization, opensNoFile) {
    unique_ptr<PaiNNStudentForce> force(makeFullForce());
    rlimit limit;
    ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
    rlimit none = limit;
    none.rlim_cur = 0;
    ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
    bool canOpen = fopen("/proc/self/statm", "r") != nullptr;
    string before = toXml(*force), after, fault;
    try {
        after = toXml(*fromXml(before));
    }
    catch (const exception& e) {
        fault = e.what();
    }
    setrlimit(RLIMIT_NOFILE, &limit);
    EXPECT_FALSE(canOpen);
    EXPECT_EQ("", fault);
    EXPECT_EQ(before, after);
}

TEST(Serialization, refusesWhatItDoesNotKnow) {
    unique_ptr<PaiNNStudentForce> force(makeFullForce());
    string xml = toXml(*force), base64 = encodeBase64(force->getModel().getBytes());
    struct {
        string from, to, message;
    } cases[] = {
        {" version=\"1\"", " version=\"2\"", "it has version '2', but this plugin reads version 1"},
        {" version=\"1\"", " version=\"0\"", "it has version '0'"},
        {" version=\"1\"", " version=\"1x\"", "it has version '1x'"},
        {" version=\"1\"", "", "it has version ''"},
        {" version=\"1\"", " version=\"1\" path=\"/etc/passwd\"", "unknown attribute 'path'"},
        {"<Bonds>", "<File name=\"/etc/passwd\"/><Bonds>", "unknown child 'File'"},
        {"<Bonds>", "<Bonds/><Bonds>", "has two children 'Bonds'"},
        {"forceGroup=\"7\"", "", "lacks the attribute 'forceGroup'"},
        {"forceGroup=\"7\"", "forceGroup=\"32\"", "a whole number from 0 to 31"},
        {"forceGroup=\"7\"", "forceGroup=\"7.5\"", "has '7.5' as 'forceGroup'"},
        {"periodic=\"1\"", "periodic=\"yes\"", "has 'yes' as 'periodic'"},
        {"periodic=\"1\"", "periodic=\"-1\"", "has '-1' as 'periodic'"},
        {" name=\"a ", " nam=\"a ", "unknown attribute 'nam'"},
        {"sha256=\"", "sha256=\"0", "damaged model"},
        {"sha256=\"", "hash=\"", "unknown attribute 'hash'"},
        {"base64=\"", "base64=\"!", "base64"},
        {"base64=\"", "base64=\"A", "base64"},
        {base64, base64.substr(0, base64.size() / 8 * 4), "damaged model"},
        {base64, base64.substr(0, base64.size() - 1), "base64"},
        {base64, "", "damaged model"},
        {"index=\"1000000\"", "index=\"-1\"", "has '-1' as 'index'"},
        {"index=\"1000000\"", "index=\"99999999999\"", "has '99999999999' as 'index'"},
        {"index=\"1000000\"", "index=\"\"", "has '' as 'index'"},
        {"index=\"1000000\"", "", "lacks the attribute 'index'"},
        {"element=\"8\"", "element=\"9\"", "atomicNumber is 9"},
        {"element=\"8\"", "element=\" 8\"", "has ' 8' as 'element'"},
        {"subsystem=\"2\"", "subsystem=\"1000001\"", "has '1000001' as 'subsystem'"},
        {"p1=\"5\"", "p1=\"0\"", "particle1 and particle2 are both 0"},
        {"default=\"", "default=\"1e999", "a finite number is needed"},
        {"default=\"", "default=\"nan", "a finite number is needed"},
        {"name=\"tiny\"", "name=\"lambda\"", "a global parameter of this name already"},
        {"<EnergyParameterDerivatives>", "<EnergyParameterDerivatives><Parameter name=\"x\"/>", "name is 'x'"},
        {"parameter=\"lambda\"", "parameter=\"\"", "has an empty 'parameter'"},
        {"<Scale parameter=\"tiny\" subsystem=\"1000000\"", "<Scale parameter=\"tiny\" subsystem=\"2\"",
         "two scales for subsystem 2"},
        {"<Particles>", "<Particles><Bond p1=\"0\" p2=\"1\"/>", "unknown child 'Bond'"},
    };
    for (auto& bad : cases)
        EXPECT_MESSAGE(fromXml(replaced(xml, bad.from, bad.to)), bad.message);
}

TEST(Serialization, noFlippedBitPasses) {
    unique_ptr<PaiNNStudentForce> force(makeFullForce());
    const string& bytes = force->getModel().getBytes();
    string text = encodeBase64(bytes);
    mt19937 random(3);
    int badText = 0, badHash = 0;
    for (int i = 0; i < 100000; i++) {
        string damaged = text;
        size_t where = random() % text.size();
        damaged[where] = static_cast<char>(damaged[where] ^ (1 << random() % 8));
        try {
            if (sha256Hex(decodeBase64(damaged)) == force->getModel().getHash())
                FAIL() << "character " << where;
            badHash++;
        }
        catch (const OpenMMException&) {
            badText++;
        }
    }
    EXPECT_EQ(100000, badText + badHash);
    EXPECT_GT(badText, 1000);
    EXPECT_GT(badHash, 1000);
    // The same through the whole reader, on bits of the weights.
    string xml = toXml(*force);
    for (int i = 0; i < 300; i++) {
        string damaged = bytes;
        damaged[bytes.size() - 1 - random() % 200] ^= static_cast<char>(1 << random() % 8);
        EXPECT_MESSAGE(fromXml(replaced(xml, text, encodeBase64(damaged))), "damaged model");
    }
}

// Random changes of the tree: the reader takes it or throws an OpenMMException, and never another model.
TEST(Serialization, mutatedTreesAreReadOrRefused) {
    unique_ptr<PaiNNStudentForce> force(makeFullForce());
    SerializationNode root;
    const SerializationNode& original = root.createChildNode("Force", static_cast<Force*>(force.get()));
    const string values[] = {"", "-1", "0", "1", "2147483648", "nan", "1e400", "A", "AAAA", "lambda", string(100, 'x')};
    const string names[] = {"Model", "Particle", "Bonds", "Scale", "Parameter", "index", "element", "version", "junk"};
    mt19937 random(4);
    int read = 0, refused = 0;
    for (int i = 0; i < 100000; i++) {
        SerializationNode mutant = original;
        for (int changes = 1 + random() % 3; changes > 0; changes--) {
            SerializationNode* node = &mutant;
            while (!node->getChildren().empty() && random() % 3 != 0)
                node = &node->getChildren()[random() % node->getChildren().size()];
            vector<SerializationNode>& children = node->getChildren();
            switch (random() % 5) {
            case 0:
                if (!children.empty())
                    children.erase(children.begin() + random() % children.size());
                break;
            case 1:
                if (!children.empty())
                    children.push_back(SerializationNode(children[random() % children.size()]));
                break;
            case 2:
                node->setName(names[random() % 9]);
                break;
            case 3: {
                // Attributes cannot be changed in place: a new node takes over the others.
                map<string, string> properties = node->getProperties();
                SerializationNode changed;
                changed.setName(node->getName());
                changed.getChildren() = children;
                size_t which = properties.empty() ? 0 : random() % properties.size();
                for (auto& property : properties)
                    if (which-- != 0 || property.first == "type")
                        changed.setStringProperty(property.first, property.second);
                    else if (random() % 4 != 0)
                        changed.setStringProperty(property.first, values[random() % 11]);
                *node = changed;
                break;
            }
            default:
                node->setStringProperty(names[random() % 9], values[random() % 11]);
            }
        }
        try {
            auto result = fromNode(mutant);
            ASSERT_EQ(force->getModel().getHash(), result->getModel().getHash());
            read++;
        }
        catch (const OpenMMException&) {
            refused++;
        }
    }
    EXPECT_GT(read, 100);
    EXPECT_GT(refused, 10000);
}

} // namespace PaiNNPlugin
