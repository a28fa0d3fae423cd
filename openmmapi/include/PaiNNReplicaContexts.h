// SPDX-License-Identifier: MIT
#ifndef OPENMM_PAINNREPLICACONTEXTS_H_
#define OPENMM_PAINNREPLICACONTEXTS_H_

#include "internal/windowsExportPaiNN.h"
#include "openmm/Context.h"
#include "openmm/Integrator.h"
#include "openmm/Platform.h"
#include "openmm/System.h"
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace PaiNNPlugin {

/**
 * Replicas that are simulated side by side, each in a Context of its own with its own System, Integrator, box and
 * parameters, while the PaiNNStudentForces of all of them are evaluated together, in one batch. What a replica is given
 * by a PaiNNStudentForce is, bit for bit, what it gets alone.
 *
 * Replicas need not be alike: forces with the same model (and either all or none of them periodic) are evaluated
 * together, others beside each other. On GPU platforms all Contexts share one device. The object is to be used by one
 * thread at a time.
 */
class OPENMM_EXPORT_PAINN PaiNNReplicaContexts {
public:
    /** How replicas are stepped. */
    enum Mode {
        /** All at once, each in its own thread. */
        Parallel = 0,
        /**
         * One after the other between evaluations of the network, in the order of their numbers. Results can be
         * reproduced with whatever draws from OpenMM's random numbers for the process: all Monte Carlo barostats,
         * CustomIntegrators, and stochastic integrators on the Reference platform.
         */
        Baton = 1
    };
    /**
     * Make a Context for every System, on the fastest platform that works.
     *
     * @param systems       at least one; they must outlive this object
     * @param integrators   one for each System, of any kind; likewise
     */
    PaiNNReplicaContexts(const std::vector<OpenMM::System*>& systems,
                         const std::vector<OpenMM::Integrator*>& integrators);
    /**
     * Make a Context for every System.
     *
     * @param properties   of the platform. Threads is the number of threads that evaluate the network on the CPU
     * platform, for all replicas together.
     * @throws OpenMM::OpenMMException if there are no Systems or not as many Integrators, if something stands in a list
     * twice, if an Integrator belongs to a Context already, if more than one device is asked for, or if a Context
     * cannot be made
     */
    PaiNNReplicaContexts(const std::vector<OpenMM::System*>& systems,
                         const std::vector<OpenMM::Integrator*>& integrators, OpenMM::Platform& platform,
                         const std::map<std::string, std::string>& properties = {});
    PaiNNReplicaContexts(const PaiNNReplicaContexts&) = delete;
    PaiNNReplicaContexts& operator=(const PaiNNReplicaContexts&) = delete;
    ~PaiNNReplicaContexts();
    /** Get the number of replicas. */
    int getNumContexts() const;
    /** Get the Context of a replica, which lives as long as this object; for positions, parameters, states, ... */
    OpenMM::Context& getContext(int index);
    /**
     * Advance all replicas by so many steps.
     *
     * @throws OpenMM::OpenMMException that names the replica if one fails. The others make all their steps first.
     */
    void step(int steps);
    /**
     * Compute the potential energy of every replica, at its own positions, in several states.
     *
     * @param states         global parameters of each state, by name; what is not named stays as it is. All are as they
     * were afterwards.
     * @param[out] energies  [replicas][states] kJ/mol
     * @param groups         the force groups to include, one bit each
     */
    void computeStateEnergies(const std::vector<std::map<std::string, double>>& states,
                              std::vector<std::vector<double>>& energies, int groups = -1);
    /** Get how replicas are stepped. It was chosen by what the platform, the Systems and the Integrators need. */
    Mode getMode() const;
    void setMode(Mode mode);
    /** Get how long, in seconds, replicas wait in Parallel mode for one that does not come to be evaluated. */
    double getTimeout() const;
    void setTimeout(double seconds);
    /** Get the number of batches that were evaluated together so far. */
    long long getNumBatches() const;
    /** Get the number of evaluations in all batches so far. */
    long long getNumBatchedEvaluations() const;

private:
    class Impl;
    std::unique_ptr<Impl> impl;
};

} // namespace PaiNNPlugin

#endif
