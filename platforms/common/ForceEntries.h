// SPDX-License-Identifier: MIT
#ifndef PAINN_FORCE_ENTRIES_H_
#define PAINN_FORCE_ENTRIES_H_

#include "PaiNNStudentForce.h"
#include <string>
#include <vector>

namespace PaiNNPlugin {

/**
 * The particles of a PaiNNStudentForce as evaluators want them: by subsystem, then in the order of the System, so that
 * nothing depends on the order of the force's entries.
 */
struct ForceEntries {
    /** The atoms first <= i < last, in the arrays below. */
    struct Subsystem {
        std::string scale;  ///< global parameter, "" for a scale of 1
        bool differentiate; ///< by the scale
        int first, last;
    };
    /** The force has been checked against the System by PaiNNStudentForceImpl. */
    explicit ForceEntries(const PaiNNStudentForce& force);
    /** Get the elements that the particles have now: [atoms] index into NetworkParameters::atomicNumbers. */
    std::vector<int> findElements(const PaiNNStudentForce& force) const;

    std::vector<Subsystem> subsystems; ///< those that have particles
    std::vector<int> subsystemOf;      ///< [atoms] index into subsystems
    std::vector<int> entries;          ///< [atoms] index into the entries of the force
    std::vector<int> particles;        ///< [atoms] index into the particles of the System
};

} // namespace PaiNNPlugin

#endif
