// SPDX-License-Identifier: MIT
// What kernels tell the host. Nobody waits for it: finish() copies it to memory that the host looks at.

/** Problems that an evaluation can report, as DeviceStatus. */
enum Problem { BAD_POSITION = 1, COINCIDENT = 2, BAD_ENERGY = 3, BAD_FORCE = 4 };

/** Report a problem; one stays until the host forgets it. */
__device__ inline void report(const Arrays& arrays, int problem, int atom1, int atom2) {
    if (!arrays.scales[arrays.subsystemOf[atom1]].isActive)
        return;
    if (atomicCAS(&arrays.report->problem, 0, problem) != 0)
        return;
    arrays.report->atom1 = atom1;
    arrays.report->atom2 = atom2;
}
