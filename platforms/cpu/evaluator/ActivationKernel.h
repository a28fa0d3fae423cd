// SPDX-License-Identifier: MIT
// Part of KernelSource.h: SiLU and its derivative.

namespace PaiNNPlugin {

namespace {

/**
 * exp(x) for |x| <= 80 to about one unit in the last place: x = n ln 2 + r, |r| <= ln(2) / 2, the Taylor series of
 * exp(r) to r^7 / 7! (remainder 5e-9), and n into the exponent.
 */
inline Vec exponential(Vec x) {
    const float SHIFT = 12582912.0f; // 1.5 2^23: adding it rounds to an integer
    const Vec n = (x * 1.44269504f + SHIFT) - SHIFT;
    const Vec r = (x - n * 0.693145752f) - n * 1.42860677e-6f; // ln 2 in two parts, the first with 15 bits
    Vec p = r * 1.98412698e-4f + 1.38888889e-3f;
    p = p * r + 8.33333333e-3f;
    p = p * r + 4.16666667e-2f;
    p = p * r + 1.66666667e-1f;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    const IntVec exponent = (__builtin_convertvector(n, IntVec) + 127) << 23;
    return p * reinterpret_cast<const Vec&>(exponent);
}

/**
 * Below -80, where it is less than 2e-35, sigma is 0: multiplied by a y of any size the rest would not be. So -inf,
 * a feature too large for single precision, becomes NaN, and no later stage can lose that or +inf; SiLU(-inf) = 0
 * would.
 */
void activate(int rows, int width, float* x, size_t strideX, float* slope, size_t strideSlope) {
    for (int r = 0; r < rows; r++)
        for (int k = 0; k < width; k += LANES) {
            const Vec y = load(x + r * strideX + k);
            const Vec top = y > 80.0f ? Vec{} + 80.0f : y;
            const Vec clamped = top < -80.0f ? Vec{} - 80.0f : top;
            const Vec sigma = y < -80.0f ? Vec{} : 1.0f / (1.0f + exponential(-clamped));
            store(x + r * strideX + k, y * sigma);
            store(slope + r * strideSlope + k, sigma * (1.0f + y * (1.0f - sigma)));
        }
}

void scale(int rows, int width, const float* slope, size_t strideSlope, float* x, size_t strideX) {
    for (int r = 0; r < rows; r++)
        for (int k = 0; k < width; k += LANES)
            store(x + r * strideX + k, load(x + r * strideX + k) * load(slope + r * strideSlope + k));
}

} // namespace

} // namespace PaiNNPlugin
