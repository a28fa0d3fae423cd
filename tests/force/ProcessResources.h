// SPDX-License-Identifier: MIT
#ifndef PAINN_TESTS_PROCESS_RESOURCES_H_
#define PAINN_TESTS_PROCESS_RESOURCES_H_

#include <cstdio>
#include <filesystem>
#include <gtest/gtest.h>
#include <unistd.h>

/** What this process holds, for tests that look whether it grows. */
namespace PaiNNPlugin {

/** Resident memory, bytes. */
inline double getResidentMemory() {
    long total = 0, resident = 0;
    FILE* file = fopen("/proc/self/statm", "r");
    if (file == nullptr || fscanf(file, "%ld %ld", &total, &resident) != 2)
        ADD_FAILURE() << "cannot read /proc/self/statm";
    if (file != nullptr)
        fclose(file);
    return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

/** The threads ("/proc/self/task"), or the open files ("/proc/self/fd"). */
inline long countOf(const char* folder) {
    return std::distance(std::filesystem::directory_iterator(folder), std::filesystem::directory_iterator());
}

} // namespace PaiNNPlugin

#endif
