// SPDX-License-Identifier: MIT
#include "SafetensorsFile.h"
#include "openmm/OpenMMException.h"
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

namespace {

/** Closes the file however the reading ends. */
struct OpenFile {
    int descriptor;
    ~OpenFile() {
        if (descriptor >= 0)
            close(descriptor);
    }
};

[[noreturn]] void throwSystemError(const string& action) {
    throw OpenMMException("the file cannot be " + action + ": " + generic_category().message(errno));
}

void checkKindAndSize(const struct stat& status) {
    if (S_ISDIR(status.st_mode))
        throw OpenMMException("this is a directory; a file is needed");
    if (!S_ISREG(status.st_mode))
        throw OpenMMException("this is a pipe, socket or device; a regular file is needed");
    if (static_cast<uint64_t>(status.st_size) > SafetensorsFile::maxFileSize)
        throw OpenMMException("the file has " + to_string(status.st_size) + " bytes; at most " +
                              to_string(SafetensorsFile::maxFileSize) + " are allowed");
}

} // namespace

string SafetensorsFile::readFile(const string& path) {
    if (path.find('\0') != string::npos)
        throw OpenMMException("the path holds a zero byte");
    struct stat status;
    if (stat(path.c_str(), &status) !=
        0) // before opening: to open a pipe waits for its other end, to open a device may act
        throwSystemError("opened");
    checkKindAndSize(status);
    OpenFile file = {open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
    if (file.descriptor < 0)
        throwSystemError("opened");
    if (fstat(file.descriptor, &status) != 0)
        throwSystemError("read");
    checkKindAndSize(status); // the path may name another file by now

    // read(), not mmap(): a mapped file that shrinks kills the process. One byte more is asked for than the file had.
    size_t size = static_cast<size_t>(status.st_size), numRead = 0;
    string bytes(size + 1, '\0');
    while (numRead < bytes.size()) {
        ssize_t n = read(file.descriptor, &bytes[numRead], bytes.size() - numRead);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            throwSystemError("read");
        if (n == 0)
            break;
        numRead += static_cast<size_t>(n);
    }
    if (numRead != size)
        throw OpenMMException("the file changed its size while it was read: " + to_string(size) + " bytes before, " +
                              (numRead > size ? "more" : to_string(numRead)) + " found");
    bytes.resize(size);
    return bytes;
}

} // namespace PaiNNPlugin
