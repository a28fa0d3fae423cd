// SPDX-License-Identifier: MIT
// Which atoms of large subsystems may see each other before one of them has moved by half the skin. The device decides
// when that must be found anew.

#if PAINN_HAS_GROUP(1)

constexpr Wide SKIN = PAINN_SKIN, REACH = CUTOFF + SKIN; // nm
constexpr int CELL_THREADS = 1024, MAX_CELLS_ALONG = 64;

/** Where there are candidates, all subsystems are in one Context and its box: MOST_ATOMS_SHARED. */
__device__ __forceinline__ const double* boxOfAll(const Arrays& arrays) {
    return arrays.homes[0].box;
}

/** Has an atom moved too far? Written so that NaN has. */
__device__ __forceinline__ bool hasMoved(const Arrays& arrays, const Position& x, const Position& reference) {
    const Position r = subtract(arrays, boxOfAll(arrays), x, reference);
    // A little less than half the skin, for rounding.
    return !(r.x * r.x + r.y * r.y + r.z * r.z < Wide(0.2499) * SKIN * SKIN);
}

/** One block: has any atom, or was a new list asked for? result: shared memory */
__device__ inline bool mustRebuild(const Arrays& arrays, int* result) {
    constexpr int AT_ONCE = 4;                 // positions that are on their way
    const Source source = sourceOf(arrays, 0); // as boxOfAll()
    if (threadIdx.x == 0)
        *result = *arrays.rebuild;
    __syncthreads();
    for (int first = threadIdx.x; first < arrays.numAtoms; first += AT_ONCE * CELL_THREADS) {
        Position x[AT_ONCE], reference[AT_ONCE];
#pragma unroll
        for (int k = 0; k < AT_ONCE; k++) {
            const int i = min(first + k * CELL_THREADS, arrays.numAtoms - 1);
            x[k] = readPosition(arrays, source, i);
            reference[k] = arrays.reference[i];
        }
#pragma unroll
        for (int k = 0; k < AT_ONCE; k++)
            if (hasMoved(arrays, x[k], reference[k]))
                *result = 1;
    }
    __syncthreads();
    return *result != 0;
}

/** The place of an atom in the grid, -1/2 or more below 0 or above n outside of it. */
__device__ __forceinline__ void findCell(const Arrays& arrays, const CellGrid& grid, const Position& p,
                                         int (&cell)[3]) {
    Wide s[3];
    if (arrays.periodic) {
        const double* box = boxOfAll(arrays);
        const Wide z = p.z / Wide(box[8]), y = (p.y - z * Wide(box[7])) / Wide(box[4]),
                   x = (p.x - z * Wide(box[6]) - y * Wide(box[3])) / Wide(box[0]);
        const Wide fraction[3] = {x, y, z};
        for (int k = 0; k < 3; k++)
            s[k] = (fraction[k] - floor(fraction[k])) * grid.n[k];
    }
    else {
        s[0] = (p.x - grid.origin[0]) * grid.inverseWidth[0];
        s[1] = (p.y - grid.origin[1]) * grid.inverseWidth[1];
        s[2] = (p.z - grid.origin[2]) * grid.inverseWidth[2];
    }
    for (int k = 0; k < 3; k++)
        cell[k] = s[k] >= 1 ? (s[k] < grid.n[k] ? int(s[k]) : grid.n[k] - 1) : 0; // NaN: 0
}

