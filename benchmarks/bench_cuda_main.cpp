// SPDX-License-Identifier: MIT
extern "C" int benchCudaEvaluator(int argc, char** argv);

int main(int argc, char** argv) {
    return benchCudaEvaluator(argc, argv);
}
