// SPDX-License-Identifier: MIT
// Positions, distances and what an edge is made of (F1, F8, B8).

/** Where positions of a subsystem are read. */
struct Source {
    const Real4* posq;
    const float4* correction;
    const double* box;
};

__device__ __forceinline__ Source sourceOf(const Arrays& arrays, int subsystem) {
    const Home& home = arrays.homes[subsystem];
    return {home.posq, home.posqCorrection, home.box};
}

__device__ __forceinline__ Position readSlot(const Source& source, int slot) {
    const Real4 p = source.posq[slot];
    Position result = {p.x, p.y, p.z};
#if PAINN_PRECISION == 1
    const float4 correction = source.correction[slot];
    result.x += correction.x;
    result.y += correction.y;
    result.z += correction.z;
#endif
    return result;
}

__device__ __forceinline__ Position readPosition(const Arrays& arrays, const Source& source, int atom) {
    return readSlot(source, arrays.slots[atom]);
}

/** x_j - x_i, by minimum image in a periodic box. */
__device__ __forceinline__ Position subtract(const Arrays& arrays, const double* box, const Position& xj,
                                             const Position& xi) {
    Position r = {xj.x - xi.x, xj.y - xi.y, xj.z - xi.z};
    if (arrays.periodic) {
        const Wide nz = nearest(Wide(r.z / Wide(box[8])));
        r.x -= nz * Wide(box[6]);
        r.y -= nz * Wide(box[7]);
        r.z -= nz * Wide(box[8]);
        const Wide ny = nearest(Wide(r.y / Wide(box[4])));
        r.x -= ny * Wide(box[3]);
        r.y -= ny * Wide(box[4]);
        r.x -= nearest(Wide(r.x / Wide(box[0]))) * Wide(box[0]);
    }
    return r;
}

/** |r|, also where squares would underflow. */
__device__ __forceinline__ Wide measure(const Position& r) {
    const Wide square = r.x * r.x + r.y * r.y + r.z * r.z;
    if (square > Wide(1e-20))
        return squareRoot(square);
    Wide largest = r.x < 0 ? -r.x : r.x;
    largest = max(largest, r.y < 0 ? -r.y : r.y);
    largest = max(largest, r.z < 0 ? -r.z : r.z);
    if (largest == 0)
        return 0;
    const Wide x = r.x / largest, y = r.y / largest, z = r.z / largest;
    return largest * squareRoot(x * x + y * y + z * z);
}

#if PAINN_REPULSION
/** F8 and B8: V and V' of two elements at a distance. */
__device__ inline void repel(const Arrays& arrays, int element1, int element2, Wide d, Wide& energy, Wide& slope) {
    const double* pair = arrays.repulsion + 4 * (element1 * arrays.numElements + element2);
    const Wide range = Wide(pair[0]), rate = Wide(pair[1]);
    energy = slope = 0;
    if (!(d < range))
        return;
    const Wide A[4] = {Wide(0.1818), Wide(0.5099), Wide(0.2802), Wide(0.02817)};
    const Wide B[4] = {Wide(3.2), Wide(0.9423), Wide(0.4028), Wide(0.2016)};
    Wide chi = 0, chiSlope = 0;
#pragma unroll
    for (int k = 0; k < 4; k++) {
        const Wide term = A[k] * exponential(-B[k] * rate * d);
        chi += term;
        chiSlope -= B[k] * rate * term;
    }
    // F3b, with t = d / range and rest = 1 - t
    const Wide t = d / range, rest = (range - d) / range;
    Wide series = 0, power = 1; // power: t^(p - 1)
#pragma unroll
    for (int k = PAINN_REPULSION_P - 1; k >= 0; k--)
        series = series * t + Wide(0.5 * (k + 1) * (k + 2));
#pragma unroll
    for (int k = 0; k < PAINN_REPULSION_P - 1; k++)
        power *= t;
    const Wide g = rest * rest * rest * series;
    const Wide gSlope = Wide(-0.5 * PAINN_REPULSION_P * (PAINN_REPULSION_P + 1) * (PAINN_REPULSION_P + 2)) / range *
                        power * rest * rest;
    const Wide coulomb = Wide(pair[2]) / d;
    energy = coulomb * chi * g;
    slope = coulomb * ((chiSlope - chi / d) * g + chi * gSlope);
}
#endif

/** What an edge of length d along r is to the messages; adds half the pair's repulsion to energy. */
__device__ __forceinline__ Edge makeEdge(const Arrays& arrays, int i, int j, const Position& r, Wide d, Wide& energy) {
    Edge edge;
    const Wide inverse = 1 / d;
    edge.ux = Real(r.x * inverse);
    edge.uy = Real(r.y * inverse);
    edge.uz = Real(r.z * inverse);
    const Wide x = (d - TABLE_FIRST) * (1 / CELL_WIDTH);
    edge.cell = x < 1 ? 0 : x < CELLS ? int(x) : CELLS - 1;
    edge.t = Real(x - edge.cell - Wide(0.5));
    edge.a = 1 / (Real(d) + DIRECTION_EPSILON);
    edge.j = j;
    edge.repulsion = 0;
#if PAINN_REPULSION
    Wide V, slope;
    repel(arrays, arrays.elements[i], arrays.elements[j], d, V, slope);
    edge.repulsion = Real(slope);
    energy += Wide(0.5) * V;
#endif
    return edge;
}