/** As many cells as there is memory for, none narrower than the reach. */
__device__ inline void makeGrid(const Arrays& arrays, const Position& low, const Position& high, CellGrid& grid) {
    Wide width[3] = {high.x - low.x, high.y - low.y, high.z - low.z};
    if (arrays.periodic) { // distances of opposite faces
        const double* b = boxOfAll(arrays);
        const double area[3] = {b[4] * b[8], b[3] * b[8], b[3] * b[7] - b[4] * b[6]}; // of the second and third vector
        width[0] = Wide(b[0] * b[4] * b[8] / sqrt(area[0] * area[0] + area[1] * area[1] + area[2] * area[2]));
        width[1] = Wide(b[4] * b[8] / sqrt(b[7] * b[7] + b[8] * b[8]));
        width[2] = Wide(b[8]);
    }
    for (int k = 0; k < 3; k++) {
        const Wide cells = width[k] / REACH;
        grid.n[k] = cells >= 1 ? (cells < MAX_CELLS_ALONG ? int(cells) : MAX_CELLS_ALONG) : 1;
    }
    while (size_t(grid.n[0]) * grid.n[1] * grid.n[2] * arrays.numSubsystems > size_t(arrays.maxCells)) {
        int* most = &grid.n[0];
        for (int k = 1; k < 3; k++)
            most = grid.n[k] > *most ? &grid.n[k] : most;
        *most = (*most + 1) / 2;
    }
    grid.origin[0] = low.x;
    grid.origin[1] = low.y;
    grid.origin[2] = low.z;
    for (int k = 0; k < 3; k++)
        grid.inverseWidth[k] = width[k] > 0 ? grid.n[k] / width[k] : 0;
}

/** The smallest and the largest of one number of each thread, in places 0 and n of the array. */
__device__ inline void findBounds(Wide* bounds, Wide low, Wide high) {
    const int n = blockDim.x;
    bounds[threadIdx.x] = low;
    bounds[n + threadIdx.x] = high;
    __syncthreads();
    for (int half = n / 2; half > 0; half /= 2) {
        if (int(threadIdx.x) < half) {
            bounds[threadIdx.x] = min(bounds[threadIdx.x], bounds[threadIdx.x + half]);
            bounds[n + threadIdx.x] = max(bounds[n + threadIdx.x], bounds[n + threadIdx.x + half]);
        }
        __syncthreads();
    }
}

/** Sum all numbers in front of each of count numbers, in place; the sum of all goes behind them. One block. */
__device__ inline void sumInFront(int* numbers, int count, int* sums) {
    const int part = (count + blockDim.x - 1) / blockDim.x;
    const int begin = min(int(threadIdx.x) * part, count), end = min(begin + part, count);
    int sum = 0;
    for (int k = begin; k < end; k++)
        sum += numbers[k];
    sums[threadIdx.x] = sum;
    __syncthreads();
    for (int step = 1; step < int(blockDim.x); step *= 2) {
        const int other = int(threadIdx.x) >= step ? sums[threadIdx.x - step] : 0;
        __syncthreads();
        sums[threadIdx.x] += other;
        __syncthreads();
    }
    int before = sums[threadIdx.x] - sum;
    for (int k = begin; k < end; k++) {
        const int number = numbers[k];
        numbers[k] = before;
        before += number;
    }
    if (int(threadIdx.x) == int(blockDim.x) - 1)
        numbers[count] = sums[threadIdx.x];
    __syncthreads();
}

/** One block: put the atoms into cells if that is needed. */
extern "C" __global__ void __launch_bounds__(CELL_THREADS) fillCells(const Arrays arrays, int) {
    SHARED_MEMORY(memory);
    startNext();
    waitForPrevious();
    if (!mustRebuild(arrays, reinterpret_cast<int*>(memory)))
        return;
    if (threadIdx.x == 0)
        *arrays.rebuild = 1;
    __syncthreads();                                // before the shared memory serves for something else
    Wide* bounds = reinterpret_cast<Wide*>(memory); // [2][CELL_THREADS]
    const Source source = sourceOf(arrays, 0);
    Position low = {Wide(1e30), Wide(1e30), Wide(1e30)}, high = {Wide(-1e30), Wide(-1e30), Wide(-1e30)};
    for (int i = threadIdx.x; i < arrays.numAtoms; i += blockDim.x) {
        const Position p = readPosition(arrays, source, i);
        arrays.reference[i] = p;
        low = {min(low.x, p.x), min(low.y, p.y), min(low.z, p.z)};
        high = {max(high.x, p.x), max(high.y, p.y), max(high.z, p.z)};
    }
    Wide* components[2][3] = {{&low.x, &low.y, &low.z}, {&high.x, &high.y, &high.z}};
#pragma unroll
    for (int k = 0; k < 3; k++) {
        findBounds(bounds, *components[0][k], *components[1][k]);
        *components[0][k] = bounds[0];
        *components[1][k] = bounds[blockDim.x];
        __syncthreads();
    }
    CellGrid& grid = *arrays.cellGrid;
    if (threadIdx.x == 0)
        makeGrid(arrays, low, high, grid);
    __syncthreads();
    const int perSubsystem = grid.n[0] * grid.n[1] * grid.n[2], numCells = perSubsystem * arrays.numSubsystems;
    for (int k = threadIdx.x; k < numCells; k += blockDim.x)
        arrays.cellStart[k] = 0;
    __syncthreads();
    for (int i = threadIdx.x; i < arrays.numAtoms; i += blockDim.x) {
        int c[3];
        findCell(arrays, grid, arrays.reference[i], c);
        const int cell = arrays.subsystemOf[i] * perSubsystem + (c[2] * grid.n[1] + c[1]) * grid.n[0] + c[0];
        arrays.cellOf[i] = cell;
        atomicAdd(&arrays.cellStart[cell], 1);
    }
    __syncthreads();
    sumInFront(arrays.cellStart, numCells, reinterpret_cast<int*>(memory));
    for (int k = threadIdx.x; k < numCells; k += blockDim.x)
        arrays.cellFill[k] = arrays.cellStart[k];
    __syncthreads();
    for (int i = threadIdx.x; i < arrays.numAtoms; i += blockDim.x)
        arrays.cellAtoms[atomicAdd(&arrays.cellFill[arrays.cellOf[i]], 1)] = i;
}

