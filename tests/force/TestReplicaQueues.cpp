// SPDX-License-Identifier: MIT
// Replicas on a GPU work in queues of their own, and give the bits of OpenMM's default one.
#include "ForceTest.h"
#include "openmm/internal/ContextImpl.h"
#include <functional>

using namespace OpenMM;
using namespace std;

namespace PaiNNPlugin {

class ReplicaQueues : public PlatformTest {};

/**
 * A replica on a GPU has a stream of its own, while OpenMM copies through the default one: with everything that does
 * so, the bits are those of a Context that is linked in the same way and has the default stream.
 */
TEST_P(ReplicaQueues, giveTheBitsOfTheDefaultOne) {
    const PaiNNStudentModel model = makeGentleModel();
    const Cluster cluster(27, 3);
    auto makeSystem = [&] {
        auto system = make_unique<System>();
        addParticles(*system, cluster.size());
        PaiNNStudentForce* force = makeForce(model, cluster);
        force->setUsesPeriodicBoundaryConditions(true);
        system->addForce(force);
        auto nonbonded = new NonbondedForce();
        auto bonds = new HarmonicBondForce();
        for (int i = 0; i < cluster.size(); i++) {
            nonbonded->addParticle(i % 2 == 0 ? 0.1 : -0.1, 0.1, 0.0);
            if (i % 2 == 1)
                bonds->addBond(i - 1, i, 0.16, 1000);
        }
        nonbonded->setNonbondedMethod(NonbondedForce::PME);
        nonbonded->setCutoffDistance(0.6);
        system->addForce(nonbonded);
        auto outer = new CustomCVForce("0.5*v");
        outer->addCollectiveVariable("v", bonds);
        system->addForce(outer);
        const double width = 2.2 * model.getCutoff() + 0.4;
        system->setDefaultPeriodicBoxVectors(Vec3(width, 0, 0), Vec3(0, width, 0), Vec3(0, 0, width));
        auto barostat = new MonteCarloBarostat(1.0, 300, 5);
        barostat->setRandomNumberSeed(11);
        system->addForce(barostat);
        return system;
    };
    auto makeIntegrator = [] {
        auto integrator = make_unique<LangevinMiddleIntegrator>(300, 1, 0.0005);
        integrator->setRandomNumberSeed(5);
        return integrator;
    };
    struct Result {
        vector<double> energies, positions, forces;
    };
    auto run = [&](Context& context, const function<void(int)>& step) {
        Result result;
        context.setPositions(cluster.positions);
        if (isOnHost() || isCuda()) // with these forces it crashes in the OpenCL library PoCL
            LocalEnergyMinimizer::minimize(context, 10, 3);
        context.setVelocitiesToTemperature(300, 1);
        for (int n = 0; n < 10; n++) {
            step(7);
            result.energies.push_back(getEnergy(context));
            const State state = context.getState(State::Positions | State::Forces);
            for (double x : flatten(state.getPositions()))
                result.positions.push_back(x);
            for (double f : flatten(state.getForces()))
                result.forces.push_back(f);
        }
        return result;
    };
    map<string, string> properties = getProperties();
    if (isCuda())
        properties["DeterministicForces"] = "true";
    if (hasThreads())
        properties["Threads"] = "1"; // OpenMM's own forces are not the same bits with several
    struct Linker : Force {
        Context* link(Context& host, const System& system, Integrator& integrator) const {
            return getContextImpl(host).createLinkedContext(system, integrator);
        }
        ForceImpl* createImpl() const override {
            return nullptr;
        }
    };
    Result expected;
    {
        System hostSystem;
        hostSystem.addParticle(1);
        VerletIntegrator hostIntegrator(0.001);
        Context host(hostSystem, hostIntegrator, *platform, properties);
        const auto system = makeSystem();
        const auto integrator = makeIntegrator();
        const unique_ptr<Context> context(isOnHost() ? new Context(*system, *integrator, *platform, properties)
                                                     : Linker().link(host, *system, *integrator));
        expected = run(*context, [&](int steps) { integrator->step(steps); });
    }
    const auto system = makeSystem();
    const auto integrator = makeIntegrator();
    PaiNNReplicaContexts contexts({system.get()}, {integrator.get()}, *platform, properties);
    const Result found = run(contexts.getContext(0), [&](int steps) { contexts.step(steps); });
    EXPECT_EQ(found.energies, expected.energies);
    EXPECT_EQ(found.positions, expected.positions);
    EXPECT_EQ(found.forces, expected.forces);
    EXPECT_NE(found.energies.front(), found.energies.back());
}

PAINN_ALL_PLATFORMS(ReplicaQueues);

} // namespace PaiNNPlugin
