// SPDX-License-Identifier: MIT
// Numbers, constants of the model, and small functions. PAINN_PRECISION is 0 (single), 1 (mixed) or 2 (double).

/** Whether the kernels of a group (CudaNetwork::getGroup) are compiled. */
#define PAINN_HAS_GROUP(group) (PAINN_GROUP == 0 || PAINN_GROUP == group)

#if PAINN_PRECISION == 2
typedef double Real;
struct __align__(16) Real2 {
    double x, y;
};
struct __align__(16) Real4 {
    double x, y, z, w;
};
#else
typedef float Real;
typedef float2 Real2;
typedef float4 Real4;
#endif
/** What differences of positions are taken in. */
#if PAINN_PRECISION == 0
typedef float Wide;
#else
typedef double Wide;
#endif

struct Position {
    Wide x, y, z; ///< nm
};

/** Cells that hold the atoms of all subsystems; cell (x, y, z) of subsystem s is ((s nz + z) ny + y) nx + x. */
struct CellGrid {
    int n[3];
    Wide origin[3], inverseWidth[3]; ///< nm, 1/nm; without a box
};

/** An edge i <- j (F1), as the messages of all blocks use it. */
struct __align__(16) Edge {
    Real ux, uy, uz; ///< u_ij
    Real a;          ///< 1 / (d + epsilon), 1/nm
    Real t;          ///< place in the cell of the filter tables, -1/2 to 1/2
    Real repulsion;  ///< V'(d) of F8, kJ/mol/nm
    int j, cell;
};

/** The network's shape, all of it known to the compiler. */
PAINN_BOTH constexpr Shape makeShape() {
    return {PAINN_STUDENT, PAINN_H, PAINN_L, PAINN_READOUT_LAYERS, {PAINN_READOUT_WIDTHS}};
}
constexpr Shape SHAPE = makeShape();
constexpr int H = PAINN_H, L = PAINN_L, CELLS = PAINN_CELLS;
constexpr bool IS_STUDENT = PAINN_STUDENT;
constexpr Wide CUTOFF = PAINN_CUTOFF, TABLE_FIRST = PAINN_TABLE_FIRST, CELL_WIDTH = PAINN_CELL_WIDTH; // nm
constexpr Real CELL_SCALE = Real(1 / PAINN_CELL_WIDTH);                                               // 1/nm
constexpr Real DIRECTION_EPSILON = Real(PAINN_DIRECTION_EPSILON); // nm, 0 in the canonical family
constexpr Real NORM_EPSILON = Real(PAINN_NORM_EPSILON);

__device__ __forceinline__ Real4 makeReal4(Real x, Real y, Real z, Real w) {
    Real4 r;
    r.x = x;
    r.y = y;
    r.z = z;
    r.w = w;
    return r;
}

__device__ __forceinline__ Real2 makeReal2(Real x, Real y) {
    Real2 r;
    r.x = x;
    r.y = y;
    return r;
}

__device__ __forceinline__ float squareRoot(float x) {
    return sqrtf(x);
}
__device__ __forceinline__ double squareRoot(double x) {
    return sqrt(x);
}
__device__ __forceinline__ float exponential(float x) {
    return expf(x);
}
__device__ __forceinline__ double exponential(double x) {
    return exp(x);
}
__device__ __forceinline__ float nearest(float x) {
    return rintf(x);
}
__device__ __forceinline__ double nearest(double x) {
    return rint(x);
}

/**
 * a b + c, rounded once. The compiler makes no such thing of its own: it would do so here and not there, and kernels
 * that compute the same would differ in their last bits.
 */
__device__ __forceinline__ float fuse(float a, float b, float c) {
    return fmaf(a, b, c);
}
__device__ __forceinline__ double fuse(double a, double b, double c) {
    return fma(a, b, c);
}

/** SiLU and its derivative. */
__device__ __forceinline__ void activate(Real x, Real& value, Real& slope) {
    const Real sigma = 1 / (1 + exponential(-x));
    value = x * sigma;
    slope = sigma * (1 + x * (1 - sigma));
}

/** The sum over the lanes of a warp that differ in the bits of FROM ... TO / 2, on all of them, in a fixed order. */
template <int FROM, int TO, class T> __device__ __forceinline__ T sumLanes(T x) {
#pragma unroll
    for (int bit = FROM; bit < TO; bit *= 2)
        x += __shfl_xor_sync(0xffffffffu, x, bit);
    return x;
}
