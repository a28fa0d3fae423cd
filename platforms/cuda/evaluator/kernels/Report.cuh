// SPDX-License-Identifier: MIT
// What kernels tell the host. Nobody waits for it: they write to memory that the host looks at when it likes. Of a
// problem it sees all or nothing, which is one store of 16 bytes.

/** Problems that an evaluation can report, as DeviceStatus. */
enum { BAD_POSITION = 1, COINCIDENT = 2, BAD_ENERGY = 3, BAD_FORCE = 4 };

/** Report a problem; the first of each subsystem stays until the host forgets it, which sees the first of all. */
__device__ inline void report(const Arrays& arrays, int problem, int atom1, int atom2) {
    const int subsystem = arrays.subsystemOf[atom1];
    if (!arrays.scales[subsystem].isActive)
        return;
    Problem& own = arrays.problems[subsystem];
    if (atomicCAS(&own.problem, 0, problem) == 0) {
        own.atom1 = atom1;
        own.atom2 = atom2;
    }
    if (atomicCAS(&arrays.report->problem, 0, problem) != 0)
        return;
    arrays.report->atom1 = atom1;
    arrays.report->atom2 = atom2;
    *reinterpret_cast<int4*>(arrays.hostReport) = make_int4(problem, atom1, atom2, arrays.report->mostEdges);
}

/** Show the host all of it. */
__device__ __forceinline__ void showReport(const Arrays& arrays) {
    for (int k = 0; k < 2; k++)
        reinterpret_cast<int4*>(arrays.hostReport)[k] = reinterpret_cast<const int4*>(arrays.report)[k];
}

/** An atom's energy, which is reported if it is not a number that makes sense. */
__device__ __forceinline__ double checkEnergy(const Arrays& arrays, int atom, double energy) {
    if (!(energy < 1e18 && energy > -1e18))
        report(arrays, BAD_ENERGY, atom, -1);
    return energy;
}

/** Where the forces on a subsystem go. */
struct Target {
    unsigned long long* forces;
    long long paddedSlots;
};

__device__ __forceinline__ Target targetOf(const Arrays& arrays, int subsystem) {
    const Home& home = arrays.homes[subsystem];
    return {home.forces, home.paddedSlots};
}

/** Scale component k of an atom's force and add it to the Context's array; with scale 0 nothing is added. */
__device__ __forceinline__ void addForce(const Arrays& arrays, const Target& target, int atom, int slot, double scale,
                                         int k, double force) {
    if (scale == 0)
        return;
    force *= scale;
    // Half of what the Context's numbers can hold; written so that NaN fails.
    if (!(force < 1073741824.0 && force > -1073741824.0)) {
        report(arrays, BAD_FORCE, atom, -1);
        return;
    }
    const long long steps = static_cast<long long>(force * 4294967296.0);
    atomicAdd(&target.forces[k * target.paddedSlots + slot], static_cast<unsigned long long>(steps));
}