/** One warp: the candidates of atom i, sorted in found, [candidateCapacity] in shared memory. */
__device__ inline void findCandidates(const Arrays& arrays, int i, int* found) {
    const int capacity = arrays.candidateCapacity, lane = threadIdx.x % 32;
    const CellGrid grid = *arrays.cellGrid;
    const Position xi = arrays.reference[i];
    const int perSubsystem = grid.n[0] * grid.n[1] * grid.n[2], cell = arrays.cellOf[i];
    const int c[3] = {cell % grid.n[0], cell / grid.n[0] % grid.n[1], cell % perSubsystem / (grid.n[0] * grid.n[1])};
    const int offset = cell / perSubsystem * perSubsystem;
    const double* box = boxOfAll(arrays);
    // The neighbours of a cell along each direction, each once; around the corner only in a box.
    int from[3], number[3];
    for (int k = 0; k < 3; k++) {
        const bool all = grid.n[k] <= 3;
        from[k] = all ? 0 : arrays.periodic ? c[k] - 1 : max(c[k] - 1, 0);
        number[k] = all ? grid.n[k] : arrays.periodic ? 3 : min(c[k] + 1, grid.n[k] - 1) - from[k] + 1;
    }
    int count = 0;
    for (int z = 0; z < number[2]; z++)
        for (int y = 0; y < number[1]; y++)
            for (int x = 0; x < number[0]; x++) {
                const int cx = (from[0] + x + grid.n[0]) % grid.n[0], cy = (from[1] + y + grid.n[1]) % grid.n[1],
                          cz = (from[2] + z + grid.n[2]) % grid.n[2];
                const int other = offset + (cz * grid.n[1] + cy) * grid.n[0] + cx;
                const int end = arrays.cellStart[other + 1];
                for (int base = arrays.cellStart[other]; base < end; base += 32) {
                    const int j = base + lane < end ? arrays.cellAtoms[base + lane] : i;
                    const bool isNear = j != i && measure(subtract(arrays, box, arrays.reference[j], xi)) < REACH;
                    const unsigned mask = __ballot_sync(0xffffffffu, isNear);
                    const int place = count + __popc(mask & ((1u << lane) - 1));
                    if (isNear && place < capacity)
                        found[place] = j;
                    count += __popc(mask);
                }
            }
    __syncwarp();
    if (count <= capacity)
        for (int k = lane; k < count; k += 32) {
            const int j = found[k];
            int rank = 0;
            for (int n = 0; n < count; n++)
                rank += found[n] < j;
            arrays.candidates[size_t(i) * capacity + rank] = j;
        }
    if (lane == 0) {
        arrays.candidateCount[i] = count;
        atomicMax(&arrays.report->mostCandidates, count);
    }
    __syncwarp(); // others of the warp read them
}

#endif
