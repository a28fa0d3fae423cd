// SPDX-License-Identifier: MIT
#ifndef PAINN_ALIGNED_ARRAY_H_
#define PAINN_ALIGNED_ARRAY_H_

#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>

namespace PaiNNPlugin {

/** Floats that begin at a cache line, zero at first. Growing forgets the contents. */
class AlignedArray {
public:
    AlignedArray() = default;
    explicit AlignedArray(size_t size) {
        reserve(size);
    }
    /** Have room for size floats; when the array must grow, all of them are zero after it. */
    void reserve(size_t size) {
        if (size <= capacity)
            return;
        values.reset();
        capacity = 0;
        values.reset(static_cast<float*>(::operator new(size * sizeof(float), LINE)));
        capacity = size;
        std::fill(values.get(), values.get() + size, 0.0f);
    }
    size_t size() const {
        return capacity;
    }
    float* data() {
        return values.get();
    }
    const float* data() const {
        return values.get();
    }
    float& operator[](size_t i) {
        return values.get()[i];
    }
    const float& operator[](size_t i) const {
        return values.get()[i];
    }

private:
    static constexpr std::align_val_t LINE{64};
    struct Free {
        void operator()(float* p) const {
            ::operator delete(p, LINE);
        }
    };
    std::unique_ptr<float, Free> values;
    size_t capacity = 0;
};

} // namespace PaiNNPlugin

#endif
