// SPDX-License-Identifier: MIT
// What a kernel is given: addresses and sizes. Read by the compiler of the host and, as the head of the kernels'
// source, by that of the device, which has Real, Real2, Real4 (of float, or double in double precision) and Edge before
// it.
#ifndef PAINN_ARRAYS_H_
#define PAINN_ARRAYS_H_

#ifdef PAINN_KERNEL
#define PAINN_ADDRESS(type) type*
#else
#include <cstdint>
#define PAINN_ADDRESS(type) uint64_t
namespace PaiNNPlugin {
#endif

/** How a subsystem counts. */
struct Scale {
    double force; ///< what its forces are multiplied by; with 0 nothing is added
    int isActive; ///< 0: whatever goes wrong in it is not reported
    int unused;
};

/** Where the atoms of a subsystem are: in the arrays of a Context, by slot, and in its box. */
struct Home {
    PAINN_ADDRESS(const Real4) posq;            ///< nm
    PAINN_ADDRESS(const float4) posqCorrection; ///< nm, 0 unless in mixed precision
    PAINN_ADDRESS(unsigned long long) forces;   ///< [3][paddedSlots] steps of 2^-32 kJ/mol/nm
    long long paddedSlots;
    double box[9]; ///< nm, rows are vectors
};

/** The first problem of a subsystem since the host has looked (DeviceStatus). */
struct Problem {
    int problem, atom1, atom2, unused;
};

/** What kernels report: the first problem of all (DeviceStatus), and how full the lists were at most. */
struct Report {
    int problem, atom1, atom2;
    int mostEdges;      ///< of one atom, over all evaluations
    int mostCandidates; ///< likewise
    int blocksDone;     ///< of finish()
    int unused[2];      ///< a problem and its atoms are one store of 16 bytes, and so is the rest
};

/** N atoms, S subsystems, H channels (padded), L blocks. Real4 of features and adjoints: scalar, then x, y, z. */
struct Arrays {
    // The system
    PAINN_ADDRESS(const Home) homes;      ///< [S]
    PAINN_ADDRESS(const int) slots;       ///< [N]
    PAINN_ADDRESS(const Scale) scales;    ///< [S]
    PAINN_ADDRESS(const int) elements;    ///< [N]
    PAINN_ADDRESS(const int) subsystemOf; ///< [N]
    PAINN_ADDRESS(const int) starts;      ///< [S + 1] first atom of each subsystem
    PAINN_ADDRESS(Problem) problems;      ///< [S]
    PAINN_ADDRESS(Report) report;         ///< on the device
    PAINN_ADDRESS(Report) hostReport;     ///< its copy in memory of the host
    // The network
    PAINN_ADDRESS(const Real4) table;        ///< [L][H / 8][cells][5][8]: coefficients of 8 channels, Layout.h
    PAINN_ADDRESS(const Real) weights;       ///< all layers, Layout.h
    PAINN_ADDRESS(const float) stages;       ///< of the molecule kernel: [H / 8][2 L][...], MoleculeLayout.h
    PAINN_ADDRESS(const Real4) embedding;    ///< [elements][H] features before the first block, vectors 0
    PAINN_ADDRESS(const Real4) firstContext; ///< [elements][H] canonical: contexts in the first block
    PAINN_ADDRESS(const double) repulsion;   ///< [elements][elements][4]: range, 1 / screening length, k Z1 Z2, unused
    PAINN_ADDRESS(const double) readout;     ///< last layer: bias, then its weights
    // Of large subsystems: for each atom those within cutoff + skin when the list was made, ascending
    PAINN_ADDRESS(int) rebuild;               ///< not 0: the list must be made anew
    PAINN_ADDRESS(struct Position) reference; ///< [N] where atoms were then
    PAINN_ADDRESS(int) candidateCount;        ///< [N]
    PAINN_ADDRESS(int) candidates;            ///< [N][candidateCapacity]
    PAINN_ADDRESS(struct CellGrid) cellGrid;
    PAINN_ADDRESS(int) cellOf;    ///< [N]
    PAINN_ADDRESS(int) cellStart; ///< [maxCells + 1]
    PAINN_ADDRESS(int) cellFill;  ///< [maxCells]
    PAINN_ADDRESS(int) cellAtoms; ///< [N] by cell, in no order
    // Edges of each atom, ascending by neighbour
    PAINN_ADDRESS(int) edgeCount;     ///< [N]
    PAINN_ADDRESS(struct Edge) edges; ///< [N][capacity]
    // Features, [N][H]
    PAINN_ADDRESS(Real4) before;         ///< [L - 1][N][H] features before the message of blocks 1 ...
    PAINN_ADDRESS(Real4) context;        ///< [L - 1][N][H] canonical: contexts of blocks 1 ..., (c^s, c^u, c^v, 0)
    PAINN_ADDRESS(Real4) after;          ///< [L][N][H] features after the message
    PAINN_ADDRESS(Real) updateSlope;     ///< [L][N][H] SiLU' in the update's hidden layer
    PAINN_ADDRESS(Real) contextSlope;    ///< [L - 1][N][H] canonical
    PAINN_ADDRESS(Real2) gates;          ///< [L][N][H] q and r of F6b
    PAINN_ADDRESS(Real4) adjoint;        ///< [N][H] adjoints behind the message of the last block, see adjointOf()
    PAINN_ADDRESS(Real4) contextAdjoint; ///< [N][H] canonical: as context
    // Results
    PAINN_ADDRESS(double) atomEnergies;      ///< [N] kJ/mol without references
    PAINN_ADDRESS(double) subsystemEnergies; ///< [S] likewise
    PAINN_ADDRESS(Real) sliceForces;         ///< [H / 8][N][3] kJ/mol/nm, from 8 channels each
    int numAtoms, numSubsystems, numElements, periodic, hasForces, unused;
    int capacity, candidateCapacity, maxCells, hasCandidates;
};

#ifndef PAINN_KERNEL
} // namespace PaiNNPlugin
#endif
#endif
