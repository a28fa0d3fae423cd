// SPDX-License-Identifier: MIT
#include "FastNetworkTable.h"
#include <map>
#include <mutex>
#include <string>

using namespace std;

namespace PaiNNPlugin {

shared_ptr<const FastNetwork> getFastNetwork(const PaiNNStudentModel& model) {
    static mutex lock;
    static map<string, weak_ptr<const FastNetwork>> networks; // by the model's hash
    lock_guard<mutex> guard(lock); // held while a network is made, so that nobody else makes it too
    for (auto entry = networks.begin(); entry != networks.end();)
        entry = (entry->second.expired() ? networks.erase(entry) : next(entry));
    const auto known = networks.find(model.getHash());
    if (known != networks.end())
        if (shared_ptr<const FastNetwork> network = known->second.lock()) // the last owner may just have gone
            return network;
    shared_ptr<const FastNetwork> network = FastNetwork::create(model.getParameters());
    networks[model.getHash()] = network;
    return network;
}

} // namespace PaiNNPlugin
