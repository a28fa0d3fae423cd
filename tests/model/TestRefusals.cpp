// SPDX-License-Identifier: MIT
// Everything that is not a model is refused, with its own sentence, quickly and without much memory.
#include "../fuzz/Mutator.h"
#include "BadFiles.h"
#include "ModelBytes.h"
#include "PaiNNStudentModel.h"
#include "TemporaryFolder.h"
#include "openmm/OpenMMException.h"
#include <atomic>
#include <ctime>
#include <fstream>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

using namespace PaiNNPlugin;
using namespace std;

namespace {

/** What loading says: "" if it succeeds. Anything but an OpenMMException fails the test. */
string refusal(const string& bytes) {
    try {
        PaiNNStudentModel::fromBytes(bytes);
        return "";
    }
    catch (const OpenMM::OpenMMException& e) {
        return e.what();
    }
}

string refusalOfFile(const string& path) {
    try {
        PaiNNStudentModel model(path);
        return "";
    }
    catch (const OpenMM::OpenMMException& e) {
        return e.what();
    }
}

/** Processor time of this program: what else the machine does must not fail a test. */
double processorSeconds() {
    return static_cast<double>(clock()) / CLOCKS_PER_SEC;
}

long maxResidentKilobytes() {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

} // namespace

TEST(Refusals, everyBadFileHasItsMessage) {
    int numFiles = 0;
    for (auto& list : {badContainers(), badModels()})
        for (const BadFile& file : list) {
            double start = processorSeconds();
            long before = maxResidentKilobytes();
            EXPECT_EQ("PaiNNStudentModel: " + file.message, refusal(file.bytes)) << file.name;
            EXPECT_LT(processorSeconds() - start, 1.0) << file.name;
#ifndef __SANITIZE_ADDRESS__
            EXPECT_LE(maxResidentKilobytes() - before, static_cast<long>(file.bytes.size() / 1024) + 65536)
                << file.name;
#endif
            numFiles++;
        }
    EXPECT_GE(numFiles, 150);
    RecordProperty("files", numFiles);
}

TEST(Refusals, seedsOfTheMutantsAreSound) {
    for (const string& bytes : seedModels())
        EXPECT_EQ("", refusal(bytes));
}

TEST(Refusals, everyPrefix) {
    for (const string& bytes : {seedModels()[0], seedModels()[1], seedModels()[5]}) {
        EXPECT_EQ("", refusal(bytes));
        for (size_t size = 0; size < bytes.size(); size++)
            ASSERT_NE("", refusal(bytes.substr(0, size))) << "the first " << size << " of " << bytes.size() << " bytes";
    }
}

TEST(Refusals, mutantsNeverDoHarm) {
    Mutator mutator(20240501);
    int numAccepted = 0;
    for (int i = 0; i < 20000; i++) {
        double start = processorSeconds();
        string message = refusal(mutator.next());
        numAccepted += message.empty();
        ASSERT_TRUE(message.empty() || message.compare(0, 19, "PaiNNStudentModel: ") == 0) << message;
        ASSERT_LT(message.size(), 1000u);
        ASSERT_LT(processorSeconds() - start, 1.0) << message;
    }
    EXPECT_GT(numAccepted, 0); // some mutants differ in a weight alone
}

TEST(Refusals, filesThatAreNone) {
    TemporaryFolder folder;
    string pipe = folder.path("pipe"), link = folder.path("link"), big = folder.path("big");
    ASSERT_EQ(0, mkfifo(pipe.c_str(), 0600));
    ASSERT_EQ(0, symlink("link", link.c_str()));
    ofstream(big, ios::binary) << '{';
    ASSERT_EQ(0, truncate(big.c_str(), (256 << 20) + 1)); // a file with a hole: takes no space
    EXPECT_EQ("PaiNNStudentModel: " + pipe + ": this is a pipe, socket or device; a regular file is needed",
              refusalOfFile(pipe));
    EXPECT_EQ("PaiNNStudentModel: " + folder.path("") + ": this is a directory; a file is needed",
              refusalOfFile(folder.path("")));
    EXPECT_EQ("PaiNNStudentModel: " + big + ": the file has 268435457 bytes; at most 268435456 are allowed",
              refusalOfFile(big));
    EXPECT_EQ("PaiNNStudentModel: /dev/zero: this is a pipe, socket or device; a regular file is needed",
              refusalOfFile("/dev/zero"));
    EXPECT_EQ("PaiNNStudentModel: /no/such.safetensors: the file cannot be opened: No such file or directory",
              refusalOfFile("/no/such.safetensors"));
    EXPECT_EQ("PaiNNStudentModel: : the file cannot be opened: No such file or directory", refusalOfFile(""));
    EXPECT_NE("", refusalOfFile(link)); // a link to itself
    string hidden = refusalOfFile(string("/dev/null\0.safetensors", 22));
    EXPECT_NE(string::npos, hidden.find("/dev/null")) << hidden;
    EXPECT_NE("", refusalOfFile("/proc/self/maps")); // says that it has 0 bytes
}

TEST(Refusals, fileThatChangesWhileItIsRead) {
    TemporaryFolder folder;
    string path = folder.path("changing.safetensors");
    ModelOptions options;
    options.hidden = 128;
    string bytes = makeModelBytes(options);
    ofstream(path, ios::binary) << bytes;
    atomic<bool> stop(false);
    thread writer([&] {
        while (!stop) {
            if (truncate(path.c_str(), 100) != 0)
                break;
            ofstream(path, ios::binary) << bytes;
        }
    });
    for (int i = 0; i < 300; i++) {
        string message = refusalOfFile(path); // "" when it was whole just then
        EXPECT_TRUE(message.empty() || message.find(path) != string::npos) << message;
    }
    stop = true;
    writer.join();
    EXPECT_EQ("", refusalOfFile(path));
}
