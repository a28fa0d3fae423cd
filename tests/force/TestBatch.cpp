// SPDX-License-Identifier: MIT
// A subsystem's energies and forces are the same bits, whatever is evaluated with it and wherever it stands.
#include "ForceTest.h"

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

class Batch : public PlatformTest {
protected:
    /** A molecule of a batch, and what it gives when it is alone. */
    struct Molecule {
        Cluster cluster;
        double energy = 0;
        vector<double> atomEnergies, forces;
    };
    struct Result {
        double energy;
        vector<double> subsystemEnergies, atomEnergies, forces;
    };
    /** A Context with one subsystem per molecule; subsystem i has the scale "s<i>". */
    class Replicas {
    public:
        Replicas(const Batch& test, const PaiNNStudentModel& model, const vector<const Molecule*>& molecules)
            : integrator(0.001) {
            force = newForce(model);
            vector<Vec3> positions;
            for (size_t i = 0; i < molecules.size(); i++) {
                const Cluster& cluster = molecules[i]->cluster;
                const int subsystem = static_cast<int>(i);
                force->addGlobalParameter(scale(subsystem), 1.0);
                for (int j = 0; j < cluster.size(); j++)
                    force->addParticle(static_cast<int>(positions.size()) + j, cluster.elements[j], subsystem);
                force->setSubsystemScale(subsystem, scale(subsystem));
                positions.insert(positions.end(), cluster.positions.begin(), cluster.positions.end());
            }
            addParticles(system, static_cast<int>(positions.size()));
            system.addForce(force);
            context = test.makeContext(system, integrator);
            context->setPositions(positions);
        }
        static string scale(int subsystem) {
            return "s" + to_string(subsystem);
        }
        Result evaluate() {
            Result result;
            State state = context->getState(State::Energy | State::Forces);
            result.energy = state.getPotentialEnergy();
            result.forces = flatten(state.getForces());
            force->getSubsystemEnergies(*context, result.subsystemEnergies);
            force->getParticleEnergies(*context, result.atomEnergies);
            return result;
        }
        unique_ptr<Context> context;

    private:
        System system;
        VerletIntegrator integrator;
        PaiNNStudentForce* force;
    };
    /** Molecules of several sizes, with what each gives alone. */
    vector<Molecule> makeMolecules(const PaiNNStudentModel& model) const {
        vector<Molecule> molecules;
        for (int size : {1, 2, 3, 5, 8, 9, 13, 16, 17, 22}) {
            if (size == 1 && !isOnHost() && !isCuda())
                continue; // OpenMM with one particle alone crashes in the OpenCL library PoCL
            molecules.emplace_back();
            Molecule& molecule = molecules.back();
            molecule.cluster = Cluster(size, size);
            Result alone = Replicas(*this, model, {&molecule}).evaluate();
            molecule.energy = alone.subsystemEnergies[0];
            molecule.atomEnergies = alone.atomEnergies;
            molecule.forces = alone.forces;
            EXPECT_EQ(molecule.energy, alone.energy);
        }
        return molecules;
    }
};

TEST_P(Batch, randomCompaniesAndSlots) {
    PAINN_NEEDS_BITS();
    PAINN_SLOW_WITH_TORCH();
    PaiNNStudentModel model = makeModel();
    const vector<Molecule> molecules = makeMolecules(model);
    mt19937 random(7);
    for (int trial = 0; trial < (isOnHost() ? 60 : 2); trial++) {
        vector<const Molecule*> chosen;
        for (size_t i = 1 + random() % 64; i > 0; i--)
            chosen.push_back(&molecules[random() % molecules.size()]);
        Result found = Replicas(*this, model, chosen).evaluate();
        double energy = 0;
        vector<double> energies, atomEnergies, forces;
        for (const Molecule* molecule : chosen) {
            energy += molecule->energy;
            energies.push_back(molecule->energy);
            atomEnergies.insert(atomEnergies.end(), molecule->atomEnergies.begin(), molecule->atomEnergies.end());
            forces.insert(forces.end(), molecule->forces.begin(), molecule->forces.end());
        }
        ASSERT_EQ(energies, found.subsystemEnergies) << trial;
        ASSERT_EQ(atomEnergies, found.atomEnergies) << trial;
        ASSERT_EQ(forces, found.forces) << trial;
        ASSERT_EQ(energy, found.energy) << trial;
    }
}

// In one Context the subsystems that are there change from call to call, while nothing moves.
TEST_P(Batch, subsystemsThatComeAndGo) {
    PAINN_NEEDS_BITS();
    PAINN_SLOW_WITH_TORCH();
    ModelOptions options;
    options.family = "student";
    PaiNNStudentModel model = makeModel(options);
    const vector<Molecule> molecules = makeMolecules(model);
    vector<const Molecule*> chosen;
    for (int i = 0; i < 24; i++)
        chosen.push_back(&molecules[(7 * i) % molecules.size()]);
    Replicas replicas(*this, model, chosen);
    mt19937 random(8);
    for (int trial = 0; trial < (isOnHost() ? 500 : 20); trial++) {
        const unsigned likely = 1 + random() % 8;
        double energy = 0;
        vector<double> forces;
        for (size_t i = 0; i < chosen.size(); i++) {
            const double scale = (random() % 8 < likely ? 1.0 : 0.0);
            replicas.context->setParameter(Replicas::scale(static_cast<int>(i)), scale);
            if (scale != 0)
                energy += chosen[i]->energy;
            for (double f : chosen[i]->forces)
                forces.push_back(scale == 0 ? 0 : f);
        }
        State state = replicas.context->getState(State::Energy | State::Forces);
        ASSERT_EQ(energy, state.getPotentialEnergy()) << trial;
        ASSERT_EQ(forces, flatten(state.getForces())) << trial;
    }
}

PAINN_ALL_PLATFORMS(Batch);
PAINN_TORCH_PLATFORMS(Batch);

} // namespace PaiNNPlugin
