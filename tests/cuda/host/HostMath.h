// SPDX-License-Identifier: MIT
// Functions of numbers that CUDA has and the C library has not. For HostKernel.h.
#ifndef PAINN_TESTS_HOST_MATH_H_
#define PAINN_TESTS_HOST_MATH_H_

using std::isfinite;
using std::isnan;

inline float rsqrtf(float x) {
    return 1 / sqrtf(x);
}
inline double rsqrt(double x) {
    return 1 / sqrt(x);
}
inline float __expf(float x) {
    return expf(x);
}
inline float __fdividef(float x, float y) {
    return x / y;
}

template <class To, class From> inline To hostBits(From x) {
    static_assert(sizeof(To) == sizeof(From), "bits of the same size");
    To result;
    std::memcpy(&result, &x, sizeof(To));
    return result;
}
inline unsigned __float_as_uint(float x) {
    return hostBits<unsigned>(x);
}
inline float __uint_as_float(unsigned x) {
    return hostBits<float>(x);
}
inline int __float_as_int(float x) {
    return hostBits<int>(x);
}
inline float __int_as_float(int x) {
    return hostBits<float>(x);
}
inline long long __double_as_longlong(double x) {
    return hostBits<long long>(x);
}
inline double __longlong_as_double(long long x) {
    return hostBits<double>(x);
}

/** To the nearest integer; what does not fit is the last that does, and NaN is the lowest, as on the device. */
inline long long __double2ll_rn(double x) {
    if (!(x >= -0x1p63))
        return INT64_MIN;
    return x >= 0x1p63 ? INT64_MAX : llrint(x);
}
inline long long __float2ll_rn(float x) {
    return __double2ll_rn(x);
}
inline int __double2int_rn(double x) {
    if (!(x >= -0x1p31))
        return x < 0 ? INT32_MIN : 0; // NaN is 0 here
    return x >= 0x1p31 ? INT32_MAX : static_cast<int>(rint(x));
}
inline int __float2int_rn(float x) {
    return __double2int_rn(x);
}
inline int __float2int_rd(float x) {
    return __double2int_rn(floor(double(x)));
}

inline int __popc(unsigned x) {
    return __builtin_popcount(x);
}
inline int __ffs(int x) {
    return __builtin_ffs(x);
}
inline int __clz(int x) {
    return x == 0 ? 32 : __builtin_clz(static_cast<unsigned>(x));
}

#define HOST_MIN_MAX(type)                                                                                             \
    inline type min(type a, type b) {                                                                                  \
        return a < b ? a : b;                                                                                          \
    }                                                                                                                  \
    inline type max(type a, type b) {                                                                                  \
        return a > b ? a : b;                                                                                          \
    }
HOST_MIN_MAX(int)
HOST_MIN_MAX(unsigned)
HOST_MIN_MAX(long)
HOST_MIN_MAX(unsigned long)
HOST_MIN_MAX(long long)
HOST_MIN_MAX(unsigned long long)
// Of a number and NaN these give the number, as on the device.
inline float min(float a, float b) {
    return fminf(a, b);
}
inline float max(float a, float b) {
    return fmaxf(a, b);
}
inline double min(double a, double b) {
    return fmin(a, b);
}
inline double max(double a, double b) {
    return fmax(a, b);
}

template <class T> inline T __ldg(const T* address) {
    return *address;
}

#endif
