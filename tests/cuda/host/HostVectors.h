// SPDX-License-Identifier: MIT
// CUDA's vector types, with its alignments.
#ifndef PAINN_TESTS_HOST_VECTORS_H_
#define PAINN_TESTS_HOST_VECTORS_H_

#define HOST_VECTOR_2(type, name, alignment)                                                                           \
    struct alignas(alignment) name {                                                                                   \
        type x, y;                                                                                                     \
    };                                                                                                                 \
    inline name make_##name(type x, type y) {                                                                          \
        return {x, y};                                                                                                 \
    }
#define HOST_VECTOR_3(type, name)                                                                                      \
    struct name {                                                                                                      \
        type x, y, z;                                                                                                  \
    };                                                                                                                 \
    inline name make_##name(type x, type y, type z) {                                                                  \
        return {x, y, z};                                                                                              \
    }
#define HOST_VECTOR_4(type, name)                                                                                      \
    struct alignas(16) name {                                                                                          \
        type x, y, z, w;                                                                                               \
    };                                                                                                                 \
    inline name make_##name(type x, type y, type z, type w) {                                                          \
        return {x, y, z, w};                                                                                           \
    }

HOST_VECTOR_2(int, int2, 8)
HOST_VECTOR_2(unsigned, uint2, 8)
HOST_VECTOR_2(float, float2, 8)
HOST_VECTOR_2(double, double2, 16)
HOST_VECTOR_3(int, int3)
HOST_VECTOR_3(unsigned, uint3)
HOST_VECTOR_3(float, float3)
HOST_VECTOR_3(double, double3)
HOST_VECTOR_4(int, int4)
HOST_VECTOR_4(unsigned, uint4)
HOST_VECTOR_4(float, float4)
HOST_VECTOR_4(double, double4)

#endif
