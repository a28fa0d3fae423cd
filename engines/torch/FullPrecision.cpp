// SPDX-License-Identifier: MIT
#include "FullPrecision.h"
#include <ATen/Context.h>
#include <mutex>
#include <optional>

namespace PaiNNPlugin {

namespace {

using at::Float32Backend;
using at::Float32MatmulPrecision;
using at::Float32Op;
using at::Float32Precision;

const Float32Backend BACKENDS[] = {Float32Backend::CUDA, Float32Backend::MKLDNN};

Float32Precision get(Float32Backend backend) {
    return at::globalContext().float32Precision(backend, Float32Op::MATMUL);
}

void set(Float32Backend backend, Float32Precision precision) {
    at::globalContext().setFloat32Precision(backend, Float32Op::MATMUL, precision);
}

bool isFull(Float32Precision precision) {
    return precision != Float32Precision::TF32 && precision != Float32Precision::BF16;
}

const char* nameOf(Float32MatmulPrecision precision) {
    switch (precision) {
    case Float32MatmulPrecision::HIGH:
        return "high";
    case Float32MatmulPrecision::MEDIUM:
        return "medium";
    default:
        return "highest";
    }
}

/** What a program has allowed. There are an older switch for all and newer ones by backend, which must not disagree. */
class Allowed {
public:
    /** Note it, and forbid it. */
    Allowed() {
        for (int i = 0; i < 2; i++)
            before[i] = get(BACKENDS[i]);
        if (isFull(before[0]) && isFull(before[1]))
            return;
        changed = true;
        for (Float32Backend backend : BACKENDS)
            set(backend, Float32Precision::IEEE);
        try {
            older = at::globalContext().float32MatmulPrecision();
            at::globalContext().setFloat32MatmulPrecision("highest");
        }
        catch (const c10::Error&) { // it is not asked where it disagrees
        }
        for (Float32Backend backend : BACKENDS)
            set(backend, Float32Precision::IEEE);
    }
    void restore() const {
        if (!changed)
            return;
        if (older)
            at::globalContext().setFloat32MatmulPrecision(nameOf(*older));
        for (int i = 0; i < 2; i++) {
            set(BACKENDS[i], Float32Precision::NONE); // as by the switch for all operations
            if (get(BACKENDS[i]) != before[i])
                set(BACKENDS[i], before[i]);
        }
    }

private:
    Float32Precision before[2];
    std::optional<Float32MatmulPrecision> older;
    bool changed = false;
};

std::mutex lock;
int number = 0; // of those that live
std::optional<Allowed> allowed;

} // namespace

FullPrecision::FullPrecision() {
    std::lock_guard<std::mutex> guard(lock);
    if (number == 0)
        allowed.emplace();
    number++;
}

FullPrecision::~FullPrecision() {
    std::lock_guard<std::mutex> guard(lock);
    if (--number == 0)
        allowed->restore();
}

} // namespace PaiNNPlugin
