// SPDX-License-Identifier: MIT
#ifndef PAINN_TESTS_REPLICASTEST_H_
#define PAINN_TESTS_REPLICASTEST_H_

#include "ForceTest.h"
#include <functional>

namespace PaiNNPlugin {

/** Groups of Contexts that have their forces evaluated together. */
class ReplicasTest : public PlatformTest {
protected:
    using Mode = PaiNNReplicaContexts::Mode;
    /** What replicas are made of; the Systems and Integrators live longer than the Contexts. */
    struct Group {
        std::vector<std::unique_ptr<OpenMM::System>> systems;
        std::vector<std::unique_ptr<OpenMM::Integrator>> integrators;
        std::vector<PaiNNStudentForce*> forces; // owned by the Systems
        std::unique_ptr<PaiNNReplicaContexts> contexts;
        void add(std::unique_ptr<OpenMM::System> system, PaiNNStudentForce* force,
                 std::unique_ptr<OpenMM::Integrator> integrator) {
            systems.push_back(std::move(system));
            forces.push_back(force);
            integrators.push_back(std::move(integrator));
        }
        OpenMM::Context& operator[](int i) {
            return contexts->getContext(i);
        }
        int size() const {
            return static_cast<int>(systems.size());
        }
        /** One replica at a time, as if there were no others. */
        void stepAlone(int steps) {
            for (auto& integrator : integrators)
                integrator->step(steps);
        }
        std::vector<std::vector<double>> getPositions() {
            std::vector<std::vector<double>> all;
            for (int i = 0; i < size(); i++)
                all.push_back(flatten((*this)[i].getState(OpenMM::State::Positions).getPositions()));
            return all;
        }
    };
    void makeContexts(Group& group) const {
        std::vector<OpenMM::System*> systems;
        std::vector<OpenMM::Integrator*> integrators;
        for (int i = 0; i < group.size(); i++) {
            systems.push_back(group.systems[i].get());
            integrators.push_back(group.integrators[i].get());
        }
        std::map<std::string, std::string> properties = getProperties();
        if (hasThreads())
            properties["Threads"] = "2";
        group.contexts = std::make_unique<PaiNNReplicaContexts>(systems, integrators, *platform, properties);
    }
    static std::unique_ptr<OpenMM::Integrator> verlet() {
        return std::make_unique<OpenMM::VerletIntegrator>(0.0005);
    }
    /** Clusters of several sizes in the gentle model, each with its scale s. */
    Group makeClusters(const std::vector<int>& sizes,
                       const std::function<std::unique_ptr<OpenMM::Integrator>(int)>& makeIntegrator) const {
        const PaiNNStudentModel model = makeGentleModel();
        Group group;
        for (size_t i = 0; i < sizes.size(); i++) {
            auto system = std::make_unique<OpenMM::System>();
            const Cluster cluster(sizes[i], static_cast<unsigned>(i + 1));
            addParticles(*system, cluster.size());
            PaiNNStudentForce* force = makeForce(model, cluster);
            force->addGlobalParameter("s", 1.0);
            force->setSubsystemScale(0, "s");
            system->addForce(force);
            group.add(std::move(system), force, makeIntegrator(static_cast<int>(i)));
        }
        makeContexts(group);
        for (size_t i = 0; i < sizes.size(); i++)
            group[static_cast<int>(i)].setPositions(Cluster(sizes[i], static_cast<unsigned>(i + 1)).positions);
        return group;
    }
    const std::vector<int> sizes = {5, 8, 8, 13, 22};
};

} // namespace PaiNNPlugin

#endif
