// SPDX-License-Identifier: MIT
#ifndef OPENMM_PAINNSTUDENTFORCE_H_
#define OPENMM_PAINNSTUDENTFORCE_H_

#include "PaiNNStudentModel.h"
#include "internal/windowsExportPaiNN.h"
#include "openmm/Context.h"
#include "openmm/Force.h"
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace PaiNNPlugin {

/**
 * This class computes energies and forces with a PaiNN neural network.
 *
 * Add one entry per particle that the network describes, with its element. The entries may be any subset of the
 * System's particles in any order, virtual sites included. Each entry belongs to a subsystem; particles of different
 * subsystems do not see each other, so one Context can hold many replicas of a molecule, or many molecules, in one
 * batch. The energy of a subsystem may be multiplied by a global parameter (setSubsystemScale()), and derivatives with
 * respect to that parameter are available through addEnergyParameterDerivative().
 *
 * Without periodic boundary conditions the particles of a subsystem are kept together as one molecule. With them,
 * distances are to the nearest periodic image, and only the pairs given to addBond() are kept together.
 *
 * Positions that have no energy (not finite, or two particles at the same place), and energies or forces that do not
 * fit into the platform's numbers, end an evaluation with an OpenMMException that names the particle. The Context can
 * be used again with other positions. On the CUDA platform nothing in a step waits for the GPU, so an evaluation
 * without energy reports a problem once the device has got there: at the next evaluation after it, or when an energy is
 * asked for.
 */
class OPENMM_EXPORT_PAINN PaiNNStudentForce : public OpenMM::Force {
public:
    /** What evaluates the network. */
    enum EvaluationMethod {
        /** The kernels of this plugin, with forces derived by hand. Needs nothing else. */
        Kernels = 0,
        /**
         * PyTorch: the same network of its operations, with forces by its automatic differentiation. An independent
         * check, and something to fall back on; slower. Needs the PyTorch that the plugin was built for.
         */
        LibTorch = 1
    };
    /**
     * Create a PaiNNStudentForce.
     *
     * @param model   the network to evaluate
     */
    explicit PaiNNStudentForce(const PaiNNStudentModel& model);
    /** Get the network that this force evaluates. */
    const PaiNNStudentModel& getModel() const {
        return model;
    }
    /** Get the number of particles that the network describes. */
    int getNumParticles() const {
        return static_cast<int>(particles.size());
    }
    /**
     * Add a particle to the network.
     *
     * @param particle       the index of the particle in the System
     * @param atomicNumber   its element; one of PaiNNStudentModel::getElements()
     * @param subsystem      the subsystem it belongs to, counted from 0
     * @return the index of the entry that was added
     */
    int addParticle(int particle, int atomicNumber, int subsystem = 0);
    /**
     * Get the parameters of an entry.
     *
     * @param index               the index of the entry
     * @param[out] particle       the index of the particle in the System
     * @param[out] atomicNumber   its element
     * @param[out] subsystem      the subsystem it belongs to
     */
    void getParticleParameters(int index, int& particle, int& atomicNumber, int& subsystem) const;
    /**
     * Set the parameters of an entry.
     *
     * @param index          the index of the entry
     * @param particle       the index of the particle in the System
     * @param atomicNumber   its element; one of PaiNNStudentModel::getElements()
     * @param subsystem      the subsystem it belongs to, counted from 0
     */
    void setParticleParameters(int index, int particle, int atomicNumber, int subsystem = 0);
    /** Get the number of bonds that were added. */
    int getNumBonds() const {
        return static_cast<int>(bonds.size());
    }
    /**
     * Say that two particles belong to one molecule, so that a barostat and the wrapping of periodic images move them
     * together. It does not change the energy. Only used with periodic boundary conditions.
     *
     * @param particle1   the index of the first particle in the System
     * @param particle2   the index of the second particle in the System
     * @return the index of the bond that was added
     */
    int addBond(int particle1, int particle2);
    /**
     * Get the particles of a bond.
     *
     * @param index            the index of the bond
     * @param[out] particle1   the index of the first particle in the System
     * @param[out] particle2   the index of the second particle in the System
     */
    void getBondParameters(int index, int& particle1, int& particle2) const;
    /** Set the particles of a bond; see addBond(). */
    void setBondParameters(int index, int particle1, int particle2);
    /** Get the number of subsystems: one more than the largest subsystem of any particle. */
    int getNumSubsystems() const;
    /**
     * Multiply the energy of a subsystem by a global parameter.
     *
     * @param subsystem         the subsystem
     * @param globalParameter   a name given to addGlobalParameter(), or "" to take the scale away again
     */
    void setSubsystemScale(int subsystem, const std::string& globalParameter);
    /** Get the name of the global parameter that scales a subsystem, "" if none does. */
    const std::string& getSubsystemScale(int subsystem) const;
    /** Get the number of global parameters. */
    int getNumGlobalParameters() const {
        return static_cast<int>(globalParameters.size());
    }
    /**
     * Add a global parameter, which subsystems may be scaled by.
     *
     * @param name           the name of the parameter
     * @param defaultValue   its value in a new Context, dimensionless
     * @return the index of the parameter that was added
     */
    int addGlobalParameter(const std::string& name, double defaultValue);
    /** Get the name of a global parameter. */
    const std::string& getGlobalParameterName(int index) const;
    /** Set the name of a global parameter. */
    void setGlobalParameterName(int index, const std::string& name);
    /** Get the value that a global parameter has in a new Context. */
    double getGlobalParameterDefaultValue(int index) const;
    /** Set the value that a global parameter has in a new Context. */
    void setGlobalParameterDefaultValue(int index, double defaultValue);
    /** Get the number of global parameters that the energy is differentiated by. */
    int getNumEnergyParameterDerivatives() const {
        return static_cast<int>(energyParameterDerivatives.size());
    }
    /**
     * Request that the derivative of the energy with respect to a global parameter be computed. Read it with
     * State::getEnergyParameterDerivatives().
     *
     * @param name   a name given to addGlobalParameter() before
     */
    void addEnergyParameterDerivative(const std::string& name);
    /** Get the name of a global parameter that the energy is differentiated by. */
    const std::string& getEnergyParameterDerivativeName(int index) const;
    /** Get whether distances are to the nearest periodic image. */
    bool usesPeriodicBoundaryConditions() const override {
        return periodic;
    }
    /** Set whether distances are to the nearest periodic image (default: false). */
    void setUsesPeriodicBoundaryConditions(bool periodic) {
        this->periodic = periodic;
    }
    /** Get what evaluates the network. */
    EvaluationMethod getEvaluationMethod() const {
        return evaluationMethod;
    }
    /**
     * Set what evaluates the network (default: Kernels). It holds for Contexts that are made after that; PyTorch is
     * loaded when the first Context needs it.
     *
     * @param method   Kernels or LibTorch
     */
    void setEvaluationMethod(EvaluationMethod method);
    /**
     * Copy the elements of the particles into an existing Context. Only elements can change in this way; the particles,
     * their subsystems, the bonds, scales and parameters cannot.
     *
     * @param context   the Context, made of a System that holds this force
     */
    void updateParametersInContext(OpenMM::Context& context);
    /**
     * Compute the unscaled energy of every subsystem at the Context's present positions.
     *
     * @param context         the Context, made of a System that holds this force
     * @param[out] energies   [getNumSubsystems()] kJ/mol
     */
    void getSubsystemEnergies(OpenMM::Context& context, std::vector<double>& energies);
    /**
     * Compute the unscaled energy that the network gives to every particle entry at the Context's present positions.
     *
     * @param context         the Context, made of a System that holds this force
     * @param[out] energies   [getNumParticles()] kJ/mol
     */
    void getParticleEnergies(OpenMM::Context& context, std::vector<double>& energies);

protected:
    OpenMM::ForceImpl* createImpl() const override;

private:
    struct ParticleInfo {
        int particle, atomicNumber, subsystem;
    };
    struct GlobalParameterInfo {
        std::string name;
        double defaultValue;
    };
    PaiNNStudentModel model;
    bool periodic = false;
    EvaluationMethod evaluationMethod = Kernels;
    std::vector<ParticleInfo> particles;
    std::vector<std::pair<int, int>> bonds;
    std::map<int, std::string> subsystemScales; // by subsystem; those without a scale are absent
    std::vector<GlobalParameterInfo> globalParameters;
    std::vector<std::string> energyParameterDerivatives;
};

} // namespace PaiNNPlugin

#endif
