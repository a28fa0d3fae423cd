// SPDX-License-Identifier: MIT
// Drives the fuzz target where there is no libFuzzer: FuzzMain RUNS [SEED] feeds it mutants of valid models, and
// FuzzMain FILE one file, to see a failure again. A failing input is left in crash-SEED.bin.
#include "Mutator.h"
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sanitizer/common_interface_defs.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

std::string input, crashFile;

void saveInput() {
    std::ofstream(crashFile, std::ios::binary) << input;
    std::fprintf(stderr, "The input is in %s\n", crashFile.c_str());
}

void fail(int signal) {
    std::fprintf(stderr, signal == SIGPROF ? "An input took a second\n" : "Aborted\n");
    saveInput();
    _exit(1);
}

/** Seconds of this process's own time until SIGPROF; a busy machine does not count. */
void limitTime(int seconds) {
    struct itimerval limit = {};
    limit.it_value.tv_sec = seconds;
    setitimer(ITIMER_PROF, &limit, nullptr);
}

void runInput() {
    LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()), input.size());
}

} // namespace

int main(int argc, char** argv) {
    if (argc < 2) {
        std::fprintf(stderr, "usage: %s RUNS [SEED] | FILE\n", argv[0]);
        return 2;
    }
    char* end = nullptr;
    unsigned long long runs = std::strtoull(argv[1], &end, 10),
                       seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
    if (*end != '\0') {
        std::ifstream file(argv[1], std::ios::binary);
        input.assign(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
        runInput();
        std::printf("%s: %zu bytes, no failure\n", argv[1], input.size());
        return 0;
    }
    crashFile = "crash-" + std::to_string(seed) + ".bin";
    __sanitizer_set_death_callback(saveInput);
    signal(SIGPROF, fail);
    signal(SIGABRT, fail);
    PaiNNPlugin::Mutator mutator(seed);
    for (const std::string& model : PaiNNPlugin::seedModels()) {
        input = model;
        runInput();
    }
    auto start = std::chrono::steady_clock::now();
    for (unsigned long long i = 0; i < runs; i++) {
        input = mutator.next();
        limitTime(1);
        runInput();
    }
    limitTime(0);
    double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    std::printf("seed %llu: %llu inputs in %.1f s (%.0f per second), no failure\n", seed, runs, seconds,
                runs / seconds);
}
